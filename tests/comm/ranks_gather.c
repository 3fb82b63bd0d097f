/* Parts of any size reach everybody who has one, several gathers at a time, whatever is done
 * meanwhile. A rank whose check fails leaves at once, so that the launcher ends the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "gather.h"

enum { RANKS_MOST = 16, GAP = 3, UNTOUCHED = 0xee };

static comm *world;
static int   rank, size;

static unsigned char byte_of(int round, int r, size_t i)
{
    return (unsigned char)(round * 31 + r * 7 + (int)(i % 251) + 1);
}

/* Sizes from nothing to several pieces; parts in any order, with room between them. */
static size_t lay_out(gather_part *part, int round)
{
    static const size_t sizes[] = {0, 1, 1000, 5 << 20, 64, (4 << 20) + 1, 4 << 20};
    size_t              at = GAP;
    for (int i = 0; i < size; i++) {
        int r = (i + round) % size;
        part[r] = (gather_part){at, sizes[(size_t)(round * 3 + r) % (sizeof sizes / sizeof *sizes)]};
        at += part[r].bytes + GAP;
    }
    return at;
}

static unsigned char *filled(const gather_part *part, size_t bytes, int round)
{
    unsigned char *all = malloc(bytes);
    CHECK(all);
    memset(all, UNTOUCHED, bytes);
    for (size_t i = 0; i < part[rank].bytes; i++)
        all[part[rank].start + i] = byte_of(round, rank, i);
    return all;
}

static void check_parts(const unsigned char *all, const gather_part *part, int round)
{
    for (int r = 0; r < size; r++) {
        bool here = r == rank || part[rank].bytes > 0;
        for (size_t i = 0; i < part[r].bytes; i++)
            CHECK(all[part[r].start + i] == (here ? byte_of(round, r, i) : UNTOUCHED));
        for (size_t i = 1; i <= GAP; i++) CHECK(all[part[r].start - i] == UNTOUCHED);
    }
}

static void parts_arrive(void **state)
{
    enum { ROUNDS = 8 };
    gather     *g[2] = {NULL, NULL};
    gather_part part[2][RANKS_MOST];
    unsigned char *all[2];
    (void)state;
    for (int i = 0; i < 2; i++) CHECK(gather_open(&g[i], world, 64 << 20) == DID_OK);
    for (int round = 0; round <= ROUNDS; round++) {
        int now = round % 2, before = !now;
        if (round < ROUNDS) {
            size_t bytes = lay_out(part[now], round);
            all[now] = filled(part[now], bytes, round);
            CHECK(gather_begin(g[now], all[now], part[now], EV_BENCH) == DID_OK);
        }
        if (round == 0) continue;
        for (int i = 0; i < round * rank; i++) CHECK(gather_poll(g[before]) == DID_OK);
        CHECK(gather_end(g[before]) == DID_OK);
        CHECK(gather_end(g[before]) == DID_OK);
        check_parts(all[before], part[before], round - 1);
        free(all[before]);
    }
    for (int i = 0; i < 2; i++) gather_close(&g[i]);
    CHECK(!g[0]);
    gather_close(&g[0]);
}

/* What is said of it: my bytes, once. */
static void is_counted(void **state)
{
    gather     *g = NULL;
    gather_part part[RANKS_MOST];
    char        all[RANKS_MOST] = {0};
    event_total before = event_totals(EV_KEYS);
    (void)state;
    for (int r = 0; r < size; r++) part[r] = (gather_part){(size_t)r, 1};
    CHECK(gather_open(&g, world, sizeof all) == DID_OK);
    CHECK(gather_begin(g, all, part, EV_KEYS) == DID_OK);
    CHECK(gather_end(g) == DID_OK);
    CHECK(event_totals(EV_KEYS).bytes == before.bytes + 1);
    CHECK(event_totals(EV_KEYS).count > before.count);
    gather_close(&g);
}

/* As after a failure: whatever is under way is left to itself. */
static void is_abandoned(void **state)
{
    gather     *g = NULL;
    gather_part part[RANKS_MOST];
    static char all[RANKS_MOST];
    (void)state;
    for (int r = 0; r < size; r++) part[r] = (gather_part){(size_t)r, 1};
    CHECK(gather_open(&g, world, sizeof all) == DID_OK);
    CHECK(gather_begin(g, all, part, EV_KEYS) == DID_OK);
    gather_close(&g);
    CHECK(!g);
    CHECK(comm_barrier(world, EV_BENCH) == DID_OK);
    parts_arrive(state);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    rank = comm_rank(world);
    size = comm_size(world);
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts_arrive), cmocka_unit_test(is_counted),
                                       cmocka_unit_test(is_abandoned)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop(&world);
    return failed;
}
