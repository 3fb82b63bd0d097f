/* cmd_keys.h - `did keys`: make the keys of a service and its guests. Needs no MPI. */
#ifndef DID_CMD_KEYS_H
#define DID_CMD_KEYS_H

#include "options.h"

extern const option_table cmd_keys_table;

/* The words after `did keys`; returns the exit code. Local. */
int cmd_keys(int argc, char *const *argv);

#endif
