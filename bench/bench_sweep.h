/* bench_sweep.h - `did bench sweep`: many settings at once, beside one after another.
 *
 * 24 settings as the papers try them: drafts, shares, policies, step counts, orders, rounds. First one
 * document of each setting is made alone, with nothing else in flight and the other rows idle: what it
 * costs to try settings one after another, one document at a time. Then all settings go through the
 * same pipeline on all rows; their documents have to be the same texts. Both sides are samples, told
 * as seconds per document, and multiplied up to what a whole sweep would take. */
#ifndef DID_BENCH_SWEEP_H
#define DID_BENCH_SWEEP_H

#include "ground.h"

/* As bench_documents_check. Local. */
status bench_sweep_check(const knobs *k, int ranks);

/* As bench_documents. Collective over world. */
status bench_sweep(const ground *on);

#endif
