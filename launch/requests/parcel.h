/* parcel.h - a document as one line of JSON, for the road between front-end and row leaders and
 * for the state file.
 *
 * A parcel is a checkpoint: attempt, stage, region, step, tokens, snapshots, masks and costs.
 * Taken up again, here or elsewhere, it goes on with the same bytes: floats are written with the
 * nine digits that give each back exactly. What comes out of a parcel is checked value by value
 * against its request; a malformed one is a DID_EFORMAT that names what was found. */
#ifndef DID_PARCEL_H
#define DID_PARCEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "document.h"
#include "engine.h"
#include "request.h"
#include "slip.h"
#include "status.h"

/* What the run's models and settings allow. */
typedef struct parcel_rules {
    slip_rules ids;
    int        refine_window[ENGINE_MODELS_MAX]; /* positions of a window of a global stage, by
                                                     weight handle */
    bool       traced;                           /* documents keep their draws */
} parcel_rules;

/* A fresh document for `r`, settings in place. Fails DID_ENOMEM. Local. */
status parcel_begin(document **out, const request *r, int64_t serial, const parcel_rules *rules);

/* One line of JSON that holds where `d`, made for `r`, stands; malloc'ed. Fails DID_EINVAL when a
 * snapshot is not a number, DID_ENOMEM. Local. */
status parcel_pack(char **text, const document *d, const request *r);

/* The document of text[size], made for `r`: on its way (a checkpoint), or `finished` (a result).
 * Fails DID_EFORMAT or DID_ENOMEM. Local. */
status parcel_unpack(document **out, const char *text, size_t size, const request *r,
                     int64_t serial, bool finished, const parcel_rules *rules);

/* The draws of a traced document and the tokens that each finished stage left, as parcels and
 * records hold them: [[stage, step, position, token, replaced, snapshot], ...] and [[id, ...],
 * ...]. NULL when out of memory. Local. */
json_t *parcel_draws(const document *d);
json_t *parcel_left(const document *d);

const char *parcel_finish(finish f); /* "length", "end", ... Borrowed. Local. */

#endif
