#include "worlds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "field.h"
#include "log.h"

enum { CREDIT = 1024 }; /* documents one leader may have */
/* A pass may take this many times as long as the one before and the lease still holds. */
static const double PASSES = 10;

bool worlds_word(message_type type)
{
    switch (type) {
    case MESSAGE_HELLO:
    case MESSAGE_READY:
    case MESSAGE_CHECKPOINT:
    case MESSAGE_PROGRESS:
    case MESSAGE_RESULT:
    case MESSAGE_PUT_DOWN:
    case MESSAGE_REFUSE:
    case MESSAGE_BYE: return true;
    default: return false;
    }
}

static json_t *about(int64_t serial, int64_t epoch)
{
    return json_pack("{s:I, s:I}", "serial", (json_int_t)serial, "epoch", (json_int_t)epoch);
}

/* ---- handing out ---- */

/* When a lease ends whose leader is heard of now, and whose last pass took `pass_s`. */
static double until(const desk *d, double pass_s)
{
    double patience = d->settings.lease_s;
    if (patience == 0) return HUGE_VAL;
    return clock_seconds() + (PASSES * pass_s > patience ? PASSES * pass_s : patience);
}

static void loan_clear(book_loan *l)
{
    free(l->order);
    free(l->checkpoint);
}

static status send_loan(desk *d, const leader_entry *to, const book_loan *loan)
{
    frame   part[2] = {{loan->order, strlen(loan->order)}}, id = muster_id(to);
    int     n = 1;
    json_t *body = json_pack("{s:I, s:I, s:i}", "serial", (json_int_t)loan->serial, "epoch",
                             (json_int_t)loan->epoch, "sample", loan->sample);
    if (!body) return status_fail(DID_ENOMEM, "no memory for a document");
    if (loan->checkpoint) part[n++] = (frame){loan->checkpoint, strlen(loan->checkpoint)};
    TRY(desk_say(d, &id, MESSAGE_WORK, body, part, n));
    lease one = {loan->serial, loan->epoch, to->number, until(d, 0), loan->suspect};
    return leases_grant(&d->leases, &one);
}

/* No leader takes so much that others stand idle. */
static int fair_share(const desk *d, int room)
{
    const book *b = &d->settings.book;
    int64_t     n = d->muster.n, share = (b->waiting(b->context) + n - 1) / n;
    return room <= share ? room : share > 0 ? (int)share : 1;
}

/* A document that was in the hands of lost worlds goes to a leader that has nothing else, and
 * nothing else goes there: if it is the document's fault, it takes no other with it. */
static status lend_some(desk *d, const leader_entry *to, int room, int *sent)
{
    const book *b = &d->settings.book;
    bool        suspect;
    int         held = leases_held(&d->leases, to->number, &suspect);
    int         share = fair_share(d, room < CREDIT - held ? room : CREDIT - held);
    for (*sent = 0; *sent < share && !suspect; ++*sent) {
        book_loan loan = {0};
        if (outbox_bytes(d->outbox) >= DESK_BATCH_BYTES) break;
        TRY(b->lend(b->context, to->signature, held + *sent == 0, &loan));
        if (!loan.serial) break;
        status s = send_loan(d, to, &loan);
        suspect = loan.suspect;
        loan_clear(&loan);
        TRY(s);
    }
    return DID_OK;
}

/* Is there nothing to be had any more? */
static bool exhausted(const desk *d)
{
    const book *b = &d->settings.book;
    if (!d->settings.closed || b->waiting(b->context) > 0) return false;
    return !b->more_later || !b->more_later(b->context);
}

static status on_ready(desk *d, const leader_entry *from, const message *m)
{
    int room, sent = 0;
    TRY(field_int(m->body, "room", 1, 1 << 20, &room));
    if (!d->stopping) TRY(lend_some(d, from, room, &sent));
    frame id = muster_id(from);
    bool  over = d->stopping || exhausted(d);
    if (sent == room && !over) return DID_OK;
    return desk_say(d, &id, over ? MESSAGE_OVER : MESSAGE_IDLE, NULL, NULL, 0);
}

/* ---- taking in ---- */

static status which(const message *m, int64_t *serial, int64_t *epoch)
{
    TRY(field_number(m->body, "serial", 1, INT64_MAX, serial));
    return field_number(m->body, "epoch", 1, INT64_MAX, epoch);
}

