/* Collectives at any number of ranks.
 *
 * A rank whose check fails leaves at once: the launcher then ends the others, where a longjmp to
 * the next test would leave them waiting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "clock.h"
#include "comm.h"

static comm *world;
static int   rank, size;

static void test_start(void **state)
{
    (void)state;
    int launched = comm_launch_rank();
    CHECK(strstr(comm_library(), "MPI"));
    CHECK(!strchr(comm_library(), '\n'));
    CHECK(comm_start(&world) == DID_OK);
    rank = comm_rank(world);
    size = comm_size(world);
    CHECK(size > 0 && rank >= 0 && rank < size);
    CHECK(launched == rank);
}

static void test_launch_rank(void **state)
{
    (void)state;
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                        "SLURM_PROCID"};
    for (int i = 0; i < 4; i++) unsetenv(names[i]);
    CHECK(comm_launch_rank() == 0);
    for (int i = 3; i >= 0; i--) {
        char text[16];
        snprintf(text, sizeof text, "%d", 40 + i);
        setenv(names[i], "four", 1);
        CHECK(comm_launch_rank() == (i == 3 ? 0 : 41 + i));
        setenv(names[i], text, 1);
        CHECK(comm_launch_rank() == 40 + i);
    }
}

/* What rank `r` brings in round `round`, and why. */
static status brought(int r, unsigned failing, int round)
{
    static const status codes[] = {DID_EINVAL, DID_EIO, DID_EFORMAT, DID_EPEER, DID_ENOMEM};
    return failing >> r & 1 ? codes[(r * (round + 1) + round) % 5] : DID_OK;
}

static void test_agree(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        for (unsigned failing = 0; failing < 1u << size; failing++) {
            status worst = DID_OK, mine = brought(rank, failing, round);
            int    whose = 0;
            for (int r = 0; r < size; r++) {
                if (brought(r, failing, round) <= worst) continue;
                worst = brought(r, failing, round);
                whose = r;
            }
            char want[128];
            snprintf(want, sizeof want, whose ? "rank %d: %d apples in round %d"
                                              : "%.0d%d apples in round %d", whose, whose, round);
            if (mine != DID_OK) status_fail(mine, "%d apples in round %d", rank, round);
            CHECK(comm_agree(world, mine) == worst);
            if (worst != DID_OK) CHECK(strcmp(status_message(), want) == 0);
        }
    }
}

static void test_agree_on_a_long_sentence(void **state)
{
    (void)state;
    int    last = size - 1;
    status mine = DID_OK;
    if (rank == last) mine = status_fail(DID_EIO, "%01500d", 7);
    CHECK(comm_agree(world, mine) == DID_EIO);
    CHECK(strlen(status_message()) == 1023);
    CHECK(strncmp(status_message(), last ? "rank " : "00000", 5) == 0);
}

static void test_broadcast(void **state)
{
    (void)state;
    /* Around the size at which transfers are cut, too. */
    const size_t sizes[] = {0, 1, 7, 4096, 100003, ((size_t)1 << 24) - 1, ((size_t)1 << 24) + 5};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int            root = (int)i % size;
        size_t         n = sizes[i];
        unsigned char *data = malloc(n + 1);
        CHECK(data);
        for (size_t j = 0; j < n; j++)
            data[j] = rank == root ? (unsigned char)(j * 7 + j / 1000 + i) : 0;
        data[n] = 99;
        CHECK((i % 2 ? comm_await : comm_broadcast)(world, data, n, root, EV_PLAN) == DID_OK);
        for (size_t j = 0; j < n; j++) CHECK(data[j] == (unsigned char)(j * 7 + j / 1000 + i));
        CHECK(data[n] == 99);
        free(data);
    }
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void test_await_sleeps(void **state)
{
    (void)state;
    CHECK(comm_barrier(world, EV_BENCH) == DID_OK);
    int    word = 0;
    double cpu = cpu_seconds(), wall = clock_seconds();
    if (rank == 0) {
        while (clock_seconds() - wall < 0.4) clock_sleep(0.4);
        word = 1234;
    }
    CHECK(comm_await(world, &word, sizeof word, 0, EV_PLAN) == DID_OK);
    cpu = cpu_seconds() - cpu;
    wall = clock_seconds() - wall;
    CHECK(word == 1234);
    CHECK(cpu < 0.5 * wall);
}

