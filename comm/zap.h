/* zap.h - who may connect: the public keys a context admits.
 *
 * A thread answers the questions libzmq asks during a CURVE handshake. Without it, libzmq would let
 * in every client that knows the server's public key. Used by socket alone.
 * Source: ZeroMQ RFC 27 (ZAP). */
#ifndef DID_ZAP_H
#define DID_ZAP_H

#include "status.h"

typedef struct zap zap;

/* Start answering in this ZeroMQ context, with an empty list. Fails DID_EIO. Local. */
status zap_open(zap **out, void *zmq_context);

/* Put a key (40 characters of Z85) on the list; twice is once. Fails DID_ENOMEM. Local, from any
 * thread. */
status zap_allow(zap *z, const char *key);

/* Wait for the thread, which leaves when its context has been shut down; sets NULL. Local. */
void zap_close(zap **z);

#endif
