/* cmd_work.h - `did work`: a world of ranks that generates what a service hands out. */
#ifndef DID_CMD_WORK_H
#define DID_CMD_WORK_H

#include "options.h"

extern const option_table cmd_work_table;

/* The words after `did work`; returns the exit code, the same on all ranks. Collective over every
 * process of the launch. */
int cmd_work(int argc, char *const *argv);

#endif