static void test_gather(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 12, 5000, ((size_t)1 << 24) + 3};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t         n = sizes[i];
        unsigned char *mine = malloc(n + 1), *all = malloc(n * (size_t)size + 1);
        CHECK(mine && all);
        for (size_t j = 0; j < n; j++) mine[j] = (unsigned char)(j + j / 999 + 31 * (size_t)rank);
        all[n * (size_t)size] = 99;
        CHECK(comm_gather(world, all, mine, n, EV_REPORT) == DID_OK);
        for (size_t r = 0; r < (size_t)size; r++)
            for (size_t j = 0; j < n; j++)
                CHECK(all[r * n + j] == (unsigned char)(j + j / 999 + 31 * r));
        CHECK(all[n * (size_t)size] == 99);
        free(mine);
        free(all);
    }
}

/* Rank r's number i: many magnitudes and both signs, so that the order of additions shows. */
static float number(int r, size_t i)
{
    uint32_t h = (uint32_t)i * 2654435761u ^ (uint32_t)(r + 1) * 40503u * 65537u;
    h ^= h >> 15;
    h *= 2246822519u;
    h ^= h >> 13;
    return ldexpf((float)(int32_t)h, -31 - (int)(h % 29));
}

static float number_sum(size_t i)
{
    float sum = number(0, i);
    for (int r = 1; r < size; r++) sum += number(r, i);
    return sum;
}

static void check_sum(size_t n)
{
    float *x = malloc((n + 1) * sizeof *x);
    CHECK(x);
    for (size_t i = 0; i < n; i++) x[i] = number(rank, i);
    x[n] = 99;
    CHECK(comm_sum(world, x, n, EV_SUM_MLP) == DID_OK);
    for (size_t i = 0; i < n; i++) {
        float want = number_sum(i);
        CHECK(memcmp(&x[i], &want, sizeof want) == 0);
    }
    CHECK(x[n] == 99);
    free(x);
}

static void test_sum(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 2, 3, 5, 64, 1000, 100003};
    CHECK(comm_reserve(world, 100003) == DID_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) check_sum(sizes[i]);
}

static void test_sum_in_pieces(void **state)
{
    (void)state;
    size_t n = ((size_t)1 << 22) + 7;
    CHECK(comm_reserve(world, n) == DID_OK);
    check_sum(n);
    check_sum(10);  /* a larger reserve serves smaller sums as well */
}

/* The same numbers, at another place of a longer vector, give the same bits. */
static void test_sum_of_moved_numbers(void **state)
{
    (void)state;
    enum { LEN = 37 };
    float alone[LEN];
    for (size_t i = 0; i < LEN; i++) alone[i] = number(rank, i);
    CHECK(comm_reserve(world, 5000) == DID_OK);
    CHECK(comm_sum(world, alone, LEN, EV_SUM_MLP) == DID_OK);
    for (size_t at = 0; at < 3000; at += 491) {
        float among[3000 + LEN];
        for (size_t i = 0; i < 3000 + LEN; i++) among[i] = number(rank, 7 * i + 3);
        for (size_t i = 0; i < LEN; i++) among[at + i] = number(rank, i);
        CHECK(comm_sum(world, among, 3000 + LEN, EV_SUM_MLP) == DID_OK);
        CHECK(memcmp(among + at, alone, sizeof alone) == 0);
    }
}

static void test_sum_of_non_finite(void **state)
{
    (void)state;
    float x[6] = {1, 1, 1, 1, -0.0f, 1};
    if (rank == size - 1) x[0] = INFINITY, x[1] = NAN, x[2] = -INFINITY;
    if (rank == 0 && size > 1) x[3] = INFINITY;
    if (rank == size - 1 && size > 1) x[3] = -INFINITY;
    CHECK(comm_sum(world, x, 6, EV_SUM_MLP) == DID_OK);
    CHECK(x[0] == INFINITY && isnan(x[1]) && x[2] == -INFINITY);
    CHECK(size > 1 ? isnan(x[3]) : x[3] == 1);
    CHECK(x[4] == 0 && signbit(x[4]));
    CHECK(x[5] == (float)size);
    float all[6 * 64];
    CHECK(size <= 64 && comm_gather(world, all, x, sizeof x, EV_REPORT) == DID_OK);
    for (int r = 0; r < size; r++) CHECK(memcmp(all + 6 * r, x, sizeof x) == 0);
}

