/* wish.h - what one line of the input asks for, before it is held against the model.
 *
 * Two forms of JSON are understood:
 *   ours           {"custom_id", "prompt" | "prompt_ids", "length", "seed", "stages", "n", "stop",
 *                   "variable_length"}; all but the id may be missing
 *   OpenAI batch   {"custom_id", "method": "POST", "url", "body": {"prompt" | one message,
 *                   "max_tokens", "temperature", "top_p", "seed", "stop", "n"}}
 * Source: OpenAI API reference, "Batch" and "Completions". Of the body's other keys, those that
 * only label a request (model, user) are passed over, and those that would change the text are
 * taken when they say what we do anyway ("echo": false) and refused otherwise. */
#ifndef DID_WISH_H
#define DID_WISH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "request.h"
#include "status.h"

/* Everything is borrowed from the JSON it was read from. Zero, NULL and -1 mean: not said. */
typedef struct wish {
    const char   *custom_id;
    const char   *prompt;
    size_t        prompt_size;
    const json_t *prompt_ids;       /* array of integers */
    int           length;
    int           max_tokens;       /* new tokens wanted; -1 not said */
    bool          has_seed;
    uint64_t      seed;
    const char   *stages;
    int           n;
    const char   *stop[REQUEST_STOPS_MAX];
    int           n_stop;
    int           variable_length;  /* -1, false or true */
    double        temperature;      /* -1 not said */
    double        top_p;            /* -1 not said */

    const char *key;                /* the key that a failure is about; NULL: the line as a whole */
    int         depth;              /* 1: of the line's object, 2: of its body */
} wish;

/* A wish that says nothing. Local. */
void wish_init(wish *w);

/* Read one object. Fails DID_EFORMAT with one sentence, and leaves `key` and `depth` where the
 * mistake stands. Local. */
status wish_read(wish *w, const json_t *line);

#endif
