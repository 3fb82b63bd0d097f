/* office.h - the front-end of the service: the desk, the state file behind it, the keys at its door,
 * and what it tells everybody.
 *
 * Leaders are the desk's matter (desk.h); here are the clients, who may say what, and the file that
 * keeps the documents of all of them. */
#ifndef DID_OFFICE_H
#define DID_OFFICE_H

#include <stddef.h>

#include "desk.h"
#include "herald.h"
#include "keyring.h"
#include "status.h"
#include "store.h"

/* Answers that wait for peers: of one that does not read, and of all together. */
enum { OFFICE_LANE_BYTES = 4 << 20, OFFICE_OUTBOX_BYTES = 64 << 20 };
enum { OFFICE_QUEUE = 16 }; /* messages that libzmq holds of a guest, and for a guest */
enum { OFFICE_FETCH_BYTES = 256 << 10 }; /* of records in one answer, and one record more */

typedef struct office_settings {
    const char *state;    /* path of the state file */
    const char *endpoint; /* tcp:// or ipc:// */
    const char *progress; /* where progress is published; NULL: beside the endpoint */
    const char *keys;     /* key directory; NULL over ipc */
    double      lease_s;  /* silence after which a world's documents are given to another */
    int         strikes;  /* worlds lost with a document before it is set aside; 0: as usual */
    store_quota quota;    /* of one client */
    int         jobs_max; /* of one client */
    size_t      message_max; /* bytes of one frame */
} office_settings;

typedef struct office {
    office_settings settings;
    socket_context *context;
    desk           *desk;
    herald         *herald;
    keyring        *keys; /* NULL over ipc */
    store          *store;
    double          begun, tended, told;
    size_t          held; /* bytes of this process when it opened */
} office;

/* Fails as store_open, keyring_open and socket_bind_router do. */
status office_open(office **out, const office_settings *settings);

/* Wait a little for messages, answer what is there. Fails when it cannot go on. */
status office_turn(office *o, int wait_ms);

/* Bytes this process may have come to hold with the guests and the messages it has had: what it held
 * when it opened, answers that wait here and those that libzmq has taken for each guest, messages
 * that libzmq holds of each. Documents and records are not among it. */
size_t office_bound(const office *o);

void office_close(office **o); /* Safe on NULL. */

#endif
