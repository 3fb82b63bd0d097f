/* candidates.h - the grids that a number of ranks can be, with what each of them would hold, take and
 * send. */
#ifndef DID_CANDIDATES_H
#define DID_CANDIDATES_H

#include "budget.h"
#include "cost.h"
#include "forecast.h"
#include "foresight.h"
#include "plan_settings.h"

enum { CANDIDATES_MAX = 512 };

typedef struct candidate {
    cost_layout   layout;
    int           in_flight;
    engine_memory need;      /* of the rank that holds most */
    bool          fits;
    forecast      forecast;
} candidate;

typedef struct candidates {
    candidate    at[CANDIDATES_MAX];
    int          n, best;   /* -1: none fits */
    forecast_job job;
    geometry     model;
    models       models;
    foresight    foresight;
    calibration_link link;
    budget       budget;
} candidates;

/* All grids of s->ranks ranks: every width that divides them up to the number of heads, every span of
 * their rows that gives each a part worth having, and in f32 the 2-D layout. The best is the one that
 * is soonest done, and without times the narrowest that fits. Fails DID_EINVAL, DID_EIO, DID_EFORMAT
 * with one sentence. Local. */
status candidates_find(candidates *c, const plan_settings *s);

/* The most things of a kind on one rank over the mean of all, minus 1: of heads, MLP columns and
 * vocabulary over columns, of documents over teams. Local. */
typedef struct imbalance {
    double heads, mlp, vocab, documents;
    int    heads_most, documents_most;
} imbalance;

imbalance candidates_imbalance(const candidates *c, const candidate *x);

#endif
