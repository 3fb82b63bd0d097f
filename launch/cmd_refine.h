/* cmd_refine.h - `did refine`: texts in, from anywhere, refined texts out. */
#ifndef DID_CMD_REFINE_H
#define DID_CMD_REFINE_H

/* The words after the command. Returns the exit code, the same on all ranks. Collective over every
 * process of the launch. */
int cmd_refine(int argc, char *const *argv);

#endif
