#include "frontend.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "desk.h"
#include "heritage.h"
#include "interrupt.h"
#include "log.h"
#include "parcel.h"
#include "watchdog.h"

enum { WAIT_MS = 50, SYNC_INTERVAL_S = 5, PAUSE_S = 2 };

struct frontend {
    frontend_settings settings;
    desk             *desk;
    ledger           *ledger;
    bool              stopping;
    double            synced, turned;
    status            result; /* what the thread met; read after it has ended */
    char              why[1024];

    pthread_t       thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t  changed;
    bool            quit, bound;
    frontend_view   view;
};

/* ---- the ledger as the desk's book: serials are places from 1 on ---- */

static status lend(void *context, const char *signature, bool suspects, book_loan *out)
{
    frontend *f = context;
    int64_t   place;
    (void)signature, (void)suspects; /* all leaders are of this run, and none is lost without it */
    TRY(ledger_take(f->ledger, &place, &out->checkpoint));
    if (place < 0) return DID_OK;
    out->serial = place + 1;
    out->epoch = ledger_epoch(f->ledger, place);
    out->sample = f->settings.job.requests[place].sample;
    status s = slip_pack(&out->order, &f->settings.job.requests[place]);
    if (s != DID_OK) free(out->checkpoint);
    return s;
}

static int64_t waiting(void *context)
{
    const frontend *f = context;
    return ledger_waiting(f->ledger);
}

static bool more_later(void *context)
{
    const frontend *f = context;
    return ledger_held(f->ledger) > 0;
}

/* Of one that was put down nothing more is taken: no leader comes back to it. */
static status look(void *context, int64_t serial, store_state *state, int64_t *epoch)
{
    const frontend *f = context;
    bool            over = ledger_over(f->ledger, serial - 1);
    *state = over ? STORE_DONE : STORE_DRAFTING;
    *epoch = over ? ledger_epoch(f->ledger, serial - 1) : 0;
    return DID_OK;
}

static status save(void *context, int64_t serial, bool refining, const char *signature,
                   const char *checkpoint)
{
    frontend *f = context;
    (void)signature;
    char *text = strdup(checkpoint);
    if (!text) return status_fail(DID_ENOMEM, "no memory for a checkpoint");
    return ledger_save(f->ledger, serial - 1, refining, text);
}

static status put_back(void *context, int64_t serial)
{
    frontend *f = context;
    ledger_put_back(f->ledger, serial - 1);
    return DID_OK;
}

static status strike(void *context, int64_t serial, bool *aside)
{
    *aside = false;
    return put_back(context, serial);
}

static void tell_seconds(const frontend *f, int64_t place, const json_t *body)
{
    const json_t *array = json_object_get(body, "seconds");
    double        seconds[STAGES_MAX];
    int           n = (int)json_array_size(array);
    if (!f->settings.timed) return;
    if (n > STAGES_MAX) n = 0;
    for (int k = 0; k < n; k++) {
        const json_t *one = json_array_get(array, (size_t)k);
        seconds[k] = json_is_null(one) ? NAN : json_number_value(one);
    }
    f->settings.timed(f->settings.context, place, seconds, n);
}

static status end(void *context, int64_t serial, const char *text, const json_t *body)
{
    frontend           *f = context;
    int64_t             place = serial - 1;
    const request      *r = &f->settings.job.requests[place];
    const record_rules *rules = f->settings.job.rules;
    document           *d;
    char               *line;
    TRY(parcel_unpack(&d, text, strlen(text), r, serial, true, &rules->parcels));
    bool   failed = d->finish == FINISH_FAILED || d->finish == FINISH_REJECTED;
    status s = r->silent ? heritage_leave(&line, d, r) : record_line(&line, r, d, rules);
    document_close(&d);
    TRY(s);
    TRY(ledger_finish(f->ledger, place, line, failed));
    tell_seconds(f, place, body);
    return DID_OK;
}

/* What one leader of a launch cannot do, none can. */
static status set_aside(void *context, int64_t serial, const char *reason)
{
    (void)context;
    return status_fail(DID_EFORMAT, "document %lld: %s", (long long)serial, reason);
}

