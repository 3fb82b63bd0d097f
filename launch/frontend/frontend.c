#include "frontend.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "field.h"
#include "interrupt.h"
#include "log.h"
#include "message.h"
#include "outbox.h"
#include "parcel.h"
#include "watchdog.h"

enum { ROUTING_ID_MAX = 256, LEADERS_MAX = 65536, BATCH_MAX = 256, WAIT_MS = 50 };
static const double SYNC_INTERVAL_S = 5, PAUSE_S = 2;

/* A leader that has said hello. */
typedef struct leader {
    unsigned char id[ROUTING_ID_MAX];
    size_t        id_size;
    int           drafting, refining;
    int           row;
    double        share, heard;
    int64_t       drawn, passes, nfe;
    bool          gone; /* said bye */
} leader;

/* An answer that may leave only after the commit. */
typedef struct answer {
    int64_t serial;
    int     to;
} answer;

struct frontend {
    frontend_settings settings;
    socket           *socket;
    outbox           *outbox;
    ledger           *ledger;
    leader           *leaders;
    int               n_leaders, leaders_max;
    int              *holder; /* [documents] who has it, -1 nobody */
    answer            answers[BATCH_MAX];
    int               n_answers;
    bool              stopping;
    double            synced, turned;
    long              refused;
    status            result; /* what the thread met; read after it has ended */
    char              why[1024];

    pthread_t       thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t  changed;
    bool            quit, bound;
    frontend_view   view;
};

/* ---- leaders ---- */

static int find_leader(const frontend *f, const frame *id)
{
    for (int i = 0; i < f->n_leaders; i++)
        if (f->leaders[i].id_size == id->size && memcmp(f->leaders[i].id, id->data, id->size) == 0)
            return i;
    return -1;
}

static frame leader_id(const frontend *f, int i)
{
    return (frame){f->leaders[i].id, f->leaders[i].id_size};
}

static status add_leader(frontend *f, const frame *id, int *index)
{
    if (id->size > ROUTING_ID_MAX || f->n_leaders == LEADERS_MAX)
        return status_fail(DID_EFORMAT, "hello: no place for another leader");
    if (f->n_leaders == f->leaders_max) {
        int     more = f->leaders_max ? 2 * f->leaders_max : 16;
        leader *grown = realloc(f->leaders, (size_t)more * sizeof *grown);
        if (!grown) return status_fail(DID_ENOMEM, "no memory for %d leaders", more);
        f->leaders = grown;
        f->leaders_max = more;
    }
    leader *l = &f->leaders[f->n_leaders];
    *l = (leader){.id_size = id->size};
    memcpy(l->id, id->data, id->size);
    *index = f->n_leaders++;
    return DID_OK;
}

static status post(frontend *f, int to, message_type type, json_t *body, const frame *part, int n)
{
    frame id = leader_id(f, to);
    return outbox_post(f->outbox, &id, type, body, part, n);
}

/* ---- what leaders say ---- */

static status send_document(frontend *f, int to, int64_t serial, const char *checkpoint)
{
    char *slip;
    TRY(slip_pack(&slip, &f->settings.job.requests[serial]));
    frame part[2] = {{slip, strlen(slip)}};
    int   n = 1;
    if (checkpoint) part[n++] = (frame){checkpoint, strlen(checkpoint)};
    status s = post(f, to, MESSAGE_WORK, json_pack("{s:I}", "serial", (json_int_t)serial), part, n);
    free(slip);
    f->holder[serial] = to;
    return s;
}

static status on_ready(frontend *f, int from, const message *m)
{
    int room;
    TRY(field_int(m->body, "room", 1, 1 << 20, &room));
    for (int i = 0; i < room; i++) {
        int64_t serial = -1;
        char   *checkpoint = NULL;
        if (!f->stopping) TRY(ledger_take(f->ledger, &serial, &checkpoint));
        if (serial < 0) return post(f, from, MESSAGE_OVER, NULL, NULL, 0);
        status s = send_document(f, from, serial, checkpoint);
        free(checkpoint);
        TRY(s);
    }
    return DID_OK;
}

