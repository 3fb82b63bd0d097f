/* outbox.h - messages on their way out: what a peer has no room for waits here, in order, and
 * holds up no other peer. */
#ifndef DID_OUTBOX_H
#define DID_OUTBOX_H

#include <jansson.h>
#include <stdbool.h>

#include "message.h"
#include "socket.h"
#include "status.h"

enum { OUTBOX_LANE_MAX = 4096 }; /* messages that may wait for one peer */

typedef struct outbox outbox;

status outbox_open(outbox **out, socket *s); /* Borrows the socket. Fails DID_ENOMEM. Local. */
void   outbox_close(outbox **o);             /* What waits is lost. Safe on NULL. Local. */

/* Send now or keep for later. `peer` is the routing id (ROUTER) or NULL (DEALER). `body` is taken
 * over (NULL: an empty object); parts are copied. Fails DID_ENOMEM, DID_EIO, or DID_EPEER when too
 * many messages wait. Local. */
status outbox_post(outbox *o, const frame *peer, message_type type, json_t *body, const frame *part,
                   int n_parts);

/* Send now or forget: for what no work depends on, or what is said again. Parts are not copied.
 * *sent (may be NULL) says which it was. Fails DID_ENOMEM, DID_EIO. Local. */
status outbox_offer(outbox *o, const frame *peer, message_type type, json_t *body,
                    const frame *part, int n_parts, bool *sent);

/* While held, everything posted waits, and leaves with the flush after the hold has ended. Local. */
void outbox_hold(outbox *o, bool held);

/* Forget what has waited longer than `seconds`: its peer is gone or does not read. Returns how many
 * messages that were. Local. */
int outbox_expire(outbox *o, double seconds);

/* Messages for `peer` that a flush could not send: it does not read. Local. */
int outbox_unread(const outbox *o, const frame *peer);

/* No more than so many bytes: a peer that does not read and has `lane_most` waiting gets nothing
 * more (DID_EPEER), and when `most` wait together, what waits for the peer with most is forgotten.
 * Without this call there is no such limit. Local. */
void   outbox_limit(outbox *o, size_t lane_most, size_t most);
size_t outbox_bytes(const outbox *o);   /* that wait. Local. */
long   outbox_dropped(const outbox *o); /* messages forgotten for want of room. Local. */

/* Try again what waits. Fails DID_EIO. Local. */
status outbox_flush(outbox *o);

int outbox_waiting(const outbox *o); /* messages. Local. */

#endif
