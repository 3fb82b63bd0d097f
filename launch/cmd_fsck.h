/* cmd_fsck.h - `did fsck`: is a state file sound, and does the output agree with it?
 *
 * Exit codes: 0 sound; 6 something the next start of the job (or --repair) puts right by itself;
 * 5 records were damaged, and their documents are generated again; 3 a file that would be refused;
 * 2 the command line, a file that is missing or in use; 1 internal. */
#ifndef DID_CMD_FSCK_H
#define DID_CMD_FSCK_H

#include "options.h"

extern const option_table cmd_fsck_table;

/* The words after `did fsck`; returns the exit code. Needs no MPI. Local. */
int cmd_fsck(int argc, char *const *argv);

#endif
