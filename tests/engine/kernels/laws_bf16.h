/* laws_bf16.h - what every kernel set of bf16 must keep: see laws.h and laws_attend.h.
 *
 * `ref` is the same oracle, now of bf16: both round the same numbers the same way, so products
 * differ by the order of their sums alone. */
#ifndef DID_LAWS_BF16_H
#define DID_LAWS_BF16_H

#include "bf16.h"
#include "laws_attend.h"

/* Number i of a row of an operand of `width`, whatever form the set gives it. */
static float left_at(const kernels *k, const void *operand, int width, int row, size_t i)
{
    const char *at = (const char *)operand + (size_t)row * operand_bytes(k, width);
    if (k->left_bytes == sizeof(float)) return ((const float *)(const void *)at)[i];
    return half_widen(((const uint16_t *)(const void *)at)[i]);
}

static void *operand_of(const kernels *k, const float *x, int rows, int depth)
{
    void *a = guard_bytes((size_t)rows * operand_bytes(k, depth));
    k->operand(a, x, rows, depth);
    return a;
}

static void *packed_of(const kernels *k, const float *w, int n, int depth)
{
    size_t bytes = packed_bytes(n, depth);
    void  *p = memset(guard_bytes(bytes), 0, bytes);
    int    half = n / 2;
    bf16_pack(p, w, 0, half, depth, k->columns);
    bf16_pack(p, w + (size_t)half * depth, half, n - half, depth, k->columns);
    return p;
}

/* ---- operands ------------------------------------------------------------------------------- */

