/* wide.h - the operations of a kernel set, over vectors of whatever width the CPU has.
 *
 * A file that includes this is one kernel set. It has defined LANES, the types vf (LANES floats), vd
 * (LANES / 2 doubles) and the vf_ and vd_ operations on them; this page is the arithmetic. The bits
 * of a row depend on the row alone because a tail is not other code but the same code on a vector
 * that was loaded with something harmless in its last lanes. */
#ifndef DID_WIDE_H
#define DID_WIDE_H

#include "sets.h"

#include <math.h>
#include <string.h>

/* The first `left` of LANES floats, `fill` in the other lanes. */
INLINE vf load(const float *x, int left, float fill)
{
    return left >= LANES ? vf_load(x) : vf_load_part(x, left, fill);
}

INLINE void store(float *x, vf v, int left)
{
    if (left >= LANES)
        vf_store(x, v);
    else
        vf_store_part(x, v, left);
}

/* e^x to 1.5 units in the last place; 0 below the smallest normal float, infinity above the largest.
 * x = n ln 2 + r with ln 2 in two parts, so r is exact; the polynomial is the minimax one of degree
 * 6 on |r| <= ln 2 / 2, with an error of 3e-9. */
INLINE vf vf_exp(vf x)
{
    const vf lowest = vf_set(-87.33654f), highest = vf_set(89);
    x    = vf_min(highest, x);
    vf n = vf_round(vf_mul(x, vf_set(1.44269504f)));
    vf r = vf_fnma(n, vf_set(0x1.62e4p-1f), x);
    r    = vf_fnma(n, vf_set(0x1.7f7d1cp-20f), r);
    vf p = vf_set(0x1.6a23dp-10f);
    p    = vf_fma(p, r, vf_set(0x1.123a20p-7f));
    p    = vf_fma(p, r, vf_set(0x1.5558f2p-5f));
    p    = vf_fma(p, r, vf_set(0x1.555492p-3f));
    p    = vf_fma(p, r, vf_set(0x1.fffffcp-2f));
    p    = vf_fma(p, r, vf_set(1));
    p    = vf_fma(p, r, vf_set(1));
    return vf_zero_below(vf_times_power(p, n), x, lowest);
}

/* The same in f64: Taylor's polynomial to r^13 / 13!, whose error is below 5e-18. */
INLINE vd vd_exp(vd x)
{
    static const double over_factorial[] = {
        1. / 6227020800, 1. / 479001600, 1. / 39916800, 1. / 3628800, 1. / 362880, 1. / 40320,
        1. / 5040,       1. / 720,       1. / 120,      1. / 24,      1. / 6,      1. / 2,
        1,               1};
    x    = vd_max(vd_set(-746), vd_min(vd_set(710), x));
    vd n = vd_round(vd_mul(x, vd_set(0x1.71547652b82fep0)));
    vd r = vd_fnma(n, vd_set(0x1.62e42fefa38p-1), x);
    r    = vd_fnma(n, vd_set(0x1.ef35793c7673p-45), r);
    vd p = vd_set(over_factorial[0]);
    for (int i = 1; i < 14; i++)
        p = vd_fma(p, r, vd_set(over_factorial[i]));
    return vd_times_power(p, n);
}

/* ---- row by row ------------------------------------------------------------------------------- */

static void norm_row(float *out, const float *x, const float *scale, const float *shift, int d)
{
    vf sum = vf_set(0);
    for (int i = 0; i < d; i += LANES)
        sum = vf_add(sum, load(x + i, d - i, 0));
    float mean = vf_sum(sum) / (float)d;

    sum = vf_set(0);
    for (int i = 0; i < d; i += LANES) {
        vf away = vf_sub(load(x + i, d - i, mean), vf_set(mean));
        sum     = vf_fma(away, away, sum);
    }
    float per_deviation = 1 / sqrtf(vf_sum(sum) / (float)d + 1e-5f);

    for (int i = 0; i < d; i += LANES) {
        vf y = vf_sub(load(x + i, d - i, mean), vf_set(mean));
        y    = vf_mul(y, vf_set(per_deviation));
        if (scale) y = vf_mul(y, load(scale + i, d - i, 0));
        if (shift) y = vf_add(y, load(shift + i, d - i, 0));
        store(out + i, y, d - i);
    }
}

