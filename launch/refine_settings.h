/* refine_settings.h - the options of `did refine`, as settings of a run. */
#ifndef DID_REFINE_SETTINGS_H
#define DID_REFINE_SETTINGS_H

#include "options.h"
#include "settings.h"
#include "status.h"

/* Those of did generate that mean something to a text that is there, and a few of its own. */
extern option_table refine_settings_table;

/* Fill the table; before anything reads it. Local. */
void refine_settings_prepare(void);

/* Read the words after `did refine` and see that they agree with each other. Fails DID_EINVAL with
 * one sentence. `out` borrows from *said, which the caller closes. Local. */
status refine_settings_read(settings *out, options **said, int argc, char *const *argv);

#endif
