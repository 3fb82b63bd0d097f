#include "desk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients.h"
#include "clock.h"
#include "log.h"
#include "report.h"
#include "tidings.h"
#include "worlds.h"

/* A turn ends with a commit. It listens for BATCH_S, or for as long as the last commit took where the
 * disk is slow, and its answers take no more than BATCH_BYTES. A client is not answered while UNREAD_MAX answers wait for it. */
enum { BATCH_MAX = 256, BATCH_BYTES = 8 << 20, UNREAD_MAX = 8, RETRY_MS = 2 };
static const double BATCH_S = 0.02, TIDY_S = 0.2, HELD_UP_S = 0.5,
                    NEWS_S = 0.5, NO_NEWS_S = 2, UNREAD_S = 60, LEADER_LEASES = 3, LEADER_S = 10;

static status bring_up(desk *d)
{
    const desk_settings *s = &d->settings;
    TRY(socket_context_open(&d->context));
    socket_context_narrow(d->context, DESK_QUEUE);
    if (s->keys) TRY(keyring_open(&d->keys, s->keys, d->context));
    TRY(store_open(&d->store, s->state));
    if (s->strikes > 0) store_set_strikes(d->store, s->strikes);
    TRY(worlds_recall(d));
    TRY(socket_bind_router(&d->socket, d->context, s->endpoint,
                           d->keys ? keyring_server(d->keys) : NULL, s->message_max, d->bound,
                           sizeof d->bound));
    TRY(herald_open(&d->herald, d->context, d->bound, s->progress,
                    d->keys ? keyring_server(d->keys) : NULL));
    TRY(outbox_open(&d->outbox, d->socket));
    outbox_limit(d->outbox, DESK_LANE_BYTES, DESK_OUTBOX_BYTES);
    d->held = report_resident();
    return DID_OK;
}

status desk_open(desk **out, const desk_settings *settings)
{
    desk *d = calloc(1, sizeof *d);
    *out = d;
    if (!d) return status_fail(DID_ENOMEM, "no memory for the service");
    d->settings = *settings;
    d->begun = clock_seconds();
    status s = bring_up(d);
    if (s != DID_OK) desk_close(out);
    return s;
}

void desk_close(desk **out)
{
    desk *d = *out;
    *out = NULL;
    if (!d) return;
    outbox_close(&d->outbox);
    herald_close(&d->herald);
    if (d->socket) socket_close(&d->socket);
    store_close(&d->store);
    keyring_close(&d->keys);
    leases_clear(&d->leases);
    muster_clear(&d->muster);
    if (d->context) socket_context_close(&d->context);
    free(d);
}

status desk_say(desk *d, const frame *to, message_type type, json_t *body, const frame *part,
                int n_parts)
{
    status s = outbox_post(d->outbox, to, type, body, part, n_parts);
    if (s != DID_EPEER) return s;
    d->refused.unread++;
    return DID_OK;
}

size_t desk_bound(const desk *d)
{
    return d->held + DESK_OUTBOX_BYTES + BATCH_BYTES +
           (size_t)d->guests * DESK_QUEUE * (DESK_FETCH_BYTES + d->largest);
}

static desk_guest guest_of(desk *d, const frame *id)
{
    const char *name;
    desk_guest  g = {*id, socket_user(d->socket), ROLE_BOTH};
    if (d->keys) g.part = keyring_role(d->keys, g.owner, &name);
    return g;
}

static status obey(desk *d, const desk_guest *from, const message *m)
{
    bool world = worlds_word(m->type), client = clients_word(m->type);
    if (!world && !client) {
        d->refused.unknown++;
        return status_fail(DID_EINVAL, "%s is not a word of worlds or clients",
                           message_name(m->type));
    }
    if (!(from->part & (world ? ROLE_WORLD : ROLE_CLIENT))) {
        d->refused.forbidden++;
        return status_fail(DID_EINVAL, "your key may not say %s", message_name(m->type));
    }
    d->stirred |= world || m->type == MESSAGE_SUBMIT || m->type == MESSAGE_CANCEL;
    if (world) return worlds_obey(d, from, m);
    if (outbox_unread(d->outbox, &from->id) >= UNREAD_MAX) {
        d->refused.unread++;
        return DID_OK;
    }
    status s = clients_obey(d, from, m);
    d->refused.refused += s == DID_EINVAL;
    return s;
}

