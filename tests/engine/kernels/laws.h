/* laws.h - what every kernel set must keep, whichever instructions it is made of.
 *
 * A test program names its set and runs LAWS. Every operation is held against `ref`, with arrays
 * that end at an unreadable page, and every row is computed alone and in company, bit for bit. */
#ifndef DID_LAWS_H
#define DID_LAWS_H

#include "guard.h"
#include "kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

static const kernels *set, *ref;

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* The n-th of a stream of numbers in [-1, 1): the same for every set, whatever order they are
 * asked for in. */
static float noise(uint32_t stream, uint32_t n)
{
    uint64_t z = ((uint64_t)stream << 32 | n) * 0x9e3779b97f4a7c15 + 0x632be59bd9b4e019;
    z          = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z          = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (float)(z >> 40) * 0x1p-23f - 1;
}

static float *noise_floats(uint32_t stream, size_t n)
{
    float *x = guard_floats(n);
    for (size_t i = 0; i < n; i++)
        x[i] = noise(stream, (uint32_t)i);
    return x;
}

static void assert_close(float got, float want, float tolerance, const char *what, int i)
{
    if (fabsf(got - want) <= tolerance * fmaxf(1, fabsf(want))) return;
    fail_msg("%s %s: element %d is %.9g, ref has %.9g", set->name, what, i, got, want);
}

static void assert_same_bits(const float *a, const float *b, int n, const char *what, int rows)
{
    for (int i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof a[i]) != 0)
            fail_msg("%s %s: among %d rows element %d is %.9g instead of %.9g", set->name, what,
                     rows, i, b[i], a[i]);
}

/* ---- operations that take rows of d and give rows of d -------------------------------------- */

/* One row-wise operation: everything that belongs to a row lies in its row of `in`. */
typedef struct rowwise {
    const char *name;
    int         parts;  /* an input row is parts * d floats */
    float       tolerance;
    void (*run)(const kernels *k, float *out, const float *in, int rows, int d);
} rowwise;

/* Part `part` of every row of in, as an array of its own against the guard page. */
static float *part_of(const float *in, int rows, int d, int parts, int part)
{
    float *x = guard_floats((size_t)rows * d);
    for (int r = 0; r < rows; r++)
        memcpy(x + (size_t)r * d, in + ((size_t)r * parts + part) * d, (size_t)d * sizeof *x);
    return x;
}

static void run_norm(const kernels *k, float *out, const float *in, int rows, int d)
{
    k->norm(out, in, NULL, NULL, rows, d);
}

static void run_norm_scaled(const kernels *k, float *out, const float *in, int rows, int d)
{
    k->norm(out, in, noise_floats(1, (size_t)d), noise_floats(2, (size_t)d), rows, d);
}

static void run_norm_in_place(const kernels *k, float *out, const float *in, int rows, int d)
{
    memcpy(out, in, (size_t)rows * d * sizeof *out);
    k->norm(out, out, noise_floats(1, (size_t)d), NULL, rows, d);
}

static void run_gelu(const kernels *k, float *out, const float *in, int rows, int d)
{
    for (size_t i = 0; i < (size_t)rows * d; i++)
        out[i] = 8 * in[i];
    k->gelu(out, rows, d);
}

static void run_residual(const kernels *k, float *out, const float *in, int rows, int d)
{
    memcpy(out, part_of(in, rows, d, 2, 0), (size_t)rows * d * sizeof *out);
    k->residual(out, part_of(in, rows, d, 2, 1), NULL, NULL, rows, d);
}

static void run_residual_gated(const kernels *k, float *out, const float *in, int rows, int d)
{
    memcpy(out, part_of(in, rows, d, 2, 0), (size_t)rows * d * sizeof *out);
    k->residual(out, part_of(in, rows, d, 2, 1), noise_floats(3, (size_t)d),
                noise_floats(4, (size_t)d), rows, d);
}

/* Heads of 2 d, so that d may be odd; the head is followed by three floats that are not its own. */
static void run_rotate(const kernels *k, float *out, const float *in, int rows, int d)
{
    int    stride = 2 * d + 3;
    float *x      = guard_floats((size_t)(rows - 1) * stride + 2 * d);
    for (int r = 0; r < rows; r++) {
        memcpy(x + (size_t)r * stride, in + (size_t)r * 4 * d, (size_t)d * 2 * sizeof *x);
        for (int i = 2 * d; i < stride && r < rows - 1; i++)
            x[(size_t)r * stride + i] = 7;
    }
    k->rotate(x, stride, part_of(in, rows, d, 4, 2), part_of(in, rows, d, 4, 3), rows, 2 * d);
    for (int r = 0; r < rows; r++) {
        for (int i = 0; i < d; i++)  /* both halves in one number, each visible in it */
            out[(size_t)r * d + i] = x[(size_t)r * stride + i] - 3 * x[(size_t)r * stride + d + i];
        for (int i = 2 * d; i < stride && r < rows - 1; i++)
            assert_true(x[(size_t)r * stride + i] == 7);
    }
}

