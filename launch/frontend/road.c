#include "road.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "field.h"

enum { LOOK_MS = 20 };
static const double WELCOME_S = 10, HELLO_S = 1;

status road_complaint(const message *error)
{
    static const status kinds[] = {DID_ENOMEM, DID_EFULL, DID_EIO};
    const char         *reason, *code = json_string_value(json_object_get(error->body, "code"));
    status              s = DID_EPEER;
    TRY(field_text(error->body, "reason", &reason));
    for (int i = 0; i < 3 && code; i++)
        if (strcmp(code, status_text(kinds[i])) == 0) s = kinds[i];
    return status_fail(s, "the front-end says: %s", reason);
}

void road_leave(road *r)
{
    outbox_close(&r->outbox);
    if (r->socket) socket_close(&r->socket);
}

/* One address, and how knocking there goes. */
typedef struct knock {
    road   road;
    double said;
    bool   said_once, lost, welcome;
} knock;

static status begin(knock *k, const road_settings *s, const char *endpoint)
{
    TRY(socket_connect_dealer(&k->road.socket, s->context, endpoint, s->server, s->keys,
                              MESSAGE_BYTES_MAX));
    return outbox_open(&k->road.outbox, k->road.socket);
}

static status hear(knock *k, const frame *frames, int n)
{
    message m;
    TRY(message_read(&m, frames, n));
    status s = m.type == MESSAGE_ERROR ? road_complaint(&m) : DID_OK;
    k->welcome = m.type == MESSAGE_WELCOME;
    message_clear(&m);
    return s;
}

static status go_on(knock *k, const char *endpoint, json_t *hello)
{
    frame  frames[SOCKET_FRAMES_MAX];
    int    n;
    double now = clock_seconds();
    if (!k->said_once || now - k->said > HELLO_S) {
        TRY(outbox_offer(k->road.outbox, NULL, MESSAGE_HELLO, json_incref(hello), NULL, 0,
                         &k->said_once));
        k->said = now;
    }
    TRY(socket_recv(k->road.socket, LOOK_MS, frames, &n));
    if (n > 0) TRY(hear(k, frames, n));
    if (!k->welcome && socket_losses(k->road.socket).handshakes > 0)
        return status_fail(DID_EPEER, "the front-end %s refuses our key", endpoint);
    return DID_OK;
}

static status nobody(const road_settings *s)
{
    char   tried[1024] = "";
    size_t at = 0;
    for (int i = 0; i < s->n && at < sizeof tried; i++)
        at += (size_t)snprintf(tried + at, sizeof tried - at, "%s%s", i ? ", " : "",
                               s->endpoint[i]);
    return status_fail(DID_EPEER, "the front-end does not answer (waited %.0f s); tried %s",
                       WELCOME_S, tried);
}

/* Everywhere in turn until one opens. *result is the last failure when all are lost. */
static int wait_at_doors(knock *at, const road_settings *s, json_t *hello, status *result)
{
    double until = clock_seconds() + WELCOME_S;
    int    lost = 0;
    while (lost < s->n && clock_seconds() < until) {
        lost = 0;
        for (int i = 0; i < s->n; i++) {
            status went = at[i].lost ? DID_EPEER : go_on(&at[i], s->endpoint[i], hello);
            if (went != DID_OK && !at[i].lost) *result = went;
            at[i].lost = went != DID_OK;
            lost += at[i].lost;
            if (at[i].welcome) return i;
        }
    }
    if (lost < s->n) *result = nobody(s);
    return -1;
}

/* Knock everywhere at once: of several addresses all but one may lead nowhere, and that takes long
 * to show. */
status road_find(road *out, const road_settings *where, json_t *hello)
{
    knock  at[ROAD_ADDRESSES_MAX] = {0};
    status result = DID_OK;
    *out = (road){0};
    for (int i = 0; i < where->n; i++) {
        status begun = begin(&at[i], where, where->endpoint[i]);
        at[i].lost = begun != DID_OK;
        if (begun != DID_OK) result = begun;
    }
    int in = wait_at_doors(at, where, hello, &result);
    for (int i = 0; i < where->n; i++)
        if (i != in) road_leave(&at[i].road);
    if (in < 0) return result;
    *out = at[in].road;
    return DID_OK;
}
