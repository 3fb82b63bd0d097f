/* half.h - bf16: the upper half of an f32, so the same range and 8 bits of precision.
 *
 * The conversions work on whole words and choose between whole results, never on a word of which a
 * condition clears a part: gcc 12.2 loses such a mask between two memcpy. */
#ifndef DID_HALF_H
#define DID_HALF_H

#include <stdint.h>
#include <string.h>

/* The nearest bf16, the even one where two are as near; what is not a number stays none. Local. */
static inline uint16_t half_round(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint16_t nearest = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    uint16_t quiet   = (uint16_t)(bits >> 16 | 0x40);
    return (bits & 0x7fffffff) > 0x7f800000 ? quiet : nearest;
}

/* Exact. Local. */
static inline float half_widen(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float    x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#endif
