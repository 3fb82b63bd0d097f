/* roster.h - the documents of one run of the engine: given out, taken back, compared.
 *
 * What a document became when it was first generated is remembered, and every later run has to give
 * it again. */
#ifndef DID_ROSTER_H
#define DID_ROSTER_H

#include <stdint.h>

#include "comm.h"
#include "engine.h"
#include "lineage.h"
#include "verdict.h"

/* Of a draft, by roster_refined. */
#define ROSTER_REOPENED 0.25

/* Stages of a document. */
typedef struct roster_kind {
    int   n_stages;
    stage stage[STAGES_MAX];
} roster_kind;

typedef struct roster {
    int        most; /* documents there is room for */
    int        length, end_id, mask_id, seed;
    int        row, rows; /* document i is number row + i * rows of everybody's */
    bool       families;  /* but here rows have all n_kinds documents of a draw, and every rows-th draw */
    const lineage *shared; /* what kinds have in common is made once for each draw, and those of the
                              kinds go on from it; needs families. NULL: each by itself */
    const roster_kind *kind; /* [n_kinds] number j is of kind j % n_kinds; those of one j / n_kinds
                                draw the same random numbers */
    int        n_kinds;
    document **docs;     /* [n] of the run at hand, then what they share, families in turn; NULL while
                            the engine has one */
    int32_t  **known;    /* [most][length] from the first time; NULL before */
    int        n, n_shared, given, out, in_flight;
    int       *turn;  /* [n + n_shared] places in the order they are given out: what a family shares, then
                         the family */
    bool      *gone;  /* [n + n_shared] given out */
} roster;

/* Room for r->most documents; the settings above are filled in by the caller. Fails DID_ENOMEM.
 * Local. */
status roster_open(roster *r);
void   roster_close(roster *r);

/* Make the first `n` documents afresh, whole families where some is shared, to be given out `in_flight`
 * at a time. Fails DID_ENOMEM. Local. */
status roster_begin(roster *r, int n, int in_flight);

/* For engine_run; borrows r. Local. */
engine_feed roster_feed(roster *r);

/* Are the documents of the last run finished and what they were the first time? Local. */
void roster_compare(roster *r, verdict *v);

/* What the last run made of all documents of the ranks of `on`, whoever had them: a sum over their
 * tokens, which does not ask for an order; one that is not finished is 0 and wrong. The same on all
 * ranks, and so is the verdict. Collective over on. */
status roster_digest(uint64_t *digest, const roster *r, verdict *v, comm *on);

/* The same of document `i` alone. Local. */
uint64_t roster_digest_of(const roster *r, int i);

/* A draft in blocks, and a refinement of the whole that reopens the least certain quarter and takes so
 * many steps. Local. */
roster_kind roster_refined(int block, int steps);

/* Give the documents of the last run away, and forget what they were: the settings are about to
 * change. Local. */
void roster_forget(roster *r);

#endif
