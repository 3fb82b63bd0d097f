#include "feed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "field.h"
#include "message.h"
#include "outbox.h"

/* A disk may take its time; a front-end that says nothing for PATIENCE_S is gone. */
static const double WELCOME_S = 10, PATIENCE_S = 300, PROGRESS_INTERVAL_S = 0.2;

/* A document that is here, and the request it came with. */
typedef struct errand {
    struct errand *next;
    int64_t        serial;
    request        request;
    document      *waiting; /* not yet taken by the engine */
} errand;

struct feed {
    feed_settings settings;
    socket       *socket;
    outbox       *outbox;
    errand       *errands, **last; /* in the order of arrival */
    int           asked;           /* documents asked for and not yet here */
    int           unsaid;          /* results and documents put down, not yet acknowledged */
    bool          over, stop, welcome;
    status        broken;  /* why there is no talking to the front-end any more */
    int64_t       watched; /* the document on show; -1 none */
    double        saved, told, heard;
};

static status post(feed *f, message_type type, json_t *body, const frame *part, int n)
{
    return outbox_post(f->outbox, NULL, type, body, part, n);
}

/* ---- errands ---- */

static errand *find_errand(feed *f, int64_t serial)
{
    errand *e = f->errands;
    while (e && e->serial != serial) e = e->next;
    return e;
}

static void end_errand(feed *f, int64_t serial)
{
    errand **at = &f->errands;
    while (*at && (*at)->serial != serial) at = &(*at)->next;
    errand *e = *at;
    if (!e) return;
    *at = e->next;
    if (f->last == &e->next) f->last = at;
    request_clear(&e->request);
    document_close(&e->waiting);
    free(e);
}

static status unpack_errand(feed *f, errand *e, const message *m)
{
    const parcel_rules *rules = &f->settings.rules;
    TRY(field_number(m->body, "serial", 0, INT64_MAX, &e->serial));
    TRY(slip_unpack(&e->request, m->part[0].data, m->part[0].size, &rules->ids));
    if (m->n_parts == 1) return parcel_begin(&e->waiting, &e->request, e->serial, rules);
    TRY(parcel_unpack(&e->waiting, m->part[1].data, m->part[1].size, &e->request, e->serial, false,
                      rules));
    for (int k = 0; k < STAGES_MAX; k++) e->waiting->seconds[k] = NAN;
    return DID_OK;
}

static status on_work(feed *f, const message *m)
{
    if (f->asked < 1) return status_fail(DID_EFORMAT, "the front-end sent work nobody asked for");
    errand *e = calloc(1, sizeof *e);
    if (!e) return status_fail(DID_ENOMEM, "no memory for a document");
    *f->last = e;
    f->last = &e->next;
    f->asked--;
    return unpack_errand(f, e, m);
}

/* ---- listening ---- */

/* A full disk over there is what it is here too, and not a peer that was lost. */
static status on_error(const message *m)
{
    const char *reason, *code = json_string_value(json_object_get(m->body, "code"));
    status      s = DID_EPEER;
    TRY(field_text(m->body, "reason", &reason));
    if (code && strcmp(code, status_text(DID_EIO)) == 0) s = DID_EIO;
    if (code && strcmp(code, status_text(DID_ENOMEM)) == 0) s = DID_ENOMEM;
    if (code && strcmp(code, status_text(DID_EFULL)) == 0) s = DID_EFULL;
    return status_fail(s, "the front-end says: %s", reason);
}

static status obey(feed *f, const message *m)
{
    switch (m->type) {
    case MESSAGE_WELCOME: f->welcome = true; return DID_OK;
    case MESSAGE_WORK: return on_work(f, m);
    case MESSAGE_OVER: f->over = true; return DID_OK;
    case MESSAGE_STOP: f->over = f->stop = true; return DID_OK;
    case MESSAGE_ACK:
    case MESSAGE_STALE: f->unsaid--; return DID_OK;
    case MESSAGE_ERROR: return on_error(m);
    default: return status_fail(DID_EFORMAT, "%s is not a front-end's word", message_name(m->type));
    }
}

static status hear(feed *f, const frame *frames, int n)
{
    message m;
    status  s = message_read(&m, frames, n);
    f->heard = clock_seconds();
    if (s == DID_OK) s = obey(f, &m);
    message_clear(&m);
    return s;
}

/* Send what waits, then take in everything that is there; wait up to `wait_ms` for the first. */
static status look(feed *f, int wait_ms)
{
    frame frames[SOCKET_FRAMES_MAX];
    int   n = 1;
    if (f->broken == DID_OK) f->broken = outbox_flush(f->outbox);
    while (n > 0 && f->broken == DID_OK) {
        f->broken = socket_recv(f->socket, wait_ms, frames, &n);
        if (f->broken == DID_OK && n > 0) f->broken = hear(f, frames, n);
        wait_ms = 0;
    }
    return f->broken;
}

