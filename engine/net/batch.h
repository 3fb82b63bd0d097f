/* batch.h - a pass under construction, and the plan that tells a team's ranks about it.
 *
 * Only the leader builds; the other ranks receive. Everything a rank acts on travels in the plan. */
#ifndef DID_BATCH_H
#define DID_BATCH_H

#include <stdbool.h>

#include "arena.h"
#include "comm.h"
#include "pass.h"
#include "portion.h"

typedef enum { VERB_RUN, VERB_STOP, VERB_WAIT } verb;

typedef struct batch {
    pass     pass;
    int      rows_max;
    int      rows;     /* S: rows of ranks that run the pass together; 1 unless batch_team */
    int      load[PORTION_ROWS_MAX];  /* what each of them has to evaluate */
    answer  *answers;  /* [rows_max] */
    char    *wire;     /* the plan's body, packed */
} batch;

/* Room for the head of a packed plan. */
enum { BATCH_HEAD = 64 };

size_t batch_bytes(int rows_max);

/* Carve a batch for passes of up to `rows_max` rows. Local. */
void batch_open(batch *b, int rows_max, arena *from);

/* Its passes are for a team of `rows` rows: slot s of the team is slot s / rows of row s % rows. Between
 * passes. Local. */
void batch_team(batch *b, int rows);

/* Begin an empty pass of weight handle `model`. Local. */
void batch_begin(batch *b, int model);

/* Append a segment of tokens at absolute positions [first, first + len); returns it. One without a
 * slot is cut over all rows of the team. Asks are added to the newest segment only. Local. */
segment *batch_segment(batch *b, segment_kind kind, int slot, const int32_t *token, int first,
                       int len, int from);

/* Append a PATCH of the positions in [from, to) for which wanted[position] (NULL: all of them), with
 * token[position]; there is at least one. Returns it. Local. */
segment *batch_patch(batch *b, int slot, const int32_t *token, const bool *wanted, int from, int to);

/* How many rows more the row that has `slot` may take when none of the team is to have more than
 * `limit`. Local. */
int batch_room(const batch *b, int slot, int limit);

/* Is there place for a segment without a slot, of positions [first, first + len), where the row that
 * has `slot` may take up to `room` more rows and the others are to get no more in all than that one?
 * Local. */
bool batch_fits(const batch *b, int slot, int first, int len, int room);

/* Append an ask about `position` of the newest segment, in ascending order of positions; the caller
 * fills in the rest. Local. */
ask *batch_ask(batch *b, int position);

/* The leader's plan reaches the `ranks`. On others than their first `b->pass` becomes the leader's.
 * Waiting ranks sleep. Collective over ranks. */
status batch_share(batch *b, verb *word, comm *ranks);

/* A plan as bytes: its head, BATCH_HEAD of them at most, says what the body holds. Local. */
size_t batch_wire_bytes(int segments, int rows, int asks);
void   batch_write_head(const batch *b, verb word, void *head);
verb   batch_read_head(batch *b, const void *head);
void   batch_write_body(const batch *b, void *body);
void   batch_read_body(batch *b, const void *body);

#endif
