/* excerpt.h - the lines of a file of texts, whoever wrote them: to be scored, or refined.
 *
 * A line is a JSON object, or plain text; the first line that is not empty decides. Of an object
 * these keys are looked at, and all others passed over:
 *   custom_id (or id, a string or a whole number) and sample: its name; "line-N" where it has none
 *   trace: of our own records (--trace)      ids: token ids      text
 *   finish_reason: what was "rejected" or "failed" holds no whole text and is left out */
#ifndef DID_EXCERPT_H
#define DID_EXCERPT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "geometry.h"
#include "status.h"

/* Everything is borrowed from the line. */
typedef struct excerpt {
    const char   *custom_id;
    int           sample;
    const json_t *line;  /* NULL: plain text */
    const json_t *trace; /* NULL: none */
    const json_t *ids;   /* NULL: none; those of the trace where it has one */
    const char   *text;  /* NULL: none */
    size_t        text_size;
} excerpt;

/* Called with every line that holds a text. */
typedef status excerpt_visit(void *context, const excerpt *e);

/* Show every line of the file `path` ("-": standard input); *left_out counts those without a whole
 * text. Fails at the first line that is wrong: DID_EFORMAT, "FILE:12: sentence", also when
 * `visit` refuses it so; DID_EIO when the file cannot be read. Local. */
status excerpt_each(const char *path, excerpt_visit *visit, void *context, int *left_out);

/* The same for text in memory; `where` stands for the file in sentences. Local. */
status excerpt_each_of(const char *text, size_t size, const char *where, excerpt_visit *visit,
                       void *context, int *left_out);

/* The token ids in `array` (called `name` in sentences), malloc'ed, with E in front: put there
 * unless the first one is E. Fails DID_EFORMAT where one is the mask or outside the vocabulary,
 * DID_ENOMEM. Local. */
status excerpt_ids(int32_t **out, int *n, const json_t *array, const char *name, const geometry *g,
                   int32_t end_id);

#endif
