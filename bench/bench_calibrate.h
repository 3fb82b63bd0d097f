/* bench_calibrate.h - `did bench calibrate`: what this machine can do, for predictions.
 *
 * Products, attention and what goes through rows, by one rank alone and by all at once; memory; sums
 * inside a host; the link where ranks are on several hosts. A wrong answer is INVALID here too, and
 * then no file is written. */
#ifndef DID_BENCH_CALIBRATE_H
#define DID_BENCH_CALIBRATE_H

#include "calibration.h"
#include "ground.h"
#include "verdict.h"

/* Fails DID_EINVAL. Local. */
status bench_calibrate_check(const knobs *k, int ranks);

/* Measure, and write the file on rank 0. Collective over world. */
status bench_calibrate(const ground *on);

/* Measure into *out, on all ranks alike, and write nothing down. Answers that are wrong are told in
 * *v. Collective over world. */
status bench_calibrate_take(calibration *out, verdict *v, const ground *on);

#endif
