#include "bf16.h"
#include "sets.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* The oracle: sums are taken in f64, one after the other in ascending order, and rounded once. */

static const double NORM_EPS       = 1e-5;
static const double SQRT_2_OVER_PI = 0.79788456080286535588;

enum { CHUNK = 1024 };

static void linear(float *c, const float *a, const float *w, const float *bias, int rows, int n,
                   int k)
{
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < n; j++) {
            const float *x   = a + (size_t)r * k;
            const float *y   = w + (size_t)j * k;
            double       sum = 0;
            for (int i = 0; i < k; i++)
                sum += (double)x[i] * y[i];
            c[(size_t)r * n + j] = (float)(bias ? sum + bias[j] : sum);
        }
}

static void norm(float *out, const float *x, const float *scale, const float *shift, int rows,
                 int d)
{
    for (int r = 0; r < rows; r++, x += d, out += d) {
        double mean = 0, variance = 0;
        for (int i = 0; i < d; i++)
            mean += x[i];
        mean /= d;
        for (int i = 0; i < d; i++)
            variance += (x[i] - mean) * (x[i] - mean);
        variance /= d;
        for (int i = 0; i < d; i++) {
            double y = (x[i] - mean) / sqrt(variance + NORM_EPS);
            out[i]   = (float)(y * (scale ? scale[i] : 1) + (shift ? shift[i] : 0));
        }
    }
}

static void gelu(float *x, int rows, int d)
{
    for (size_t i = 0; i < (size_t)rows * d; i++) {
        double v = x[i];
        x[i]     = (float)(0.5 * v * (1 + tanh(SQRT_2_OVER_PI * (v + 0.044715 * v * v * v))));
    }
}

static void residual(float *x, const float *part, const float *gate, const float *bias, int rows,
                     int d)
{
    for (int r = 0; r < rows; r++, x += d, part += d)
        for (int i = 0; i < d; i++)
            x[i] += (gate ? gate[i] : 1) * (part[i] + (bias ? bias[i] : 0));
}

static void rotate(float *x, int stride, const float *cosine, const float *sine, int rows,
                   int head_size)
{
    int half = head_size / 2;
    for (int r = 0; r < rows; r++, x += stride, cosine += half, sine += half)
        for (int i = 0; i < half; i++) {
            float a = x[i], b = x[half + i];
            x[i]        = a * cosine[i] - b * sine[i];
            x[half + i] = b * cosine[i] + a * sine[i];
        }
}

/* Here both tiles are [KEY_TILE][head_size]. */
static void key_store(void *k_tile, void *v_tile, const float *k, const float *v, int slot,
                      int head_size)
{
    size_t place = (size_t)slot * head_size;
    memcpy((float *)k_tile + place, k, (size_t)head_size * sizeof *k);
    memcpy((float *)v_tile + place, v, (size_t)head_size * sizeof *v);
}

static void key_copy(void *k_tile, void *v_tile, const void *k_from, const void *v_from, int slots,
                     int head_size)
{
    memcpy(k_tile, k_from, (size_t)slots * head_size * sizeof(float));
    memcpy(v_tile, v_from, (size_t)slots * head_size * sizeof(float));
}

/* The key and the value in one place of their tiles. */
typedef void reader(float *k, float *v, const void *k_tile, const void *v_tile, int slot,
                    int head_size);

static void read_key(float *k, float *v, const void *k_tile, const void *v_tile, int slot,
                     int head_size)
{
    size_t place = (size_t)slot * head_size;
    memcpy(k, (const float *)k_tile + place, (size_t)head_size * sizeof *k);
    memcpy(v, (const float *)v_tile + place, (size_t)head_size * sizeof *v);
}

/* Softmax while walking: `peak` is the largest score so far, and what was summed before a new peak
 * came is scaled down to it. */
static void attend_row(float *out, const float *q, const key_tiles *keys, int head_size,
                       reader *read)
{
    double sum[HEAD_MAX] = {0}, total = 0, peak = -INFINITY;
    float  k[HEAD_MAX], v[HEAD_MAX];

    for (int position = keys->from; position < keys->to; position++) {
        size_t tile  = (size_t)(position / KEY_TILE - keys->first_tile);
        double score = 0;
        read(k, v, keys->k[tile], keys->v[tile], position % KEY_TILE, head_size);
        for (int i = 0; i < head_size; i++)
            score += (double)q[i] * k[i];
        score /= sqrt(head_size);

        double fade = 1;
        if (score > peak) {
            fade = exp(peak - score);
            peak = score;
        }
        double weight = exp(score - peak);
        total         = total * fade + weight;
        for (int i = 0; i < head_size; i++)
            sum[i] = sum[i] * fade + weight * v[i];
    }
    for (int i = 0; i < head_size; i++)
        out[i] = (float)(sum[i] / total);
}

