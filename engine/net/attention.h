/* attention.h - every segment's queries meet the keys their segment may see.
 *
 * Keys are read in tiles cut at absolute positions of the document, whether they come from the cache
 * or from this pass, so a row's bits do not depend on where its neighbours' keys are kept. */
#ifndef DID_ATTENTION_H
#define DID_ATTENTION_H

#include <stdbool.h>

#include "arena.h"
#include "kernels.h"
#include "kvcache.h"
#include "pass.h"

/* Projections of one layer for all rows of a pass, my heads side by side, rotated. */
typedef struct projections {
    const float *q, *k, *v;
    int          q_stride, kv_stride;
    bool         asked_only;  /* q holds one row per ask, not one per row of the pass */
} projections;

/* Scratch for one segment and head: tile pointers and the tiles a probe makes for itself. */
size_t attention_scratch_bytes(int rows, int window, size_t tile_bytes);

/* Write the keys and values of every COMMIT and PATCH of the pass into its slot. Local. */
void attention_commit(const pass *p, const projections *in, int layer, const kvshape *shape,
                      const kvcache *cache, const kernels *k);

/* out[rows or asks, heads * head_size]: attention of every query row of the pass but those of spanned
 * segments (spanned.h). Commits and patches of this layer must have been written. Local. */
void attention_apply(float *out, const pass *p, const projections *in, int layer,
                     const kvshape *shape, const kvcache *cache, arena *scratch, const kernels *k);

#endif
