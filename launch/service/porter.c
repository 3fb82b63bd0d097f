#include "porter.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "field.h"
#include "load.h"
#include "log.h"
#include "message.h"
#include "outbox.h"
#include "parcel.h"

enum { MESSAGE_MAX = 64 << 20 };
static const double WELCOME_S = 10, BEAT_S = 0.5, AGAIN_S = 3, HELLO_S = 1, FAREWELL_S = 10, LAST_WORD_S = 1,
                    IDLE_PAUSE_S = 0.1;

struct porter {
    porter_settings settings;
    pthread_mutex_t lock; /* of the socket: the engine's thread talks between passes, a farewell any
                             time */
    socket         *socket;
    outbox         *outbox;
    char           *signature;
    loads           loads;
    int             asked; /* documents asked for and not yet here */
    bool            welcome, stop, gone, over; /* gone: said bye; over: that was heard */
    double          asked_at, hello_at; /* when that was last said */
    double          beaten, saved, heard, busy, passed_at, pass_s, idle_until;
    long            carried;
    double          io_s; /* between passes, talking to the desk while there was work */
    engine_progress last;
};

/* ---- speaking ---- */

/* Nothing is kept for later: what matters is said again until it is acknowledged. */
static status say(porter *p, message_type type, json_t *body, const frame *part, int n)
{
    return outbox_offer(p->outbox, NULL, type, body, part, n);
}

static const char *slurm_job(void)
{
    const char *id = getenv("SLURM_JOB_ID");
    return id ? id : "";
}

static status say_hello(porter *p)
{
    char host[128] = "";
    gethostname(host, sizeof host - 1);
    p->hello_at = clock_seconds();
    return say(p, MESSAGE_HELLO,
               json_pack("{s:s, s:s, s:s, s:i, s:i, s:i}", "host", host, "slurm", slurm_job(),
                         "signature", p->signature, "row", p->settings.row, "rows",
                         p->settings.rows, "pid", (int)getpid()),
               NULL, 0);
}

static json_t *about(const load *l)
{
    return json_pack("{s:I, s:I}", "serial", (json_int_t)l->serial, "epoch", (json_int_t)l->epoch);
}

static status say_sealed(porter *p, load *l)
{
    frame   part = {l->text, strlen(l->text)};
    json_t *body = about(l);
    l->said = clock_seconds();
    if (l->how == MESSAGE_REFUSE) {
        json_object_set_new(body, "reason", json_string(l->text));
        return say(p, MESSAGE_REFUSE, body, NULL, 0);
    }
    if (l->how == MESSAGE_RESULT) json_object_set_new(body, "failed", json_boolean(l->failed));
    else json_object_set_new(body, "at", json_integer(l->at));
    return say(p, l->how, body, &part, 1);
}

static status say_beat(porter *p)
{
    const engine_progress *e = &p->last, all = engine_totals(p->settings.engine);
    json_t                *holding = json_array();
    for (const load *l = p->loads.first; l; l = l->next)
        if (!l->text)
            json_array_append_new(holding,
                                  json_pack("[I, I]", (json_int_t)l->serial, (json_int_t)l->epoch));
    p->beaten = clock_seconds();
    return say(p, MESSAGE_PROGRESS,
               json_pack("{s:o, s:i, s:i, s:I, s:I, s:I, s:f, s:f, s:f}", "holding", holding, "drafting",
                         e->drafting, "refining", e->refining, "drawn", (json_int_t)e->drawn,
                         "passes", (json_int_t)e->passes, "nfe", (json_int_t)e->nfe, "pass_s",
                         p->pass_s, "wire_s", all.seconds_wire, "io_s", p->io_s),
               NULL, 0);
}

/* ---- listening ---- */