static status complain(desk *d, const desk_guest *to, const message *m, status s)
{
    json_t *body = json_pack("{s:s, s:s}", "reason", status_message(), "code", status_text(s));
    json_t *ask = json_object_get(m->body, "ask");
    if (json_is_integer(ask)) json_object_set(body, "ask", ask);
    return desk_say(d, &to->id, MESSAGE_ERROR, body, NULL, 0);
}

/* What a guest got wrong is counted and answered; what this side cannot do ends the service. */
static status hear(desk *d, const frame *frames, int n)
{
    size_t size = 0;
    for (int i = 0; i < n; i++) size += frames[i].size;
    if (size > d->largest) d->largest = size;
    message    m = {0};
    desk_guest from = guest_of(d, &frames[0]);
    status     s = message_read(&m, frames + 1, n - 1);
    bool       unknown = s == DID_EFORMAT && n > 2 && !message_known(&frames[2]);
    if (s == DID_OK) s = obey(d, &from, &m);
    if (s == DID_EFORMAT) *(unknown ? &d->refused.unknown : &d->refused.malformed) += 1;
    if (s == DID_EFORMAT || s == DID_EINVAL) s = complain(d, &from, &m, s);
    message_clear(&m);
    return s;
}

static status listen(desk *d, int wait_ms)
{
    frame  frames[SOCKET_FRAMES_MAX];
    int    n = 1;
    double until = HUGE_VAL;
    for (int heard = 0; heard < BATCH_MAX && n > 0; heard++) {
        TRY(socket_recv(d->socket, heard ? 0 : wait_ms, frames, &n));
        if (heard == 0) until = clock_seconds() + fmax(BATCH_S, d->commit_s);
        if (n > 0) TRY(hear(d, frames, n));
        if (clock_seconds() > until || outbox_bytes(d->outbox) > BATCH_BYTES) break;
    }
    return DID_OK;
}

static status tidy(desk *d)
{
    double now = clock_seconds();
    if (now - d->tidied < TIDY_S) return DID_OK;
    d->tidied = now;
    long guests = socket_losses(d->socket).guests;
    if (guests > d->guests) d->guests = guests;
    if (d->keys) keyring_refresh(d->keys);
    muster_expire(&d->muster, now - LEADER_S - LEADER_LEASES * d->settings.lease_s);
    d->refused.unread += outbox_expire(d->outbox, UNREAD_S);
    return worlds_expire(d);
}

/* What worlds said while this side was held up (by a slow disk, or because it was stopped) has not
 * been read yet, and they are not to blame. */
static void forgive(desk *d, double begun)
{
    double gone = begun - d->listened;
    if (d->listened > 0 && gone > HELD_UP_S) {
        leases_shift(&d->leases, gone);
        log_warn("desk", "was held up for %.1f s; leases last as much longer", gone);
    }
}

/* Everybody who listens hears soon what is new, and now and then that there is nothing. */
static status tell(desk *d)
{
    double now = clock_seconds();
    if (now - d->told < (d->stirred ? NEWS_S : NO_NEWS_S)) return DID_OK;
    d->told = now;
    d->stirred = false;
    return herald_tell(d->herald, tidings_public(d));
}

status desk_turn(desk *d, int wait_ms)
{
    forgive(d, clock_seconds());
    outbox_hold(d->outbox, true);
    TRY(listen(d, outbox_waiting(d->outbox) ? RETRY_MS : wait_ms));
    d->listened = clock_seconds();
    TRY(tidy(d));
    double begun = clock_seconds();
    TRY(store_commit(d->store));
    d->commit_s = clock_seconds() - begun;
    outbox_hold(d->outbox, false);
    TRY(tell(d));
    return outbox_flush(d->outbox);
}
