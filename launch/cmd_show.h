/* cmd_show.h - `did show`: a document that was generated, drawn on the terminal or as an HTML
 * file. */
#ifndef DID_CMD_SHOW_H
#define DID_CMD_SHOW_H

#include "options.h"

extern const option_table cmd_show_table;

/* The words after `did show`; returns the exit code. Needs no MPI. Local. */
int cmd_show(int argc, char *const *argv);

#endif
