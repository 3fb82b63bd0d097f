/* vocabulary.h - from logits on slices of the vocabulary to a drawn token and its probability.
 *
 * Source: BD3-LM's nucleus rule and the snapshot confidence of Diffusion in Diffusion. Every rank of
 * a row holds one slice of each distribution; logits never travel. What travels are peaks, sums and
 * histograms: the nucleus threshold is found by a radix search over the order of the logits, exact
 * for any nucleus size, and the draw is a two-level inverse distribution function in ascending token
 * id. Ties at the cut go to the smaller id. The mask id is in no distribution. All sums are f64. */
#ifndef DID_VOCABULARY_H
#define DID_VOCABULARY_H

#include "arena.h"
#include "comm.h"
#include "kernels.h"
#include "pass.h"
#include "split.h"

/* A rank's words are one slice, or neighbouring ones: sums are taken slice by slice, then over all
 * slices of all ranks in ascending order, so equal slices give equal bits whoever holds them. */
enum { VOCABULARY_SLICES_MAX = 8 };
typedef struct slices {
    int  n;  /* the same on all ranks */
    span at[VOCABULARY_SLICES_MAX];
} slices;

/* Bytes of scratch that vocabulary_answer takes for `len` words in `n_slices` slices, on `ranks`
 * ranks. */
size_t vocabulary_scratch_bytes(int len, int n_slices, int ranks);

/* answers[n] to asks[n] about logits[n, len] of this rank's words; mask_id is counted in the whole
 * vocabulary. Every rank gets every answer, the same bits. Collective over row. */
status vocabulary_answer(answer *answers, const ask *asks, const float *logits, int n,
                         const slices *mine, int mask_id, arena *scratch, const kernels *k,
                         comm *row);

#endif