static status on_work(porter *p, const message *m)
{
    int64_t serial, epoch;
    int     sample;
    load   *l;
    TRY(field_number(m->body, "serial", 1, INT64_MAX, &serial));
    TRY(field_number(m->body, "epoch", 1, INT64_MAX, &epoch));
    TRY(field_int(m->body, "sample", 0, REQUEST_SAMPLES_MAX, &sample));
    if (p->asked > 0) p->asked--;
    p->busy = clock_seconds();
    l = loads_find(&p->loads, serial);
    if (l) {
        l->epoch = epoch; /* handed out anew while it was here all the time */
        return DID_OK;
    }
    TRY(loads_add(&p->loads, serial, epoch, &l));
    return load_open(l, p->settings.world, p->settings.rules, m, sample);
}

static status on_answer(porter *p, const message *m)
{
    int64_t serial, epoch;
    TRY(field_number(m->body, "serial", 1, INT64_MAX, &serial));
    TRY(field_number(m->body, "epoch", 1, INT64_MAX, &epoch));
    load *l = loads_find(&p->loads, serial);
    if (!l || l->epoch != epoch) return DID_OK;
    p->carried += m->type == MESSAGE_ACK && l->how == MESSAGE_RESULT;
    if (l->text || l->waiting) loads_remove(&p->loads, serial);
    else l->dropped = true; /* the engine has it */
    return DID_OK;
}

static status on_error(porter *p, const message *m)
{
    const char *reason;
    TRY(field_text(m->body, "reason", &reason));
    if (p->welcome) {
        log_warn("porter", "the front-end says: %s", reason);
        return DID_OK;
    }
    return status_fail(DID_EPEER, "the front-end says: %s", reason);
}

static status obey(porter *p, const message *m)
{
    switch (m->type) {
    case MESSAGE_WELCOME:
        p->welcome = true;
        p->asked = 0;
        loads_unsay(&p->loads);
        return DID_OK;
    case MESSAGE_WORK: return on_work(p, m);
    case MESSAGE_IDLE:
        p->asked = 0;
        p->idle_until = clock_seconds() + IDLE_PAUSE_S;
        return DID_OK;
    case MESSAGE_OVER: p->over = true; return DID_OK;
    case MESSAGE_WHO: p->welcome = false; return say_hello(p);
    case MESSAGE_ACK:
    case MESSAGE_STALE:
    case MESSAGE_DROP: return on_answer(p, m);
    case MESSAGE_ERROR: return on_error(p, m);
    default:
        return status_fail(DID_EFORMAT, "%s is not a word of the front-end", message_name(m->type));
    }
}

static status hear(porter *p, const frame *frames, int n)
{
    message m;
    status  s = message_read(&m, frames, n);
    p->heard = clock_seconds();
    if (s == DID_OK) s = obey(p, &m);
    message_clear(&m);
    return s;
}

/* Say what is due, then take in everything that is there; wait up to `wait_ms` for the first. */
static status look(porter *p, int wait_ms)
{
    frame  frames[SOCKET_FRAMES_MAX];
    int    n = 1;
    double now = clock_seconds();
    if (!p->welcome && now - p->hello_at > HELLO_S) TRY(say_hello(p));
    if (p->welcome && now - p->beaten > BEAT_S) TRY(say_beat(p));
    for (load *l = p->loads.first; l && p->welcome; l = l->next)
        if (l->text && now - l->said > AGAIN_S) TRY(say_sealed(p, l));
    if (p->asked > 0 && now - p->asked_at > AGAIN_S) p->asked = 0;
    while (n > 0) {
        TRY(socket_recv(p->socket, wait_ms, frames, &n));
        if (n > 0) TRY(hear(p, frames, n));
        wait_ms = 0;
    }
    return DID_OK;
}

/* ---- what the engine calls ---- */

static status ask_for_more(porter *p, int room)
{
    int    want = room - loads_waiting(&p->loads) - p->asked;
    double now = clock_seconds();
    if (!p->welcome || p->stop || want <= 0 || now < p->idle_until) return DID_OK;
    p->asked += want;
    p->asked_at = now;
    return say(p, MESSAGE_READY, json_pack("{s:i}", "room", want), NULL, 0);
}

