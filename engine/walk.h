/* walk.h - a document's way through its stages: draft, remask, refine, measure, finished.
 *
 * Every decision about one document, and none about passes: it is asked what the document brings to
 * the next pass, and told when that pass has run. */
#ifndef DID_WALK_H
#define DID_WALK_H

#include "batch.h"
#include "document.h"
#include "rules.h"
#include "score.h"

/* What a document has in the pass under construction. */
typedef struct turn {
    document      *doc;
    const segment *probe;      /* NULL: commits only */
    int            committed;  /* what its slot will hold */
    score_part     part;       /* of a measuring stage */
    int            rows;       /* written by schedule_fill: what it brings to the pass */
    int            placed;     /* written by walk_apply: tokens the pass gave it */
} turn;

/* Do everything that needs no pass: enter stages (remask), leave finished ones. Afterwards the
 * document needs a pass or has finished. Local. */
void walk_settle(document *d, const rules *by);

/* The weight handle of its next pass. Local. */
int walk_model(const document *d);

/* Add its next segments to the pass, at most `room` rows; returns rows added. Local. */
int walk_contribute(document *d, const rules *by, batch *b, int room, turn *out);

/* The pass has run: take the answers. Local. */
void walk_apply(turn *t, const batch *b, const rules *by);

#endif
