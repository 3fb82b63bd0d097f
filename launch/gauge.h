/* gauge.h - texts measured by an engine: every token's negative log-likelihood, or its bound.
 *
 * Rank 0 makes the list, all ranks hold it, row r of P measures texts r, r + P, ..., and afterwards
 * all ranks know all numbers. A text is a document that comes with every token given and one stage
 * that measures; it shares its passes with others like any document. */
#ifndef DID_GAUGE_H
#define DID_GAUGE_H

#include <stdbool.h>
#include <stdint.h>

#include "comm.h"
#include "engine.h"
#include "stage.h"
#include "status.h"

/* One text and how it is measured. */
typedef struct gauge_text {
    int64_t  first; /* its tokens are id[first .. first + n) of the list, nll likewise */
    int      n;
    uint64_t key;  /* of the noise of a bound */
    stage    how;  /* WORK_SCORE or WORK_BOUND */
    finish finish; /* FINISH_NONE: not measured; FINISH_FAILED: what the model said is no number */
} gauge_text;

typedef struct gauge {
    gauge_text *text;
    int         n, room;
    int32_t    *id;
    float      *nll; /* [n_ids] nats; NAN where nothing was measured. NULL before gauge_run */
    int64_t     n_ids, ids_room;
} gauge;

/* One more text, id[n] copied; id[0] is E. A text that a bound is asked of must fit the model's
 * length. Fails DID_ENOMEM. Leader (rank 0). */
status gauge_add(gauge *g, const int32_t *id, int n, uint64_t key, const stage *how);

int gauge_longest(const gauge *g); /* tokens of the longest text; 0 without any. Local. */

/* Rank 0's list becomes everybody's; the others bring an empty one. Fails DID_ENOMEM, DID_EPEER.
 * Collective over world. */
status gauge_share(gauge *g, comm *world);

/* Measure all texts; `rows` is the number of the engine's rows. `asked` (may be NULL) is looked at
 * between passes on row leaders: true ends early, in good order, and *left (the same on all ranks)
 * says how many texts were not measured then. Fails as engine_run. Collective over world. */
status gauge_run(gauge *g, engine *e, comm *world, int rows, bool (*asked)(void), int *left);

/* How many texts the model failed on. Local. */
int gauge_failed(const gauge *g);

/* Give everything back; leaves it zeroed. Local. */
void gauge_clear(gauge *g);

#endif
