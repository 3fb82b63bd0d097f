/* bench_depths.h - `did bench depths`: all ranks as rows that know nothing of each other, as a pipeline
 * of layers, and as one row that adds its sums over the wire. */
#ifndef DID_BENCH_DEPTHS_H
#define DID_BENCH_DEPTHS_H

#include "ground.h"

/* Can these knobs be measured on `ranks` ranks? Fails DID_EINVAL. Local. */
status bench_depths_check(const knobs *k, int ranks);

/* Collective over on->world. */
status bench_depths(const ground *on);

#endif