/* Whoever had documents in an earlier run is gone with it. */
static status each_out(void *context, store_visit *visit, void *to)
{
    (void)context, (void)visit, (void)to;
    return DID_OK;
}

static status commit(void *context)
{
    frontend *f = context;
    return ledger_commit(f->ledger);
}

static book book_of(frontend *f)
{
    return (book){f,      lend,   waiting,   look,     save,  put_back,
                  strike, end,    set_aside, each_out, commit, more_later};
}

/* ---- the wheel ---- */

static status consider_stopping(frontend *f)
{
    const frontend_settings *s = &f->settings;
    bool                     late = s->deadline_s > 0 && clock_seconds() > s->deadline_s;
    if (f->stopping || !(late || (s->asked && s->asked()))) return DID_OK;
    const char *reason = late ? "the time is over" : "asked to end";
    f->stopping = true;
    log_say("frontend", "stopping early: %s", reason);
    return desk_stop(f->desk, reason);
}

/* A leader that has documents says something after every pass. One that does not would leave
 * everybody waiting at the end; leaders are ranks of this launch, so the launch ends. Twice the time,
 * because a leader that waits for its own row knows better what it waits for. */
static void look_for_silence(frontend *f)
{
    double now = clock_seconds(), own = now - f->turned; /* long when we were stopped ourselves */
    f->turned = now;
    for (int i = 0; i < f->desk->muster.n; i++) {
        leader_entry *l = &f->desk->muster.list[i];
        bool          suspect;
        if (own > PAUSE_S) l->heard = now;
        if (f->settings.stall_s <= 0 || now - l->heard < 2 * f->settings.stall_s) continue;
        int n = leases_held(&f->desk->leases, l->number, &suspect);
        if (n > 0)
            watchdog_bark("the leader of row %d has said nothing for %.0f s and has %d document%s: "
                          "it does not answer, so the run ends; see --stall",
                          l->row, now - l->heard, n, n == 1 ? "" : "s");
        l->heard = now;
    }
}

static progress_now sum_up(const frontend *f)
{
    progress_now now = {.documents = ledger_asked(f->ledger),
                        .done = ledger_done(f->ledger),
                        .failed = ledger_failed(f->ledger),
                        .earlier = ledger_earlier(f->ledger)};
    if (!f->desk) return now;
    const muster *m = &f->desk->muster;
    now.drawn = (long)m->drawn;
    now.passes = (long)m->passes;
    now.nfe = (long)m->nfe;
    for (int i = 0; i < m->n; i++) {
        const leader_entry *l = &m->list[i];
        now.drafting += l->drafting;
        now.refining += l->refining;
        now.share += l->share;
        now.drawn += (long)l->drawn;
        now.passes += (long)l->passes;
        now.nfe += (long)l->nfe;
    }
    return now;
}

static long count_refused(const frontend *f)
{
    const desk_refusals *r = &f->desk->refused;
    socket_loss          lost = socket_losses(f->desk->socket);
    return r->malformed + r->unknown + r->forbidden + r->early + r->stale + lost.messages +
           lost.handshakes;
}

/* Tell bar and viewers; returns whether the thread shall end. */
static bool show(frontend *f)
{
    progress_now now = sum_up(f);
    if (f->settings.bar) progress_show(f->settings.bar, &now, clock_seconds());
    pthread_mutex_lock(&f->lock);
    f->view = (frontend_view){now, count_refused(f), f->stopping};
    bool quit = f->quit;
    pthread_mutex_unlock(&f->lock);
    return quit;
}

static status turn(frontend *f, bool *more)
{
    TRY(desk_turn(f->desk, WAIT_MS));
    TRY(consider_stopping(f));
    look_for_silence(f);
    if (clock_seconds() - f->synced > SYNC_INTERVAL_S) {
        TRY(ledger_sync(f->ledger));
        f->synced = clock_seconds();
    }
    *more = !show(f) || f->desk->heard > 0;
    return DID_OK;
}

