#include "clients.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "field.h"
#include "jsonl.h"
#include "standing.h"
#include "terms.h"
#include "utf8.h"
#include "wish.h"
#include "worlds.h"

enum { LINES_MAX = 1000, RECORDS_MAX = 1000, JOB_MAX = 128, FETCH_BYTES = 4 << 20 };

bool clients_word(message_type type)
{
    return type == MESSAGE_SUBMIT || type == MESSAGE_STATUS || type == MESSAGE_RESULTS ||
           type == MESSAGE_CANCEL;
}

static status answer(desk *d, const desk_guest *to, const message *m, message_type type,
                     json_t *body, const frame *part, int n)
{
    json_t *ask = json_object_get(m->body, "ask");
    if (json_is_integer(ask)) json_object_set(body, "ask", ask);
    return desk_say(d, &to->id, type, body, part, n);
}

static status job_name(const message *m, const char **name)
{
    TRY(field_text(m->body, "job", name));
    size_t len = strlen(*name);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)(*name)[i] < 0x20 || (*name)[i] == 0x7f) len = 0;
    if (len >= 1 && len <= JOB_MAX) return DID_OK;
    return status_fail(DID_EFORMAT,
                       "job: expected a name of 1 to %d bytes without control"
                       " characters",
                       JOB_MAX);
}

static status find_job(desk *d, const desk_guest *from, const message *m, int64_t *job)
{
    const char *name;
    TRY(job_name(m, &name));
    TRY(store_find_job(d->store, from->owner, name, job));
    return *job ? DID_OK : status_fail(DID_EINVAL, "you have no job \"%.128s\"", name);
}

/* ---- submitting ---- */

typedef struct batch_of_lines {
    store_line line[LINES_MAX];
    char      *text[2 * LINES_MAX]; /* what the lines point to */
    int        n;
} batch_of_lines;

static void forget_lines(batch_of_lines *b)
{
    for (int i = 0; i < 2 * b->n; i++) free(b->text[i]);
    free(b);
}

/* One line, read as a world will read it, and kept in one canonical form: the same wish written
 * otherwise is the same document. */
static status add_line(batch_of_lines *b, const char *text, size_t size, int samples)
{
    json_t *object;
    wish    w;
    int     column;
    if (b->n == LINES_MAX)
        return status_fail(DID_EFORMAT, "more than %d lines in one message", LINES_MAX);
    if (utf8_check(text, size) < size) return status_fail(DID_EFORMAT, "not UTF-8");
    if (message_deep(text, size, MESSAGE_DEPTH_MAX))
        return status_fail(DID_EFORMAT, "nests deeper than %d", MESSAGE_DEPTH_MAX);
    TRY(jsonl_parse(&object, text, size, &column));
    status s = wish_read(&w, object);
    if (s == DID_OK) {
        char **kept = &b->text[2 * b->n];
        kept[0] = strdup(w.custom_id);
        kept[1] = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
        b->line[b->n++] = (store_line){kept[0], w.n ? w.n : samples, kept[1]};
        if (!kept[0] || !kept[1]) s = status_fail(DID_ENOMEM, "no memory for a line");
    }
    json_decref(object);
    return s;
}

static status read_lines(batch_of_lines *b, const frame *part, int samples)
{
    jsonl *lines;
    char  *text;
    size_t size;
    TRY(jsonl_open_text(&lines, part->data, part->size));
    status s = jsonl_next(lines, &text, &size);
    while (s == DID_OK && text) {
        if (size > 0) s = add_line(b, text, size, samples);
        if (s == DID_EFORMAT) s = status_at(s, "line %ld", jsonl_number(lines));
        if (s == DID_OK) s = jsonl_next(lines, &text, &size);
    }
    jsonl_close(&lines);
    return s;
}

static status enter(desk *d, const desk_guest *from, const message *m, const char *said,
                    const batch_of_lines *b)
{
    const char *name;
    int64_t     job;
    int         added, known;
    TRY(job_name(m, &name));
    TRY(store_begin_job(d->store, from->owner, name, said, &job));
    TRY(store_submit(d->store, from->owner, job, b->line, b->n, d->settings.open_max, &added,
                     &known));
    json_t *body = json_pack("{s:s, s:i, s:i}", "job", name, "added", added, "known", known);
    return answer(d, from, m, MESSAGE_TAKEN, body, NULL, 0);
}

static status on_submit(desk *d, const desk_guest *from, const message *m)
{
    const json_t *object = json_object_get(m->body, "terms");
    terms         t;
    char         *said = NULL;
    status        s = terms_read(&t, object);
    int           samples = t.set.samples;
    terms_clear(&t);
    TRY(s);
    batch_of_lines *b = calloc(1, sizeof *b);
    said = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    if (!b || !said) s = status_fail(DID_ENOMEM, "no memory for a submission");
    if (s == DID_OK) s = read_lines(b, &m->part[0], samples);
    if (s == DID_OK) s = enter(d, from, m, said, b);
    free(said);
    if (b) forget_lines(b);
    return s;
}

