#include "porter.h"

#include <math.h>
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
#include "pulse.h"

static const double BEAT_S = 0.5, AGAIN_S = 3, HELLO_S = 1, FAREWELL_S = 10, LAST_WORD_S = 1,
                    IDLE_PAUSE_S = 0.1;

struct porter {
    porter_settings settings;
    pthread_mutex_t lock; /* of the socket: the engine's thread talks between passes, a farewell any
                             time */
    road            road;
    char           *signature;
    loads           loads;
    int             asked; /* documents asked for and not yet here */
    bool            welcome, stop, none; /* none: no document is left, and none will come */
    bool            gone, over; /* said bye; that was heard */
    status          broken;     /* why there is no talking to the desk any more */
    int64_t         watched;    /* the document on show; -1 none */
    double          asked_at, hello_at; /* when that was last said */
    double          saved, heard, busy, idle_until;
    long            carried;
    pulse           pulse;
};

/* Of one's own launch: nobody else will take these documents. */
static bool own(const porter *p)
{
    return !p->settings.loads.read;
}

/* ---- speaking ---- */

/* Nothing is kept for later: what matters is said again until it is acknowledged. */
static status offer(porter *p, message_type type, json_t *body, const frame *part, int n,
                    bool *sent)
{
    return outbox_offer(p->road.outbox, NULL, type, body, part, n, sent);
}

static status say(porter *p, message_type type, json_t *body)
{
    return offer(p, type, body, NULL, 0, NULL);
}

static const char *slurm_job(void)
{
    const char *id = getenv("SLURM_JOB_ID");
    return id ? id : "";
}

static json_t *hello(const porter *p)
{
    char host[128] = "";
    gethostname(host, sizeof host - 1);
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i}", "host", host, "slurm", slurm_job(),
                     "signature", p->signature, "row", p->settings.row, "rows", p->settings.rows,
                     "pid", (int)getpid());
}

static status say_hello(porter *p)
{
    p->hello_at = clock_seconds();
    return say(p, MESSAGE_HELLO, hello(p));
}

static json_t *about(const load *l)
{
    return json_pack("{s:I, s:I}", "serial", (json_int_t)l->serial, "epoch", (json_int_t)l->epoch);
}

static json_t *seal_body(const load *l)
{
    json_t *body = about(l);
    if (l->how == MESSAGE_REFUSE) json_object_set_new(body, "reason", json_string(l->text));
    if (l->how == MESSAGE_RESULT) json_object_set_new(body, "failed", json_boolean(l->failed));
    if (l->how == MESSAGE_RESULT && l->seconds) json_object_set(body, "seconds", l->seconds);
    if (l->how == MESSAGE_PUT_DOWN) json_object_set_new(body, "at", json_integer(l->at));
    return body;
}