static status bind_door(frontend *f)
{
    door         *d = f->settings.door;
    desk_settings s = {.context = d->context,
                       .endpoint = d->endpoint,
                       .keys = d->encrypted ? &d->server : NULL,
                       .message_max = MESSAGE_BYTES_MAX,
                       .closed = true,
                       .book = book_of(f)};
    TRY(desk_open(&f->desk, &s));
    return door_bound(d, f->desk->bound);
}

/* Leaders learn that this side cannot go on, each when it next says something too: the socket stays
 * open until they have left, because closing it takes back what they have not read. */
static void give_up(frontend *f, status s)
{
    snprintf(f->why, sizeof f->why, "%s", status_message());
    f->result = s;
    if (!f->desk) return;
    do s = desk_excuse(f->desk, WAIT_MS, f->why, f->result);
    while (s == DID_OK && !show(f));
}

static void announce(frontend *f, status s)
{
    pthread_mutex_lock(&f->lock);
    f->bound = true;
    f->quit = s != DID_OK;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void *run(void *context)
{
    interrupt_block(); /* signals are the main thread's */
    frontend *f = context;
    status    s = bind_door(f);
    bool      more = true;
    announce(f, s);
    while (s == DID_OK && more) s = turn(f, &more);
    if (s != DID_OK) give_up(f, s);
    if (f->settings.bar) progress_finish(f->settings.bar, &f->view.now, clock_seconds());
    if (f->view.refused > 0)
        log_warn("frontend", "%ld messages or handshakes were refused", f->view.refused);
    desk_close(&f->desk);
    return NULL;
}

/* ---- opening and closing ---- */

static void release(frontend **out)
{
    frontend *f = *out;
    *out = NULL;
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

/* Wait for the thread to end; its sentence becomes this thread's. */
static status join(frontend *f)
{
    pthread_join(f->thread, NULL);
    return f->result == DID_OK ? DID_OK : status_fail(f->result, "%s", f->why);
}

/* Start the thread and wait until it has bound the door or knows why not. */
static status start(frontend *f)
{
    int error = pthread_create(&f->thread, NULL, run, f);
    if (error) return status_fail(DID_EIO, "cannot start a thread: %s", strerror(error));
    pthread_mutex_lock(&f->lock);
    while (!f->bound) pthread_cond_wait(&f->changed, &f->lock);
    bool failed = f->quit;
    pthread_mutex_unlock(&f->lock);
    return failed ? join(f) : DID_OK;
}

static status bring_up(frontend *f)
{
    TRY(ledger_open(&f->ledger, &f->settings.job));
    f->view.now = sum_up(f);
    return start(f);
}

status frontend_open(frontend **out, const frontend_settings *settings)
{
    frontend *f = calloc(1, sizeof *f);
    *out = f;
    if (!f) return status_fail(DID_ENOMEM, "no memory for the front-end");
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    f->settings = *settings;
    f->synced = clock_seconds();
    status s = bring_up(f);
    if (s == DID_OK) return s;
    if (f->ledger) (void)ledger_close(&f->ledger); /* the first failure is the one to tell */
    release(out);
    return s;
}

frontend_view frontend_look(frontend *f)
{
    pthread_mutex_lock(&f->lock);
    frontend_view view = f->view;
    pthread_mutex_unlock(&f->lock);
    return view;
}

frontend_view frontend_farewell(frontend *f)
{
    pthread_mutex_lock(&f->lock);
    f->quit = true;
    pthread_mutex_unlock(&f->lock);
    if (join(f) != DID_OK || ledger_close(&f->ledger) != DID_OK)
        log_warn("frontend", "%s", status_message());
    return f->view;
}

status frontend_close(frontend **out, frontend_view *last)
{
    frontend *f = *out;
    if (!f) return DID_OK;
    pthread_mutex_lock(&f->lock);
    f->quit = true;
    pthread_mutex_unlock(&f->lock);
    status s = join(f);
    if (last) *last = f->view;
    status closed = ledger_close(&f->ledger);
    release(out);
    return s != DID_OK ? s : closed;
}