static void attend(float *out, int out_stride, const float *q, int q_stride, int rows,
                   const key_tiles *keys, int head_size)
{
    assert(head_size <= HEAD_MAX);
    for (int r = 0; r < rows; r++)
        attend_row(out + (size_t)r * out_stride, q + (size_t)r * q_stride, keys, head_size,
                   read_key);
}

static float max(const float *x, int n, int skip)
{
    float best = -INFINITY;
    for (int i = 0; i < n; i++)
        if (i != skip && x[i] > best) best = x[i];
    return best;
}

static double exponentials(double *weight, const float *x, float peak, double scale, int n,
                           int skip)
{
    double total = 0;
    for (int begin = 0; begin < n; begin += CHUNK) {
        int    end = n - begin < CHUNK ? n : begin + CHUNK;
        double sum = 0;
        for (int i = begin; i < end; i++) {
            weight[i] = i == skip ? 0 : exp(scale * ((double)x[i] - peak));
            sum += weight[i];
        }
        total += sum;
    }
    return total;
}

void ref_fill(kernels *k)
{
    *k = (kernels){
        .name         = "ref",
        .any_height   = true,
        .linear       = linear,
        .norm         = norm,
        .gelu         = gelu,
        .residual     = residual,
        .rotate       = rotate,
        .key_store    = key_store,
        .key_copy     = key_copy,
        .attend       = attend,
        .max          = max,
        .exponentials = exponentials,
    };
}

/* ---- bf16 ----------------------------------------------------------------------------------- */

/* An operand keeps its numbers as f32, rounded. */
static void operand(void *out, const float *x, int rows, int k)
{
    float *to = out;
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < k + k % 2; i++)
            *to++ = i < k ? half_widen(half_round(x[(size_t)r * k + i])) : 0;
}

/* A panel has one column, so a packed weight lies there row by row. */
static double dot(const float *a, const uint16_t *w, int k)
{
    double sum = 0;
    for (int i = 0; i < k; i++)
        sum += (double)a[i] * half_widen(w[i]);
    return sum;
}

static void linear_packed(void *out, const void *a, const void *w, const float *bias, int rows,
                          int n, int from, int to, int k, epilogue e)
{
    size_t wide = (size_t)(k + k % 2), out_wide = (size_t)(e == EPILOGUE_GELU ? n + n % 2 : n);
    for (int r = 0; r < rows; r++) {
        float *c = (float *)out + (size_t)r * out_wide;
        for (int j = from; j < to; j++) {
            const float    *x = (const float *)a + (size_t)r * wide;
            const uint16_t *y = (const uint16_t *)w + (size_t)j * wide;
            float           z = (float)(dot(x, y, k) + (bias ? bias[j] : 0));
            if (e == EPILOGUE_GELU) gelu(&z, 1, 1);
            if (e == EPILOGUE_GELU) z = half_widen(half_round(z));
            c[j] = e == EPILOGUE_ADD ? c[j] + z : z;
        }
        if (to == n && (size_t)n < out_wide) c[n] = 0;
    }
}

static void read_pairs(float *k, float *v, const void *k_tile, const void *v_tile, int slot,
                       int head_size)
{
    const uint16_t *keys   = (const uint16_t *)k_tile + (size_t)slot * 2;
    const uint16_t *values = (const uint16_t *)v_tile +
                             (size_t)(slot / 2) * bf16_padded(head_size) * 2 + slot % 2;
    for (int i = 0; i < head_size; i++) {
        k[i] = half_widen(keys[(size_t)(i / 2) * KEY_TILE * 2 + i % 2]);
        v[i] = half_widen(values[(size_t)i * 2]);
    }
}

static void attend_pairs(float *out, int out_stride, const float *q, int q_stride, int rows,
                         const key_tiles *keys, int head_size)
{
    assert(head_size <= HEAD_MAX);
    for (int r = 0; r < rows; r++)
        attend_row(out + (size_t)r * out_stride, q + (size_t)r * q_stride, keys, head_size,
                   read_pairs);
}

void ref_fill_bf16(kernels *k)
{
    k->any_height    = true;
    k->key_store     = bf16_key_store;
    k->key_copy      = bf16_key_copy;
    k->attend        = attend_pairs;
    k->columns       = 1;
    k->left_bytes    = sizeof(float);
    k->operand       = operand;
    k->linear_packed = linear_packed;
}
