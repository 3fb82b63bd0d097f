/* sequel.h - a record of `did generate --trace` as the beginning of a longer walk: what one of its
 * stages left, with the confidences that were recorded, and other stages behind it.
 *
 * Where this run has the models, windows and precision of the record, the stages before stay in the new record
 * as they were, and so do seed and random numbers: the new record is the one that a single run of
 * all these stages would have written. Elsewhere they become one stage that was found. */
#ifndef DID_SEQUEL_H
#define DID_SEQUEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine.h"
#include "excerpt.h"
#include "manuscript.h"
#include "models.h"
#include "parcel.h"
#include "request.h"
#include "status.h"

/* What records are held against. Borrowed. */
typedef struct sequel_rules {
    const models       *models;
    const uint64_t     *hash;    /* of each model, by weight handle */
    const parcel_rules *parcels;
    int32_t             end_id;
    int                 after;   /* the stage (from 1) whose text is taken; 0: the last */
    int                 more;    /* stages that follow */
    const char         *precision; /* "f32", as signatures have it */
} sequel_rules;

typedef struct sequel {
    manuscript text;   /* what stage `after` left */
    int        after;  /* its place, from 0 */
    bool       same;   /* the stages up to there can stay */
    bool       keyed;  /* `seed` and `own_seed` give the record's random numbers */
    bool       own_seed;
    uint64_t   seed;
    json_t    *opening; /* where the document stands, as a parcel without its content hash */
} sequel;

/* Read a traced line; where `same`, fill in of `r` length, given, stages, n_stages, variable_length
 * and reject. The caller clears `q` in any case. Fails DID_EFORMAT naming what was found and what
 * was expected, DID_ENOMEM. Local. */
status sequel_read(sequel *q, request *r, const excerpt *e, const sequel_rules *rules);

void sequel_clear(sequel *q); /* Leaves it zeroed. Local. */

/* The opening of a text that was found: a parcel without its content hash, in which the draft of
 * `n_stages` stages is done; the caller's reference, NULL when out of memory. Local. */
json_t *sequel_found(const manuscript *m, int n_stages, bool traced);

#endif
