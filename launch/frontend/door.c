#include "door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "log.h"

static const char socket_name[] = "front";

/* Socket files have short names by nature (107 bytes); a long TMPDIR cannot hold one. */
static status make_directory(door *d)
{
    enum { TMPDIR_MAX = 80 };
    const char *parent = getenv("TMPDIR");
    if (!parent || parent[0] != '/' || strlen(parent) > TMPDIR_MAX) parent = "/tmp";
    snprintf(d->directory, sizeof d->directory, "%s/did-XXXXXX", parent);
    if (!mkdtemp(d->directory)) {
        d->directory[0] = '\0';
        return status_fail(DID_EIO, "cannot make a directory in %s: %s", parent, strerror(errno));
    }
    snprintf(d->endpoint, sizeof d->endpoint, "ipc://%.100s/%s", d->directory, socket_name);
    return DID_OK;
}

static status make_keys(door *d)
{
    TRY(socket_keys_make(&d->server));
    TRY(socket_keys_make(&d->sign.leader));
    memcpy(d->sign.server, d->server.public, SOCKET_KEY);
    snprintf(d->endpoint, sizeof d->endpoint, "tcp://*:0");
    return socket_allow(d->context, d->sign.leader.public);
}

status door_open(door *d, comm *world)
{
    int here;
    *d = (door){0};
    TRY(comm_node_size(world, &here));
    d->encrypted = here < comm_size(world);
    status s = socket_context_open(&d->context);
    if (s == DID_OK && comm_rank(world) == 0) s = d->encrypted ? make_keys(d) : make_directory(d);
    s = comm_agree(world, s);
    if (s != DID_OK) door_close(d);
    return s;
}

status door_bound(door *d, const char *endpoint)
{
    door_sign *sign = &d->sign;
    sign->encrypted = d->encrypted;
    if (!d->encrypted) {
        sign->n = 1;
        snprintf(sign->address[0], sizeof sign->address[0], "%s", endpoint);
        return DID_OK;
    }
    char        text[DOOR_ADDRESSES_MAX][ADDRESS_TEXT];
    const char *port = strrchr(endpoint, ':');
    sign->n = address_list(text, DOOR_ADDRESSES_MAX);
    if (sign->n == 0 || !port)
        return status_fail(DID_EIO, "%s: this host has no address that others could use", endpoint);
    for (int i = 0; i < sign->n; i++)
        snprintf(sign->address[i], sizeof sign->address[i], "tcp://%s%s", text[i], port);
    log_say("door", "leaders of rows on other hosts come in, encrypted, at %s%s", sign->address[0],
            sign->n > 1 ? " and this host's other addresses" : "");
    return DID_OK;
}

status door_share(door *d, comm *world, status mine)
{
    TRY(comm_agree(world, mine));
    return comm_broadcast(world, &d->sign, sizeof d->sign, 0, EV_SETUP);
}

void door_abandon(const door *d)
{
    char path[DOOR_ADDRESS_BYTES + sizeof socket_name];
    if (!d->directory[0]) return;
    snprintf(path, sizeof path, "%s/%s", d->directory, socket_name);
    unlink(path);
    rmdir(d->directory);
}

void door_shut(door *d)
{
    door_abandon(d);
    d->directory[0] = '\0';
}

void door_close(door *d)
{
    socket_context_close(&d->context);
    door_abandon(d);
    *d = (door){0};
}