/* The document a message is about; *late when somebody else has it or it is finished. */
static status which(const frontend *f, int from, const message *m, int64_t *serial, bool *late)
{
    TRY(field_number(m->body, "serial", 0, f->settings.job.n_requests - 1, serial));
    *late = !ledger_out(f->ledger, *serial) || f->holder[*serial] != from;
    return DID_OK;
}

static status say_stale(frontend *f, int to, int64_t serial)
{
    f->refused++;
    return post(f, to, MESSAGE_STALE, json_pack("{s:I}", "serial", (json_int_t)serial), NULL, 0);
}

static status keep_checkpoint(frontend *f, const message *m, int64_t serial)
{
    int at;
    TRY(field_int(m->body, "at", 0, STAGES_MAX - 1, &at));
    char *text = strndup(m->part[0].data, m->part[0].size);
    if (!text) return status_fail(DID_ENOMEM, "no memory for a checkpoint");
    return ledger_save(f->ledger, serial, at > 0, text);
}

static status on_checkpoint(frontend *f, int from, const message *m)
{
    int64_t serial;
    bool    late;
    TRY(which(f, from, m, &serial, &late));
    f->refused += late;
    return late ? DID_OK : keep_checkpoint(f, m, serial);
}

static void answer_later(frontend *f, int to, int64_t serial)
{
    f->answers[f->n_answers++] = (answer){serial, to};
}

static status on_put_down(frontend *f, int from, const message *m)
{
    int64_t serial;
    bool    late;
    TRY(which(f, from, m, &serial, &late));
    if (late) return say_stale(f, from, serial);
    TRY(keep_checkpoint(f, m, serial));
    answer_later(f, from, serial);
    return DID_OK;
}

static void tell_seconds(const frontend *f, int64_t serial, const json_t *body)
{
    const json_t *array = json_object_get(body, "seconds");
    double        seconds[STAGES_MAX];
    int           n = (int)json_array_size(array);
    if (!f->settings.timed) return;
    if (n > STAGES_MAX) n = 0;
    for (int k = 0; k < n; k++) seconds[k] = json_number_value(json_array_get(array, (size_t)k));
    f->settings.timed(f->settings.context, serial, seconds, n);
}

static status on_result(frontend *f, int from, const message *m)
{
    int64_t   serial;
    bool      late;
    document *d;
    char     *line;
    TRY(which(f, from, m, &serial, &late));
    if (late) return say_stale(f, from, serial);
    const request      *r = &f->settings.job.requests[serial];
    const record_rules *rules = f->settings.job.rules;
    TRY(parcel_unpack(&d, m->part[0].data, m->part[0].size, r, serial, true, &rules->parcels));
    bool   failed = d->finish == FINISH_FAILED || d->finish == FINISH_REJECTED;
    status s = record_line(&line, r, d, rules);
    document_close(&d);
    TRY(s);
    TRY(ledger_finish(f->ledger, serial, line, failed));
    tell_seconds(f, serial, m->body);
    answer_later(f, from, serial);
    return DID_OK;
}

static status on_progress(frontend *f, int from, const message *m)
{
    leader l = f->leaders[from];
    TRY(field_int(m->body, "drafting", 0, 1 << 30, &l.drafting));
    TRY(field_int(m->body, "refining", 0, 1 << 30, &l.refining));
    TRY(field_real(m->body, "share", 0, 1 << 30, &l.share));
    TRY(field_number(m->body, "drawn", 0, INT64_MAX, &l.drawn));
    TRY(field_number(m->body, "passes", 0, INT64_MAX, &l.passes));
    TRY(field_number(m->body, "nfe", 0, INT64_MAX, &l.nfe));
    f->leaders[from] = l;
    return DID_OK;
}

static status on_hello(frontend *f, int from, const message *m, const frame *id)
{
    int row;
    TRY(field_int(m->body, "row", 0, 1 << 30, &row));
    if (from < 0) TRY(add_leader(f, id, &from));
    f->leaders[from].row = row;
    f->leaders[from].heard = clock_seconds();
    TRY(post(f, from, MESSAGE_WELCOME, NULL, NULL, 0));
    if (!f->stopping) return DID_OK;
    return post(f, from, MESSAGE_STOP, NULL, NULL, 0);
}

