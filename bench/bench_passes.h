/* bench_passes.h - `did bench passes`: one evaluation of the network at a time, and where its
 * time goes.
 *
 * Draft blocks of many documents, alone and with the commit of the block before, commits, and
 * global refinement. company.h says what is checked before. The model is split over --tp ranks;
 * groups of ranks beyond that run the same pass on a model of their own, at the same time. */
#ifndef DID_BENCH_PASSES_H
#define DID_BENCH_PASSES_H

#include "ground.h"

/* What can be refused before anything is measured. Fails DID_EINVAL, and DID_EFORMAT or DID_EIO for
 * a model that cannot be read. Local. */
status bench_passes_check(const knobs *k, int ranks);

/* Fails DID_EINVAL when the host is too small; an answer that is wrong is a line, not a failure.
 * Collective over world. */
status bench_passes(const ground *on);

#endif
