/* bootstrap.h - between which values a number lies that was computed from documents, when it is
 * computed from other documents of the same kind.
 *
 * Source: percentile bootstrap (Efron 1979), drawn as quality_interval draws: the same seed
 * draws the same documents, so numbers of several settings vary together where their documents
 * are pairs. Pure arithmetic. */
#ifndef DID_BOOTSTRAP_H
#define DID_BOOTSTRAP_H

#include <stdint.h>

#include "quality.h"
#include "status.h"

/* The number for documents which[n] (places from 0 to n - 1, with repetitions). Local. */
typedef double bootstrap_number(const void *context, const int *which, int n);

/* The central 95 % of `number` over QUALITY_ROUNDS drawings of n out of n documents. What is no
 * number is left out; NAN when nothing is left. Fails DID_ENOMEM. Local. */
status bootstrap_interval(interval *out, bootstrap_number *number, const void *context, int n,
                          uint64_t seed);

#endif
