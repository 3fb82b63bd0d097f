/* cmd_submit.h - `did submit`: give documents to a service. Needs no MPI. */
#ifndef DID_CMD_SUBMIT_H
#define DID_CMD_SUBMIT_H

#include "options.h"

/* Complete after cmd_submit_prepare, which main calls first: the options of documents are those of
 * did generate. */
extern option_table cmd_submit_table;
void                cmd_submit_prepare(void); /* Local. */

/* The words after `did submit`; returns the exit code. Local. */
int cmd_submit(int argc, char *const *argv);

#endif
