/* score_settings.h - the options of `did score`, as the user gave them. */
#ifndef DID_SCORE_SETTINGS_H
#define DID_SCORE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "status.h"

typedef struct score_settings {
    const char *model, *tokenizer, *input, *stage, *blocks, *output, *json;
    bool        raw_ids, text, cleanup, quiet;
    int         length, batch, draws;
    uint64_t    seed;
    int         tp, layout, documents, pass_rows, precision, threads;
    const char *kernels, *options;
} score_settings;

extern const option_table score_settings_table;

/* Read the words after `did score` and see that they agree with each other. Fails DID_EINVAL with
 * one sentence. `out` borrows from *said, which the caller closes. Local. */
status score_settings_read(score_settings *out, options **said, int argc, char *const *argv);

#endif