static const rowwise ROWWISE[] = {
    {"norm", 1, 4e-6f, run_norm},
    {"norm with scale and shift", 1, 4e-6f, run_norm_scaled},
    {"norm in place", 1, 4e-6f, run_norm_in_place},
    {"gelu", 1, 1e-6f, run_gelu},
    {"residual", 2, 3e-7f, run_residual},
    {"residual with gate and bias", 2, 3e-7f, run_residual_gated},
    {"rotate", 4, 1e-6f, run_rotate},
};

static void rowwise_agrees(const rowwise *op, int rows, int d)
{
    int    mark = guard_mark();
    float *in   = noise_floats((uint32_t)(rows * 1000 + d), (size_t)rows * d * op->parts);
    float *got = guard_floats((size_t)rows * d), *want = guard_floats((size_t)rows * d);
    op->run(set, got, in, rows, d);
    op->run(ref, want, in, rows, d);
    for (int i = 0; i < rows * d; i++)
        assert_close(got[i], want[i], op->tolerance, op->name, i);
    guard_clear(mark);
}

static void rowwise_agrees_with_ref(void **state)
{
    static const int ROWS[] = {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 255, 257};
    static const int D[]    = {1,  2,  3,  4,  5,  7,  8,   9,   15,  16,  17, 31,
                               32, 33, 63, 64, 65, 77, 255, 256, 257, 320, 768};
    (void)state;
    for (int o = 0; o < COUNT(ROWWISE); o++) {
        for (int i = 0; i < COUNT(D); i++)
            rowwise_agrees(&ROWWISE[o], 3, D[i]);
        for (int i = 0; i < COUNT(ROWS); i++) {
            rowwise_agrees(&ROWWISE[o], ROWS[i], 17);
            rowwise_agrees(&ROWWISE[o], ROWS[i], 77);
        }
    }
}

/* Every run of `some` neighbouring rows of a batch gives them the bits the batch gave them. */
static void rowwise_alone(const rowwise *op, int d, int some)
{
    enum { ROWS = 19 };
    int    mark = guard_mark();
    size_t wide = (size_t)d * op->parts;
    float *in   = noise_floats((uint32_t)d, ROWS * wide);
    float *all = guard_floats((size_t)ROWS * d), *few = guard_floats((size_t)some * d);
    op->run(set, all, in, ROWS, d);
    for (int r = 0; r + some <= ROWS; r++) {
        int    inner = guard_mark();
        float *alone = guard_floats(some * wide);
        memcpy(alone, in + r * wide, some * wide * sizeof *alone);
        op->run(set, few, alone, some, d);
        assert_same_bits(all + (size_t)r * d, few, some * d, op->name, some);
        guard_clear(inner);
    }
    guard_clear(mark);
}

static void rowwise_rows_are_alone(void **state)
{
    static const int D[] = {1, 5, 16, 33, 64, 77, 256, 320};
    (void)state;
    for (int o = 0; o < COUNT(ROWWISE); o++)
        for (int i = 0; i < COUNT(D); i++) {
            rowwise_alone(&ROWWISE[o], D[i], 1);
            rowwise_alone(&ROWWISE[o], D[i], 2);
            rowwise_alone(&ROWWISE[o], D[i], 7);
        }
}

static void norm_stands_far_from_zero(void **state)
{
    (void)state;
    int    mark = guard_mark();
    float *x = guard_floats(768), got[768], want[768];
    for (int i = 0; i < 768; i++)
        x[i] = 1000 + noise(5, (uint32_t)i);
    set->norm(got, x, NULL, NULL, 1, 768);
    ref->norm(want, x, NULL, NULL, 1, 768);
    for (int i = 0; i < 768; i++)
        assert_close(got[i], want[i], 2e-4f, "norm far from zero", i);
    guard_clear(mark);
}

static void gelu_is_accurate_near_and_far(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2)
        for (float x = 1e-30f; x < 1; x *= 1.37f) {
            float y = sign * x;
            set->gelu(&y, 1, 1);
            double v = sign * (double)x;
            double w = 0.5 * v * (1 + tanh(0.79788456080286535588 * (v + 0.044715 * v * v * v)));
            if (fabs(y - w) > 1e-6 * fabs(w)) fail_msg("gelu(%.9g) = %.9g, not %.9g", v, y, w);
        }
    float far[] = {-1e30f, -1000, -50, -12, 12, 50, 1000, 1e30f, NAN};
    set->gelu(far, 1, COUNT(far));
    for (int i = 0; i < 4; i++)
        assert_true(far[i] <= 0 && far[i] > -1e-6f);
    assert_true(far[4] == 12 && far[5] == 50 && far[6] == 1000 && far[7] == 1e30f && isnan(far[8]));
}

