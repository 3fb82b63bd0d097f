#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "expanse.h"
#include "identity.h"
#include "standing.h"
#include "storeroom.h"

/* No key and not the nobody of ipc. */
static const char itself[] = "did generate";

static const char *const words[STORE_STATES] = {
#define X(name, text) [STORE_##name] = text,
    STORE_MAP(X)
#undef X
};

const char *store_word(store_state state)
{
    return words[state];
}

bool store_owns_itself(const char *owner)
{
    return strcmp(owner, itself) == 0;
}

static status make(store **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out) return storeroom_full();
    (*out)->strikes = STANDING_STRIKES;
    return DID_OK;
}

void store_set_strikes(store *s, int most)
{
    s->strikes = most;
}

/* Whose file is this? */
typedef struct holding {
    int jobs, own;
} holding;

static status count_holding(void *context, int64_t job, const char *owner, const char *name)
{
    holding *h = context;
    (void)job, (void)name;
    h->jobs++;
    h->own += store_owns_itself(owner);
    return DID_OK;
}

static status open_service(store *s, const char *path)
{
    holding h = {0};
    TRY(storeroom_open(s, path));
    TRY(store_all_jobs(s, count_holding, &h));
    if (h.own == 0) return DID_OK;
    return status_fail(DID_EINVAL,
                       "state file %s belongs to a did generate: a service needs one of its own",
                       path);
}

status store_open(store **out, const char *path)
{
    TRY(make(out));
    status result = open_service(*out, path);
    if (result != DID_OK) store_close(out);
    return result;
}

static status open_own(store *s, const char *path, const char *identity, int64_t *job)
{
    holding h = {0};
    char   *found;
    TRY(storeroom_open(s, path));
    TRY(store_all_jobs(s, count_holding, &h));
    if (h.jobs > h.own)
        return status_fail(
            DID_EINVAL, "state file %s belongs to a service: a did generate needs one of its own",
            path);
    TRY(store_find_job(s, itself, itself, job));
    if (*job == 0) return store_begin_job(s, itself, itself, identity, 1, job);
    TRY(storeroom_terms(s, *job, &found));
    status result = identity_compare(path, found, identity);
    free(found);
    return result;
}

status store_open_own(store **out, const char *path, const char *identity, int64_t *job)
{
    TRY(make(out));
    status result = open_own(*out, path, identity, job);
    if (result != DID_OK) store_close(out);
    return result;
}

status store_look(store **out, const char *path, store_say *say, void *context)
{
    TRY(make(out));
    status result = storeroom_look(*out, path, say, context);
    if (result != DID_OK) store_close(out);
    return result;
}

const wal_report *store_log(const store *s)
{
    return &s->file.log;
}

bool store_fresh(const store *s)
{
    return s->file.fresh;
}

int store_damaged(const store *s)
{
    return s->damaged;
}

void store_close(store **out)
{
    store *s = *out;
    *out = NULL;
    if (!s) return;
    storeroom_close(s);
    free(s);
}

status store_commit(store *s)
{
    if (!s->begun) return DID_OK;
    TRY(statefile_execute(&s->file, "COMMIT"));
    s->begun = false;
    return DID_OK;
}

/* ---- jobs ---- */

