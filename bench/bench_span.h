/* bench_span.h - `did bench span`: one long document refined by one row of ranks, and by all that share
 * it. */
#ifndef DID_BENCH_SPAN_H
#define DID_BENCH_SPAN_H

#include "ground.h"

/* Can these knobs be measured on `ranks` ranks? Fails DID_EINVAL. Local. */
status bench_span_check(const knobs *k, int ranks);

/* Collective over on->world. */
status bench_span(const ground *on);

#endif
