/* tile_emulated.h - the instructions of tile.h in plain C, for processors without them.
 *
 * As Intel's manual (volume 2, LDTILECFG, TILELOADD, TDPBF16PS) has them: what would be an invalid
 * instruction stops the test; a dot product adds the even and the odd places of a pair in two
 * chains of fused multiply-adds that begin at 0, then both together, then that to the sum; and
 * every one of these takes a denormal number for 0 and makes none. */
#ifndef DID_TILE_EMULATED_H
#define DID_TILE_EMULATED_H

#include "tile.h"

#undef TILE_BEGIN
#undef TILE_END
#undef TILE_ZERO
#undef TILE_LOAD
#undef TILE_STORE
#undef TILE_DOT

#define TILE_BEGIN(shapes)          tile_begin(shapes)
#define TILE_END()                  tile_end()
#define TILE_ZERO(t)                tile_zero(t)
#define TILE_LOAD(t, from, stride)  tile_load(t, from, stride)
#define TILE_STORE(t, to, stride)   tile_store(t, to, stride)
#define TILE_DOT(sum, left, right)  tile_dot(sum, left, right)

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { EMULATED_TILES = 8, EMULATED_ROWS = 16, EMULATED_BYTES = 64, EMULATED_SUMS = 16 };

static struct {
    unsigned char data[EMULATED_TILES][EMULATED_ROWS][EMULATED_BYTES];
    tile_shapes   shapes; /* palette 0: no tile may be used */
} emulated;

/* What the processor would answer with an invalid instruction or a protection fault. */
static void tile_needs(int condition)
{
    if (!condition) abort();
}

static void tile_begin(const tile_shapes *s)
{
    static const unsigned char none[sizeof s->none];
    tile_needs(s->palette == TILE_PALETTE && s->start_row == 0);
    tile_needs(!memcmp(s->none, none, sizeof none));
    for (int t = 0; t < 16; t++) {
        tile_needs(t < EMULATED_TILES ? s->bytes[t] > 0 && s->bytes[t] <= EMULATED_BYTES
                                      : s->bytes[t] == 0);
        tile_needs(t < EMULATED_TILES ? s->rows[t] > 0 && s->rows[t] <= EMULATED_ROWS
                                      : s->rows[t] == 0);
    }
    memset(&emulated, 0, sizeof emulated);
    emulated.shapes = *s;
}

static void tile_end(void)
{
    memset(&emulated, 0, sizeof emulated);
}

static void tile_zero(int t)
{
    tile_needs(emulated.shapes.palette && t < EMULATED_TILES);
    memset(emulated.data[t], 0, sizeof emulated.data[t]);
}

static void tile_load(int t, const void *from, size_t stride)
{
    tile_zero(t);
    for (int r = 0; r < emulated.shapes.rows[t]; r++)
        memcpy(emulated.data[t][r], (const char *)from + (size_t)r * stride,
               emulated.shapes.bytes[t]);
}

static void tile_store(int t, void *to, size_t stride)
{
    tile_needs(emulated.shapes.palette && t < EMULATED_TILES);
    for (int r = 0; r < emulated.shapes.rows[t]; r++)
        memcpy((char *)to + (size_t)r * stride, emulated.data[t][r], emulated.shapes.bytes[t]);
}

/* Nothing between 0 and the smallest normal number. */
static inline float tile_flushed(float x)
{
    return fabsf(x) < FLT_MIN ? copysignf(0, x) : x;
}

static inline float tile_widened(uint32_t pair, int odd)
{
    uint32_t bits = odd ? pair & 0xffff0000u : pair << 16;
    float    x;
    memcpy(&x, &bits, sizeof x);
    return tile_flushed(x);
}

/* One row of sums of a dot product; `right` has a row per pair of `left`. */
static inline void tile_dot_row(float *sum, const uint32_t *left, const unsigned char (*right)[64],
                                int pairs, int columns)
{
    float chain[2][EMULATED_SUMS] = {{0}};
    for (int k = 0; k < pairs; k++) {
        uint32_t b[EMULATED_SUMS];
        memcpy(b, right[k], sizeof b);
        for (int odd = 0; odd < 2; odd++) {
            float a = tile_widened(left[k], odd);
            for (int n = 0; n < EMULATED_SUMS; n++)
                chain[odd][n] =
                    tile_flushed(fmaf(a, tile_widened(b[n], odd), chain[odd][n]));
        }
    }
    for (int n = 0; n < columns; n++)
        sum[n] = tile_flushed(tile_flushed(sum[n]) + tile_flushed(chain[0][n] + chain[1][n]));
}

static void tile_dot(int sum, int left, int right)
{
    const tile_shapes *s = &emulated.shapes;
    tile_needs(s->palette && sum != left && sum != right && left != right);
    tile_needs(s->rows[sum] == s->rows[left] && s->bytes[sum] == s->bytes[right]);
    tile_needs(s->bytes[left] == 4 * s->rows[right]);
    tile_needs(s->bytes[sum] % 4 == 0 && s->bytes[left] % 4 == 0);
    for (int r = 0; r < s->rows[sum]; r++) {
        float    row[EMULATED_SUMS];
        uint32_t a[EMULATED_SUMS];
        memcpy(row, emulated.data[sum][r], sizeof row);
        memcpy(a, emulated.data[left][r], sizeof a);
        tile_dot_row(row, a, emulated.data[right], s->bytes[left] / 4, s->bytes[sum] / 4);
        memset(emulated.data[sum][r], 0, sizeof row);
        memcpy(emulated.data[sum][r], row, s->bytes[sum]);
    }
    for (int r = s->rows[sum]; r < EMULATED_ROWS; r++)
        memset(emulated.data[sum][r], 0, EMULATED_BYTES);
}

#endif
