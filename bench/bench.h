/* bench.h - `did bench`: how fast this program is on this machine, as a share of what the
 * machine can do at most. The front door of its room; launch/main alone calls it. */
#ifndef DID_BENCH_H
#define DID_BENCH_H

#include <stdio.h>

/* Run the command line that follows `did bench`; argv[0] is the first word of it. Starts and
 * stops MPI, except for --help. Tables go to stdout, the log to stderr. Returns the exit code: 0
 * all right, 1 something was INVALID or broke, 2 usage. Collective over every process of the
 * launch. */
int bench_main(int argc, char **argv);

/* Its manual page; `version` as in "did 1.2". Local. */
void bench_manual(FILE *to, const char *version);

#endif
