/* herald.h - how the service stands, told to everybody who listens: a PUB socket beside the desk's.
 *
 * Totals, worlds and counts only, as any guest may ask for them; no job is named, and over TCP the
 * same keys are let in. Over ipc the file beside the desk's, NAME-progress; over TCP a port of its own,
 * which `state` tells. */
#ifndef DID_HERALD_H
#define DID_HERALD_H

#include <jansson.h>

#include "socket.h"
#include "status.h"

enum { HERALD_ADDRESS = 512 };

typedef struct herald herald;

/* Beside the desk at `endpoint`; `where` NULL: any port of its host. Fails as socket_bind_router. */
status herald_open(herald **out, socket_context *c, const char *endpoint, const char *where,
                   const socket_keys *keys);
void   herald_close(herald **h); /* Safe on NULL. */

socket_loss herald_losses(herald *h); /* Local. */

const char *herald_bound(const herald *h); /* Its endpoint. Borrowed. Local. */

/* Tell `news` (taken over; NULL: out of memory, nothing is told). Fails DID_EIO. */
status herald_tell(herald *h, json_t *news);

/* Where the herald of the desk at `connect` is, from the endpoint that it bound. Fails DID_EFORMAT for
 * what is none. Local. */
status herald_address(char out[HERALD_ADDRESS], const char *connect, const char *bound);

#endif