static void residual_without_gate_is_gate_one(void **state)
{
    enum { D = 77 };
    (void)state;
    int    mark = guard_mark();
    float *part = noise_floats(6, D), *one = guard_floats(D), *zero = guard_floats(D);
    float *x = noise_floats(7, D), *y = noise_floats(7, D);
    for (int i = 0; i < D; i++) {
        one[i]  = 1;
        zero[i] = 0;
    }
    set->residual(x, part, NULL, NULL, 1, D);
    set->residual(y, part, one, zero, 1, D);
    assert_same_bits(x, y, D, "residual", 1);
    guard_clear(mark);
}

/* ---- the product ---------------------------------------------------------------------------- */

static void linear_case(int n, int depth, bool biased)
{
    int    mark    = guard_mark();
    float *scratch = guard_floats(panel_scratch_floats(n, depth));
    panel  p       = linear_panel(set, n, depth, scratch);
    if (!p.verified) {
        print_message("%s: no panel height for [%d, %d] on %s\n", set->name, n, depth,
                      kernels_blas());
        guard_clear(mark);
        return;
    }
    assert_true(p.large % p.small == 0 && p.large <= PANEL_MAX);

    float *a = noise_floats(8, (size_t)p.large * depth), *w = noise_floats(9, (size_t)n * depth);
    float *bias = biased ? noise_floats(10, (size_t)n) : NULL;
    float *all = guard_floats((size_t)p.large * n), *few = guard_floats((size_t)p.small * n);
    float *want = guard_floats((size_t)p.large * n), *b = guard_floats((size_t)p.small * depth);
    set->linear(all, a, w, bias, p.large, n, depth);
    ref->linear(want, a, w, bias, p.large, n, depth);
    for (int i = 0; i < p.large * n; i++)
        assert_close(all[i], want[i], 1e-6f * sqrtf((float)depth), "linear", i);
    for (int r = 0; r < p.large; r += 7) {  /* the rows of the small panel, turned round */
        for (int i = 0; i < p.small; i++)
            memcpy(b + (size_t)i * depth, a + (size_t)((r + 5 * i) % p.large) * depth,
                   (size_t)depth * sizeof *b);
        set->linear(few, b, w, bias, p.small, n, depth);
        for (int i = 0; i < p.small; i++)
            assert_same_bits(all + (size_t)((r + 5 * i) % p.large) * n, few + (size_t)i * n, n,
                             "linear", p.small);
    }
    guard_clear(mark);
}

static void linear_agrees_and_rows_are_alone(void **state)
{
    (void)state;
    linear_case(1, 1, false);
    linear_case(5, 3, true);
    linear_case(13, 320, true);
    linear_case(64, 64, false);
    linear_case(33, 77, true);
    linear_case(17, 256, true);
}

/* Where every height is right, so is every slice of the weight: a row alone through columns
 * [from, to) has the bits of the whole product. */
static void linear_slice(const float *a, const float *w, const float *bias, const float *all,
                         int rows, int n, int depth, int from, int to)
{
    int    mark = guard_mark(), wide = to - from;
    float *part = guard_floats((size_t)wide * depth), *c = guard_floats((size_t)rows * wide);
    memcpy(part, w + (size_t)from * depth, (size_t)wide * depth * sizeof *part);
    set->linear(c, a, part, bias + from, rows, wide, depth);
    for (int r = 0; r < rows; r++)
        assert_same_bits(all + (size_t)r * n + from, c + (size_t)r * wide, wide,
                         "linear, a slice", rows);
    guard_clear(mark);
}

static void linear_at_any_height(void **state)
{
    static const int ROWS[]      = {1, 2, 3, 4, 5, 6, 7, 15, 16, 17, 63, 64, 65, 255, 257};
    static const int SHAPES[][2] = {{1, 1}, {7, 5}, {66, 33}, {70, 64}, {9, 769}, {3, 1550}};
    (void)state;
    if (!set->any_height) skip();
    for (int s = 0; s < COUNT(SHAPES); s++) {
        int    mark = guard_mark(), n = SHAPES[s][0], depth = SHAPES[s][1];
        float *a = noise_floats(12, (size_t)257 * depth), *w = noise_floats(13, (size_t)n * depth);
        float *bias = noise_floats(14, (size_t)n), *all = guard_floats((size_t)257 * n);
        float *want = guard_floats((size_t)257 * n);
        set->linear(all, a, w, bias, 257, n, depth);
        ref->linear(want, a, w, bias, 257, n, depth);
        for (int i = 0; i < 257 * n; i++)
            assert_close(all[i], want[i], 1e-6f * sqrtf((float)depth), "linear", i);
        for (int i = 0; i < COUNT(ROWS); i++) {  /* the last rows, so they end where memory ends */
            float *c = guard_floats((size_t)ROWS[i] * n);
            set->linear(c, a + (size_t)(257 - ROWS[i]) * depth, w, bias, ROWS[i], n, depth);
            assert_same_bits(all + (size_t)(257 - ROWS[i]) * n, c, ROWS[i] * n, "linear", ROWS[i]);
        }
        linear_slice(a, w, bias, all, 1, n, depth, 0, (n + 1) / 2);
        linear_slice(a, w, bias, all, 5, n, depth, n / 3, n);
        guard_clear(mark);
    }
}