status store_find_job(store *s, const char *owner, const char *name, int64_t *job)
{
    sqlite3_stmt *q = s->query[QUERY_FIND_JOB];
    bool          found;
    sqlite3_bind_text(q, 1, owner, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
    status result = storeroom_step(s, QUERY_FIND_JOB, &found);
    *job = result == DID_OK && found ? sqlite3_column_int64(q, 0) : 0;
    storeroom_done(s, QUERY_FIND_JOB);
    return result;
}

static status compare_terms(store *s, int64_t job, const char *name, const char *terms)
{
    char *found;
    TRY(storeroom_terms(s, job, &found));
    status result = DID_OK;
    if (strcmp(found, terms) != 0)
        result = status_fail(DID_EINVAL,
                             "job \"%.60s\" was begun with the settings %.300s,"
                             " this submission has %.300s",
                             name, found, terms);
    free(found);
    return result;
}

status store_begin_job(store *s, const char *owner, const char *name, const char *terms, int most,
                       int64_t *job)
{
    const rota_owner *known = rota_find(&s->rota, owner);
    TRY(store_find_job(s, owner, name, job));
    if (*job) return compare_terms(s, *job, name, terms);
    if (known && known->n >= most)
        return status_fail(DID_EINVAL, "you have %d jobs, no more are allowed", known->n);
    return storeroom_add_job(s, owner, name, terms, job);
}

status store_all_jobs(store *s, store_job_seen *seen, void *context)
{
    sqlite3_stmt *q = s->query[QUERY_ALL_JOBS];
    bool          found;
    if (s->looking && s->file.fresh) return DID_OK;
    status result = storeroom_step(s, QUERY_ALL_JOBS, &found);
    while (result == DID_OK && found) {
        result =
            seen(context, sqlite3_column_int64(q, 0), statefile_text(q, 1), statefile_text(q, 2));
        if (result == DID_OK) result = storeroom_step(s, QUERY_ALL_JOBS, &found);
    }
    storeroom_done(s, QUERY_ALL_JOBS);
    return result;
}

status store_each_job(store *s, const char *owner, store_job_visit *visit, void *context)
{
    sqlite3_stmt *q = s->query[QUERY_JOBS];
    bool          found;
    sqlite3_bind_text(q, 1, owner, -1, SQLITE_STATIC);
    status result = storeroom_step(s, QUERY_JOBS, &found);
    while (result == DID_OK && found) {
        result = visit(context, sqlite3_column_int64(q, 0), statefile_text(q, 1));
        if (result == DID_OK) result = storeroom_step(s, QUERY_JOBS, &found);
    }
    storeroom_done(s, QUERY_JOBS);
    return result;
}

int64_t store_open_documents(const store_count *c)
{
    return c->n[STORE_QUEUED] + c->n[STORE_DRAFTING] + c->n[STORE_DRAFTED] + c->n[STORE_REFINING];
}

int64_t store_waiting(const store *s)
{
    return s->rota.all.n[STORE_QUEUED] + s->rota.all.n[STORE_DRAFTED];
}

store_count store_counts(const store *s, int64_t job)
{
    const rota_job *j = rota_look(&s->rota, job);
    return !job ? s->rota.all : j ? j->count : (store_count){0};
}

/* ---- submitting ---- */

/* Stand on the row of a key, until QUERY_FIND_KEY is done. */
static status stand(store *s, int64_t job, const char *custom_id, int sample, bool *known,
                    storeroom_document *r)
{
    sqlite3_stmt *q = s->query[QUERY_FIND_KEY];
    sqlite3_bind_int64(q, 1, job);
    sqlite3_bind_text(q, 2, custom_id, -1, SQLITE_STATIC);
    sqlite3_bind_int(q, 3, sample);
    TRY(storeroom_step(s, QUERY_FIND_KEY, known));
    return *known ? storeroom_use(s, QUERY_FIND_KEY, r) : DID_OK;
}

static status copy(store_found *out, const storeroom_document *r)
{
    const char *text = r->record ? r->record : r->checkpoint;
    *out = (store_found){r->place, (store_state)r->state, text ? strdup(text) : NULL};
    return text && !out->text ? storeroom_full() : DID_OK;
}

status store_find(store *s, int64_t job, const char *custom_id, int sample, store_found *out)
{
    storeroom_document r;
    bool               known;
    *out = (store_found){0};
    status result = stand(s, job, custom_id, sample, &known, &r);
    if (result == DID_OK && known) result = copy(out, &r);
    storeroom_done(s, QUERY_FIND_KEY);
    return result;
}

/* `out` may be NULL. */
static status enter(store *s, int64_t job, const char *custom_id, int sample, const char *line,
                    int64_t bytes, bool *known, store_found *out)
{
    storeroom_document r;
    status             result = stand(s, job, custom_id, sample, known, &r);
    if (result == DID_OK && *known && strcmp(r.line, line) != 0)
        result = status_fail(DID_EINVAL,
                             "document \"%.60s\" sample %d is known with another content: %.200s",
                             custom_id, sample, r.line);
    else if (result == DID_OK && *known && out) result = copy(out, &r);
    storeroom_done(s, QUERY_FIND_KEY);
    if (result != DID_OK || *known) return result;
    r = (storeroom_document){.job = job, .custom_id = custom_id, .sample = sample, .line = line};
    TRY(storeroom_add(s, &r, bytes));
    if (out) *out = (store_found){sqlite3_last_insert_rowid(s->file.db), STORE_QUEUED, NULL};
    return DID_OK;
}

status store_enter(store *s, int64_t job, const char *custom_id, int sample, const char *line,
                   store_found *out)
{
    bool known;
    *out = (store_found){0};
    int64_t bytes = expanse_of_line(line, rota_look(&s->rota, job)->length);
    return enter(s, job, custom_id, sample, line, bytes, &known, out);
}

static status check_quota(const store *s, const char *owner, const store_quota *most)
{
    const rota_owner *o = rota_find(&s->rota, owner);
    if (o->open > most->documents)
        return status_fail(DID_EINVAL, "more than %lld unfinished documents of yours",
                           (long long)most->documents);
    if (o->bytes > most->bytes)
        return status_fail(DID_EINVAL,
                           "your unfinished documents could grow to more than %lld MB (4 bytes a"
                           " position, and their lines)",
                           (long long)(most->bytes >> 20));
    return DID_OK;
}

/* The quota is looked at after each document, so that a line that asks for far too many is given up
 * soon. */
static status submit_all(store *s, const char *owner, int64_t job, const store_line *lines, int n,
                         const store_quota *most, int *added, int *known)
{
    for (int i = 0; i < n; i++)
        for (int sample = 0; sample < lines[i].samples; sample++) {
            const store_line *l = &lines[i];
            bool              there;
            TRY(enter(s, job, l->custom_id, sample, l->line, l->bytes, &there, NULL));
            *(there ? known : added) += 1;
            if (!there) TRY(check_quota(s, owner, most));
        }
    return DID_OK;
}

/* A job in which nothing was ever entered is none: its name is free for other terms. */
static status forget_empty(store *s, int64_t job)
{
    const rota_job *j = rota_look(&s->rota, job);
    int64_t         n = 0;
    for (int i = 0; i < STORE_STATES; i++) n += j->count.n[i];
    if (n > 0) return DID_OK;
    rota_end(&s->rota, job);
    sqlite3_bind_int64(s->query[QUERY_DROP_JOB], 1, job);
    return storeroom_run(s, QUERY_DROP_JOB);
}

status store_submit(store *s, const char *owner, int64_t job, const store_line *lines, int n,
                    const store_quota *most, int *added, int *known)
{
    rota_mark before = rota_remember(&s->rota, job);
    *added = *known = 0;
    TRY(storeroom_begin(s));
    TRY(statefile_execute(&s->file, "SAVEPOINT submission"));
    status result = submit_all(s, owner, job, lines, n, most, added, known);
    if (result != DID_OK) {
        statefile_retract(&s->file, "ROLLBACK TO submission");
        rota_restore(&s->rota, &before);
    }
    status closed = statefile_execute(&s->file, "RELEASE submission");
    if (closed == DID_OK) closed = forget_empty(s, job);
    return result != DID_OK ? result : closed;
}

/* ---- many documents ---- */

status store_each_out(store *s, store_visit *visit, void *context)
{
    static const store_state out[] = {STORE_DRAFTING, STORE_REFINING};
    sqlite3_stmt            *q = s->query[QUERY_OUT];
    for (int i = 0; i < 2; i++) {
        bool found;
        sqlite3_bind_int(q, 1, (int)out[i]);
        status result = storeroom_step(s, QUERY_OUT, &found);
        while (result == DID_OK && found) {
            result = visit(context, sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1));
            if (result == DID_OK) result = storeroom_step(s, QUERY_OUT, &found);
        }
        storeroom_done(s, QUERY_OUT);
        TRY(result);
    }
    return DID_OK;
}

