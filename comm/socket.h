/* socket.h - ZeroMQ, as much of it as the job front-end needs.
 *
 * A message is a list of frames. Sends never block: a full queue is a status the caller handles.
 * A socket belongs to the thread that opened it. Nobody in MPI code ever sees one.
 * Source: ZeroMQ RFC 28 (ROUTER/DEALER), RFC 26 (CURVE). */
#ifndef DID_SOCKET_H
#define DID_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

typedef struct socket_context socket_context;  /* one per process */
typedef struct socket         socket;          /* not to be confused with the system call */

enum { SOCKET_KEY = 41 };  /* a CURVE key in Z85 text, with its NUL */
typedef struct socket_keys {
    char public[SOCKET_KEY], secret[SOCKET_KEY];
} socket_keys;

/* A borrowed view of one received frame; valid until the next receive on the socket. */
typedef struct frame {
    const void *data;
    size_t      size;
} frame;

enum { SOCKET_FRAMES_MAX = 8 };  /* a message with more frames is dropped and counted */

status socket_context_open(socket_context **out);

/* Sockets made hereafter hold `messages` of a peer and for a peer, in place of 256. When a peer goes
 * while so many of its messages wait, the last of them may be lost. Local. */
void socket_context_narrow(socket_context *c, int messages);

/* Every socket has been closed before. May take as long as a closing socket still sends. Local. */
void socket_context_close(socket_context **c);

/* A fresh CURVE key pair. Local. */
status socket_keys_make(socket_keys *out);

/* Let the holder of this public key (Z85 text) connect to the TCP sockets bound in this context.
 * Before the first call nobody may. Fails DID_EINVAL for what is not a key. Local; any thread. */
status socket_allow(socket_context *c, const char *public_key);

/* Bind a ROUTER to `endpoint` ("ipc:///dir/name" or "tcp://host:port"; the host is an address, a
 * network interface, a name of this host, or * for all; port * for any). TCP
 * endpoints require `keys` (the server's pair); ipc ones take NULL. `bound` (may be NULL) receives
 * the endpoint with the port filled in. Messages larger than `message_max` bytes are refused.
 * The directory of an ipc endpoint must be ours and of mode 0700: it is the only door to it.
 * Fails DID_EINVAL (endpoint, keys) or DID_EIO (directory, address) naming the endpoint. Local. */
status socket_bind_router(socket **out, socket_context *c, const char *endpoint,
                          const socket_keys *keys, size_t message_max, char *bound,
                          size_t bound_size);

/* Connect a DEALER. TCP endpoints require the server's public key and a pair of one's own; for ipc
 * both are NULL, and the directory is checked as above. Connecting goes on in the background, again
 * and again; until it is done sends are not `sent`. A server that refuses our key, or sends more
 * than `message_max`, is not tried again: that shows in socket_losses, and a new socket is the
 * remedy. Local. */
status socket_connect_dealer(socket **out, socket_context *c, const char *endpoint,
                             const char *server_public, const socket_keys *keys,
                             size_t message_max);

/* The same for what everybody may hear: a PUB, which forgets what a subscriber does not read, and a
 * SUB, which hears all of it. Local. */
status socket_bind_publisher(socket **out, socket_context *c, const char *endpoint,
                             const socket_keys *keys, char *bound, size_t bound_size);
status socket_connect_subscriber(socket **out, socket_context *c, const char *endpoint,
                                 const char *server_public, const socket_keys *keys,
                                 size_t message_max);

/* Close and set NULL. What was sent is still on its way for up to a second, and the endpoint is
 * free again a little later, at the latest when its context is closed. The file of an ipc endpoint
 * stays; the next bind replaces it. Local. */
void socket_close(socket **s);

/* Send `n` frames as one message, without waiting. *sent is false when the peer's queue is full or,
 * for a ROUTER, the peer named by the first frame is gone. Local. */
status socket_send(socket *s, const frame *frames, int n, bool *sent);

/* Wait up to `wait_ms` (-1: for ever) for a message. *n is 0 when none came or a signal cut the
 * wait short. Frames are borrowed until the next receive. Local. */
status socket_recv(socket *s, int wait_ms, frame frames[SOCKET_FRAMES_MAX], int *n);

/* Who sent the last received message: the public key that the sender proved to own, "" over ipc.
 * Borrowed until the next receive. Local. */
const char *socket_user(const socket *s);

/* What this socket has turned away since it was opened, and whom it has let in: what libzmq's monitor
 * tells. It does not tell why a connection ended: that of a guest that sent too large a message, or
 * left in the middle of one, counts as any other. Nor does it tell of a guest that came in under a
 * routing id that another has: it is admitted, stands among the guests, and is never heard. */
typedef struct socket_loss {
    long messages;     /* with too many frames */
    long handshakes;   /* that failed: the sum of the next three; a DEALER counts one that is cut off
                          only when that happens three times in a row */
    long strangers;    /* a key that is not on the list */
    long foreign;      /* no ZeroMQ at all, no key, or a key to another server */
    long broken;       /* cut off half-way, or not done in five seconds */
    long connections;  /* that ended, be it by the peer, a message too large or the handshake */
    long admitted;     /* handshakes that succeeded */
    long guests;       /* of those, that stand now */
} socket_loss;

/* Local. */
socket_loss socket_losses(socket *s);

#endif
