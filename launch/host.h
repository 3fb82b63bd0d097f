/* host.h - what this machine lets a process have: memory, and a terminal to draw on.
 *
 * Source: Linux, Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst; proc(5). */
#ifndef DID_HOST_H
#define DID_HOST_H

#include <stddef.h>
#include <stdio.h>

/* Bytes all processes of this control group may hold together; where no group sets a limit, what
 * the machine could still give plus `held`, the bytes that the askers hold already. *source says
 * which ("cgroup", "free memory"). Local. */
size_t host_memory_limit(size_t held, const char **source);

/* The terminal the user looks at: stderr, or what the launcher that started us has there (mpirun
 * hands its children a pipe). NULL where there is none. Closed by the caller unless it is stderr.
 * Local. */
FILE *host_terminal(void);

/* Lines of that terminal, 24 where it does not say. Local. */
int host_terminal_lines(FILE *terminal);

#endif