/* ---- one-dimensional ------------------------------------------------------------------------ */

static void max_is_exact(void **state)
{
    (void)state;
    assert_true(set->max(NULL, 0, -1) == -INFINITY);
    for (int n = 1; n <= 257; n += n < 70 ? 1 : 17) {
        int    mark = guard_mark();
        float *x    = noise_floats((uint32_t)n, (size_t)n);
        if (n > 2) x[n / 2] = NAN;
        assert_true(set->max(x, n, -1) == ref->max(x, n, -1));
        for (int at = 0; at < n; at++) {  /* the largest at every place, seen and skipped */
            float kept = x[at];
            x[at]      = 5;
            assert_true(set->max(x, n, -1) == 5);
            assert_true(set->max(x, n, at) == ref->max(x, n, at));
            x[at] = kept;
        }
        guard_clear(mark);
    }
}

static void exponentials_are_accurate(void **state)
{
    enum { N = 6151 };
    (void)state;
    int     mark   = guard_mark();
    float  *x      = guard_floats(N);
    double *weight = guard_bytes(N * sizeof *weight);
    for (int i = 0; i < N; i++)  /* rising, dense near the peak */
        x[i] = 3 - 400 * powf((float)(N - 1 - i) / N, 3);
    for (double scale = 0.5; scale < 2; scale += 0.37) {
        long double sum   = 0;
        double      total = set->exponentials(weight, x, 3, scale, N, -1);
        for (int i = 0; i < N; i++) {
            long double want = expl(scale * ((double)x[i] - 3));
            if (want > 0x1p-1022L && fabsl(weight[i] - want) > 1e-15L * want)
                fail_msg("%s: exp(%.17g) off by %.3Lg", set->name, scale * ((double)x[i] - 3),
                         (weight[i] - want) / want);
            if (i > 0) assert_true(weight[i] >= weight[i - 1]);
            sum += weight[i];
        }
        assert_true(fabsl(total - sum) < 1e-13L * sum);
    }
    assert_true(weight[N - 1] == 1);
    guard_clear(mark);
}

static void exponentials_reach_the_ends(void **state)
{
    (void)state;
    float  x[] = {-INFINITY, -800, -740, -1e30f, 0, 700};
    double w[COUNT(x)];
    set->exponentials(w, x, 0, 1, COUNT(x), -1);
    assert_true(w[0] == 0 && w[1] == 0 && w[3] == 0 && w[4] == 1);
    assert_true(w[2] >= 0 && w[2] < 0x1p-1022);
    assert_true(fabs(w[5] / exp(700) - 1) < 1e-14);
    x[1] = NAN;
    assert_true(isnan(set->exponentials(w, x, 0, 1, COUNT(x), -1)));
    assert_true(isnan(w[1]));
    assert_true(isfinite(set->exponentials(w, x, 0, 1, COUNT(x), 1)));
}

static void exponentials_skip_one_and_sum_the_same(void **state)
{
    (void)state;
    for (int n = 0; n < 2100; n += n < 40 ? 1 : 171) {
        int     mark = guard_mark();
        float  *x = noise_floats(11, (size_t)n), *y = noise_floats(11, (size_t)n + 1);
        double *v = guard_bytes((size_t)n * sizeof *v), *w = guard_bytes((size_t)n * sizeof *w);
        double  whole = set->exponentials(v, x, 1, 2, n, -1);
        assert_true(fabs(whole - ref->exponentials(w, x, 1, 2, n, -1)) <= 1e-14 * whole);
        for (int skip = 0; skip < n; skip += 1 + n / 7) {
            x[skip]     = NAN;
            double less = set->exponentials(w, x, 1, 2, n, skip);
            assert_true(fabs(less + v[skip] - whole) <= 1e-14 * whole);
            for (int i = 0; i < n; i++)
                assert_true(w[i] == (i == skip ? 0 : v[i]));
            x[skip] = y[skip];
        }
        memcpy(y, x, (size_t)n * sizeof *y);  /* elsewhere in memory: the same bits */
        assert_true(whole == set->exponentials(w, y, 1, 2, n, -1));
        guard_clear(mark);
    }
}

#endif
