/* fault.h - faults on demand: the Nth of a kind of call fails, or the process dies there.
 *
 * What survives a full disk, a dying host or an empty heap can only be known by trying it. A build
 * configured with -DDID_FAULTS=ON (`did --version` says so) reads the environment:
 *
 *   DID_FAULT=KIND:N:fail    the Nth call of that kind fails as it does in the world
 *   DID_FAULT=KIND:N:die     the process ends in front of the Nth call with exit code 137, without
 *                            cleaning up: as kill -9 and a dying host end it
 *
 * Several are parted by commas. N counts from 1, over all threads of a process. The kinds:
 *
 *   send      a message of the front-end or of a leader    EHOSTUNREACH: it waits and goes again
 *   receive   a frame of a message that is taken           ENOMEM
 *   write     state file, its log and the output           ENOSPC
 *   fsync     of the same                                  EIO
 *   truncate  of the same                                  EIO
 *   memory    malloc and its kin in this program's code    ENOMEM (libraries keep theirs)
 *
 * In other builds nothing of this remains but the refusal of DID_FAULT. */
#ifndef DID_FAULT_H
#define DID_FAULT_H

#include <stdbool.h>

#include "status.h"

typedef enum {
    FAULT_SEND,
    FAULT_RECEIVE,
    FAULT_WRITE,
    FAULT_FSYNC,
    FAULT_TRUNCATE,
    FAULT_MEMORY,
    FAULT_KINDS
} fault_kind;

/* Read DID_FAULT and count from the beginning. Fails DID_EINVAL when it is malformed, or when this
 * build has no faults and it is set. Local; before any thread is started. */
status fault_begin(void);

/* The kinds built in, for people to read; NULL: none. Local. */
const char *fault_kinds(void);

/* How many of the faults that were asked for have not happened. Local. */
int fault_left(void);

/* In front of a call of this kind: true when it shall fail, and errno says why. Any thread. */
#ifdef DID_FAULTS
bool fault_point(fault_kind kind);
#else
static inline bool fault_point(fault_kind kind)
{
    (void)kind;
    return false;
}
#endif

#endif