static status on_bye(frontend *f, int from)
{
    leader *l = &f->leaders[from];
    l->gone = true;
    l->drafting = l->refining = 0;
    l->share = 0;
    return DID_OK;
}

static status obey(frontend *f, const frame *id, const message *m)
{
    int from = find_leader(f, id);
    if (m->type == MESSAGE_HELLO) return on_hello(f, from, m, id);
    if (from < 0) return status_fail(DID_EFORMAT, "%s before hello", message_name(m->type));
    f->leaders[from].heard = clock_seconds();
    switch (m->type) {
    case MESSAGE_READY: return on_ready(f, from, m);
    case MESSAGE_CHECKPOINT: return on_checkpoint(f, from, m);
    case MESSAGE_PROGRESS: return on_progress(f, from, m);
    case MESSAGE_RESULT: return on_result(f, from, m);
    case MESSAGE_PUT_DOWN: return on_put_down(f, from, m);
    case MESSAGE_BYE: return on_bye(f, from);
    default: return status_fail(DID_EFORMAT, "%s is not a leader's word", message_name(m->type));
    }
}

/* What a peer got wrong is counted and answered; what this side cannot do ends the thread. */
static status hear(frontend *f, const frame *frames, int n)
{
    message m = {0};
    status  s = message_read(&m, frames + 1, n - 1);
    if (s == DID_OK) s = obey(f, &frames[0], &m);
    message_clear(&m);
    if (s != DID_EFORMAT) return s;
    f->refused++;
    return outbox_offer(f->outbox, &frames[0], MESSAGE_ERROR,
                        json_pack("{s:s, s:s}", "reason", status_message(), "code", status_text(s)),
                        NULL, 0);
}

/* ---- the wheel ---- */

static status commit(frontend *f)
{
    TRY(ledger_commit(f->ledger));
    for (int i = 0; i < f->n_answers; i++) {
        json_t *body = json_pack("{s:I}", "serial", (json_int_t)f->answers[i].serial);
        TRY(post(f, f->answers[i].to, MESSAGE_ACK, body, NULL, 0));
    }
    f->n_answers = 0;
    return DID_OK;
}

/* Wait a little for the first message, take what else is there, make it permanent together. */
static status listen(frontend *f, int *heard)
{
    frame frames[SOCKET_FRAMES_MAX];
    int   n;
    for (*heard = 0; *heard < BATCH_MAX; ++*heard) {
        TRY(socket_recv(f->socket, *heard ? 0 : WAIT_MS, frames, &n));
        if (n == 0) break;
        TRY(hear(f, frames, n));
    }
    return commit(f);
}

static json_t *why(const char *reason, status code)
{
    return json_pack("{s:s, s:s}", "reason", reason, "code", status_text(code));
}

static status tell_all(frontend *f, message_type type, const char *reason, status code)
{
    for (int i = 0; i < f->n_leaders; i++)
        if (!f->leaders[i].gone) TRY(post(f, i, type, why(reason, code), NULL, 0));
    return DID_OK;
}

static status consider_stopping(frontend *f)
{
    const frontend_settings *s = &f->settings;
    bool                     late = s->deadline_s > 0 && clock_seconds() > s->deadline_s;
    if (f->stopping || !(late || (s->asked && s->asked()))) return DID_OK;
    f->stopping = true;
    log_say("frontend", "stopping early: %s", late ? "the time is over" : "asked to end");
    return tell_all(f, MESSAGE_STOP, late ? "the time is over" : "asked to end", DID_OK);
}

static int held_by(const frontend *f, int who)
{
    int n = 0;
    for (int64_t i = 0; i < f->settings.job.n_requests; i++)
        n += f->holder[i] == who && ledger_out(f->ledger, i);
    return n;
}

/* A leader that has documents says something after every pass. One that does not would leave
 * everybody waiting at the end; leaders are ranks of this launch, so the launch ends. Twice the time,
 * because a leader that waits for its own row knows better what it waits for. */
