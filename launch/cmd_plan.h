/* cmd_plan.h - `did plan`: every grid of ranks with its memory, passes, time and bytes on the wire,
 * before anything is loaded. */
#ifndef DID_CMD_PLAN_H
#define DID_CMD_PLAN_H

/* The words after `did plan`; returns the exit code. Needs no MPI. Local. */
int cmd_plan(int argc, char *const *argv);

#endif
