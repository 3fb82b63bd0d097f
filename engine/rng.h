/* rng.h - random numbers that depend on nothing but what they are for.
 *
 * Counter-based (Philox4x32-10; Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011): a draw is a pure function of the document's key and the counter (attempt, stage,
 * position, purpose). No draw depends on the batch, the pass, the rank or the thread. */
#ifndef DID_RNG_H
#define DID_RNG_H

#include <stdint.h>

typedef enum { PURPOSE_ORDER, PURPOSE_REVEAL, PURPOSE_TOKEN, PURPOSE_SELECT } purpose;

/* 64 random bits. Local. */
uint64_t rng_bits(uint64_t key, int attempt, int stage, int position, purpose why);

/* A double in [0, 1) with 53 random bits. Local. */
double rng_uniform(uint64_t key, int attempt, int stage, int position, purpose why);

/* A 64-bit hash of bytes (FNV-1a, finished by a mixer), for keys made of names. Chain by `seed`.
 * Local. */
uint64_t rng_hash(uint64_t seed, const void *bytes, int size);

#endif
