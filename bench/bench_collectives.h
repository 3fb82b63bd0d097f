/* bench_collectives.h - `did bench collectives`: what ranks say to each other, and how fast.
 *
 * The sum in rank order, through memory that ranks of one host share and by messages, beside
 * MPI_Allreduce in place; gather and broadcast; a message there and back. Shaped like the OSU
 * micro-benchmarks: a line per size, latency and bandwidth. Every line is checked before it is
 * timed: our sums to the bit, MPI's to rounding. */
#ifndef DID_BENCH_COLLECTIVES_H
#define DID_BENCH_COLLECTIVES_H

#include "ground.h"

/* Fails DID_EINVAL for one rank. Local. */
status bench_collectives_check(const knobs *k, int ranks);

/* Collective over world. */
status bench_collectives(const ground *on);

#endif
