#include "desk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "worlds.h"

/* A turn ends with a commit. It listens for BATCH_S, or for as long as the last commit took where
 * the disk is slow. A guest of the host's is not answered while UNREAD_MAX answers wait for it. */
enum { BATCH_MAX = 256, UNREAD_MAX = 8, RETRY_MS = 2 };
static const double BATCH_S = 0.02, TIDY_S = 0.2, HELD_UP_S = 0.5, UNREAD_S = 60, LEADER_LEASES = 3,
                    LEADER_S = 10;

static status bring_up(desk *d)
{
    const desk_settings *s = &d->settings;
    TRY(worlds_recall(d));
    TRY(socket_bind_router(&d->socket, s->context, s->endpoint, s->keys, s->message_max, d->bound,
                           sizeof d->bound));
    TRY(outbox_open(&d->outbox, d->socket));
    outbox_limit(d->outbox, s->lane_bytes, s->outbox_bytes);
    return DID_OK;
}

status desk_open(desk **out, const desk_settings *settings)
{
    desk *d = calloc(1, sizeof *d);
    *out = d;
    if (!d) return status_fail(DID_ENOMEM, "no memory for the front-end");
    d->settings = *settings;
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
    if (d->socket) socket_close(&d->socket);
    leases_clear(&d->leases);
    muster_clear(&d->muster);
    free(d);
}

status desk_say(desk *d, const frame *to, message_type type, json_t *body, const frame *part,
                int n_parts)
{
    status s = outbox_post(d->outbox, to, type, body, part, n_parts);
    if (s != DID_EPEER || d->settings.outbox_bytes == 0) return s;
    d->refused.unread++;
    return DID_OK;
}

/* ---- hearing ---- */

static bool allows(const desk *d, const desk_guest *from, bool leader)
{
    const desk_host *h = &d->settings.host;
    return h->allows ? h->allows(h->context, from->owner, leader) : leader;
}

static status obey_host(desk *d, const desk_guest *from, const message *m)
{
    if (outbox_unread(d->outbox, &from->id) >= UNREAD_MAX) {
        d->refused.unread++;
        return DID_OK;
    }
    status s = d->settings.host.obey(d->settings.host.context, from, m);
    d->refused.refused += s == DID_EINVAL;
    return s;
}

static status obey(desk *d, const desk_guest *from, const message *m)
{
    const desk_host *h = &d->settings.host;
    bool             leader = worlds_word(m->type);
    if (!leader && !(h->knows && h->knows(m->type))) {
        d->refused.unknown++;
        return status_fail(DID_EINVAL, "%s is not a word for the front-end", message_name(m->type));
    }
    if (!allows(d, from, leader)) {
        d->refused.forbidden++;
        return status_fail(DID_EINVAL, "your key may not say %s", message_name(m->type));
    }
    d->stirred |= leader || m->type == MESSAGE_SUBMIT || m->type == MESSAGE_CANCEL;
    return leader ? worlds_obey(d, from, m) : obey_host(d, from, m);
}

static json_t *why(const char *reason, status code)
{
    return json_pack("{s:s, s:s}", "reason", reason, "code", status_text(code));
}

static status complain(desk *d, const desk_guest *to, const message *m, status s)
{
    json_t *body = why(status_message(), s), *ask = json_object_get(m->body, "ask");
    if (json_is_integer(ask)) json_object_set(body, "ask", ask);
    return desk_say(d, &to->id, MESSAGE_ERROR, body, NULL, 0);
}

/* What a guest got wrong is counted and answered; what this side cannot do ends the front-end. */
static status hear(desk *d, const frame *frames, int n)
{
    size_t size = 0;
    for (int i = 0; i < n; i++) size += frames[i].size;
    if (size > d->largest) d->largest = size;
    message    m = {0};
    desk_guest from = {frames[0], socket_user(d->socket)};
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
    for (d->heard = 0; d->heard < BATCH_MAX; d->heard++) {
        TRY(socket_recv(d->socket, d->heard ? 0 : wait_ms, frames, &n));
        if (n == 0) break;
        if (d->heard == 0) until = clock_seconds() + fmax(BATCH_S, d->commit_s);
        TRY(hear(d, frames, n));
        if (clock_seconds() > until || outbox_bytes(d->outbox) > DESK_BATCH_BYTES) break;
    }
    return DID_OK;
}

/* ---- a turn ---- */

static status tidy(desk *d)
{
    double now = clock_seconds();
    if (now - d->tidied < TIDY_S) return DID_OK;
    d->tidied = now;
    long guests = socket_losses(d->socket).guests;
    if (guests > d->guests) d->guests = guests;
    if (d->settings.lease_s == 0) return DID_OK;
    muster_expire(&d->muster, now - LEADER_S - LEADER_LEASES * d->settings.lease_s);
    d->refused.unread += outbox_expire(d->outbox, UNREAD_S);
    return worlds_expire(d);
}

/* What leaders said while this side was held up (by a slow disk, or because it was stopped) has not
 * been read yet, and they are not to blame. */
static void forgive(desk *d, double begun)
{
    double gone = begun - d->listened;
    if (d->listened > 0 && gone > HELD_UP_S && d->settings.lease_s > 0) {
        leases_shift(&d->leases, gone);
        log_warn("desk", "was held up for %.1f s; leases last as much longer", gone);
    }
}

status desk_turn(desk *d, int wait_ms)
{
    const book *b = &d->settings.book;
    forgive(d, clock_seconds());
    outbox_hold(d->outbox, true);
    TRY(listen(d, outbox_waiting(d->outbox) ? RETRY_MS : wait_ms));
    d->listened = clock_seconds();
    TRY(tidy(d));
    double begun = clock_seconds();
    TRY(b->commit(b->context));
    d->commit_s = clock_seconds() - begun;
    outbox_hold(d->outbox, false);
    return outbox_flush(d->outbox);
}

static status tell_leaders(desk *d, message_type type, const char *reason, status code)
{
    for (int i = 0; i < d->muster.n; i++) {
        frame id = muster_id(&d->muster.list[i]);
        TRY(desk_say(d, &id, type, why(reason, code), NULL, 0));
    }
    return DID_OK;
}

status desk_stop(desk *d, const char *reason)
{
    d->stopping = true;
    return tell_leaders(d, MESSAGE_STOP, reason, DID_OK);
}

/* Answers that were promised to the commit that failed are taken back with their outbox. */
static status take_back(desk *d)
{
    outbox_close(&d->outbox);
    return outbox_open(&d->outbox, d->socket);
}

status desk_excuse(desk *d, int wait_ms, const char *reason, status code)
{
    frame frames[SOCKET_FRAMES_MAX];
    int   n;
    if (!d->excused) {
        d->excused = true;
        TRY(take_back(d));
        TRY(tell_leaders(d, MESSAGE_ERROR, reason, code));
    }
    TRY(socket_recv(d->socket, wait_ms, frames, &n));
    if (n > 0)
        TRY(outbox_offer(d->outbox, &frames[0], MESSAGE_ERROR, why(reason, code), NULL, 0, NULL));
    return outbox_flush(d->outbox);
}