/* The part as a text for the state file; it is one line. */
static status part_text(char **out, const message *m)
{
    const frame *f = &m->part[0];
    *out = NULL;
    if (f->size == 0 || memchr(f->data, 0, f->size) || memchr(f->data, '\n', f->size))
        return status_fail(DID_EFORMAT, "%s: the text after the body is not one line",
                           message_name(m->type));
    *out = strndup(f->data, f->size);
    return *out ? DID_OK : status_fail(DID_ENOMEM, "no memory for a text of %zu bytes", f->size);
}

static status save(desk *d, const leader_entry *from, const message *m, int64_t serial)
{
    const book *b = &d->settings.book;
    int         at;
    char       *text;
    TRY(field_int(m->body, "at", 0, 1 << 20, &at));
    TRY(part_text(&text, m));
    status s = b->save(b->context, serial, at > 0, from->signature, text);
    free(text);
    return s;
}

static status finish(desk *d, const message *m, int64_t serial)
{
    const book *b = &d->settings.book;
    char       *text;
    TRY(part_text(&text, m));
    status s = b->finish(b->context, serial, text, m->body);
    free(text);
    return s;
}

static status set_aside(desk *d, const message *m, int64_t serial)
{
    const book *b = &d->settings.book;
    const char *reason;
    TRY(field_text(m->body, "reason", &reason));
    return b->set_aside(b->context, serial, reason);
}

static status put_down(desk *d, const leader_entry *from, const message *m, int64_t serial)
{
    const book *b = &d->settings.book;
    TRY(save(d, from, m, serial));
    return b->put_back(b->context, serial);
}

static status look(desk *d, int64_t serial, store_state *state, int64_t *epoch)
{
    const book *b = &d->settings.book;
    return b->look(b->context, serial, state, epoch);
}

/* Said once more, because the answer was lost with a connection: the same answer. Otherwise another
 * has the document now. */
static status answer_late(desk *d, const desk_guest *from, int64_t serial, int64_t epoch)
{
    store_state state;
    int64_t     now;
    TRY(look(d, serial, &state, &now));
    bool again = now == epoch && (state == STORE_DONE || state == STORE_FAILED);
    *(again ? &d->refused.replayed : &d->refused.stale) += 1;
    return desk_say(d, &from->id, again ? MESSAGE_ACK : MESSAGE_STALE, about(serial, epoch), NULL,
                    0);
}

/* The lease has ended, and nobody was given the document since: what comes is as good as in time. */
static status still_waits(desk *d, int64_t serial, int64_t epoch, bool *yes)
{
    store_state state;
    int64_t     now;
    TRY(look(d, serial, &state, &now));
    *yes = now == epoch && (state == STORE_QUEUED || state == STORE_DRAFTED);
    return DID_OK;
}

/* What ends a lease. */
static status on_return(desk *d, const desk_guest *from, const leader_entry *l, const message *m)
{
    int64_t serial, epoch;
    TRY(which(m, &serial, &epoch));
    bool good = leases_find(&d->leases, serial, epoch) != NULL;
    if (!good) TRY(still_waits(d, serial, epoch, &good));
    if (!good) return answer_late(d, from, serial, epoch);
    if (m->type == MESSAGE_RESULT) TRY(finish(d, m, serial));
    else if (m->type == MESSAGE_REFUSE) TRY(set_aside(d, m, serial));
    else TRY(put_down(d, l, m, serial));
    leases_end(&d->leases, serial);
    return desk_say(d, &from->id, MESSAGE_ACK, about(serial, epoch), NULL, 0);
}

static status on_checkpoint(desk *d, const desk_guest *from, const leader_entry *l,
                            const message *m)
{
    int64_t serial, epoch;
    TRY(which(m, &serial, &epoch));
    if (leases_find(&d->leases, serial, epoch)) return save(d, l, m, serial);
    d->refused.stale++;
    return desk_say(d, &from->id, MESSAGE_DROP, about(serial, epoch), NULL, 0);
}

static status prolong(desk *d, const desk_guest *from, const leader_entry *l, const json_t *pair,
                      double end)
{
    int64_t serial = json_integer_value(json_array_get(pair, 0));
    int64_t epoch = json_integer_value(json_array_get(pair, 1));
    if (leases_prolong(&d->leases, serial, epoch, l->number, end)) return DID_OK;
    return desk_say(d, &from->id, MESSAGE_DROP, about(serial, epoch), NULL, 0);
}