/* ---- what the engine calls ---- */

static int count_waiting(const feed *f)
{
    int n = 0;
    for (const errand *e = f->errands; e; e = e->next) n += e->waiting != NULL;
    return n;
}

static status ask_for_more(feed *f, int room)
{
    int want = room - count_waiting(f) - f->asked;
    if (f->over || want <= 0) return DID_OK;
    if (f->asked == 0) f->heard = clock_seconds(); /* silence counts from the question */
    f->asked += want;
    return post(f, MESSAGE_READY, json_pack("{s:i}", "room", want), NULL, 0);
}

static status check_patience(const feed *f)
{
    if (f->asked == 0 || f->over || clock_seconds() - f->heard < PATIENCE_S) return DID_OK;
    return status_fail(DID_EPEER, "the front-end has said nothing for %.0f s", PATIENCE_S);
}

static status take(void *context, document **docs, int room, int wait_ms, int *n, bool *over)
{
    feed *f = context;
    *n = 0;
    TRY(look(f, 0));
    TRY(check_patience(f));
    TRY(ask_for_more(f, room));
    double until = clock_seconds() + 1e-3 * wait_ms;
    while (count_waiting(f) == 0 && !f->over && clock_seconds() < until) TRY(look(f, 1));
    for (errand *e = f->errands; e && *n < room && !f->stop; e = e->next) {
        if (!e->waiting) continue;
        docs[(*n)++] = e->waiting;
        e->waiting = NULL;
    }
    *over = f->stop || (f->over && count_waiting(f) == 0);
    return DID_OK;
}

