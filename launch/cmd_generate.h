/* cmd_generate.h - `did generate`: documents in, refined documents out, on all ranks of the
 * launch. */
#ifndef DID_CMD_GENERATE_H
#define DID_CMD_GENERATE_H

/* The words after the command. Returns the exit code, the same on all ranks. Collective over every
 * process of the launch. */
int cmd_generate(int argc, char *const *argv);

#endif