static status on_progress(desk *d, const desk_guest *from, leader_entry *l, const message *m)
{
    const json_t *holding;
    double        pass_s;
    TRY(field_real(m->body, "pass_s", 0, 1e6, &pass_s));
    TRY(field_array(m->body, "holding", -1, &holding));
    if (json_array_size(holding) > CREDIT)
        return status_fail(DID_EFORMAT, "holding: more than %d documents", CREDIT);
    TRY(muster_note(l, m->body, clock_seconds()));
    double end = until(d, pass_s);
    for (size_t i = 0; i < json_array_size(holding); i++)
        TRY(prolong(d, from, l, json_array_get(holding, i), end));
    return DID_OK;
}

static status on_hello(desk *d, const desk_guest *from, const message *m)
{
    bool known = muster_find(&d->muster, &from->id) != NULL;
    TRY(muster_greet(&d->muster, &from->id, m->body, clock_seconds()));
    const leader_entry *l = muster_find(&d->muster, &from->id);
    if (!known && !d->settings.closed)
        log_say("worlds", "row %d of %d on %s%s%s is here", l->row, l->rows, l->host,
                l->slurm[0] ? ", Slurm job " : "", l->slurm);
    TRY(desk_say(d, &from->id, MESSAGE_WELCOME,
                 json_pack("{s:f}", "lease_s", d->settings.lease_s), NULL, 0));
    return d->stopping ? desk_say(d, &from->id, MESSAGE_STOP, NULL, NULL, 0) : DID_OK;
}

/* Whoever had no time to put its documents down has them back here as they were last saved, and
 * nobody failed. */
static status on_bye(desk *d, const desk_guest *from, const leader_entry *l)
{
    const book *b = &d->settings.book;
    lease       one;
    int         n = 0;
    for (; leases_take(&d->leases, l->number, &one); n++) TRY(b->put_back(b->context, one.serial));
    if (!d->settings.closed)
        log_say("worlds", "row %d of %d on %s leaves%s", l->row, l->rows, l->host,
            n ? "; what it had in hand waits again" : "");
    muster_leave(&d->muster, &from->id);
    return desk_say(d, &from->id, MESSAGE_OVER, NULL, NULL, 0);
}

status worlds_obey(desk *d, const desk_guest *from, const message *m)
{
    if (m->type == MESSAGE_HELLO) return on_hello(d, from, m);
    leader_entry *l = muster_find(&d->muster, &from->id);
    if (!l) {
        d->refused.early++;
        return desk_say(d, &from->id, MESSAGE_WHO, NULL, NULL, 0);
    }
    l->heard = clock_seconds();
    switch (m->type) {
    case MESSAGE_READY: return on_ready(d, l, m);
    case MESSAGE_CHECKPOINT: return on_checkpoint(d, from, l, m);
    case MESSAGE_PROGRESS: return on_progress(d, from, l, m);
    case MESSAGE_BYE: return on_bye(d, from, l);
    default: return on_return(d, from, l, m);
    }
}

/* ---- leases ---- */

static status recall(void *context, int64_t serial, int64_t epoch)
{
    desk *d = context;
    lease one = {serial, epoch, 0, until(d, 0), false};
    return leases_grant(&d->leases, &one);
}

status worlds_recall(desk *d)
{
    const book *b = &d->settings.book;
    return b->each_out(b->context, recall, d);
}

/* A lease that nobody claimed after a restart was lost with the desk, and is nobody's failure. */
status worlds_expire(desk *d)
{
    const book *b = &d->settings.book;
    lease       old;
    while (leases_expired(&d->leases, clock_seconds(), &old)) {
        bool aside = false;
        if (old.holder == 0) TRY(b->put_back(b->context, old.serial));
        else TRY(b->strike(b->context, old.serial, &aside));
        log_say("worlds", "document %lld: its world is silent; it %s", (long long)old.serial,
                aside ? "is set aside" : "waits again");
    }
    return DID_OK;
}

status worlds_drop(desk *d, int64_t serial, int64_t epoch)
{
    lease *old = leases_find(&d->leases, serial, epoch);
    if (!old) return DID_OK;
    leader_entry *l = muster_number(&d->muster, old->holder);
    leases_end(&d->leases, serial);
    if (!l) return DID_OK;
    frame id = muster_id(l);
    return desk_say(d, &id, MESSAGE_DROP, about(serial, epoch), NULL, 0);
}