static void consider_stopping(porter *p)
{
    const porter_settings *s = &p->settings;
    bool                   late = s->deadline_s > 0 && clock_seconds() > s->deadline_s;
    if (p->stop || !(late || (s->asked && s->asked()))) return;
    p->stop = true;
    log_say("porter", "stopping early: %s", late ? "the time is over" : "asked to end");
}

static status check_patience(const porter *p)
{
    double silent = clock_seconds() - p->heard;
    if (silent < p->settings.patience_s) return DID_OK;
    return status_fail(DID_EPEER, "the front-end %s has said nothing for %.0f s",
                       p->settings.endpoint, silent);
}

/* An idle world has nothing in hand and was told again and again that nothing waits. */
static bool idle_long(const porter *p)
{
    double most = p->settings.idle_exit_s;
    return most > 0 && !p->loads.first && p->welcome && clock_seconds() - p->busy > most;
}

static status say_bye(porter *p)
{
    if (p->gone) return DID_OK;
    p->gone = true;
    return say(p, MESSAGE_BYE, NULL, NULL, 0);
}

static status take(porter *p, document **docs, int room, int wait_ms, int *n, bool *over)
{
    double  until = clock_seconds() + 1e-3 * wait_ms;
    *n = 0;
    consider_stopping(p);
    TRY(look(p, 0));
    if (wait_ms > 0) TRY(check_patience(p));
    TRY(ask_for_more(p, room));
    while (loads_waiting(&p->loads) == 0 && !p->stop && clock_seconds() < until)
        TRY(look(p, wait_ms));
    for (load *l = p->loads.first; l && *n < room && !p->stop; l = l->next) {
        if (!l->waiting) continue;
        docs[(*n)++] = l->waiting;
        l->waiting = NULL;
    }
    *over = p->stop || idle_long(p);
    return *over && !p->loads.first ? say_bye(p) : DID_OK;
}

/* A record for what is finished, a checkpoint for what is put down. */
static status seal(porter *p, document **doc)
{
    load  *l = loads_find(&p->loads, (*doc)->serial);
    status s = DID_OK;
    if (l->dropped) {
        loads_remove(&p->loads, (*doc)->serial);
    } else {
        s = load_seal(l, *doc);
        if (s == DID_OK && p->welcome) s = say_sealed(p, l);
    }
    p->busy = clock_seconds();
    document_close(doc);
    return s;
}

static status save(porter *p, document *const *docs, int n)
{
    p->saved = clock_seconds();
    for (int i = 0; i < n && p->welcome; i++) {
        load *l = loads_find(&p->loads, docs[i]->serial);
        char *text;
        TRY(parcel_pack(&text, docs[i], &l->request));
        frame   part = {text, strlen(text)};
        json_t *body = about(l);
        json_object_set_new(body, "at", json_integer(docs[i]->at));
        status s = say(p, MESSAGE_CHECKPOINT, body, &part, 1);
        free(text);
        TRY(s);
    }
    return DID_OK;
}

/* What was cancelled, or has another world meanwhile, ends here. */
static void end_dropped(const porter *p, document *const *docs, int n)
{
    for (int i = 0; i < n; i++) {
        const load *l = loads_find(&p->loads, docs[i]->serial);
        if (!l->dropped) continue;
        docs[i]->finish = FINISH_FAILED;
        snprintf(docs[i]->reason, sizeof docs[i]->reason, "cancelled");
    }
}

static status passed(porter *p, document *const *docs, int n, const engine_progress *e, bool *stop)
{
    double  now = clock_seconds();
    p->last = *e;
    p->pass_s = p->passed_at > 0 ? now - p->passed_at : 0;
    p->passed_at = now;
    consider_stopping(p);
    TRY(look(p, 0));
    end_dropped(p, docs, n);
    if (now - p->saved >= p->settings.save_interval_s) TRY(save(p, docs, n));
    *stop = p->stop;
    p->io_s += clock_seconds() - now;
    return DID_OK;
}

