/* shards.h - a weight whose inputs are cut in places that do not depend on the number of ranks.
 *
 * The sum over ranks of a product is a sum of parts, and where the parts are cut decides its last
 * bits. In a reproducible run a model is cut into SHARDS parts whatever the width; a rank holds
 * SHARDS / Q neighbouring ones, multiplies each by itself, and adds them in pairs, then pairs of
 * pairs; the sum over ranks goes on in the same way (comm_pair). So every width adds alike. */
#ifndef DID_SHARDS_H
#define DID_SHARDS_H

#include "linear.h"
#include "split.h"

enum { SHARDS = 8 };

/* A part of a weight's inputs: a weight of its own, for inputs [first, first + whole.k) of its rank. */
typedef struct shard {
    weight whole;
    int    first;
} shard;

/* Part `i` of SHARDS of [0, total), cut at multiples of `unit`. Any power of two of neighbours, from
 * where such a group may begin, are about equally large. Local. */
span shards_part(int total, int unit, int i);

/* Part of rank `r` of `size`, a divisor of SHARDS. Local. */
span shards_of(int total, int unit, int r, int size);

/* Bytes of scratch for shards_apply of a weight [n, k] in `shards` parts. Local. */
size_t shards_bytes(int rows, int n, int k, int shards);

/* out[rows, n] = in[rows, k] W^T, for linear_out: arrays are as linear_apply or linear_apply_narrow
 * want them. Local. */
void shards_apply(float *out, const void *in, const weight *w, int rows, arena *scratch);

#endif
