/* price.h - what a pass should have taken, by the cost model (shard/cost.h). */
#ifndef DID_PRICE_H
#define DID_PRICE_H

#include "cost.h"
#include "engine.h"
#include "pass.h"

/* Add this pass of a team at `at`, whose model is the pass's, to *sum. Segments alike count as one
 * kind, with the keys they see on average; there is room for a few kinds, and the last takes what is
 * left. Groups of a pipeline of layers are taken to be alike. Seconds stay as they are without a
 * machine. Local. */
void price_pass(engine_forecast *sum, const cost_place *at, const pass *p);

#endif
