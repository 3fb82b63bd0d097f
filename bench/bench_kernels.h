/* bench_kernels.h - `did bench kernels`: each operation of each kernel set, at a model's shapes.
 *
 * Held against ref before it is timed; the share of this machine's peak is that of the tighter
 * of its two limits. Every rank does the same work at the same time, on data of its own. */
#ifndef DID_BENCH_KERNELS_H
#define DID_BENCH_KERNELS_H

#include "ground.h"

/* What can be refused before anything is measured. Fails DID_EINVAL with one sentence. Local. */
status bench_kernels_check(const knobs *k, int ranks);

/* Fails DID_ENOMEM, DID_EPEER; an answer that is wrong is a line, not a failure. Collective over
 * world. */
status bench_kernels(const ground *on);

#endif
