/* bf16.h - numbers of 16 bits: the upper half of an f32, so the same range and 8 bits of precision.
 *
 * What the bf16 sets share: how a weight is packed, and the tiles of keys and values. */
#ifndef DID_BF16_H
#define DID_BF16_H

#include <stddef.h>
#include <stdint.h>

#include "half.h"

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
