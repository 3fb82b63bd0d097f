/* rules.h - what one run fixes for every document: windows, ids, budgets.
 *
 * Filled by the engine when it opens; borrowed, never changed, by everything that decides what a
 * document does next. */
#ifndef DID_RULES_H
#define DID_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "document.h"
#include "engine.h"
#include "kvcache.h"

/* Scratch for one decision about one document; sized for the longest. */
typedef struct ranked {
    uint64_t key;
    int      position;
} ranked;

typedef struct rules {
    int            mask_id, end_id, vocab;      /* shared by all models of a run */
    int            window[ENGINE_MODELS_MAX];   /* context while drafting with a model */
    int            refine_window[ENGINE_MODELS_MAX];
    bool           fused_commit;
    int            pass_rows;  /* soft: a pass is filled up to here, on each row of the team */
    int            rows_max;   /* hard: what one document brings may take this much of a row */
    const kvcache *cache;
    ranked        *ranked;     /* [length_max] */
    int           *position;   /* [length_max] */
    int           *counts;     /* [vocab], zeros between uses */
} rules;

/* Order by key, ties by position. For qsort. */
static inline int ranked_compare(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->position > y->position) - (x->position < y->position);
}

#endif
