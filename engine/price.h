/* price.h - what a pass should have taken, by the cost model (shard/cost.h). */
#ifndef DID_PRICE_H
#define DID_PRICE_H

#include "cost.h"
#include "pass.h"

/* Seconds of this pass of a team at `at`, whose model is the pass's. Segments alike count as one kind,
 * with the keys they see on average; there is room for a few kinds, and the last takes what is left.
 * Local. */
double price_pass(const cost_place *at, const pass *p);

#endif
