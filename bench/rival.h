/* rival.h - f32 and bf16 beside each other: what is measured in each, and how many times as fast a line
 * of bf16 is as the same line of f32 was in the same run. */
#ifndef DID_RIVAL_H
#define DID_RIVAL_H

#include <jansson.h>

#include "kernels.h"
#include "knobs.h"
#include "status.h"

enum { RIVAL_LINES = 512, RIVAL_NAME = 96 };

typedef struct rival {
    struct rival_line {
        char   name[RIVAL_NAME];
        double seconds; /* the fastest of f32 */
    } line[RIVAL_LINES];
    int n;
} rival;

/* Are --precision and --kernels something that can be measured here? Fails DID_EINVAL. Local. */
status rival_check(const knobs *k);

const char *rival_name(precision p); /* "f32" */

/* The set that is measured in this precision; NULL: none. Local. */
const kernels *rival_set(const knobs *k, precision p);

/* A line called `name` took `seconds`: f32 is remembered, bf16 has the quotient put in the line, and
 * so has an `altered` f32. Local. */
void rival_tell(rival *r, json_t *line, precision p, bool altered, const char *name,
                double seconds);

#endif
