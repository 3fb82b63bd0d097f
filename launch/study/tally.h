/* tally.h - one number out of the documents of a setting, for documents drawn at will.
 *
 * Every measure of a sweep is a function of which documents are looked at, so that its interval,
 * and the interval of a difference between two settings, come from one and the same drawing. */
#ifndef DID_TALLY_H
#define DID_TALLY_H

#include "bootstrap.h"
#include "harvest.h"

/* Measure `what` of documents which[n] of setting `place` (NULL: of the first n); those that are
 * not there are left out. NAN when none is left. MEASURE_GAP is nll above the frontier of the
 * spec at the same entropy: a straight line between the two settings of the frontier whose
 * entropies lie around it, drawn on from the last two beyond the ends. MEASURE_CHANGE of the baseline
 * is none. Local. */
double tally(const harvest *h, measure what, int place, const int *which, int n);

/* Of a document: nats per token; NAN where it is not there. Local. */
double tally_mean_nll(const harvest_document *d);

/* Does the entropy of setting `place` lie between those of the frontier's settings? Local. */
bool tally_inside(const harvest *h, int place);

/* What the interval of one setting's measure, or of a difference, is computed from. */
typedef struct tally_pair {
    const harvest *harvest;
    measure        what;
    int            left, right; /* right -1: left alone */
} tally_pair;

/* left, or left - right: a bootstrap_number over tally_pair. Local. */
double tally_number(const void *pair, const int *which, int n);

#endif
