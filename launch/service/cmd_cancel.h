/* cmd_cancel.h - `did cancel`: take documents back from a service. Needs no MPI. */
#ifndef DID_CMD_CANCEL_H
#define DID_CMD_CANCEL_H

#include "options.h"

extern const option_table cmd_cancel_table;

/* The words after `did cancel`; returns the exit code. Local. */
int cmd_cancel(int argc, char *const *argv);

#endif
