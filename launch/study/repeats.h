/* repeats.h - how much of a text has been said before: the share of repeated n-grams, and the
 * longest stretch that occurs twice.
 *
 * Source: seq-rep-n of "Neural text generation with unlikelihood training" (Welleck et al. 2020):
 * 1 - distinct n-grams / n-grams. All lengths are read off one suffix array (prefix doubling) and
 * its common prefixes (Kasai et al. 2001), so a text of n tokens costs n log^2 n. Pure arithmetic
 * on ids. */
#ifndef DID_REPEATS_H
#define DID_REPEATS_H

#include <stdint.h>

#include "status.h"

enum { REPEATS_NGRAMS = 4 };

typedef struct repeats {
    double share[REPEATS_NGRAMS]; /* of n-grams, n = 1 .. 4, that stood further left already; 0 in a
                                     text shorter than n */
    int    longest;               /* tokens of the longest stretch that occurs twice (the two may
                                     overlap) */
} repeats;

/* Measure id[n]. Fails DID_ENOMEM. Local. */
status repeats_count(repeats *out, const int32_t *id, int n);

#endif