static void norm(float *out, const float *x, const float *scale, const float *shift, int rows,
                 int d)
{
    for (int r = 0; r < rows; r++)
        norm_row(out + (size_t)r * d, x + (size_t)r * d, scale, shift, d);
}

/* (1 + tanh u) / 2 = 1 / (1 + e^(-2u)), which loses nothing near 0 nor far below it. */
static void gelu(float *x, int rows, int d)
{
    const vf linear = vf_set(-1.59576912f), cubic = vf_set(-0.0713548163f);
    size_t   n = (size_t)rows * (size_t)d;
    for (size_t i = 0; i < n; i += LANES) {
        int left = n - i < LANES ? (int)(n - i) : LANES;
        vf  v    = load(x + i, left, 0);
        vf  e    = vf_exp(vf_mul(v, vf_fma(vf_mul(v, v), cubic, linear)));
        store(x + i, vf_div(v, vf_add(vf_set(1), e)), left);
    }
}

static void residual(float *x, const float *part, const float *gate, const float *bias, int rows,
                     int d)
{
    for (int r = 0; r < rows; r++, x += d, part += d)
        for (int i = 0; i < d; i += LANES) {
            vf y = load(part + i, d - i, 0), sum = load(x + i, d - i, 0);
            if (bias) y = vf_add(y, load(bias + i, d - i, 0));
            sum = gate ? vf_fma(load(gate + i, d - i, 0), y, sum) : vf_add(sum, y);
            store(x + i, sum, d - i);
        }
}

static void rotate(float *x, int stride, const float *cosine, const float *sine, int rows,
                   int head_size)
{
    int half = head_size / 2;
    for (int r = 0; r < rows; r++, x += stride, cosine += half, sine += half)
        for (int i = 0; i < half; i += LANES) {
            int left = half - i;
            vf  a = load(x + i, left, 0), b = load(x + half + i, left, 0);
            vf  c = load(cosine + i, left, 0), s = load(sine + i, left, 0);
            store(x + i, vf_fnma(b, s, vf_mul(a, c)), left);
            store(x + half + i, vf_fma(a, s, vf_mul(b, c)), left);
        }
}

/* ---- one-dimensional -------------------------------------------------------------------------- */

static float max_plain(const float *x, int n)
{
    vf best = vf_set(-INFINITY);
    for (int i = 0; i < n; i += LANES)
        best = vf_max(load(x + i, n - i, -INFINITY), best);
    return vf_largest(best);
}

static float max(const float *x, int n, int skip)
{
    if (skip < 0 || skip >= n) return max_plain(x, n);
    float before = max_plain(x, skip), after = max_plain(x + skip + 1, n - skip - 1);
    return before > after ? before : after;
}

/* At most 1024 of them, which stay in the nearest cache until they are summed. */
static double exponentials_chunk(double *weight, const float *x, float peak, double scale, int n,
                                 int skip)
{
    enum { HALF = LANES / 2 };
    for (int i = 0; i < n; i += HALF) {
        bool whole = n - i >= HALF;
        vd   v     = whole ? vd_from_floats(x + i) : vd_from_floats_part(x + i, n - i);
        v          = vd_exp(vd_mul(vd_sub(v, vd_set(peak)), vd_set(scale)));
        if (whole)
            vd_store(weight + i, v);
        else
            vd_store_part(weight + i, v, n - i);
    }
    if (skip >= 0 && skip < n) weight[skip] = 0;
    vd sum = vd_set(0);
    for (int i = 0; i < n; i += HALF)
        sum = vd_add(sum, n - i >= HALF ? vd_load(weight + i) : vd_load_part(weight + i, n - i));
    return vd_sum(sum);
}

static double exponentials(double *weight, const float *x, float peak, double scale, int n,
                           int skip)
{
    enum { CHUNK = 1024 };
    double sum = 0;
    for (int i = 0; i < n; i += CHUNK)
        sum += exponentials_chunk(weight + i, x + i, peak, scale, n - i < CHUNK ? n - i : CHUNK,
                                  skip - i);
    return sum;
}

#endif
