/* Every exercise finds a right kernel right, whatever the set, and a kernel that is wrong somewhere
 * wrong. */
#include "exercise.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "keywork.h"
#include "product.h"
#include "rowwise.h"

static const product_shape SHAPE = {"odd", 77, 45, true};
static const rowwise_shape WIDTHS = {48, 100, 16, 1500};
static const kernels      *best;

static verdict judge(exercise *x, status opened)
{
    verdict v = {0};
    assert_int_equal(opened, DID_OK);
    assert_true(x->bytes > 0 && x->working_set > 0);
    x->check(x, &v);
    task t = exercise_task(x);
    for (int i = 0; i < 3; i++) { /* what is timed runs from any state */
        if (t.reset) t.reset(t.context);
        assert_int_equal(t.run(t.context), DID_OK);
    }
    exercise_close(x);
    return v;
}

static void assert_right(const verdict *v, const char *set, const char *op)
{
    if (v->wrong) fail_msg("%s of %s: %s", op, set, v->why);
}

static void right_in(precision p)
{
    static const int ROWS[] = {1, 5, 70};
    for (const char *const *set = kernels_names(p); *set; set++)
        for (int i = 0; i < 3; i++) {
            const kernels *k = kernels_of(p, *set);
            exercise       x;
            verdict        v = judge(&x, product_open(&x, k, &SHAPE, ROWS[i], 40000, 1));
            assert_right(&v, *set, "linear");
            for (int op = 0; op < rowwise_count(); op++) {
                v = judge(&x, rowwise_open(&x, k, op, &WIDTHS, ROWS[i], 1));
                assert_right(&v, *set, rowwise_name(op));
            }
            for (int kind = 0; kind < KEYWORK_COUNT; kind++) {
                v = judge(&x, keywork_open(&x, k, (keywork_kind)kind, ROWS[i], 200, 48, 100000, 1));
                assert_right(&v, *set, keywork_name((keywork_kind)kind));
            }
        }
}

static void right_kernels_are_right(void **state)
{
    (void)state;
    right_in(PRECISION_F32);
    right_in(PRECISION_BF16);
}

/* ---- kernels that are wrong in one place ---- */

static void linear_wrong(float *c, const float *a, const float *w, const float *bias, int rows,
                         int n, int k)
{
    best->linear(c, a, w, bias, rows, n, k);
    if (rows > 2) c[(size_t)1 * (size_t)n + 3] += 0.01f;
}

static const kernels *narrow;

static void packed_wrong(void *out, const void *a, const void *w, const float *bias, int rows, int n,
                         int from, int to, int k, epilogue e)
{
    narrow->linear_packed(out, a, w, bias, rows, n, from, to, k, e);
    if (rows > 2) ((float *)out)[n + 3] += 0.01f;
}

/* An error that f32 would show still shows beside the roundings of bf16. */
static void wrong_in_bf16_is_seen(void **state)
{
    (void)state;
    exercise x;
    narrow = kernels_of(PRECISION_BF16, NULL);
    kernels bad = *narrow;
    bad.linear_packed = packed_wrong;
    assert_true(judge(&x, product_open(&x, &bad, &SHAPE, 9, 0, 1)).wrong);
}

static void norm_wrong(float *out, const float *x, const float *scale, const float *shift, int rows,
                       int d)
{
    best->norm(out, x, scale, shift, rows, d);
    out[rows * d - 1] += 0.001f;
}

static void gelu_wrong(float *x, int rows, int d)
{
    (void)x;
    (void)rows;
    (void)d;
}

static void residual_wrong(float *x, const float *part, const float *gate, const float *bias,
                           int rows, int d)
{
    (void)gate;
    best->residual(x, part, NULL, bias, rows, d);
}

static void rotate_wrong(float *x, int stride, const float *cosine, const float *sine, int rows,
                         int head_size)
{
    best->rotate(x, stride, cosine, sine, rows - 1, head_size);
}

static float max_wrong(const float *x, int n, int skip)
{
    return best->max(x, n, skip) - 0x1p-22f;
}

static double exponentials_wrong(double *weight, const float *x, float peak, double scale, int n,
                                 int skip)
{
    (void)skip;
    return best->exponentials(weight, x, peak, scale, n, -1);
}

static void store_wrong(void *k_tile, void *v_tile, const float *k, const float *v, int slot,
                        int head_size)
{
    if (slot != 2) best->key_store(k_tile, v_tile, k, v, slot, head_size);
}

static void copy_wrong(void *k_tile, void *v_tile, const void *k_from, const void *v_from,
                       int slots, int head_size)
{
    best->key_copy(k_tile, v_tile, k_from, v_from, slots - 1, head_size);
}

static void attend_wrong(float *out, int out_stride, const float *q, int q_stride, int rows,
                         const key_tiles *keys, int head_size)
{
    key_tiles fewer = *keys;
    fewer.to--;
    best->attend(out, out_stride, q, q_stride, rows, &fewer, head_size);
}

static void wrong_kernels_are_wrong(void **state)
{
    (void)state;
    exercise x;
    kernels  bad = *best;
    bad.linear = linear_wrong;
    assert_true(judge(&x, product_open(&x, &bad, &SHAPE, 9, 0, 1)).wrong);
    bad = *best;
    bad.norm = norm_wrong;
    bad.gelu = gelu_wrong;
    bad.residual = residual_wrong;
    bad.rotate = rotate_wrong;
    bad.max = max_wrong;
    bad.exponentials = exponentials_wrong;
    for (int op = 0; op < rowwise_count(); op++)
        if (!judge(&x, rowwise_open(&x, &bad, op, &WIDTHS, 3, 1)).wrong)
            fail_msg("a wrong %s was found right", rowwise_name(op));
    for (int kind = 0; kind < KEYWORK_COUNT; kind++) {
        bad = *best;
        if (kind == KEYWORK_STORE) bad.key_store = store_wrong;
        if (kind == KEYWORK_COPY) bad.key_copy = copy_wrong;
        if (kind == KEYWORK_ATTEND) bad.attend = attend_wrong;
        if (!judge(&x, keywork_open(&x, &bad, (keywork_kind)kind, 5, 130, 48, 0, 1)).wrong)
            fail_msg("a wrong %s was found right", keywork_name((keywork_kind)kind));
    }
}

static void borrowed_code_is_told(void **state)
{
    (void)state;
    exercise x;
    kernels  mixed = *kernels_find("ref");
    mixed.norm = norm_wrong;
    for (int op = 0; op < rowwise_count(); op++) {
        assert_int_equal(rowwise_open(&x, &mixed, op, &WIDTHS, 3, 1), DID_OK);
        assert_int_equal(x.borrowed, strcmp(rowwise_name(op), "norm") != 0);
        exercise_close(&x);
    }
}

int main(void)
{
    best = kernels_find(NULL);
    const struct CMUnitTest tests[] = {cmocka_unit_test(right_kernels_are_right),
                                       cmocka_unit_test(wrong_kernels_are_wrong),
                                       cmocka_unit_test(borrowed_code_is_told),
                                       cmocka_unit_test(wrong_in_bf16_is_seen)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
