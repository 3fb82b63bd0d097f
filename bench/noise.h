/* noise.h - made-up numbers: any of them, by name, at once.
 *
 * The n-th number of a stream is a function of both alone, so two ranks that need the same matrix
 * need not talk about it. Fast and plain; documents are drawn with rng.h, not with this. */
#ifndef DID_NOISE_H
#define DID_NOISE_H

#include <stddef.h>
#include <stdint.h>

/* 64 bits, well mixed. Local. */
static inline uint64_t noise_bits(uint64_t stream, uint64_t n)
{
    uint64_t z = (stream * 0xd1342543de82ef95u ^ n) * 0x9e3779b97f4a7c15u + 1;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* A number of mean 0 and variance 1, in (-1.74, 1.74). Local. */
static inline float noise_number(uint64_t stream, uint64_t n)
{
    return ((float)(noise_bits(stream, n) >> 40) * 0x1p-23f - 1) * 1.7320508f;
}

/* x[n] = mean + spread * the numbers `first`, first + 1, ... of `stream`. Local. */
void noise_fill(float *x, size_t n, uint64_t stream, uint64_t first, float mean, float spread);

#endif
