/* cmd_status.h - `did status`: how a service stands, for people and for machines. Needs no MPI. */
#ifndef DID_CMD_STATUS_H
#define DID_CMD_STATUS_H

#include "options.h"

extern const option_table cmd_status_table;

/* The words after `did status`; returns the exit code. Local. */
int cmd_status(int argc, char *const *argv);

#endif
