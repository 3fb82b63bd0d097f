/* cores.h - the cores that this process may run on.
 *
 * Source: hwloc. Two hardware threads of one core are one place here: they share its arithmetic. */
#ifndef DID_CORES_H
#define DID_CORES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { CORES_UNITS = 1024 };

/* A core is known by the number of its first processing unit. */
typedef struct cores {
    uint64_t unit[CORES_UNITS / 64];
    int32_t  n; /* 0: nobody can tell */
} cores;

/* The cores of this process, as whoever started it bound it. Local. */
void cores_mine(cores *out);

/* Whether they have one in common. Local. */
bool cores_meet(const cores *a, const cores *b);

/* Bind a thread to the i-th of them, i < n; a system that refuses is left alone. Local. */
void cores_keep(const cores *of, int i, pthread_t who);

#endif
