/* depths.h - which layers each depth of a pipeline gets (shard/strata.h): what the job ahead makes the
 * last layer cost, and the word about it before a run. */
#ifndef DID_DEPTHS_H
#define DID_DEPTHS_H

#include "engine.h"
#include "foresight.h"
#include "job.h"
#include "models.h"
#include "settings.h"

/* What the last layer and all that follows it will cost, in layers before it: for documents like the
 * job's first, or where it has none yet like those of a line that names nothing, as many at once as
 * are wanted. 0 without a pipeline. Leader (rank 0). */
double depths_last(const job *j, const settings *s, const foresight *f);

/* The layers of every depth on the log, and how long it will wait for the slowest; and a warning where
 * that is long. Local. */
void depths_say(const engine_settings *e, const models *m);

#endif
