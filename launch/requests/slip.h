/* slip.h - a request as one line of JSON, for the road from the front-end to a row leader.
 *
 * What comes out of a slip is checked value by value and must add up to the content hash it
 * carries; a malformed one is a DID_EFORMAT that names what was found. */
#ifndef DID_SLIP_H
#define DID_SLIP_H

#include <jansson.h>
#include <stddef.h>

#include "request.h"
#include "stage.h"
#include "status.h"

/* What the run's models allow. */
typedef struct slip_rules {
    int vocab; /* ids are below this, the mask included */
    int mask_id;
    int n_models;   /* weight handles */
    int length_max; /* positions of the longest document */
} slip_rules;

/* One line of JSON, malloc'ed. Fails DID_ENOMEM. Local. */
status slip_pack(char **text, const request *r);

/* The sealed request in text[size]; `out` is the caller's to clear, zeroed on failure. Fails
 * DID_EFORMAT or DID_ENOMEM. Local. */
status slip_unpack(request *out, const char *text, size_t size, const slip_rules *rules);

/* A stage's settings as records and slips hold them. Handles are below `n_models`. Fails DID_EFORMAT.
 * Local. */
status slip_read_stage(stage *s, const json_t *o, int n_models);

/* A stage's settings as an object; `block` is the size to tell. One that does not draw has "work"
 * and none of the settings of sampling. NULL when out of memory. Local. */
json_t *slip_stage(const stage *s, int block);

#endif