/* ---- the hooks, one at a time with a farewell ---- */

static status locked_take(void *context, document **docs, int room, int wait_ms, int *n, bool *over)
{
    porter *p = context;
    pthread_mutex_lock(&p->lock);
    status s = take(p, docs, room, wait_ms, n, over);
    pthread_mutex_unlock(&p->lock);
    return s;
}

static status locked_deliver(void *context, document **doc)
{
    porter *p = context;
    pthread_mutex_lock(&p->lock);
    status s = seal(p, doc);
    pthread_mutex_unlock(&p->lock);
    return s;
}

static status locked_passed(void *context, document *const *docs, int n, const engine_progress *e,
                            bool *stop)
{
    porter *p = context;
    pthread_mutex_lock(&p->lock);
    status s = passed(p, docs, n, e, stop);
    pthread_mutex_unlock(&p->lock);
    return s;
}

engine_feed porter_hooks(porter *p)
{
    return (engine_feed){p, locked_take, locked_deliver, locked_passed, locked_deliver};
}

void porter_farewell(porter *p)
{
    pthread_mutex_lock(&p->lock);
    double until = clock_seconds() + LAST_WORD_S;
    status s = p->welcome ? say_bye(p) : DID_OK;
    while (s == DID_OK && p->welcome && !p->over && clock_seconds() < until) s = look(p, 20);
    log_say("porter", "ended by SIGTERM");
}

/* ---- opening and closing ---- */

static status connect_desk(porter *p)
{
    const porter_settings *s = &p->settings;
    TRY(socket_connect_dealer(&p->socket, s->context, s->endpoint, s->keys ? s->keys->server : NULL,
                              s->keys ? &s->keys->own : NULL, MESSAGE_MAX));
    TRY(outbox_open(&p->outbox, p->socket));
    TRY(record_identity(&p->signature, s->rules));
    double until = clock_seconds() + WELCOME_S;
    while (!p->welcome) {
        socket_loss lost = socket_losses(p->socket);
        if (clock_seconds() > until || lost.handshakes > 0)
            return status_fail(DID_EPEER, "the front-end %s %s", s->endpoint,
                               lost.handshakes ? "refuses our key"
                                               : "does not answer (waited 10 s)");
        TRY(look(p, 20));
    }
    return DID_OK;
}

static void release(porter **out)
{
    porter *p = *out;
    *out = NULL;
    loads_clear(&p->loads);
    outbox_close(&p->outbox);
    if (p->socket) socket_close(&p->socket);
    pthread_mutex_destroy(&p->lock);
    free(p->signature);
    free(p);
}

status porter_open(porter **out, const porter_settings *how)
{
    porter *p = calloc(1, sizeof *p);
    *out = p;
    if (!p) return status_fail(DID_ENOMEM, "no memory for the porter");
    p->settings = *how;
    pthread_mutex_init(&p->lock, NULL);
    p->hello_at = -HELLO_S;
    p->heard = p->busy = p->saved = clock_seconds();
    status s = connect_desk(p);
    if (s != DID_OK) release(out);
    return s;
}

bool porter_stopped(const porter *p)
{
    return p->stop;
}

static status say_goodbye(porter *p)
{
    double until = clock_seconds() + FAREWELL_S;
    while (loads_sealed(&p->loads) > 0) {
        TRY(look(p, 20));
        if (clock_seconds() < until) continue;
        log_warn("porter", "%d documents were not acknowledged; they are generated again",
                 loads_sealed(&p->loads));
        return DID_OK;
    }
    return say_bye(p);
}

status porter_close(porter **out, long *carried)
{
    if (!*out) return DID_OK;
    status s = say_goodbye(*out);
    if (carried) *carried = (*out)->carried;
    release(out);
    return s;
}
