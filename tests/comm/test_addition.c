/* The two orders of a sum: what they are, and that pairs may be added anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "addition.h"

enum { N = 2500, PARTS = 8 };

static float numbers[PARTS][N];

/* Of very different sizes, so that the order shows. */
static int fill(void **state)
{
    (void)state;
    uint32_t x = 1;
    for (int p = 0; p < PARTS; p++)
        for (int i = 0; i < N; i++) {
            x = x * 1664525u + 1013904223u;
            numbers[p][i] = (float)(int32_t)x * (x & 1 ? 1e-9f : 1e-3f);
        }
    return 0;
}

static void parts_of(const float *part[PARTS])
{
    for (int p = 0; p < PARTS; p++) part[p] = numbers[p];
}

static void in_rank_order(void **state)
{
    (void)state;
    const float *part[PARTS];
    float        sum[N];
    parts_of(part);
    addition_all(sum, part, 5, 0, N, false);
    for (int i = 0; i < N; i++) {
        float want = numbers[0][i];
        for (int p = 1; p < 5; p++) want += numbers[p][i];
        assert_true(sum[i] == want);
    }
}

static void in_pairs(void **state)
{
    (void)state;
    const float *part[PARTS];
    float        sum[N], order[N];
    int          differ = 0;
    parts_of(part);
    addition_all(sum, part, PARTS, 0, N, true);
    addition_all(order, part, PARTS, 0, N, false);
    for (int i = 0; i < N; i++) {
        float a = numbers[0][i] + numbers[1][i], b = numbers[2][i] + numbers[3][i];
        float c = numbers[4][i] + numbers[5][i], d = numbers[6][i] + numbers[7][i];
        float lower = a + b, upper = c + d;
        assert_true(sum[i] == lower + upper);
        differ += sum[i] != order[i];
    }
    assert_true(differ > N / 10);
}

/* Whoever owns two or four neighbours may add them beforehand. */
static void pairs_may_be_added_by_their_owners(void **state)
{
    (void)state;
    static float own[PARTS][N], sum[N], whole[N];
    const float *part[PARTS];
    parts_of(part);
    addition_all(whole, part, PARTS, 0, N, true);
    for (int each = 1; each <= PARTS; each *= 2) {
        const float *owned[PARTS];
        for (int r = 0; r < PARTS / each; r++) {
            addition_all(own[r], part + r * each, each, 0, N, true);
            owned[r] = own[r];
        }
        addition_all(sum, owned, PARTS / each, 0, N, true);
        assert_memory_equal(sum, whole, sizeof sum);
    }
}

static void a_piece_in_the_middle_and_in_place(void **state)
{
    (void)state;
    const float *part[PARTS];
    static float whole[N], sum[N], first[N];
    parts_of(part);
    addition_all(whole, part, 4, 0, N, true);
    addition_all(sum, part, 4, 1100, 300, true);
    assert_memory_equal(sum, whole + 1100, 300 * sizeof *sum);
    memcpy(first, numbers[0], sizeof first);
    part[0] = first;
    addition_all(first, part, 4, 0, N, true);
    assert_memory_equal(first, whole, sizeof whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_rank_order),
        cmocka_unit_test(in_pairs),
        cmocka_unit_test(pairs_may_be_added_by_their_owners),
        cmocka_unit_test(a_piece_in_the_middle_and_in_place),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
