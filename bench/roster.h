/* roster.h - the documents of one run of the engine: given out, taken back, compared.
 *
 * What a document became when it was first generated is remembered, and every later run has to give
 * it again. */
#ifndef DID_ROSTER_H
#define DID_ROSTER_H

#include "engine.h"
#include "verdict.h"

/* Stages of a document. */
typedef struct roster_kind {
    int   n_stages;
    stage stage[STAGES_MAX];
} roster_kind;

typedef struct roster {
    int        most; /* documents there is room for */
    int        length, end_id, mask_id, seed;
    int        row, rows; /* document i is number row + i * rows of everybody's */
    const roster_kind *kind; /* [n_kinds] number j is of kind j % n_kinds; those of one j / n_kinds
                                draw the same random numbers */
    int        n_kinds;
    document **docs;     /* [most] of the run at hand; NULL while the engine has one */
    int32_t  **known;    /* [most][length] from the first time; NULL before */
    int        n, next, out, in_flight;
} roster;

/* Room for r->most documents; the settings above are filled in by the caller. Fails DID_ENOMEM.
 * Local. */
status roster_open(roster *r);
void   roster_close(roster *r);

/* Make the first `n` documents afresh, to be given out `in_flight` at a time. Fails DID_ENOMEM.
 * Local. */
status roster_begin(roster *r, int n, int in_flight);

/* For engine_run; borrows r. Local. */
engine_feed roster_feed(roster *r);

/* Are the documents of the last run finished and what they were the first time? Local. */
void roster_compare(roster *r, verdict *v);

/* Give the documents of the last run away, and forget what they were: the settings are about to
 * change. Local. */
void roster_forget(roster *r);

#endif
