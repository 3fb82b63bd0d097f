/* desk.h - the front-end of the service: one socket, one state file, one thread.
 *
 * Worlds and clients speak to it in the words of PROTOCOL.md. What several messages change is one
 * transaction; their answers leave after it is on disk. A peer that does not read, or says what
 * nobody understands, holds up nobody else. */
#ifndef DID_DESK_H
#define DID_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "herald.h"
#include "keyring.h"
#include "lease.h"
#include "message.h"
#include "outbox.h"
#include "muster.h"
#include "socket.h"
#include "status.h"
#include "store.h"

/* Answers that wait for peers: of one that does not read, and of all together. */
enum { DESK_LANE_BYTES = 4 << 20, DESK_OUTBOX_BYTES = 64 << 20 };
enum { DESK_QUEUE = 16 }; /* messages that libzmq holds of a guest, and for a guest */
enum { DESK_FETCH_BYTES = 256 << 10 }; /* of records in one answer, and one record more */

typedef struct desk_settings {
    const char *state;    /* path of the state file */
    const char *endpoint; /* tcp:// or ipc:// */
    const char *progress; /* where progress is published; NULL: beside the endpoint */
    const char *keys;     /* key directory; NULL over ipc */
    double      lease_s;  /* silence after which a world's documents are given to another */
    int         strikes;  /* worlds lost with a document before it is set aside; 0: as usual */
    store_quota quota;    /* of one client */
    int         jobs_max; /* of one client */
    size_t      message_max; /* bytes of one frame */
} desk_settings;

/* What it has turned away. */
typedef struct desk_refusals {
    long malformed; /* messages that were not understood */
    long unknown;   /* words that are none */
    long forbidden; /* words that this guest may not say */
    long refused;   /* understood, and not granted: quotas, conflicts, jobs that are not there */
    long early;     /* words of a leader that has not said hello (to this desk) */
    long replayed;  /* results that had been taken already */
    long stale;     /* results and checkpoints of an old epoch */
    long unread;    /* questions of peers that do not read their answers, and answers forgotten */
} desk_refusals;

typedef struct desk {
    desk_settings   settings;
    socket_context *context;
    socket         *socket;
    outbox         *outbox;
    herald         *herald;
    bool            stirred; /* something changed since it last told */
    keyring        *keys; /* NULL over ipc */
    store          *store;
    leases          leases;
    muster          muster;
    desk_refusals   refused;
    char            bound[256];
    double          begun, tidied, told;
    double          listened; /* when it last stopped listening */
    double          commit_s; /* the last commit took so long */
    size_t          held;    /* bytes of this process when it opened */
    size_t          largest; /* bytes of the largest message so far */
    long            guests;  /* at a time, so far */
} desk;

/* Who speaks: the routing id for the answer, the proven key as the owner of jobs. */
typedef struct desk_guest {
    frame       id;
    const char *owner; /* "" over ipc */
    role        part;
} desk_guest;

/* Fails as store_open, keyring_open and socket_bind_router do. */
status desk_open(desk **out, const desk_settings *settings);

/* Wait a little for messages, answer what is there. Fails when it cannot go on. */
status desk_turn(desk *d, int wait_ms);

/* Bytes this process may have come to hold with the guests and the messages it has had: what it held
 * when it opened, answers that wait here and those that libzmq has taken
 * for each guest, messages that libzmq holds of each. Documents and records are not among it. */
size_t desk_bound(const desk *d);

void desk_close(desk **d); /* Safe on NULL. */

/* For those who answer (worlds.c, clients.c): the answer waits for the commit. `body` is taken over.
 * A peer that reads nothing is not a failure. */
status desk_say(desk *d, const frame *to, message_type type, json_t *body, const frame *part,
                int n_parts);

#endif
