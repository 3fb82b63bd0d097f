/* road.h - the way from a leader to the desk: which of its addresses is the one that works. */
#ifndef DID_ROAD_H
#define DID_ROAD_H

#include <jansson.h>

#include "message.h"
#include "outbox.h"
#include "socket.h"
#include "status.h"

enum { ROAD_ADDRESSES_MAX = 8 };

typedef struct road_settings {
    socket_context    *context;                      /* borrowed, as all here, until road_leave */
    const char        *endpoint[ROAD_ADDRESSES_MAX]; /* any of which may be the one that works */
    int                n;
    const char        *server; /* the desk's public key, and one's own pair; NULL over ipc */
    const socket_keys *keys;
} road_settings;

typedef struct road {
    socket *socket;
    outbox *outbox;
} road;

/* Say `hello` at all addresses, again each second, and stay where one is welcome. Fails DID_EPEER
 * naming the addresses tried when nobody answers in ten seconds, or as road_complaint. */
status road_find(road *out, const road_settings *where, json_t *hello);
void   road_leave(road *r); /* Safe on a zeroed road. */

/* What a message of error means here: a disk that is full over there is what it is here too, and not
 * a peer that was lost. Local. */
status road_complaint(const message *error);

#endif
