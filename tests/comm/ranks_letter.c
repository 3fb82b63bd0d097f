/* Letters of any size go round the ranks while more are on their way, and arrive in order. A rank
 * whose check fails leaves at once, so that the launcher ends the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "check.h"
#include "clock.h"
#include "letter.h"

enum { MOST = 1 << 20, ROUNDS = 12 };

/* Much longer than a letter takes, on a machine with other work too. */
static const double LOOKING_S = 3;

static comm   *world;
static int     rank, size;
static int32_t goes[2][MOST], comes[MOST + 1];

static int words_of(int round)
{
    static const int words[] = {0, 1, 1000, MOST, 17, 40000};
    return words[round % 6];
}

/* To the next rank, two at a time; from the one before, with room to spare. */
static void letters_go_round(void **state)
{
    letter *in, *out[2];
    (void)state;
    CHECK(letter_open(&in, world) == DID_OK);
    for (int i = 0; i < 2; i++) CHECK(letter_open(&out[i], world) == DID_OK);
    CHECK(letter_await(in) == DID_OK);
    size_t before = event_totals(EV_BENCH).bytes, sent = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int n = words_of(round), from = (rank + size - 1) % size;
        CHECK(letter_await(out[round % 2]) == DID_OK);
        for (int i = 0; i < n; i++) goes[round % 2][i] = rank * 1000003 + round * 101 + i;
        for (int i = 0; i <= n; i++) comes[i] = -1;
        CHECK(letter_expect(in, comes, MOST * sizeof *comes, from, EV_BENCH) == DID_OK);
        CHECK(letter_send(out[round % 2], goes[round % 2], (size_t)n * sizeof **goes,
                          (rank + 1) % size, EV_BENCH) == DID_OK);
        CHECK(letter_await(in) == DID_OK);
        for (int i = 0; i < n; i++) CHECK(comes[i] == from * 1000003 + round * 101 + i);
        CHECK(comes[n] == -1);
        sent += (size_t)n * sizeof **goes;
    }
    for (int i = 0; i < 2; i++) CHECK(letter_await(out[i]) == DID_OK);
    CHECK(event_totals(EV_BENCH).bytes == before + sent);
    for (int i = 0; i < 2; i++) letter_close(&out[i]);
    letter_close(&in);
    CHECK(!in && !out[0]);
}

/* A large letter needs both ends: it gets there while its receiver only looks now and then. */
static void who_looks_lets_letters_arrive(void **state)
{
    letter *l;
    double  since = clock_seconds();
    (void)state;
    letter_look(NULL);
    if (size < 2 || rank > 1) return;
    CHECK(letter_open(&l, world) == DID_OK);
    for (int i = 0; i < MOST; i++) goes[0][i] = 7 * i;
    if (rank == 0) CHECK(letter_send(l, goes[0], sizeof goes[0], 1, EV_BENCH) == DID_OK);
    else CHECK(letter_expect(l, comes, sizeof comes, 0, EV_BENCH) == DID_OK);
    while (rank == 1 && clock_seconds() - since < LOOKING_S) {
        letter_look(world);
        clock_sleep(1e-3);
    }
    CHECK(letter_await(l) == DID_OK);
    CHECK(rank == 1 || clock_seconds() - since < LOOKING_S / 2);
    for (int i = 0; i < MOST && rank == 1; i++) CHECK(comes[i] == 7 * i);
    letter_close(&l);
}

/* One that nobody sends is given up without a trace. */
static void what_is_expected_in_vain_is_given_up(void **state)
{
    letter *l;
    (void)state;
    CHECK(letter_open(&l, world) == DID_OK);
    CHECK(letter_expect(l, comes, sizeof *comes, rank, EV_BENCH) == DID_OK);
    letter_close(&l);
    CHECK(!l);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    rank = comm_rank(world);
    size = comm_size(world);
    const struct CMUnitTest tests[] = {cmocka_unit_test(letters_go_round),
                                       cmocka_unit_test(who_looks_lets_letters_arrive),
                                       cmocka_unit_test(what_is_expected_in_vain_is_given_up)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop(&world);
    return failed;
}
