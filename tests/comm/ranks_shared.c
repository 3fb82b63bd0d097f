/* A sum through shared memory has the bytes of a sum by messages, at every size and in any order of
 * sizes. A rank whose check fails leaves at once, so that the launcher ends the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "comm.h"

enum { PIECE = 1 << 19, MOST = 2 * PIECE + 77 };

static comm    *world, *memory, *messages;
static int      rank, size;
static float   *x, *y, *z;
static uint64_t dice;

/* splitmix64 */
static uint64_t roll(void)
{
    uint64_t v = dice += 0x9e3779b97f4a7c15u;
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
    v = (v ^ v >> 27) * 0x94d049bb133111ebu;
    return v ^ v >> 31;
}

/* Numbers of very different sizes, whose sum depends on the order in which they are added. */
static void fill(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t v = roll();
        x[i] = ldexpf((float)(int32_t)(v >> 32), (int)(v % 40) - 40);
    }
    if (n > 9) x[7] = INFINITY, x[8] = rank == size - 1 ? -INFINITY : INFINITY, x[9] = NAN;
}

/* Both ways, and one after the other without meeting in between. */
static void check_sum(size_t n, int times)
{
    fill(n);
    for (int i = 0; i < times; i++) {
        memcpy(y, x, n * sizeof *x);
        CHECK(comm_sum(memory, y, n, EV_SUM_MLP) == DID_OK);
    }
    memcpy(z, x, n * sizeof *x);
    CHECK(comm_sum(messages, z, n, EV_SUM_MLP) == DID_OK);
    CHECK(n == 0 || memcmp(y, z, n * sizeof *y) == 0);
}

static void test_sharing(void **state)
{
    (void)state;
    CHECK(comm_shares(memory) == (size > 1) && !comm_shares(messages));
    CHECK(comm_share(memory) == DID_OK);
    CHECK(comm_shares(memory) == (size > 1));
}

static void test_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,         1,     2,         3,         5,        31,
                                   1023,      1024,  1025,      4099,      PIECE - 1, PIECE,
                                   PIECE + 1, 99991, 2 * PIECE, 2 * PIECE + 3, MOST};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) check_sum(sizes[i], 2);
}

/* Ranks run ahead of each other by as much as they can; small sums follow large ones. */
static void test_any_order(void **state)
{
    (void)state;
    for (int i = 0; i < 150; i++) {
        uint64_t shape = (uint64_t)i * 0x9e3779b97f4a7c15u; /* the same on all ranks */
        size_t   n = shape >> 40 & ((2u << (shape >> 60)) - 1);
        check_sum(n, 1 + i % 3);
        if (roll() % 8 == 0) usleep((useconds_t)(roll() % 2000));
    }
}

/* What other collectives have under way is carried on by ranks that wait in a sum. */
static void test_among_messages(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        int root = i % size;
        if (rank == root) memset(z, i, 300000);
        CHECK(comm_broadcast(world, z, 300000, root, EV_PLAN) == DID_OK);
        x[0] = (float)(rank + i);
        CHECK(comm_sum(memory, x, 1, EV_SUM_MLP) == DID_OK);
        CHECK(x[0] == (float)(size * (size - 1) / 2 + size * i));
    }
}

static void test_parts_of_the_world(void **state)
{
    (void)state;
    comm *half;
    CHECK(comm_split(&half, world, rank % 2, rank) == DID_OK);
    CHECK(comm_reserve(half, 1000) == DID_OK && comm_share(half) == DID_OK);
    for (int i = 0; i < 1000; i++) x[i] = (float)(1 + rank % 2);
    CHECK(comm_sum(half, x, 1000, EV_SUM_MLP) == DID_OK);
    CHECK(x[0] == (float)(comm_size(half) * (1 + rank % 2)) && x[999] == x[0]);
    comm_close(&half);
}

/* To the nearest number of 8 bits, ties to even: found by scaling instead of by looking at bits. */
static float rounded(float v)
{
    int   power;
    float part = frexpf(v, &power);
    return ldexpf(rintf(ldexpf(part, 8)), power - 8);
}

/* A narrow wire: every rank's numbers are rounded, their sum is made in f32 and rounded, wherever an
 * element stands; messages and shared memory agree. From here on both are narrow. */
static void test_narrow(void **state)
{
    enum { N = 4099 };
    (void)state;
    float *all = malloc((size_t)size * N * sizeof *all);
    CHECK(all);
    comm_narrow(memory);
    comm_narrow(messages);
    fill(N);
    x[7] = x[8] = x[9] = 1.00390625f; /* ties */
    CHECK(comm_gather(world, all, x, N * sizeof *x, EV_BENCH) == DID_OK);
    memcpy(z, x, N * sizeof *x);
    size_t before = event_totals(EV_SUM_MLP).bytes;
    CHECK(comm_sum(messages, z, N, EV_SUM_MLP) == DID_OK);
    CHECK(size == 1 || event_totals(EV_SUM_MLP).bytes - before == 2 * N);
    for (size_t i = 0; size > 1 && i < N; i++) {
        float sum = rounded(all[i]);
        for (int r = 1; r < size; r++) sum += rounded(all[(size_t)r * N + i]);
        CHECK(z[i] == rounded(sum));
    }
    free(all);
    for (size_t n = 1; n < MOST; n = 3 * n + 1) check_sum(n, 2);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    rank = comm_rank(world);
    size = comm_size(world);
    dice = (uint64_t)rank + 1;
    x = malloc(MOST * sizeof *x);
    y = malloc(MOST * sizeof *y);
    z = malloc(MOST * sizeof *z);
    CHECK(x && y && z);
    CHECK(comm_split(&memory, world, 0, rank) == DID_OK);
    CHECK(comm_split(&messages, world, 0, rank) == DID_OK);
    CHECK(comm_reserve(memory, MOST) == DID_OK && comm_reserve(messages, MOST) == DID_OK);
    CHECK(comm_share(memory) == DID_OK);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sharing), cmocka_unit_test(test_sizes),
                                       cmocka_unit_test(test_any_order),
                                       cmocka_unit_test(test_among_messages),
                                       cmocka_unit_test(test_parts_of_the_world),
                                       cmocka_unit_test(test_narrow)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&memory);
    comm_close(&messages);
    free(x), free(y), free(z);
    comm_stop(&world);
    return failed;
}
