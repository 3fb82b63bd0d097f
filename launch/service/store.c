#include "store.h"

#include <stdlib.h>
#include <string.h>

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

status store_begin_job(store *s, const char *owner, const char *name, const char *terms,
                       int64_t *job)
{
    sqlite3_stmt *q = s->query[QUERY_ADD_JOB];
    TRY(store_find_job(s, owner, name, job));
    if (*job) return compare_terms(s, *job, name, terms);
    TRY(storeroom_begin(s));
    sqlite3_bind_text(q, 1, owner, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 3, terms, -1, SQLITE_STATIC);
    TRY(storeroom_run(s, QUERY_ADD_JOB));
    *job = database_last_row(s->db);
    return DID_OK;
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

status store_waiting(store *s, int most, int *n)
{
    bool found;
    sqlite3_bind_int(s->query[QUERY_SOME], 1, most);
    status result = storeroom_step(s, QUERY_SOME, &found);
    *n = result == DID_OK ? sqlite3_column_int(s->query[QUERY_SOME], 0) : 0;
    storeroom_done(s, QUERY_SOME);
    return result;
}

status store_counts(store *s, int64_t job, store_count *out)
{
    storeroom_query which = job ? QUERY_COUNTS : QUERY_COUNTS_ALL;
    sqlite3_stmt   *q = s->query[which];
    bool            found;
    *out = (store_count){0};
    if (job) sqlite3_bind_int64(q, 1, job);
    status result = storeroom_step(s, which, &found);
    while (result == DID_OK && found) {
        out->n[sqlite3_column_int(q, 0)] = sqlite3_column_int64(q, 1);
        result = storeroom_step(s, which, &found);
    }
    storeroom_done(s, which);
    return result;
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
    return storeroom_run(s, QUERY_ADD);
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

static status submit_all(store *s, int64_t job, const store_line *lines, int n, int *added,
                         int *known)
{
    for (int i = 0; i < n; i++)
        for (int sample = 0; sample < lines[i].samples; sample++) {
            bool there;
            TRY(submit_one(s, job, &lines[i], sample, &there));
            *(there ? known : added) += 1;
        }
    return DID_OK;
}

static status check_quota(store *s, const char *owner, int64_t open_max)
{
    bool found;
    sqlite3_bind_text(s->query[QUERY_COUNT_OWNER], 1, owner, -1, SQLITE_STATIC);
    status  result = storeroom_step(s, QUERY_COUNT_OWNER, &found);
    int64_t n = result == DID_OK ? sqlite3_column_int64(s->query[QUERY_COUNT_OWNER], 0) : 0;
    storeroom_done(s, QUERY_COUNT_OWNER);
    if (result != DID_OK || n <= open_max) return result;
    return status_fail(DID_EINVAL,
                       "this would make %lld unfinished documents of yours,"
                       " %lld are allowed",
                       (long long)n, (long long)open_max);
}

status store_submit(store *s, const char *owner, int64_t job, const store_line *lines, int n,
                    int64_t open_max, int *added, int *known)
{
    *added = *known = 0;
    TRY(storeroom_begin(s));
    TRY(database_execute(s->db, "SAVEPOINT submission"));
    status result = submit_all(s, job, lines, n, added, known);
    if (result == DID_OK && *added > 0) result = check_quota(s, owner, open_max);
    if (result != DID_OK) database_retract(s->db, "ROLLBACK TO submission");
    status closed = database_execute(s->db, "RELEASE submission");
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
