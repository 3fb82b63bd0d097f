/* keyring.h - key files and the list of who may come in.
 *
 * `did keys DIR` makes them: DIR/server.key is the service's pair, DIR/NAME.key what one client or
 * world needs (its pair and the service's public key), DIR/allowed one line per guest, "KEY ROLE
 * NAME". Files with a secret have mode 0600. A guest is its public key; the name is for people. */
#ifndef DID_KEYRING_H
#define DID_KEYRING_H

#include <stdbool.h>

#include "socket.h"
#include "status.h"

enum { KEYRING_NAME = 64 };

typedef enum { ROLE_NONE = 0, ROLE_CLIENT = 1, ROLE_WORLD = 2, ROLE_BOTH = 3 } role;

/* What a key file holds. */
typedef struct keyring_file {
    socket_keys own;
    char        server[SOCKET_KEY]; /* "" in server.key */
} keyring_file;

/* Fails DID_EIO when it cannot be read, DID_EINVAL when others may read it, DID_EFORMAT for what is
 * no key file. Local. */
status keyring_read(keyring_file *out, const char *path);

/* Make `dir` with the service's pair where it is missing, and the key file of `name` where that is
 * not NULL: DID_EINVAL when the name is taken or no plain word. Local. */
status keyring_make(const char *dir, const char *name, role part);

/* ---- the service's side ---- */

typedef struct keyring keyring;

/* Read DIR/server.key and DIR/allowed, and let the guests in. Local. */
status keyring_open(keyring **out, const char *dir, socket_context *c);
void   keyring_close(keyring **k); /* Safe on NULL. */

const socket_keys *keyring_server(const keyring *k); /* Borrowed. Local. */

/* Read the list again if it has changed. A list that cannot be read stays as it was, with a warning.
 * Local. */
void keyring_refresh(keyring *k);

/* What the holder of `key` may do; *name is borrowed until the next refresh. Local. */
role keyring_role(const keyring *k, const char *key, const char **name);

#endif
