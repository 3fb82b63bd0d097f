#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "expanse.h"
#include "storeroom.h"

static const char *const words[STORE_STATES] = {
#define X(name, text) [STORE_##name] = text,
    STORE_MAP(X)
#undef X
};

const char *store_word(store_state state)
{
    return words[state];
}

status store_open(store **out, const char *path)
{
    store *s = calloc(1, sizeof *s);
    *out = s;
    if (!s) return storeroom_full();
    status result = storeroom_open(s, path);
    if (result != DID_OK) store_close(out);
    return result;
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
    TRY(database_execute(s->db, "COMMIT"));
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
    sqlite3_stmt     *q = s->query[QUERY_ADD_JOB];
    const rota_owner *known = rota_find(&s->rota, owner);
    TRY(store_find_job(s, owner, name, job));
    if (*job) return compare_terms(s, *job, name, terms);
    if (known && known->n >= most)
        return status_fail(DID_EINVAL, "you have %d jobs, no more are allowed", known->n);
    TRY(storeroom_begin(s));
    sqlite3_bind_text(q, 1, owner, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 3, terms, -1, SQLITE_STATIC);
    TRY(storeroom_run(s, QUERY_ADD_JOB));
    *job = database_last_row(s->db);
    return rota_begin(&s->rota, owner, *job, expanse_length(terms));
}

status store_each_job(store *s, const char *owner, store_job_visit *visit, void *context)
{
    sqlite3_stmt *q = s->query[QUERY_JOBS];
    bool          found;
    sqlite3_bind_text(q, 1, owner, -1, SQLITE_STATIC);
    status result = storeroom_step(s, QUERY_JOBS, &found);
    while (result == DID_OK && found) {
        result = visit(context, sqlite3_column_int64(q, 0), database_text(q, 1));
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

static status add(store *s, int64_t job, const store_line *l, int sample)
{
    storeroom_document r = {
        .job = job, .custom_id = l->custom_id, .sample = sample, .line = l->line};
    sqlite3_stmt *q = s->query[QUERY_ADD];
    sqlite3_bind_int64(q, 1, job);
    sqlite3_bind_text(q, 2, l->custom_id, -1, SQLITE_STATIC);
    sqlite3_bind_int(q, 3, sample);
    sqlite3_bind_text(q, 4, l->line, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 5, storeroom_sum_line(&r));
    sqlite3_bind_int64(q, 6, storeroom_sum(&r));
    TRY(storeroom_run(s, QUERY_ADD));
    rota_move(&s->rota, job, STORE_STATES, STORE_QUEUED, l->bytes);
    return DID_OK;
}

static status submit_one(store *s, int64_t job, const store_line *l, int sample, bool *known)
{
    sqlite3_stmt *q = s->query[QUERY_FIND_KEY];
    sqlite3_bind_int64(q, 1, job);
    sqlite3_bind_text(q, 2, l->custom_id, -1, SQLITE_STATIC);
    sqlite3_bind_int(q, 3, sample);
    status result = storeroom_step(s, QUERY_FIND_KEY, known);
    if (result == DID_OK && *known && strcmp(database_text(q, 4), l->line) != 0)
        result = status_fail(DID_EINVAL, "document \"%.60s\" is known with another content: %.200s",
                             l->custom_id, database_text(q, 4));
    storeroom_done(s, QUERY_FIND_KEY);
    if (result != DID_OK || *known) return result;
    return add(s, job, l, sample);
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
            bool there;
            TRY(submit_one(s, job, &lines[i], sample, &there));
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
    TRY(database_execute(s->db, "SAVEPOINT submission"));
    status result = submit_all(s, owner, job, lines, n, most, added, known);
    if (result != DID_OK) {
        database_retract(s->db, "ROLLBACK TO submission");
        rota_restore(&s->rota, &before);
    }
    status closed = database_execute(s->db, "RELEASE submission");
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
        enough = reader(context, database_text(q, 1));
        *after = sqlite3_column_int64(q, 0);
        if (!enough) result = storeroom_step(s, QUERY_LATER, &found);
    }
    storeroom_done(s, QUERY_LATER);
    return result;
}
