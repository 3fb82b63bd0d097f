/* schedule.h - which documents in flight share the next pass.
 *
 * A pass is filled to a soft budget of rows, for each row of ranks in a team. Documents are asked in turn, beginning with the one that
 * has waited longest; what does not fit is parked and asked first next time, so slow documents never
 * hold the others. What a document's bytes are does not depend on any of this. */
#ifndef DID_SCHEDULE_H
#define DID_SCHEDULE_H

#include "batch.h"
#include "rules.h"
#include "walk.h"

/* Fill `b` from docs[n]; *start is where asking begins and is moved for the next pass. Writes one turn
 * per document that has a part in the pass and returns how many. All documents need a pass. Local. */
int schedule_fill(batch *b, turn *turns, document *const *docs, int n, int *start,
                  const rules *by);

#endif
