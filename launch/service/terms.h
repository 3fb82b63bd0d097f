/* terms.h - what holds for all documents of a job: the options of `did generate` that are about
 * documents, as a JSON object of texts, {"length": "512", "seed": "7"}.
 *
 * `did submit` takes them as options, the state file keeps them, the world that generates a document
 * reads them back through the table of `did generate`: what the user did not say is left to it. */
#ifndef DID_TERMS_H
#define DID_TERMS_H

#include <jansson.h>

#include "options.h"
#include "settings.h"
#include "status.h"

enum { TERMS_ROWS_MAX = 32, TERMS_MAX = 22 };

typedef struct terms {
    settings set;
    options *said;
    char    *word[TERMS_MAX];
    int      n;
} terms;

/* Rows of settings_table that are terms, headings included; their offsets are those of `settings`,
 * with which the target has to begin. Returns how many. Local. */
int terms_rows(option row[TERMS_ROWS_MAX]);

/* The terms among what the user said. NULL when out of memory. Local. */
json_t *terms_said(const options *said);

/* Read them back. The caller clears `out` in any case. Fails DID_EFORMAT for what is no term, or a
 * value that the option does not take. Local. */
status terms_read(terms *out, const json_t *said);
void   terms_clear(terms *t);

#endif
