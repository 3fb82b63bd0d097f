/* portion.h - what one row of a team does of a pass.
 *
 * Rows of ranks that span long documents form a team and run every pass together. What a document has
 * cached lies in its slot on one row, its home: segments with a slot are evaluated there. A segment
 * without one - a refining probe - is cut over all rows at borders of key tiles, in ascending order
 * from its home on; the larger parts come first, and a short one is its home's alone.
 *
 * Each row derives its portion from the pass that all of them know: its segments, its parts, its asks.
 * A portion is a pass of its own, with the slots of this row. A part of a spanned segment says there
 * with `from` and `to` what it sees: the whole. */
#ifndef DID_PORTION_H
#define DID_PORTION_H

#include "arena.h"
#include "gather.h"
#include "pass.h"
#include "split.h"

enum { PORTION_ROWS_MAX = 64 };

typedef struct portion {
    pass     pass;
    answer  *answers;  /* [n_asks] of my pass */
    int32_t *asked;    /* [n_asks] which ask of the team's pass each of mine is */
    answer  *gathered; /* of all rows, one row's after the other's */
} portion;

size_t portion_bytes(int rows_max, int team_rows_max);

/* Carve a portion of passes of up to `team_rows_max` rows of which one row of the team evaluates no
 * more than `rows_max`. Local. */
void portion_open(portion *v, int rows_max, int team_rows_max, arena *from);

/* The positions that row `row` of `rows` evaluates of a spanned segment [first, first + len). Local. */
span portion_part(int first, int len, int home, int rows, int row);

/* The most positions that any row gets of a segment of `len` positions, wherever it begins. Local. */
int portion_part_max(int len, int rows);

/* How many rows of a segment of a team's pass row `row` evaluates. Local. */
int portion_rows(const segment *s, int rows, int row);

/* Derive the portion of row `row` of `rows` from the team's pass. Local. */
void portion_take(portion *v, const pass *p, int rows, int row);

/* The answers of all rows, v->answers on each, become answers[p->n_asks] on every rank of the column
 * that `g` was opened on. Collective over it. */
status portion_answer(answer *answers, const portion *v, const pass *p, int rows, int row,
                      gather *g);

/* The largest gather that makes, bytes. Local. */
size_t portion_gather_bytes(int team_rows_max);

#endif
