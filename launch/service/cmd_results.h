/* cmd_results.h - `did results`: fetch what a service has finished. Needs no MPI. */
#ifndef DID_CMD_RESULTS_H
#define DID_CMD_RESULTS_H

#include "options.h"

extern const option_table cmd_results_table;

/* The words after `did results`; returns the exit code. Local. */
int cmd_results(int argc, char *const *argv);

#endif