/* Every bf16 and what lies around the middle between it and the next. */
static void operands_are_rounded(void **state)
{
    static const uint32_t BELOW[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    (void)state;
    enum { N = 1 << 16 };
    float *x = malloc(N * sizeof *x);
    void  *a = malloc(operand_bytes(set, N));
    for (int b = 0; b < COUNT(BELOW); b++) {
        for (uint32_t i = 0; i < N; i++) {
            uint32_t bits = i << 16 | BELOW[b];
            memcpy(&x[i], &bits, sizeof bits);
        }
        set->operand(a, x, 1, N);
        for (uint32_t i = 0; i < N; i++) {
            float got = left_at(set, a, N, 0, i), want = half_widen(half_round(x[i]));
            bool  tiny = (i & 0x7f80) == 0; /* denormal: an instruction may take it for 0 */
            if (isnan(x[i]) ? !isnan(got) : got != want && !(tiny && got == 0))
                fail_msg("%s: %a becomes %a, not %a", set->name, x[i], got, want);
        }
    }
    free(x);
    free(a);
}

static void operands_end_with_a_zero(void **state)
{
    static const int K[] = {1, 2, 3, 15, 16, 17, 31, 33, 77, 320};
    (void)state;
    for (int i = 0; i < COUNT(K); i++) {
        int          mark = guard_mark(), wide = K[i] + K[i] % 2;
        const float *x = noise_floats(30, (size_t)5 * K[i]);
        void        *a = operand_of(set, x, 5, K[i]);
        for (int r = 0; r < 5; r++)
            for (int j = 0; j < wide; j++) {
                float want = j < K[i] ? half_widen(half_round(x[r * K[i] + j])) : 0;
                assert_true(left_at(set, a, K[i], r, (size_t)j) == want);
            }
        guard_clear(mark);
    }
}

/* ---- the product ---------------------------------------------------------------------------- */

typedef struct bench {
    int    n, depth, rows;
    float *x, *w, *bias, *old;
    void  *packed;
} bench;

static bench bench_make(const kernels *k, int n, int depth, int rows, bool biased)
{
    bench b = {.n = n, .depth = depth, .rows = rows};
    b.x = noise_floats(31, (size_t)rows * depth);
    b.w = noise_floats(32, (size_t)n * depth);
    b.bias = biased ? noise_floats(33, (size_t)n) : NULL;
    b.old = noise_floats(34, (size_t)rows * n);
    b.packed = packed_of(k, b.w, n, depth);
    return b;
}

static size_t out_bytes(const kernels *k, const bench *b, int rows, epilogue e)
{
    return (size_t)rows * (e == EPILOGUE_GELU ? operand_bytes(k, b->n) : (size_t)b->n * sizeof(float));
}

/* Rows [first, first + rows) alone. */
static void *multiply(const kernels *k, const bench *b, int first, int rows, epilogue e)
{
    void *a = operand_of(k, b->x + (size_t)first * b->depth, rows, b->depth);
    void *out = guard_bytes(out_bytes(k, b, rows, e));
    if (e == EPILOGUE_ADD) memcpy(out, b->old + (size_t)first * b->n, out_bytes(k, b, rows, e));
    k->linear_packed(out, a, b->packed, b->bias, rows, b->n, 0, b->n, b->depth, e);
    return out;
}

static float out_at(const kernels *k, const bench *b, const void *out, int row, int j, epilogue e)
{
    if (e == EPILOGUE_GELU) return left_at(k, out, b->n, row, (size_t)j);
    return ((const float *)out)[(size_t)row * b->n + j];
}

static void product_agrees(int n, int depth, int rows, bool biased)
{
    int mark = guard_mark();
    for (epilogue e = EPILOGUE_STORE; e <= EPILOGUE_ADD; e++) {
        bench       mine = bench_make(set, n, depth, rows, biased);
        bench       its = bench_make(ref, n, depth, rows, biased);
        const void *got = multiply(set, &mine, 0, rows, e), *want = multiply(ref, &its, 0, rows, e);
        float       off = 1e-6f * sqrtf((float)depth) + (e == EPILOGUE_GELU ? 0x1p-7f : 0);
        for (int r = 0; r < rows; r++)
            for (int j = 0; j < n; j++)
                assert_close(out_at(set, &mine, got, r, j, e), out_at(ref, &its, want, r, j, e),
                             off, "a packed product", r * n + j);
        if (e == EPILOGUE_GELU && n % 2)
            for (int r = 0; r < rows; r++)
                assert_true(left_at(set, got, n, r, (size_t)n) == 0);
        guard_clear(mark);
    }
}

static void products_agree_with_ref(void **state)
{
    static const int SHAPES[][2] = {{1, 1},   {7, 5},   {15, 16}, {16, 33}, {63, 2}, {64, 64},
                                    {65, 77}, {66, 33}, {130, 8}, {9, 769}, {3, 1550}, {200, 320}};
    (void)state;
    for (int i = 0; i < COUNT(SHAPES); i++) {
        product_agrees(SHAPES[i][0], SHAPES[i][1], 13, i % 2);
        product_agrees(SHAPES[i][0], SHAPES[i][1], 1 + i, true);
    }
}

/* The law: passes of 1 to 257 rows, and a pass's rows at every offset among them. */
static void product_rows_are_alone(int n, int depth, epilogue e)
{
    enum { ROWS = 257 };
    static const int HEIGHTS[] = {1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 15, 16, 17, 31, 63, 64, 65,
                                  127, 191, 192, 193, 254, 255, 256, 257};
    int         mark = guard_mark(), slow = set == ref ? 23 : 1;
    bench       b = bench_make(set, n, depth, ROWS, true);
    const char *all = multiply(set, &b, 0, ROWS, e);
    size_t      row = out_bytes(set, &b, 1, e);
    for (int h = 0; h < COUNT(HEIGHTS); h++)
        for (int at = 0; at + HEIGHTS[h] <= ROWS; at += slow) {
            int         inner = guard_mark();
            const void *few = multiply(set, &b, at, HEIGHTS[h], e);
            if (memcmp(all + (size_t)at * row, few, (size_t)HEIGHTS[h] * row) != 0)
                fail_msg("%s: %d rows from %d have other bits than among %d", set->name,
                         HEIGHTS[h], at, ROWS);
            guard_clear(inner);
        }
    guard_clear(mark);
}

static void products_do_not_see_company(void **state)
{
    (void)state;
    product_rows_are_alone(70, 34, EPILOGUE_STORE);
    product_rows_are_alone(33, 77, EPILOGUE_GELU);
    product_rows_are_alone(16, 96, EPILOGUE_ADD);
}

static void every_height_is_the_same(void **state)
{
    enum { ROWS = 257 };
    (void)state;
    int         mark = guard_mark();
    bench       b = bench_make(set, 17, 30, ROWS, false);
    const char *all = multiply(set, &b, 0, ROWS, EPILOGUE_STORE);
    for (int rows = 1; rows <= ROWS; rows++) {
        int    inner = guard_mark(), at = ROWS - rows;
        size_t row = 17 * sizeof(float);
        assert_memory_equal(all + (size_t)at * row, multiply(set, &b, at, rows, EPILOGUE_STORE),
                            (size_t)rows * row);
        guard_clear(inner);
    }
    guard_clear(mark);
}

/* A weight cut into two at a panel's border gives the halves of the product. */
static void slices_are_the_same(void **state)
{
    enum { N = 150, DEPTH = 70, ROWS = 9 };
    (void)state;
    int          mark = guard_mark();
    bench        b = bench_make(set, N, DEPTH, ROWS, true);
    const float *all = multiply(set, &b, 0, ROWS, EPILOGUE_STORE);
    for (int first = 0; first < N; first += COLUMNS_MAX) {
        int   n = N - first < COLUMNS_MAX ? N - first : COLUMNS_MAX;
        bench part = b;
        part.n = n;
        part.bias = b.bias + first;
        part.packed = packed_of(set, b.w + (size_t)first * DEPTH, n, DEPTH);
        const float *some = multiply(set, &part, 0, ROWS, EPILOGUE_STORE);
        for (int r = 0; r < ROWS; r++)
            assert_same_bits(all + r * N + first, some + r * n, n, "a slice", ROWS);
    }
    guard_clear(mark);
}

/* Columns computed one panel or a few at a time, in any order, are those of the whole. */
static void columns_may_be_shared_out(void **state)
{
    enum { N = 301, DEPTH = 70 };
    static const int ROWS[] = {1, 9, 40, 70};
    (void)state;
    for (int i = 0; i < COUNT(ROWS); i++)
        for (epilogue e = EPILOGUE_STORE; e <= EPILOGUE_ADD; e++) {
            int         mark = guard_mark(), step = set->columns * (1 + i);
            bench       b = bench_make(set, N, DEPTH, ROWS[i], true);
            size_t      bytes = out_bytes(set, &b, ROWS[i], e);
            const void *all = multiply(set, &b, 0, ROWS[i], e);
            void       *out = guard_bytes(bytes), *a = operand_of(set, b.x, ROWS[i], DEPTH);
            if (e == EPILOGUE_ADD) memcpy(out, b.old, bytes);
            for (int at = (N - 1) / step * step; at >= 0; at -= step)
                set->linear_packed(out, a, b.packed, b.bias, ROWS[i], N, at,
                                   at + step < N ? at + step : N, DEPTH, e);
            assert_memory_equal(all, out, bytes);
            guard_clear(mark);
        }
}

static const struct CMUnitTest LAWS_BF16[] = {
    cmocka_unit_test(columns_may_be_shared_out),
    cmocka_unit_test(operands_are_rounded),
    cmocka_unit_test(operands_end_with_a_zero),
    cmocka_unit_test(products_agree_with_ref),
    cmocka_unit_test(products_do_not_see_company),
    cmocka_unit_test(every_height_is_the_same),
    cmocka_unit_test(slices_are_the_same),
    cmocka_unit_test(rowwise_agrees_with_ref),
    cmocka_unit_test(rowwise_rows_are_alone),
    cmocka_unit_test(max_is_exact),
    cmocka_unit_test(exponentials_skip_one_and_sum_the_same),
    cmocka_unit_test(attend_agrees_with_ref),
    cmocka_unit_test(attend_rows_are_alone),
    cmocka_unit_test(attend_ignores_what_it_may_not_see),
    cmocka_unit_test(attend_continues_a_copied_tile),
    cmocka_unit_test(attend_shows_what_is_not_a_number),
    cmocka_unit_test(attend_keeps_its_peak),
};

/* Runs the laws on a set. */
static inline int laws_run_bf16_on(const kernels *k)
{
    char title[32];
    ref = kernels_of(PRECISION_BF16, "ref");
    set = k;
    /* Where both sides of a product are bf16, queries and weights are rounded to 8 bits as well. */
    attend_tolerance = set->left_bytes == 2 ? 8e-3f : 2e-6f;
    snprintf(title, sizeof title, "%s in bf16", k->name);
    return cmocka_run_group_tests_name(title, LAWS_BF16, NULL, NULL);
}

/* Runs them on the set of that name; a CPU without it says so and passes. */
static inline int laws_run_bf16(const char *name)
{
    const kernels *k = kernels_of(PRECISION_BF16, name);
    if (k) return laws_run_bf16_on(k);
    printf("skipped: this CPU lacks %s (%s)\n", name, kernels_cpu());
    return 0;
}

#endif
