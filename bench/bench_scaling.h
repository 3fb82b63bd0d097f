/* bench_scaling.h - `did bench scaling`: how generation gains from more ranks, measured up to all
 * there are and predicted beyond. */
#ifndef DID_BENCH_SCALING_H
#define DID_BENCH_SCALING_H

#include "ground.h"

/* Can these knobs be measured on `ranks` ranks? Fails DID_EINVAL. Local. */
status bench_scaling_check(const knobs *k, int ranks);

/* Collective over on->world. */
status bench_scaling(const ground *on);

#endif
