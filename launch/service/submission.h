/* submission.h - what a client submits, read line by line as a world will read it.
 *
 * Nothing here knows of the wire or of the state file: any bytes may be given. */
#ifndef DID_SUBMISSION_H
#define DID_SUBMISSION_H

#include <jansson.h>
#include <stddef.h>

#include "status.h"
#include "store.h"

/* Lines of one message, and the documents they may ask for together. */
enum { SUBMISSION_LINES = 1000, SUBMISSION_DOCUMENTS = 8192 };

typedef struct submission {
    char      *terms; /* the job's, in one canonical form */
    store_line line[SUBMISSION_LINES];
    char      *text[2 * SUBMISSION_LINES]; /* what the lines point to */
    int        n, documents;
} submission;

/* Read the terms (an object of texts) and text[size], one line of JSON a document. Every line is kept
 * in one canonical form: the same wish written otherwise is the same document. Fails DID_EFORMAT
 * naming the line, DID_ENOMEM. *out is NULL then. Local. */
status submission_read(submission **out, const json_t *terms, const char *text, size_t size);

void submission_close(submission **s); /* Safe on NULL. Local. */

#endif
