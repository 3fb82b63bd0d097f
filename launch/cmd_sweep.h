/* cmd_sweep.h - `did sweep`: many settings in one run over models loaded once, scored in the same
 * passes, told as tables and a report. */
#ifndef DID_CMD_SWEEP_H
#define DID_CMD_SWEEP_H

/* The words after `did sweep`; returns the exit code, the same on all ranks. Collective over every
 * process of the launch. */
int cmd_sweep(int argc, char *const *argv);

#endif
