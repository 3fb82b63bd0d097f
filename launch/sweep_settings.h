/* sweep_settings.h - the options of `did sweep`, as the user gave them. */
#ifndef DID_SWEEP_SETTINGS_H
#define DID_SWEEP_SETTINGS_H

#include <stdbool.h>

#include "options.h"
#include "settings.h"
#include "status.h"

typedef struct sweep_settings {
    const char *spec, *changes, *model, *scorer, *model_for, *tokenizer, *output;
    bool        trace, quiet;
    double      save_interval_s, maxh, stall_s, progress_interval_s;
    int         tp, documents, pass_rows, wire, precision, threads;
    const char *refine_window, *kernels, *options;
} sweep_settings;

extern const option_table sweep_settings_table;

/* Read the words after `did sweep`. Fails DID_EINVAL with one sentence. `out` borrows from
 * *said, which the caller closes. Local. */
status sweep_settings_read(sweep_settings *out, options **said, int argc, char *const *argv);

/* The settings of the run that makes the documents, written to the files `documents` and `state`.
 * Everything is borrowed. Local. */
void sweep_settings_run(settings *out, const sweep_settings *s, const char *documents,
                        const char *state);

#endif
