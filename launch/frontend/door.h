/* door.h - where the front-end of this run can be reached, and the keys to it.
 *
 * All ranks on one host: a socket file in a fresh directory of mode 0700. Otherwise TCP on a free
 * port, encrypted (CURVE) with key pairs made for this run and told to the leaders over MPI. */
#ifndef DID_DOOR_H
#define DID_DOOR_H

#include <stdbool.h>

#include "comm.h"
#include "socket.h"
#include "status.h"

enum { DOOR_ADDRESSES_MAX = 8, DOOR_ADDRESS_BYTES = 160 };

/* What a leader needs to know. Plain bytes: it is broadcast whole. */
typedef struct door_sign {
    int         n; /* addresses, any of which may be the one that works */
    char        address[DOOR_ADDRESSES_MAX][DOOR_ADDRESS_BYTES];
    bool        encrypted;
    char        server[SOCKET_KEY]; /* the front-end's public key */
    socket_keys leader;             /* the pair all leaders use */
} door_sign;

typedef struct door {
    socket_context *context;
    bool            encrypted;
    char            endpoint[DOOR_ADDRESS_BYTES]; /* rank 0: what to bind */
    char        directory[DOOR_ADDRESS_BYTES];    /* rank 0: to be removed; "" when there is none */
    socket_keys server;                           /* rank 0 */
    door_sign   sign;
} door;

/* Choose the kind of door from where the ranks run; on rank 0 make directory or keys. Collective
 * over world; the same status on all ranks. */
status door_open(door *d, comm *world);

/* Write the sign from the endpoint the front-end has bound ("tcp://0.0.0.0:4711"). Rank 0. */
status door_bound(door *d, const char *endpoint);

/* Rank 0's sign reaches all, unless `mine` (rank 0: how opening the front-end went) failed
 * somewhere. Collective over world; the same status on all ranks. */
status door_share(door *d, comm *world, status mine);

/* Every leader is in: take the directory away, so that nothing of it is left behind by a run
 * that is killed. Who is in stays in, and nobody else comes. Rank 0. */
void door_shut(door *d);

/* After all sockets are closed: removes the directory. Safe on a zeroed door. Local. */
void door_close(door *d);

/* Remove the directory and nothing else: the process ends next. Local; any thread. */
void door_abandon(const door *d);

#endif
