/* cmd_serve.h - `did serve`: the front-end of the service. Needs no MPI. */
#ifndef DID_CMD_SERVE_H
#define DID_CMD_SERVE_H

#include "options.h"

extern const option_table cmd_serve_table;

/* The words after `did serve`; returns the exit code. Local. */
int cmd_serve(int argc, char *const *argv);

#endif
