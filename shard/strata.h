/* strata.h - which layers each depth of a pipeline holds, such that none waits long for another.
 *
 * All layers of a model cost alike but the last: of it only what is asked for has to be computed, and
 * the vocabulary's head comes with it. `last` says what both together cost, in layers before it
 * (cost.h). Once the pipeline is full the slowest depth sets the pace and the others wait for it. Pure
 * arithmetic, the same on all ranks and in all plans. */
#ifndef DID_STRATA_H
#define DID_STRATA_H

#include "split.h"

/* The layers of depth `depth` of `depths`, at least one; together all of `layers`, in order. Among
 * depths before the last larger parts come first. Local. */
span strata_part(int layers, double last, int depths, int depth);

/* The share of a full pipeline's time that this depth waits for the slowest. Local. */
double strata_wait(int layers, double last, int depths, int depth);

/* That of the depth that waits most. Local. */
double strata_wait_most(int layers, double last, int depths);

#endif
