/* quality.h - the numbers that say how good texts are: perplexity, entropy, repetition, length, and
 * how sure one can be of them.
 *
 * Source: generative perplexity as BD3-LM's evaluation reports it: the arithmetic mean of the
 * samples' perplexities, beside exp(total nll / total rows). Intervals are percentile bootstraps
 * over samples (Efron 1979) with the engine's counter-based random numbers: the same on every
 * machine and on every call. Perplexity falls with entropy, so no summary holds one without the
 * other. Pure arithmetic on ids and nll; it never looks at a network. */
#ifndef DID_QUALITY_H
#define DID_QUALITY_H

#include <stdbool.h>
#include <stdint.h>

#include "repeats.h"
#include "status.h"

/* One sample. */
typedef struct quality {
    int     tokens;  /* E in front included */
    int     rows;    /* tokens that were scored: its length as perplexity sees it */
    double  nll;     /* their sum, nats */
    double  entropy; /* unigram, nats, over all tokens and what they were padded with */
    repeats repeats; /* over all tokens */
} quality;

/* Measure id[n]. `nll` may be NULL: nothing was scored; else nll[i] belongs to id[i] and is NAN
 * where nothing was measured. Targets that are `unscored` (E; -1: none) do not count. `pads` more
 * tokens `unscored` behind the text count for its entropy, as they do where samples were padded to
 * one length. Fails DID_ENOMEM. Local. */
status quality_measure(quality *out, const int32_t *id, const float *nll, int n, int32_t unscored,
                       int pads);

/* exp(nll / rows); NAN without rows. Local. */
double quality_perplexity(double nll, int rows);

/* Unigram entropy of id[n], in nats. Fails DID_ENOMEM. Local. */
status quality_entropy(double *out, const int32_t *id, int n);

/* The share of the places [0, n) that are not `fixed` (NULL: none is) at which the two texts differ;
 * 0 where none is left. Local. */
double quality_edited(const int32_t *before, const int32_t *after, const bool *fixed, int n);

/* Of x[n], those that are numbers. Both are NAN when none is. `quality_median` is the mean of the
 * two in the middle when their count is even, and reorders x. Local. */
double quality_mean(const double *x, int n);
double quality_median(double *x, int n);

/* Between which values a number lies with the confidence asked for. */
typedef struct interval {
    double low, high;
} interval;

enum { QUALITY_ROUNDS = 2000 };

/* The central `level` of sum(x) / sum(weight) over QUALITY_ROUNDS samples of n drawn with
 * replacement from the n. weight NULL: all weigh 1 (a mean). Samples whose x is not a number are
 * left out. The same arguments give the same interval. NAN when nothing is left. Fails DID_ENOMEM.
 * Local. */
status quality_interval(interval *out, const double *x, const double *weight, int n, double level,
                        uint64_t seed);

/* What changed from one measurement of the same samples to another. */
typedef struct paired {
    int    pairs;  /* samples measured both times */
    double change; /* mean of after - before; NAN without pairs */
    double error;  /* its standard error; NAN with fewer than two pairs */
    int    lower;  /* pairs in which it fell */
} paired;

/* Pairs in which either is not a number are left out. Local. */
paired quality_paired(const double *before, const double *after, int n);

/* All samples of one setting. */
typedef struct summary {
    int      samples; /* all of them */
    int      scored;  /* those with at least one row */
    long     rows;
    double   nll;        /* mean per row, pooled */
    double   perplexity; /* exp of it */
    interval perplexity_range;
    double   perplexity_mean; /* arithmetic mean over samples */
    interval perplexity_mean_range;
    double   entropy; /* mean over samples */
    interval entropy_range;
    double   repeated[REPEATS_NGRAMS]; /* mean over samples */
    int      longest;                  /* repeat of any sample */
    double   length_median;            /* of rows; of tokens where nothing was scored */
    int      length_max;
} summary;

/* Sum up q[n]; intervals hold 95 %. Fails DID_ENOMEM. Local. */
status quality_summary(summary *out, const quality *q, int n, uint64_t seed);

#endif
