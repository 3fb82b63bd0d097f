/* gather.h - the parts of an array reach all ranks that have one, while these do something else.
 *
 * Parts lie where they belong in everybody's copy of the array: who begins has filled in its own, and
 * when the gather has ended it has those of the others. They travel in pieces, straight from the copy
 * of one rank to that of another, in no order that anybody may count on. A rank without a part neither
 * brings nor gets anything.
 *
 * MPI moves little by itself: who computes meanwhile looks in from time to time (gather_poll). */
#ifndef DID_GATHER_H
#define DID_GATHER_H

#include "comm.h"

typedef struct gather gather;

/* Where one rank's part lies in the array, in bytes. */
typedef struct gather_part {
    size_t start, bytes;
} gather_part;

/* Room for one gather at a time of an array of up to `bytes` bytes, on the ranks of `c`, which is
 * borrowed. Fails DID_ENOMEM. Local. */
status gather_open(gather **out, comm *c, size_t bytes);

/* After a failure something may be under way: it is left to itself. Nulls. Local. */
void gather_close(gather **g);

/* Begin: part[r] is rank r's, the same on all ranks. Of all[] my own part must not be written and the
 * others must not be looked at until the end. Ranks begin their gathers on one comm in the same order.
 * Collective over the ranks that have a part. */
status gather_begin(gather *g, void *all, const gather_part *part, event e);

/* Let pieces move on. Local. */
status gather_poll(gather *g);

/* Wait until all parts are here and mine is everywhere. Without a begin there is nothing to wait
 * for. */
status gather_end(gather *g);

#endif