static void look_for_silence(frontend *f)
{
    double now = clock_seconds(), own = now - f->turned; /* long when we were stopped ourselves */
    f->turned = now;
    for (int i = 0; i < f->n_leaders; i++) {
        leader *l = &f->leaders[i];
        if (own > PAUSE_S) l->heard = now;
        if (f->settings.stall_s <= 0 || l->gone || now - l->heard < 2 * f->settings.stall_s) continue;
        int n = held_by(f, i);
        if (n > 0)
            watchdog_bark("the leader of row %d has said nothing for %.0f s and has %d document%s: "
                          "it does not answer, so the run ends; see --stall",
                          l->row, now - l->heard, n, n == 1 ? "" : "s");
        l->heard = now;
    }
}

static progress_now sum_up(const frontend *f)
{
    progress_now now = {.documents = f->settings.job.n_requests,
                        .done = ledger_done(f->ledger),
                        .failed = ledger_failed(f->ledger),
                        .earlier = ledger_earlier(f->ledger)};
    for (int i = 0; i < f->n_leaders; i++) {
        const leader *l = &f->leaders[i];
        now.drafting += l->drafting;
        now.refining += l->refining;
        now.share += l->share;
        now.drawn += (long)l->drawn;
        now.passes += (long)l->passes;
        now.nfe += (long)l->nfe;
    }
    return now;
}

/* Tell bar and viewers; returns whether the thread shall end. */
static bool show(frontend *f)
{
    socket_loss  lost = socket_losses(f->socket);
    progress_now now = sum_up(f);
    if (f->settings.bar) progress_show(f->settings.bar, &now, clock_seconds());
    pthread_mutex_lock(&f->lock);
    f->view = (frontend_view){now, f->refused + lost.messages + lost.handshakes, f->stopping};
    bool quit = f->quit;
    pthread_mutex_unlock(&f->lock);
    return quit;
}

static status turn(frontend *f, bool *more)
{
    int heard;
    TRY(listen(f, &heard));
    TRY(outbox_flush(f->outbox));
    TRY(consider_stopping(f));
    look_for_silence(f);
    if (clock_seconds() - f->synced > SYNC_INTERVAL_S) {
        TRY(ledger_sync(f->ledger));
        f->synced = clock_seconds();
    }
    *more = !show(f) || heard > 0;
    return DID_OK;
}

static status bind_door(frontend *f)
{
    char  bound[DOOR_ADDRESS_BYTES];
    door *d = f->settings.door;
    TRY(socket_bind_router(&f->socket, d->context, d->endpoint, d->encrypted ? &d->server : NULL,
                           MESSAGE_BYTES_MAX, bound, sizeof bound));
    TRY(outbox_open(&f->outbox, f->socket));
    return door_bound(d, bound);
}

/* Leaders learn that this side cannot go on, each when it next says something too: the socket stays
 * open until they have left, because closing it takes back what they have not read. */
static void give_up(frontend *f, status s)
{
    snprintf(f->why, sizeof f->why, "%s", status_message());
    f->result = s;
    if (!f->outbox || tell_all(f, MESSAGE_ERROR, f->why, f->result) != DID_OK) return;
    do {
        frame frames[SOCKET_FRAMES_MAX];
        int   n;
        s = socket_recv(f->socket, WAIT_MS, frames, &n);
        if (s == DID_OK && n > 0)
            s = outbox_offer(f->outbox, &frames[0], MESSAGE_ERROR,
                             why(f->why, f->result), NULL, 0);
        if (s == DID_OK) s = outbox_flush(f->outbox);
    } while (s == DID_OK && !show(f));
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
    outbox_close(&f->outbox);
    socket_close(&f->socket);
    return NULL;
}

/* ---- opening and closing ---- */

static void release(frontend **out)
{
    frontend *f = *out;
    *out = NULL;
    free(f->leaders);
    free(f->holder);
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
    const ledger_settings *job = &f->settings.job;
    size_t                 n = (size_t)job->n_requests;
    f->holder = malloc((n + 1) * sizeof *f->holder);
    if (!f->holder) return status_fail(DID_ENOMEM, "no memory for %zu documents", n);
    memset(f->holder, 0xff, n * sizeof *f->holder);
    TRY(ledger_open(&f->ledger, job));
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
