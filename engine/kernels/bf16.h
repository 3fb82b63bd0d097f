/* bf16.h - numbers of 16 bits: the upper half of an f32, so the same range and 8 bits of precision.
 *
 * What the bf16 sets share: rounding, how a weight is packed, and the tiles of keys and values. The
 * scalar conversions work on whole words and choose between whole results, never on a word of which
 * a condition clears a part: gcc 12.2 loses such a mask between two memcpy. */
#ifndef DID_BF16_H
#define DID_BF16_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The nearest bf16, the even one where two are as near; what is not a number stays none. */
static inline uint16_t bf16_round(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint16_t nearest = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    uint16_t quiet   = (uint16_t)(bits >> 16 | 0x40);
    return (bits & 0x7fffffff) > 0x7f800000 ? quiet : nearest;
}

/* Exact. */
static inline float bf16_widen(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float    x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Bytes of `width` numbers in whole cache lines, of which there are an odd number. */
static inline size_t bf16_lines(int width)
{
    return (((size_t)width * sizeof(uint16_t) + 63) / 64 | 1) * 64;
}

/* Rows [first, first + rows) of a weight with n rows of k, from w[rows, k]: panels of `columns` rows
 * side by side, in a panel pair of k after pair of k, in a pair row after row. Places without a
 * number hold 0 when the whole was cleared before. */
void bf16_pack(uint16_t *packed, const float *w, int first, int rows, int k, int columns);

/* Keys and values lie in tiles of pairs, which is what the instructions for bf16 multiply: K is
 * [head_size / 2][KEY_TILE][2], V is [KEY_TILE / 2][bf16_padded(head_size)][2]. */
int  bf16_padded(int head_size);
void bf16_key_store(void *k_tile, void *v_tile, const float *k, const float *v, int slot,
                    int head_size);
void bf16_key_copy(void *k_tile, void *v_tile, const void *k_from, const void *v_from, int slots,
                   int head_size);

#endif
