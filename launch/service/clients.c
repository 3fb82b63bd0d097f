#include "clients.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "field.h"
#include "standing.h"
#include "submission.h"
#include "tidings.h"
#include "utf8.h"
#include "worlds.h"

/* Cancelling goes by CANCEL_MAX documents, so that a large job does not keep others waiting. */
enum { RECORDS_MAX = 1000, CANCEL_MAX = 1000, JOB_MAX = 128 };

bool clients_word(message_type type)
{
    return type == MESSAGE_SUBMIT || type == MESSAGE_STATUS || type == MESSAGE_RESULTS ||
           type == MESSAGE_CANCEL;
}

static status answer(office *o, const desk_guest *to, const message *m, message_type type,
                     json_t *body, const frame *part, int n)
{
    json_t *ask = json_object_get(m->body, "ask");
    if (json_is_integer(ask)) json_object_set(body, "ask", ask);
    return desk_say(o->desk, &to->id, type, body, part, n);
}

static status job_name(const message *m, const char **name)
{
    TRY(field_text(m->body, "job", name));
    size_t len = strlen(*name);
    bool   whole;
    for (size_t at = 0, step; at < len; at += step) {
        step = utf8_step(*name + at, len - at, &whole);
        if (utf8_control(*name + at, step)) len = 0;
    }
    if (len >= 1 && len <= JOB_MAX) return DID_OK;
    return status_fail(DID_EFORMAT,
                       "job: expected a name of 1 to %d bytes without control"
                       " characters",
                       JOB_MAX);
}

static status find_job(office *o, const desk_guest *from, const message *m, int64_t *job)
{
    const char *name;
    TRY(job_name(m, &name));
    TRY(store_find_job(o->store, from->owner, name, job));
    return *job ? DID_OK : status_fail(DID_EINVAL, "you have no job \"%.128s\"", name);
}

/* ---- submitting ---- */

static status enter(office *o, const desk_guest *from, const message *m, const submission *all)
{
    const office_settings *most = &o->settings;
    const char          *name;
    int64_t              job;
    int                  added, known;
    TRY(job_name(m, &name));
    TRY(store_begin_job(o->store, from->owner, name, all->terms, most->jobs_max, &job));
    TRY(store_submit(o->store, from->owner, job, all->line, all->n, &most->quota, &added, &known));
    json_t *body = json_pack("{s:s, s:i, s:i}", "job", name, "added", added, "known", known);
    return answer(o, from, m, MESSAGE_TAKEN, body, NULL, 0);
}

static status on_submit(office *o, const desk_guest *from, const message *m)
{
    submission *all;
    TRY(submission_read(&all, json_object_get(m->body, "terms"), m->part[0].data,
                        m->part[0].size));
    status s = enter(o, from, m, all);
    submission_close(&all);
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
    return ++p->n == p->most || p->size > OFFICE_FETCH_BYTES;
}

static status on_results(office *o, const desk_guest *from, const message *m)
{
    int64_t job, after;
    pile    p = {0};
    TRY(find_job(o, from, m, &job));
    TRY(field_number(m->body, "after", 0, INT64_MAX, &after));
    TRY(field_int(m->body, "room", 1, RECORDS_MAX, &p.most));
    status s = store_read(o->store, job, &after, add_record, &p);
    if (s == DID_OK && p.failed) s = status_fail(DID_ENOMEM, "no memory for results");
    if (s == DID_OK) {
        store_count count = store_counts(o->store, job);
        json_t     *body = json_pack("{s:I, s:i, s:I}", "after", (json_int_t)after, "records", p.n,
                                 "open", (json_int_t)store_open_documents(&count));
        frame part = {p.bytes ? p.bytes : "", p.size};
        s = answer(o, from, m, MESSAGE_RECORDS, body, &part, 1);
    }
    free(p.bytes);
    return s;
}

/* ---- cancelling ---- */

static status drop(void *context, int64_t serial, int64_t epoch)
{
    return worlds_drop(context, serial, epoch);
}

static status on_cancel(office *o, const desk_guest *from, const message *m)
{
    int64_t     job;
    int         n;
    const char *id = NULL;
    TRY(find_job(o, from, m, &job));
    if (json_object_get(m->body, "custom_id")) TRY(field_text(m->body, "custom_id", &id));
    TRY(standing_cancel(o->store, job, id, CANCEL_MAX, drop, o->desk, &n));
    return answer(o, from, m, MESSAGE_CANCELLED, json_pack("{s:i, s:b}", "documents", n, "again", n == CANCEL_MAX),
                  NULL, 0);
}

/* ---- how things stand ---- */

typedef struct telling {
    office     *o;
    const char *only; /* the job that was asked for; NULL: all */
    json_t     *jobs;
} telling;

static status tell_job(void *context, int64_t job, const char *name)
{
    telling *t = context;
    if (t->only && strcmp(t->only, name) != 0) return DID_OK;
    store_count count = store_counts(t->o->store, job);
    json_t     *o = tidings_counts(&count);
    json_object_set_new(o, "job", json_string(name));
    json_array_append_new(t->jobs, o);
    return DID_OK;
}

/* One's own jobs, and of everybody else's the totals. */
static status on_status(office *o, const desk_guest *from, const message *m)
{
    telling t = {.o = o};
    if (json_object_get(m->body, "job")) TRY(job_name(m, &t.only));
    t.jobs = json_array();
    status s = store_each_job(o->store, from->owner, tell_job, &t);
    if (s != DID_OK) {
        json_decref(t.jobs);
        return s;
    }
    json_t *body = tidings_public(o);
    json_object_set_new(body, "jobs", t.jobs);
    json_object_set_new(body, "protocol", json_string(message_version()));
    json_object_set_new(body, "progress", json_string(herald_bound(o->herald)));
    if (!body) return status_fail(DID_ENOMEM, "no memory for a report");
    return answer(o, from, m, MESSAGE_STATE, body, NULL, 0);
}

status clients_obey(office *o, const desk_guest *from, const message *m)
{
    switch (m->type) {
    case MESSAGE_SUBMIT: return on_submit(o, from, m);
    case MESSAGE_STATUS: return on_status(o, from, m);
    case MESSAGE_RESULTS: return on_results(o, from, m);
    default: return on_cancel(o, from, m);
    }
}