static void test_sum_of_one_rank_is_silent(void **state)
{
    (void)state;
    comm *me;
    CHECK(comm_split(&me, world, rank, 0) == DID_OK);
    CHECK(comm_size(me) == 1 && comm_rank(me) == 0);
    CHECK(comm_sum_bytes(1, 1000) == 0);
    CHECK(comm_reserve(me, 3) == DID_OK);
    long  before = event_totals(EV_SUM_EMBEDDING).count;
    float x[3] = {number(rank, 1), NAN, -0.0f}, same[3];
    memcpy(same, x, sizeof x);
    CHECK(comm_sum(me, x, 3, EV_SUM_EMBEDDING) == DID_OK);
    CHECK(memcmp(same, x, sizeof x) == 0);
    CHECK(event_totals(EV_SUM_EMBEDDING).count == before);
    comm_close(&me);
    CHECK(!me);
    comm_close(&me);
}

static void test_split(void **state)
{
    (void)state;
    comm *half;
    /* Odd and even ranks, in falling order. */
    CHECK(comm_split(&half, world, rank % 2, -rank) == DID_OK);
    CHECK(comm_size(half) == (rank % 2 ? size / 2 : (size + 1) / 2));
    int mine = rank, all[64];
    CHECK(comm_gather(half, all, &mine, sizeof mine, EV_SETUP) == DID_OK);
    for (int i = 0; i < comm_size(half); i++)
        CHECK(all[i] % 2 == rank % 2 && (i == 0 || all[i] < all[i - 1]));
    CHECK(all[comm_rank(half)] == rank);
    comm_close(&half);
    int here = 0;
    CHECK(comm_node_size(world, &here) == DID_OK);
    CHECK(here >= 1 && here <= size);
}

static void test_events(void **state)
{
    (void)state;
    event_total before = event_totals(EV_BENCH);
    CHECK(comm_barrier(world, EV_BENCH) == DID_OK);
    char c[10] = "";
    CHECK(comm_broadcast(world, c, sizeof c, 0, EV_BENCH) == DID_OK);
    event_total after = event_totals(EV_BENCH);
    CHECK(after.count == before.count + 2 && after.bytes == before.bytes + 10);
    CHECK(after.seconds >= before.seconds);
}

#ifndef NDEBUG
/* The last rank is somewhere else: everybody learns it, and can go on together. */
static void test_out_of_step(void **state)
{
    (void)state;
    if (size == 1) return;
    float x[8] = {0};
    int   odd = rank == size - 1;
    CHECK(comm_sum(world, x, 8, odd ? EV_DRAW : EV_SUM_MLP) == DID_EPEER);
    CHECK(strstr(status_message(), "\"mlp\"") && strstr(status_message(), "\"draw\""));
    CHECK(comm_sum(world, x, odd ? 7 : 8, EV_SUM_MLP) == DID_EPEER);
    CHECK(strstr(status_message(), "28 to 32 bytes"));
    status s = odd ? comm_agree(world, status_fail(DID_EIO, "no such file"))
                   : comm_await(world, x, 4, 0, EV_PLAN);
    CHECK(s == DID_EPEER);
    CHECK(!odd || strstr(status_message(), "no such file"));
    CHECK(strstr(status_message(), "\"setup\" to \"plan\""));
    CHECK(comm_barrier(world, EV_SETUP) == DID_OK);
}
#endif

/* What MPI refuses comes back as a status with a sentence. */
static void test_mpi_error(void **state)
{
    (void)state;
    int word = 0;
    CHECK(comm_broadcast(world, &word, sizeof word, size, EV_PLAN) == DID_EPEER);
    CHECK(strstr(status_message(), "\"plan\"") && strstr(status_message(), "MPI_ERR_ROOT"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_launch_rank),
        cmocka_unit_test(test_agree),
        cmocka_unit_test(test_agree_on_a_long_sentence),
        cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_await_sleeps),
        cmocka_unit_test(test_gather),
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_sum_in_pieces),
        cmocka_unit_test(test_sum_of_moved_numbers),
        cmocka_unit_test(test_sum_of_non_finite),
        cmocka_unit_test(test_sum_of_one_rank_is_silent),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_events),
#ifndef NDEBUG
        cmocka_unit_test(test_out_of_step),
#endif
        cmocka_unit_test(test_mpi_error),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop(&world);
    comm_stop(&world);
    return failed != 0 || world != NULL;
}
