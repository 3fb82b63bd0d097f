/* bpe.h - the merges of a byte-pair encoding, and merging one word with them.
 *
 * Source: GPT-2 (encoder.py, `bpe`): of all neighbouring pairs the one with the lowest rank becomes
 * one piece, until no pair has a rank. Equal ranks go left to right. encoder.py merges all places
 * of a pair in one sweep; where every piece is made by merges that come before its first use, as
 * training leaves them, a priority queue gives the same pieces in O(n log n).
 * Knows ids and ranks, neither bytes nor files. */
#ifndef DID_BPE_H
#define DID_BPE_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* `left` followed by `right` becomes `whole`; its rank is its index. */
typedef struct bpe_rule {
    int32_t left, right, whole;
} bpe_rule;

typedef struct bpe {
    bpe_rule *rule;
    int       n_rules, n_max;
    int32_t  *slot; /* open addressing, at most half full: index into rule, -1 is free */
    uint32_t  mask;
} bpe;

/* What merging a word writes on: grows with the longest word, one per thread. */
typedef struct bpe_scratch {
    struct bpe_link *link;
    uint64_t        *heap;
    size_t           capacity;
} bpe_scratch;

/* Make room for n_max rules. bpe_clear is safe on a zeroed bpe. Fails DID_ENOMEM. Local. */
status bpe_init(bpe *b, int n_max);
void   bpe_clear(bpe *b);

/* Append the rule of the next rank. Fails DID_EFORMAT when the pair has a rank already. Local. */
status bpe_add(bpe *b, bpe_rule rule);

/* Rank of a pair; -1 when it is never merged. Local. */
int bpe_rank(const bpe *b, int32_t left, int32_t right);

/* Merge ids[*n] in place; *n becomes the number of pieces. A zeroed scratch is valid. Fails
 * DID_ENOMEM. Local. */
status bpe_merge(const bpe *b, bpe_scratch *s, int32_t *ids, int *n);
void   bpe_scratch_clear(bpe_scratch *s);

#endif