static status say_sealed(porter *p, load *l)
{
    frame part = {l->text, strlen(l->text)};
    bool  sent;
    TRY(offer(p, l->how, seal_body(l), &part, l->how != MESSAGE_REFUSE, &sent));
    l->said = sent ? clock_seconds() : 0;
    return DID_OK;
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
    return load_open(l, &p->settings.loads, m, sample);
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

static status on_error(const porter *p, const message *m)
{
    status s = road_complaint(m);
    if (own(p) || s == DID_EFORMAT) return s;
    log_warn("porter", "%s", status_message());
    return DID_OK;
}

static status on_over(porter *p)
{
    if (p->gone) p->over = true;
    else p->none = true;
    return DID_OK;
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
    case MESSAGE_OVER: return on_over(p);
    case MESSAGE_STOP: p->stop = true; return DID_OK;
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

/* Say what is due, then take in everything that is there; wait up to `wait_ms` for the first. The
 * desk of one's own launch loses nothing that was sent to it. */
static status look(porter *p, int wait_ms)
{
    frame  frames[SOCKET_FRAMES_MAX];
    int    n = 1;
    double now = clock_seconds(), again = own(p) ? HUGE_VAL : AGAIN_S;
    if (!p->welcome && now - p->hello_at > HELLO_S) TRY(say_hello(p));
    if (p->welcome && !p->gone && now - p->pulse.told > BEAT_S)
        TRY(say(p, MESSAGE_PROGRESS, pulse_tell(&p->pulse, &p->loads, p->settings.engine, now)));
    for (load *l = p->loads.first; l && p->welcome; l = l->next)
        if (l->text && (l->said == 0 || now - l->said > again)) TRY(say_sealed(p, l));
    if (p->asked > 0 && now - p->asked_at > again) p->asked = 0;
    while (n > 0) {
        TRY(socket_recv(p->road.socket, wait_ms, frames, &n));
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
    bool   sent;
    if (!p->welcome || p->stop || p->none || want <= 0 || now < p->idle_until) return DID_OK;
    TRY(offer(p, MESSAGE_READY, json_pack("{s:i}", "room", want), NULL, 0, &sent));
    if (sent) p->asked += want;
    p->asked_at = now;
    return DID_OK;
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
                       p->settings.road.endpoint[0], silent);
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
    return say(p, MESSAGE_BYE, NULL);
}

static status take(porter *p, document **docs, int room, int wait_ms, int *n, bool *over)
{
    double  until = clock_seconds() + 1e-3 * wait_ms;
    *n = 0;
    consider_stopping(p);
    TRY(look(p, 0));
    if (wait_ms > 0) TRY(check_patience(p));
    TRY(ask_for_more(p, room));
    while (loads_waiting(&p->loads) == 0 && !p->stop && !p->none && clock_seconds() < until)
        TRY(look(p, own(p) ? 1 : wait_ms));
    for (load *l = p->loads.first; l && *n < room && !p->stop; l = l->next) {
        if (!l->waiting) continue;
        docs[(*n)++] = l->waiting;
        l->waiting = NULL;
    }
    *over = p->stop || (p->none && loads_waiting(&p->loads) == 0) || idle_long(p);
    return *over && !p->loads.first ? say_bye(p) : DID_OK;
}

static void show(porter *p, const document *d, int in_flight)
{
    const load *l = loads_find(&p->loads, d->serial);
    watch_show(p->settings.watch, d, l->request.custom_id, in_flight, clock_seconds());
    p->watched = d->serial;
}

/* What is finished or put down goes to the desk. Who looked on is shown the end as well. */
static status seal(porter *p, document **doc)
{
    load  *l = loads_find(&p->loads, (*doc)->serial);
    status s = DID_OK;
    if (p->settings.watch && (*doc)->serial == p->watched) show(p, *doc, 1);
    if (l->dropped) {
        loads_remove(&p->loads, (*doc)->serial);
    } else {
        s = load_seal(l, &p->settings.loads, *doc);
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
        status s = offer(p, MESSAGE_CHECKPOINT, body, &part, 1, NULL);
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
    double now = clock_seconds();
    pulse_note(&p->pulse, docs, n, e, now);
    p->heard = now; /* silence counts from here: in a pass, which may be long, nobody listens */
    consider_stopping(p);
    TRY(look(p, 0));
    end_dropped(p, docs, n);
    if (p->settings.saving && now - p->saved >= p->settings.save_interval_s) TRY(save(p, docs, n));
    if (p->settings.watch && n > 0) show(p, docs[0], n);
    *stop = p->stop;
    p->pulse.talk_s += clock_seconds() - now;
    return DID_OK;
}

/* ---- the hooks, one at a time with a farewell ---- */

/* After a failure there is no more talking. */
static status enter(porter *p)
{
    pthread_mutex_lock(&p->lock);
    return p->broken;
}

static status leave(porter *p, status s)
{
    p->broken = s;
    pthread_mutex_unlock(&p->lock);
    return s;
}

static status locked_take(void *context, document **docs, int room, int wait_ms, int *n, bool *over)
{
    porter *p = context;
    status  s = enter(p);
    *n = 0;
    if (s == DID_OK) s = take(p, docs, room, wait_ms, n, over);
    return leave(p, s);
}

static status locked_deliver(void *context, document **doc)
{
    porter *p = context;
    status  s = enter(p);
    if (s == DID_OK) s = seal(p, doc);
    else document_close(doc);
    return leave(p, s);
}

static status locked_passed(void *context, document *const *docs, int n, const engine_progress *e,
                            bool *stop)
{
    porter *p = context;
    status  s = enter(p);
    if (s == DID_OK) s = passed(p, docs, n, e, stop);
    return leave(p, s);
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

static void release(porter **out)
{
    porter *p = *out;
    *out = NULL;
    loads_clear(&p->loads);
    road_leave(&p->road);
    pthread_mutex_destroy(&p->lock);
    free(p->signature);
    free(p);
}

static status enter_desk(porter *p)
{
    json_t *body = hello(p);
    status  s = road_find(&p->road, &p->settings.road, body);
    json_decref(body);
    p->welcome = s == DID_OK;
    return s;
}

status porter_open(porter **out, const porter_settings *how)
{
    porter *p = calloc(1, sizeof *p);
    *out = p;
    if (!p) return status_fail(DID_ENOMEM, "no memory for the porter");
    p->settings = *how;
    p->watched = -1;
    pthread_mutex_init(&p->lock, NULL);
    p->heard = p->busy = p->saved = clock_seconds();
    status s = record_identity(&p->signature, how->loads.base);
    if (s == DID_OK) s = enter_desk(p);
    if (s != DID_OK) release(out);
    return s;
}

bool porter_stopped(const porter *p)
{
    return p->stop;
}

/* The desk of one's own launch may take its time over a disk, but does not leave anything behind. */
static status say_goodbye(porter *p)
{
    double patience = own(p) ? p->settings.patience_s : FAREWELL_S;
    double until = clock_seconds() + patience;
    while (loads_sealed(&p->loads) > 0) {
        TRY(look(p, 20));
        if (clock_seconds() < until) continue;
        if (own(p))
            return status_fail(DID_EPEER,
                               "the front-end did not acknowledge %d documents in %.0f s",
                               loads_sealed(&p->loads), patience);
        log_warn("porter", "%d documents were not acknowledged; they are generated again",
                 loads_sealed(&p->loads));
        return DID_OK;
    }
    return say_bye(p);
}

status porter_close(porter **out, long *carried)
{
    if (!*out) return DID_OK;
    status s = (*out)->broken;
    if (s == DID_OK) s = say_goodbye(*out);
    if (carried) *carried = (*out)->carried;
    release(out);
    return s;
}
