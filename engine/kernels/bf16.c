#include "bf16.h"

#include "kernels.h"

void bf16_pack(uint16_t *packed, const float *w, int first, int rows, int k, int columns)
{
    size_t pairs = ((size_t)k + 1) / 2, size = pairs * (size_t)columns * 2;
    for (int r = 0; r < rows; r++) {
        int          n  = first + r;
        uint16_t    *to = packed + (size_t)(n / columns) * size + (size_t)(n % columns) * 2;
        const float *x  = w + (size_t)r * (size_t)k;
        for (int i = 0; i < k; i++)
            to[(size_t)(i / 2) * (size_t)columns * 2 + (size_t)(i % 2)] = half_round(x[i]);
    }
}

int bf16_padded(int head_size)
{
    return (head_size + KEY_LANES - 1) / KEY_LANES * KEY_LANES;
}

void bf16_key_store(void *k_tile, void *v_tile, const float *k, const float *v, int slot,
                    int head_size)
{
    uint16_t *keys   = (uint16_t *)k_tile + (size_t)slot * 2;
    uint16_t *values = (uint16_t *)v_tile + (size_t)(slot / 2) * bf16_padded(head_size) * 2;
    for (int i = 0; i < head_size; i += 2) {
        keys[(size_t)i * KEY_TILE]     = half_round(k[i]);
        keys[(size_t)i * KEY_TILE + 1] = half_round(k[i + 1]);
    }
    for (int i = 0; i < head_size; i++)
        values[2 * i + slot % 2] = half_round(v[i]);
}

/* An odd number of places takes the partner of its last value along: nobody sees it, and whoever
 * stores that place writes over it. */
void bf16_key_copy(void *k_tile, void *v_tile, const void *k_from, const void *v_from, int slots,
                   int head_size)
{
    enum { PAIR = 2 * sizeof(uint16_t) };
    for (int i = 0; i < head_size / 2; i++)
        memcpy((char *)k_tile + (size_t)i * KEY_TILE * PAIR,
               (const char *)k_from + (size_t)i * KEY_TILE * PAIR, (size_t)slots * PAIR);
    memcpy(v_tile, v_from, (size_t)((slots + 1) / 2) * bf16_padded(head_size) * PAIR);
}
