/* cmd_top.h - `did top`: a service at work, as a live table. Needs no MPI. */
#ifndef DID_CMD_TOP_H
#define DID_CMD_TOP_H

#include "options.h"

extern const option_table cmd_top_table;

/* The words after `did top`; returns the exit code. Local. */
int cmd_top(int argc, char *const *argv);

#endif
