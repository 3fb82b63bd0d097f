/* wide_attend.h - attention over vectors: see wide.h, which comes first.
 *
 * Online softmax over key tiles, after Milakov and Gimelshein, "Online normalizer calculation for
 * softmax". A strip of queries stays in the nearest cache while tile after tile passes by. A K tile
 * is [head_size][KEY_TILE], so scores vectorise over keys; a V tile is [KEY_TILE][head_size], so
 * outputs vectorise over the head. Both are then the same small product, a block of which (GROUP
 * rows by VECS vectors) lives in registers; the including file has chosen the two to fit. Every
 * element is one chain of fused multiply-adds in ascending order, however many rows there are. */
#ifndef DID_WIDE_ATTEND_H
#define DID_WIDE_ATTEND_H

#include "wide.h"

#include <assert.h>

/* Rows of the strip's arrays are an odd number of cache lines apart: at a power of two, the lines
 * of one column would crowd into few sets of the cache. */
enum { STRIP = 24, HEAD_STRIDE = HEAD_MAX + 16, SCORE_STRIDE = KEY_TILE + 16 };

typedef struct strip {
    _Alignas(64) float q[STRIP * HEAD_STRIDE]; /* scaled by 1 / sqrt(head_size) */
    _Alignas(64) float sum[STRIP * HEAD_STRIDE];
    _Alignas(64) float score[STRIP * SCORE_STRIDE];
    _Alignas(64) float total[STRIP * LANES]; /* lane by lane until the end */
    _Alignas(64) float peak[STRIP];
    _Alignas(64) float fade[STRIP]; /* what older sums are worth under the new peak */
    int rows, head_size;
} strip;

/* c[rows, vecs] = fade[rows] * c + a[rows, depth] * b[depth, vecs], or without the first term. */
typedef struct product {
    float       *c;
    const float *fade; /* NULL: c is not read */
    const float *a, *b;
    int          c_stride, a_stride, b_stride, depth;
    int          tail; /* columns of the last vector, when it is not whole; else 0 */
} product;

