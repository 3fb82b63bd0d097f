/* sweep_settings.h - the options of `did sweep`, as the user gave them. */
#ifndef DID_SWEEP_SETTINGS_H
#define DID_SWEEP_SETTINGS_H

#include <stdbool.h>

#include "options.h"
#include "settings.h"
#include "status.h"

/* `run` stands first: how documents are computed is said by the options of did generate itself. */
typedef struct sweep_settings {
    settings    run;
    const char *spec, *changes, *model, *scorer, *model_for, *tokenizer, *output;
    bool        apart; /* what settings share is made for each of them */
} sweep_settings;

/* Complete after sweep_settings_prepare, which main calls first. */
extern option_table sweep_settings_table;
void                sweep_settings_prepare(void); /* Local. */

/* Read the words after `did sweep`. Fails DID_EINVAL with one sentence. `out` borrows from
 * *said, which the caller closes. Local. */
status sweep_settings_read(sweep_settings *out, options **said, int argc, char *const *argv);

/* The settings of the run that makes the documents, written to the files `documents` and `state`.
 * Everything is borrowed. Local. */
void sweep_settings_run(settings *out, const sweep_settings *s, const char *documents,
                        const char *state);

#endif