status store_read(store *s, int64_t job, int64_t *after, store_reader *reader, void *context)
{
    sqlite3_stmt *q = s->query[QUERY_LATER];
    bool          found, enough = false;
    sqlite3_bind_int64(q, 1, job);
    sqlite3_bind_int64(q, 2, *after);
    status result = storeroom_step(s, QUERY_LATER, &found);
    while (result == DID_OK && found && !enough) {
        storeroom_document r = storeroom_row(q);
        if (!r.sound && !s->looking) result = storeroom_use(s, QUERY_LATER, &r);
        if (r.sound) enough = reader(context, r.record);
        if (result == DID_OK) *after = r.finished;
        if (result == DID_OK && !enough) result = storeroom_step(s, QUERY_LATER, &found);
    }
    storeroom_done(s, QUERY_LATER);
    return result;
}

status store_scan(store *s, store_seen *seen, void *context)
{
    sqlite3_stmt *q = s->query[QUERY_ALL];
    bool          found;
    if (s->looking && s->file.fresh) return DID_OK;
    status result = storeroom_step(s, QUERY_ALL, &found);
    while (result == DID_OK && found) {
        storeroom_document r = storeroom_row(q);
        store_row          out = {.serial = r.place,
                                  .job = r.job,
                                  .owner = statefile_text(q, STOREROOM_COLUMNS),
                                  .name = statefile_text(q, STOREROOM_COLUMNS + 1),
                                  .custom_id = r.custom_id ? r.custom_id : "",
                                  .sample = r.sample,
                                  .state = (store_state)r.state,
                                  .finished = r.finished,
                                  .checkpoint = r.checkpoint,
                                  .record = r.record,
                                  .line_sound = r.line_sound,
                                  .sound = r.sound};
        result = seen(context, &out);
        if (result == DID_OK) result = storeroom_step(s, QUERY_ALL, &found);
    }
    storeroom_done(s, QUERY_ALL);
    return result;
}
