/* claim.h - a sentence that a sweep can show to be true or false.
 *
 *   claim     = sentence ":" condition
 *   condition = term "<" term | term ">" term | term "=" term "+-" number | term "=" number "of" count
 *   term      = measure "(" setting ")" | number
 *
 * "<" and ">" hold when the whole interval of the difference lies on that side. "=" holds
 * between two settings when that interval lies within the tolerance, and for a number when the value
 * does. Two settings are compared document by document.
 *
 * A number that somebody reported of so many documents ("= 31.83 of 64") has an error of its own,
 * which no tolerance is chosen for: a mean of m other documents lies around the truth as one of n
 * does, sqrt(n / m) times as far, and so the two lie apart by up to sqrt(1 + n / m) times what the
 * interval of the n documents here spans on that side, in 95 of 100 cases where both measure the same
 * thing. It holds within that. Of twenty such claims one may fail by chance. */
#ifndef DID_CLAIM_H
#define DID_CLAIM_H

#include "status.h"

typedef enum {
    MEASURE_NLL,             /* nats per token, pooled */
    MEASURE_PERPLEXITY,      /* exp of it */
    MEASURE_PERPLEXITY_MEAN, /* mean of the documents' perplexities */
    MEASURE_PERPLEXITY_TEXT, /* the same of their texts encoded again, as papers report it */
    MEASURE_ENTROPY,         /* unigram, nats, mean of the documents */
    MEASURE_REPEATED,        /* share of repeated 4-grams, mean of the documents */
    MEASURE_EDITS,           /* share of free tokens that refinement changed */
    MEASURE_NFE,             /* passes that placed a token, per document */
    MEASURE_ROWS,            /* positions evaluated, per document */
    MEASURE_GAP,             /* nats per token above the frontier at the same entropy */
    MEASURE_SECONDS,         /* share of the passes' time, per document: another on every run */
    MEASURE_CHANGE,          /* of a document's mean nll from its pair in the baseline, mean of them */
    MEASURES
} measure;

const char *measure_name(measure m); /* as a spec writes it. Local. */

typedef struct claim_term {
    measure what;
    char   *name;    /* of the setting; NULL: the term is a number */
    int     setting; /* its place, for whoever knows the settings to fill in */
    double  number;
} claim_term;

typedef struct claim {
    char      *sentence;
    char       relation; /* '<', '>' or '=' */
    claim_term left, right;
    double     tolerance; /* of '=' */
    int        reported;  /* of '=': documents that the number on the right comes from; 0: not said */
    int        line;      /* in the file it came from */
} claim;

/* Read what follows "claim =". The caller clears in any case. Fails DID_EFORMAT with what was found
 * and what was expected, DID_ENOMEM. Local. */
status claim_parse(claim *out, const char *text);
void   claim_clear(claim *c); /* Leaves it zeroed. Local. */

#endif