/* What each stage took, where that is known: not of a document that somebody else began. */
static json_t *seconds_of(const document *d)
{
    json_t *array = json_array();
    for (int k = 0; k < d->n_stages; k++)
        if (isnan(d->seconds[k]) || json_array_append_new(array, json_real(d->seconds[k]))) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static status send_parcel(feed *f, message_type type, const document *d, const errand *e)
{
    char *text;
    TRY(parcel_pack(&text, d, &e->request));
    frame   part = {text, strlen(text)};
    json_t *body = json_pack("{s:I, s:i}", "serial", (json_int_t)e->serial, "at", d->at);
    json_t *seconds = type == MESSAGE_RESULT ? seconds_of(d) : NULL;
    if (seconds) json_object_set_new(body, "seconds", seconds);
    status s = post(f, type, body, &part, 1);
    free(text);
    return s;
}

static status hand_back(feed *f, message_type type, document **doc)
{
    int64_t       serial = (*doc)->serial;
    const errand *e = find_errand(f, serial);
    status        s = send_parcel(f, type, *doc, e);
    f->unsaid += s == DID_OK;
    end_errand(f, serial);
    document_close(doc);
    return s;
}

static void show(feed *f, const document *d, int in_flight)
{
    const errand *e = find_errand(f, d->serial);
    watch_show(f->settings.watch, d, e->request.custom_id, in_flight, clock_seconds());
    f->watched = d->serial;
}

/* Who looked on is shown the end as well. */
static status deliver(void *context, document **doc)
{
    feed *f = context;
    if (f->settings.watch && (*doc)->serial == f->watched) show(f, *doc, 1);
    return hand_back(f, MESSAGE_RESULT, doc);
}

/* A document that finished in the moment of an early end is a result all the same. */
static status put_down(void *context, document **doc)
{
    message_type type = (*doc)->finish == FINISH_NONE ? MESSAGE_PUT_DOWN : MESSAGE_RESULT;
    return hand_back(context, type, doc);
}

/* How much of a document is done, in [0, 1]: stages count alike. */
static double share_of(const document *d)
{
    int    asked = d->at == 0 ? d->length : d->cost[d->at].reopened;
    double here =
        d->entered && asked > 0 ? 1 - (double)document_masked(d, 0, d->length) / asked : 0;
    return (d->at + (here > 0 ? here : 0)) / d->n_stages;
}

static status tell_progress(feed *f, document *const *docs, int n, const engine_progress *p)
{
    double share = 0;
    for (int i = 0; i < n; i++) share += share_of(docs[i]);
    json_t *body = json_pack("{s:i, s:i, s:f, s:I, s:I, s:I}", "drafting", p->drafting, "refining",
                             p->refining, "share", share, "drawn", (json_int_t)p->drawn, "passes",
                             (json_int_t)p->passes, "nfe", (json_int_t)p->nfe);
    return post(f, MESSAGE_PROGRESS, body, NULL, 0);
}

static status save(feed *f, document *const *docs, int n)
{
    for (int i = 0; i < n; i++)
        TRY(send_parcel(f, MESSAGE_CHECKPOINT, docs[i], find_errand(f, docs[i]->serial)));
    return DID_OK;
}

static status passed(void *context, document *const *docs, int n, const engine_progress *p,
                     bool *stop)
{
    feed  *f = context;
    double now = clock_seconds();
    TRY(look(f, 0));
    if (now - f->told >= PROGRESS_INTERVAL_S) {
        TRY(tell_progress(f, docs, n, p));
        f->told = now;
    }
    if (f->settings.saving && now - f->saved >= f->settings.save_interval_s) {
        TRY(save(f, docs, n));
        f->saved = now;
    }
    if (f->settings.watch && n > 0) show(f, docs[0], n);
    *stop = f->stop;
    return DID_OK;
}

engine_feed feed_hooks(feed *f)
{
    return (engine_feed){f, take, deliver, passed, put_down};
}

/* ---- opening and closing ---- */

/* Knock at one address: the hello leaves as soon as the connection stands. */
static status knock(feed *f, const char *address)
{
    const door_sign *sign = &f->settings.door->sign;
    TRY(socket_connect_dealer(&f->socket, f->settings.door->context, address,
                              sign->encrypted ? sign->server : NULL,
                              sign->encrypted ? &sign->leader : NULL, MESSAGE_BYTES_MAX));
    TRY(outbox_open(&f->outbox, f->socket));
    return post(f, MESSAGE_HELLO, json_pack("{s:i}", "row", f->settings.row), NULL, 0);
}

static void walk_away(feed *f)
{
    outbox_close(&f->outbox);
    socket_close(&f->socket);
}

/* Look behind every door that may still open; the first that does, or -1. *hope: some may. */
static int first_open(feed *at, int n, bool *hope)
{
    *hope = false;
    for (int i = 0; i < n; i++) {
        if (at[i].broken == DID_OK) (void)look(&at[i], 20); /* what is broken is remembered there */
        if (at[i].welcome) return i;
        *hope = *hope || at[i].broken == DID_OK;
    }
    return -1;
}

/* Knock everywhere at once and stay where the door opens: of several addresses all but one may lead
 * nowhere, and that takes long to show. */
static bool find_door(feed *f)
{
    const door_sign *sign = &f->settings.door->sign;
    feed             at[DOOR_ADDRESSES_MAX];
    int              in = -1;
    bool             hope = true;
    double           until = clock_seconds() + WELCOME_S;
    for (int i = 0; i < sign->n; i++) {
        at[i] = *f;
        at[i].broken = knock(&at[i], sign->address[i]);
    }
    while (in < 0 && hope && clock_seconds() < until) in = first_open(at, sign->n, &hope);
    for (int i = 0; i < sign->n; i++)
        if (i != in) walk_away(&at[i]);
    if (in < 0) return false;
    f->socket = at[in].socket;
    f->outbox = at[in].outbox;
    f->over = f->stop = at[in].stop;
    return true;
}

static status nobody(const door_sign *sign)
{
    char tried[DOOR_ADDRESSES_MAX * DOOR_ADDRESS_BYTES] = "";
    for (int i = 0; i < sign->n; i++) {
        if (i) strcat(tried, ", ");
        strncat(tried, sign->address[i], DOOR_ADDRESS_BYTES - 3);
    }
    return status_fail(DID_EPEER, "the front-end does not answer (waited up to %.0f s); tried %s",
                       WELCOME_S, tried);
}

status feed_open(feed **out, const feed_settings *settings)
{
    feed *f = calloc(1, sizeof *f);
    *out = f;
    if (!f) return status_fail(DID_ENOMEM, "no memory for the feed");
    f->settings = *settings;
    f->last = &f->errands;
    f->watched = -1;
    f->saved = clock_seconds();
    if (find_door(f)) return DID_OK;
    free(f);
    *out = NULL;
    return nobody(&settings->door->sign);
}

static status say_goodbye(feed *f)
{
    double until = clock_seconds() + PATIENCE_S;
    while (f->unsaid > 0 || outbox_waiting(f->outbox) > 0) {
        TRY(look(f, 20));
        if (clock_seconds() > until)
            return status_fail(DID_EPEER,
                               "the front-end did not acknowledge %d documents in %.0f s",
                               f->unsaid, PATIENCE_S);
    }
    TRY(post(f, MESSAGE_BYE, NULL, NULL, 0));
    return outbox_flush(f->outbox);
}

status feed_close(feed **out)
{
    feed *f = *out;
    *out = NULL;
    if (!f) return DID_OK;
    status s = f->broken == DID_OK ? say_goodbye(f) : f->broken;
    while (f->errands) end_errand(f, f->errands->serial);
    walk_away(f);
    free(f);
    return s;
}
