/* input.h - what the user asks for, as requests that are ready to be generated.
 *
 * A file holds JSON lines (wish.h) or plain text, one prompt per line; the first line that is not
 * empty decides: it begins with "{" or it does not. Every line is checked before anything is
 * generated, and all mistakes are told together. */
#ifndef DID_INPUT_H
#define DID_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models.h"
#include "request.h"
#include "stages.h"
#include "status.h"
#include "tokenizer.h"

enum { INPUT_PROBLEMS_MAX = 20, INPUT_REQUESTS_MAX = 10000000 };

/* What holds where a line is silent, and what lines are held against. Borrowed. */
typedef struct input_rules {
    const tokenizer *words;            /* NULL: prompts are token ids */
    models          *models;           /* handle 0 is the run's model; lines may add more */
    int32_t          end_id;           /* E */
    const char      *stages;           /* text of --stages */
    stage_defaults   defaults;
    int              length;
    int              samples;          /* of one prompt */
    int              only;             /* 1 + the one sample that is wanted of each; 0: all */
    uint64_t         seed;
    bool             variable_length;
    reject_rule      reject;
} input_rules;

typedef struct input {
    request *request;
    int      n;
    char    *problem[INPUT_PROBLEMS_MAX];  /* "FILE:12:34: sentence" */
    int      n_problems;                   /* all of them; only the first ones are kept */
    int      length_max;                   /* of the longest request */
} input;

/* All lines of the file `path` ("-": standard input). Fails DID_EFORMAT when a line is wrong:
 * with the line's own sentence when there is one problem, with their number when in->problem
 * lists several; DID_EIO when it cannot be read. The caller clears `in` in any case. Local. */
status input_read(input *in, const char *path, const input_rules *rules);

/* The same from text in memory; `where` stands for the file in sentences. Local. */
status input_parse(input *in, const char *text, size_t size, const char *where,
                   const input_rules *rules);

/* One prompt, called "prompt". Fails DID_EFORMAT. Local. */
status input_prompt(input *in, const char *text, const input_rules *rules);

/* `count` documents from nothing, called "sample-000000" and so on: an id stands for its number, so
 * that sample 17 is the same whatever the count. Fails DID_EFORMAT. Local. */
status input_count(input *in, int count, const input_rules *rules);

/* Give everything back; leaves it zeroed. Local. */
void input_clear(input *in);

#endif
