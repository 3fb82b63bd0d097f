/* bench_plan.h - `did bench plan`: what the cost model predicts beside what passes take.
 *
 * The machine is calibrated first. Then one rank alone, all ranks as rows, as columns, as depths and
 * as a span draft and refine the same documents in turn, in each precision, and every pass is timed
 * and predicted. A line passes where the two are within 15 % of each other. */
#ifndef DID_BENCH_PLAN_H
#define DID_BENCH_PLAN_H

#include "ground.h"

/* Can these knobs be measured on `ranks` ranks? Fails DID_EINVAL. Local. */
status bench_plan_check(const knobs *k, int ranks);

/* Collective over on->world. */
status bench_plan(const ground *on);

#endif