INLINE void block(product p, int rows, int vecs)
{
    vf c[GROUP][VECS], b[VECS];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vecs; v++)
            c[r][v] = p.fade ? vf_mul(vf_set(p.fade[r]), vf_load(p.c + r * p.c_stride + v * LANES))
                             : vf_set(0);
    for (int i = 0; i < p.depth; i++) {
        const float *from = p.b + (size_t)i * p.b_stride;
        UNROLL for (int v = 0; v < vecs; v++)
            b[v] = p.tail ? vf_load_part(from + v * LANES, p.tail, 0) : vf_load(from + v * LANES);
        UNROLL for (int r = 0; r < rows; r++) {
            vf a = vf_set(p.a[r * p.a_stride + i]);
            UNROLL for (int v = 0; v < vecs; v++)
                c[r][v] = vf_fma(a, b[v], c[r][v]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vecs; v++)
            vf_store(p.c + r * p.c_stride + v * LANES, c[r][v]);
}

/* The number of rows becomes a constant here, so the block above becomes straight code. */
INLINE void group(product p, int rows, int vecs)
{
    switch (rows) {
    case 1: block(p, 1, vecs); break;
    case 2: block(p, 2, vecs); break;
    case 3: block(p, 3, vecs); break;
    case 4: block(p, 4, vecs); break;
    case 5: block(p, 5, vecs); break;
    default: block(p, GROUP, vecs); break;
    }
}

/* score[rows, KEY_TILE] = q k. Places nobody stored give anything, and weigh() covers them up. */
static void score(strip *s, const float *k_tile)
{
    for (int r = 0; r < s->rows; r += GROUP)
        for (int key = 0; key < KEY_TILE; key += VECS * LANES) {
            product p = {.c        = s->score + r * SCORE_STRIDE + key,
                         .a        = s->q + r * HEAD_STRIDE,
                         .b        = k_tile + key,
                         .c_stride = SCORE_STRIDE,
                         .a_stride = HEAD_STRIDE,
                         .b_stride = KEY_TILE,
                         .depth    = s->head_size};
            group(p, s->rows - r, VECS);
        }
}

/* Scores become weights: e^(score - peak), where the peak is now the largest of all tiles so far. */
static void weigh(strip *s, int begin, int end)
{
    float old[STRIP];
    memcpy(old, s->peak, sizeof old);
    for (int r = 0; r < s->rows; r++) {
        float *x = s->score + r * SCORE_STRIDE;
        for (int key = 0; key < begin; key++)
            x[key] = -INFINITY;
        for (int key = end; key < KEY_TILE; key++)
            x[key] = -INFINITY;
        vf best = vf_set(old[r]);
        for (int key = 0; key < KEY_TILE; key += LANES)
            best = vf_max(vf_load(x + key), best);
        s->peak[r] = vf_largest(best);
    }
    for (int r = 0; r < s->rows; r += LANES) {
        int left = s->rows - r;
        vf  fell = vf_sub(load(old + r, left, 0), load(s->peak + r, left, 0));
        store(s->fade + r, vf_exp(fell), left);
    }
    for (int r = 0; r < s->rows; r++) {
        float *x     = s->score + r * SCORE_STRIDE;
        vf     peak  = vf_set(s->peak[r]);
        vf     total = vf_mul(vf_set(s->fade[r]), vf_load(s->total + r * LANES));
        for (int key = 0; key < KEY_TILE; key += LANES) {
            vf weight = vf_exp(vf_sub(vf_load(x + key), peak));
            vf_store(x + key, weight);
            total = vf_add(total, weight);
        }
        vf_store(s->total + r * LANES, total);
    }
}

/* sum[rows, head_size] = fade sum + weight v, over the visible places alone: what the others hold
 * is never touched, for even a weight of 0 does not make NaN harmless. */
static void gather(strip *s, const float *v_tile, int begin, int end)
{
    int whole = s->head_size / LANES * LANES, tail = s->head_size - whole;
    for (int r = 0; r < s->rows; r += GROUP) {
        int     rows = s->rows - r;
        product p    = {.fade     = s->fade + r,
                        .a        = s->score + r * SCORE_STRIDE + begin,
                        .c_stride = HEAD_STRIDE,
                        .a_stride = SCORE_STRIDE,
                        .b_stride = s->head_size,
                        .depth    = end - begin};
        for (int column = 0; column < s->head_size;) {
            int vecs = (whole - column) / LANES;
            p.c      = s->sum + r * HEAD_STRIDE + column;
            p.b      = v_tile + (size_t)begin * s->head_size + column;
            if (vecs >= VECS) {
                group(p, rows, VECS);
                column += VECS * LANES;
            } else if (vecs > 0) {
                group(p, rows, 1);
                column += LANES;
            } else {
                p.tail = tail;
                group(p, rows, 1);
                column += tail;
            }
        }
    }
}

static void strip_begin(strip *s, const float *q, int q_stride, int rows, int head_size)
{
    vf scale     = vf_set(1 / sqrtf((float)head_size));
    s->rows      = rows;
    s->head_size = head_size;
    for (int r = 0; r < rows; r++) {
        for (int i = 0; i < head_size; i += LANES) {
            vf_store(s->q + r * HEAD_STRIDE + i,
                     vf_mul(scale, load(q + (size_t)r * q_stride + i, head_size - i, 0)));
            vf_store(s->sum + r * HEAD_STRIDE + i, vf_set(0));
        }
        vf_store(s->total + r * LANES, vf_set(0));
        s->peak[r] = -INFINITY;
    }
}

static void strip_end(const strip *s, float *out, int out_stride)
{
    for (int r = 0; r < s->rows; r++) {
        vf total = vf_set(vf_sum(vf_load(s->total + r * LANES)));
        for (int i = 0; i < s->head_size; i += LANES)
            store(out + (size_t)r * out_stride + i,
                  vf_div(vf_load(s->sum + r * HEAD_STRIDE + i), total), s->head_size - i);
    }
}

static void attend(float *out, int out_stride, const float *q, int q_stride, int rows,
                   const key_tiles *keys, int head_size)
{
    assert(head_size <= HEAD_MAX);
    strip s;
    for (int r = 0; r < rows; r += STRIP) {
        strip_begin(&s, q + (size_t)r * q_stride, q_stride, rows - r < STRIP ? rows - r : STRIP,
                    head_size);
        for (int i = 0; i < keys->n_tiles; i++) {
            int first = (keys->first_tile + i) * KEY_TILE;
            int begin = keys->from > first ? keys->from - first : 0;
            int end   = keys->to - first < KEY_TILE ? keys->to - first : KEY_TILE;
            score(&s, keys->k[i]);
            weigh(&s, begin, end);
            gather(&s, keys->v[i], begin, end);
        }
        strip_end(&s, out + (size_t)r * out_stride, out_stride);
    }
}

static void key_store(float *k_tile, float *v_tile, const float *k, const float *v, int slot,
                      int head_size)
{
    for (int i = 0; i < head_size; i++)
        k_tile[i * KEY_TILE + slot] = k[i];
    memcpy(v_tile + (size_t)slot * head_size, v, (size_t)head_size * sizeof *v);
}

static void key_copy(float *k_tile, float *v_tile, const float *k_from, const float *v_from,
                     int slots, int head_size)
{
    for (int i = 0; i < head_size; i++)
        memcpy(k_tile + i * KEY_TILE, k_from + i * KEY_TILE, (size_t)slots * sizeof *k_tile);
    memcpy(v_tile, v_from, (size_t)slots * head_size * sizeof *v_tile);
}

#endif
