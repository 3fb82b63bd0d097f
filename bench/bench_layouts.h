/* bench_layouts.h - `did bench layouts`: one linear layer split in one dimension, and in two.
 *
 * The same ranks hold the same square weight twice: as shards of --layout 1d, and in the blocks of
 * --layout 2d, to which it moved in memory. Both are multiplied with the same rows, and what each
 * took stands beside the other. "in" has its input whole and its output split, "out" the other way
 * round, so that every rank ends with the sum. */
#ifndef DID_BENCH_LAYOUTS_H
#define DID_BENCH_LAYOUTS_H

#include "ground.h"

/* What can be refused before anything is measured. Fails DID_EINVAL. Local. */
status bench_layouts_check(const knobs *k, int ranks);

/* An answer that is wrong is a line, not a failure. Collective over world. */
status bench_layouts(const ground *on);

#endif