/* ---- results ---- */

typedef struct pile {
    char  *bytes;
    size_t size, room;
    int    n, most;
    bool   failed;
} pile;

static bool add_record(void *context, const char *record)
{
    pile  *p = context;
    size_t len = strlen(record);
    if (p->size + len + 1 > p->room) {
        size_t more = 2 * (p->size + len + 1);
        char  *grown = realloc(p->bytes, more);
        p->failed = grown == NULL;
        if (!grown) return true;
        p->bytes = grown;
        p->room = more;
    }
    memcpy(p->bytes + p->size, record, len);
    p->bytes[p->size + len] = '\n';
    p->size += len + 1;
    return ++p->n == p->most || p->size > FETCH_BYTES;
}

static status on_results(desk *d, const desk_guest *from, const message *m)
{
    int64_t     job, after;
    store_count count;
    pile        p = {0};
    TRY(find_job(d, from, m, &job));
    TRY(field_number(m->body, "after", 0, INT64_MAX, &after));
    TRY(field_int(m->body, "room", 1, RECORDS_MAX, &p.most));
    TRY(store_counts(d->store, job, &count));
    status s = store_read(d->store, job, &after, add_record, &p);
    if (s == DID_OK && p.failed) s = status_fail(DID_ENOMEM, "no memory for results");
    if (s == DID_OK) {
        json_t *body = json_pack("{s:I, s:i, s:I}", "after", (json_int_t)after, "records", p.n,
                                 "open", (json_int_t)store_open_documents(&count));
        frame   part = {p.bytes ? p.bytes : "", p.size};
        s = answer(d, from, m, MESSAGE_RECORDS, body, &part, 1);
    }
    free(p.bytes);
    return s;
}

/* ---- cancelling ---- */

static status drop(void *context, int64_t serial, int64_t epoch)
{
    return worlds_drop(context, serial, epoch);
}

static status on_cancel(desk *d, const desk_guest *from, const message *m)
{
    int64_t     job;
    int         n;
    const char *id = NULL;
    TRY(find_job(d, from, m, &job));
    if (json_object_get(m->body, "custom_id")) TRY(field_text(m->body, "custom_id", &id));
    TRY(standing_cancel(d->store, job, id, drop, d, &n));
    return answer(d, from, m, MESSAGE_CANCELLED, json_pack("{s:i}", "documents", n), NULL, 0);
}

/* ---- how things stand ---- */

static json_t *tell_counts(const store_count *c)
{
    json_t *o = json_object();
    for (int i = 0; i < STORE_STATES; i++)
        json_object_set_new(o, store_word((store_state)i), json_integer(c->n[i]));
    return o;
}

typedef struct telling {
    desk   *d;
    json_t *jobs;
} telling;

static status tell_job(void *context, int64_t job, const char *name)
{
    telling    *t = context;
    store_count count;
    TRY(store_counts(t->d->store, job, &count));
    json_t *o = tell_counts(&count);
    json_object_set_new(o, "job", json_string(name));
    json_array_append_new(t->jobs, o);
    return DID_OK;
}

static json_t *tell_refused(desk *d)
{
    socket_loss lost = socket_losses(d->socket);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "malformed",
                     (json_int_t)(d->refused.malformed + lost.messages), "forbidden",
                     (json_int_t)d->refused.forbidden, "stale", (json_int_t)d->refused.stale,
                     "unread", (json_int_t)d->refused.unread, "handshakes",
                     (json_int_t)lost.handshakes, "connections", (json_int_t)lost.connections);
}

/* One's own jobs, and of everybody else's the totals. */
static status on_status(desk *d, const desk_guest *from, const message *m)
{
    telling     t = {d, json_array()};
    store_count all;
    status      s = store_each_job(d->store, from->owner, tell_job, &t);
    if (s == DID_OK) s = store_counts(d->store, 0, &all);
    if (s != DID_OK) {
        json_decref(t.jobs);
        return s;
    }
    double  now = clock_seconds();
    json_t *body = json_pack("{s:s, s:f, s:o, s:o, s:o, s:o}", "protocol", message_version(),
                             "up_s", now - d->begun, "jobs", t.jobs, "all", tell_counts(&all),
                             "worlds", muster_tell(&d->muster, now), "refused", tell_refused(d));
    if (!body) return status_fail(DID_ENOMEM, "no memory for a report");
    return answer(d, from, m, MESSAGE_STATE, body, NULL, 0);
}

status clients_obey(desk *d, const desk_guest *from, const message *m)
{
    switch (m->type) {
    case MESSAGE_SUBMIT: return on_submit(d, from, m);
    case MESSAGE_STATUS: return on_status(d, from, m);
    case MESSAGE_RESULTS: return on_results(d, from, m);
    default: return on_cancel(d, from, m);
    }
}
