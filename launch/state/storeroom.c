#include "storeroom.h"

#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "expanse.h"
#include "log.h"

enum { JOBS_MAX = 1 << 24 }; /* the list of jobs is as long as the highest number */

#define ROW                                                                                       \
    "place, job, custom_id, sample, line, state, epoch, failures, signature, checkpoint, record," \
    " finished, line_sum, document.sum"

static const char *const sql[STOREROOM_QUERIES] = {
    [QUERY_FIND_JOB] = "SELECT id FROM job WHERE owner = ?1 AND name = ?2",
    [QUERY_ADD_JOB] = "INSERT INTO job (owner, name, terms, sum, id) VALUES (?1, ?2, ?3, ?4, ?5)",
    [QUERY_LAST_JOB] = "SELECT ifnull(max(id), 0) FROM job",
    [QUERY_DROP_JOB] = "DELETE FROM job WHERE id = ?1",
    [QUERY_TERMS] = "SELECT terms FROM job WHERE id = ?1",
    [QUERY_JOBS] = "SELECT id, name FROM job WHERE owner = ?1 ORDER BY id",
    [QUERY_FIND] = "SELECT " ROW " FROM document WHERE place = ?1",
    [QUERY_FIND_KEY] =
        "SELECT " ROW " FROM document WHERE job = ?1 AND custom_id = ?2 AND sample = ?3",
    [QUERY_ADD] =
        "INSERT INTO document (job, custom_id, sample, line, line_sum, state, epoch, failures,"
        " finished, sum) VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, 0, 0, ?6)",
    [QUERY_CHANGE] = "UPDATE document SET state = ?2, epoch = ?3, failures = ?4, signature = ?5,"
                     " checkpoint = ?6, record = ?7, finished = ?8, sum = ?9 WHERE place = ?1",
    [QUERY_DROP] = "DELETE FROM document WHERE place = ?1",
    [QUERY_ALL] = "SELECT " ROW ", owner, name FROM document LEFT JOIN job ON id = job"
                  " ORDER BY place",
    [QUERY_ALL_JOBS] = "SELECT id, owner, name, terms, sum FROM job ORDER BY id",
    [QUERY_NEXT] = "SELECT " ROW " FROM document WHERE job = ?1 AND state = ?2 AND failures < ?3"
                   " ORDER BY place LIMIT 1",
    [QUERY_OUT] = "SELECT place, epoch FROM document WHERE state = ?1",
    [QUERY_LATER] = "SELECT " ROW " FROM document WHERE job = ?1 AND finished > ?2 AND finished > 0"
                    " ORDER BY finished",
    [QUERY_OPEN_OF_JOB] = "SELECT place, state, epoch FROM document WHERE job = ?1 AND state < 4",
    [QUERY_OPEN_OF_ID] = "SELECT place, state, epoch FROM document WHERE job = ?1 AND +state < 4"
                         " AND custom_id = ?2",
    [QUERY_LAST] = "SELECT ifnull(max(finished), 0) FROM document",
};
static const char schema[] =
    "CREATE TABLE job (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL,"
    " terms TEXT NOT NULL, sum INTEGER NOT NULL, UNIQUE (owner, name));"
    "CREATE TABLE document (place INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL,"
    " custom_id TEXT NOT NULL, sample INTEGER NOT NULL, line TEXT NOT NULL,"
    " line_sum INTEGER NOT NULL, state INTEGER NOT NULL, epoch INTEGER NOT NULL,"
    " failures INTEGER NOT NULL, finished INTEGER NOT NULL, signature TEXT, checkpoint TEXT,"
    " record TEXT, sum INTEGER NOT NULL, UNIQUE (job, custom_id, sample));"
    "CREATE INDEX waiting ON document (state, place);"
    "CREATE INDEX standing ON document (job, state);"
    "CREATE INDEX ended ON document (job, finished) WHERE finished > 0;";

/* ---- sums ---- */

static uint32_t sum_of_line(const storeroom_document *r)
{
    return crc_text(crc_number(crc_text(crc_number(0, r->job), r->custom_id), r->sample), r->line);
}

static uint32_t sum_of_standing(const storeroom_document *r)
{
    uint32_t sum = crc_number(crc_number(sum_of_line(r), r->state), r->epoch);
    sum = crc_number(crc_number(sum, r->failures), r->finished);
    return crc_text(crc_text(crc_text(sum, r->signature), r->checkpoint), r->record);
}

static uint32_t sum_of_job(int64_t id, const char *owner, const char *name, const char *terms)
{
    return crc_text(crc_text(crc_text(crc_number(0, id), owner), name), terms);
}

storeroom_document storeroom_row(sqlite3_stmt *q)
{
    storeroom_document r = {sqlite3_column_int64(q, 0),
                            sqlite3_column_int64(q, 1),
                            statefile_text(q, 2),
                            sqlite3_column_int(q, 3),
                            statefile_text(q, 4),
                            sqlite3_column_int(q, 5),
                            sqlite3_column_int(q, 5),
                            sqlite3_column_int64(q, 6),
                            sqlite3_column_int(q, 7),
                            statefile_text(q, 8),
                            statefile_text(q, 9),
                            statefile_text(q, 10),
                            sqlite3_column_int64(q, 11),
                            false,
                            false};
    r.line_sound = r.custom_id && r.line && sum_of_line(&r) == sqlite3_column_int64(q, 12);
    r.sound = r.line_sound && r.state >= 0 && r.state < STORE_STATES &&
              sum_of_standing(&r) == sqlite3_column_int64(q, 13);
    return r;
}

status storeroom_use(store *s, storeroom_query q, storeroom_document *out)
{
    *out = storeroom_row(s->query[q]);
    if (out->sound) return DID_OK;
    return status_fail(DID_EIO,
                       "state file %s: the row of document \"%.60s\" sample %d was damaged since "
                       "it was opened; the next start puts it aside",
                       s->file.path, out->custom_id ? out->custom_id : "", out->sample);
}

/* ---- queries ---- */

status storeroom_begin(store *s)
{
    if (s->begun) return DID_OK;
    TRY(statefile_execute(&s->file, "BEGIN IMMEDIATE"));
    s->begun = true;
    return DID_OK;
}

status storeroom_run(store *s, storeroom_query q)
{
    return statefile_run(&s->file, s->query[q]);
}

status storeroom_step(store *s, storeroom_query q, bool *found)
{
    return statefile_step(&s->file, s->query[q], found);
}

void storeroom_done(store *s, storeroom_query q)
{
    statefile_done(s->query[q]);
}

/* ---- writing ---- */

/* What the list of jobs knows of a document. */
static void count(store *s, const storeroom_document *r, store_state from)
{
    const rota_job *j = rota_look(&s->rota, r->job);
    bool            enters = from == STORE_STATES && r->state < STORE_DONE,
         leaves = from < STORE_DONE && r->state >= STORE_DONE;
    int64_t bytes = j && (enters || leaves) ? expanse_of_line(r->line, j->length) : 0;
    rota_move(&s->rota, r->job, from, (store_state)r->state, bytes);
}

status storeroom_add(store *s, const storeroom_document *r, int64_t bytes)
{
    sqlite3_stmt *q = s->query[QUERY_ADD];
    TRY(storeroom_begin(s));
    sqlite3_bind_int64(q, 1, r->job);
    sqlite3_bind_text(q, 2, r->custom_id, -1, SQLITE_STATIC);
    sqlite3_bind_int(q, 3, r->sample);
    sqlite3_bind_text(q, 4, r->line, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 5, sum_of_line(r));
    sqlite3_bind_int64(q, 6, sum_of_standing(r));
    TRY(storeroom_run(s, QUERY_ADD));
    rota_move(&s->rota, r->job, STORE_STATES, STORE_QUEUED, bytes);
    return DID_OK;
}

status storeroom_write(store *s, const storeroom_document *r)
{
    sqlite3_stmt *q = s->query[QUERY_CHANGE];
    TRY(storeroom_begin(s));
    sqlite3_bind_int64(q, 1, r->place);
    sqlite3_bind_int(q, 2, r->state);
    sqlite3_bind_int64(q, 3, r->epoch);
    sqlite3_bind_int(q, 4, r->failures);
    sqlite3_bind_text(q, 5, r->signature, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 6, r->checkpoint, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 7, r->record, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 8, r->finished);
    sqlite3_bind_int64(q, 9, sum_of_standing(r));
    TRY(storeroom_run(s, QUERY_CHANGE));
    count(s, r, (store_state)r->was);
    return DID_OK;
}

/* The sum needs the number that the row gets. */
status storeroom_add_job(store *s, const char *owner, const char *name, const char *terms,
                         int64_t *job)
{
    sqlite3_stmt *q = s->query[QUERY_ADD_JOB];
    bool          found;
    TRY(storeroom_begin(s));
    status result = storeroom_step(s, QUERY_LAST_JOB, &found);
    if (result == DID_OK) *job = sqlite3_column_int64(s->query[QUERY_LAST_JOB], 0) + 1;
    storeroom_done(s, QUERY_LAST_JOB);
    TRY(result);
    sqlite3_bind_text(q, 1, owner, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 3, terms, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 4, sum_of_job(*job, owner, name, terms));
    sqlite3_bind_int64(q, 5, *job);
    TRY(storeroom_run(s, QUERY_ADD_JOB));
    return rota_begin(&s->rota, owner, *job, expanse_length(terms));
}

status storeroom_terms(store *s, int64_t job, char **terms)
{
    bool found;
    *terms = NULL;
    sqlite3_bind_int64(s->query[QUERY_TERMS], 1, job);
    status result = storeroom_step(s, QUERY_TERMS, &found);
    if (result == DID_OK && found) *terms = strdup(statefile_text(s->query[QUERY_TERMS], 0));
    storeroom_done(s, QUERY_TERMS);
    if (result == DID_OK && !*terms) result = storeroom_full();
    return result;
}

/* ---- opening ---- */

/* One job: under other settings, or another owner, nothing of it may be used. */
static status check_job(store *s, sqlite3_stmt *q)
{
    int64_t     id = sqlite3_column_int64(q, 0);
    const char *owner = statefile_text(q, 1), *name = statefile_text(q, 2);
    const char *terms = statefile_text(q, 3);
    if (owner && name && terms && id > 0 && id < JOBS_MAX &&
        sum_of_job(id, owner, name, terms) == sqlite3_column_int64(q, 4))
        return rota_begin(&s->rota, owner, id, expanse_length(terms));
    return status_fail(
        DID_EFORMAT, "state file %s is damaged: the sum of the row of job \"%.60s\" does not match",
        s->file.path, name ? name : "");
}

static status check_jobs(store *s)
{
    bool   found;
    status result = storeroom_step(s, QUERY_ALL_JOBS, &found);
    while (result == DID_OK && found) {
        result = check_job(s, s->query[QUERY_ALL_JOBS]);
        if (result == DID_OK) result = storeroom_step(s, QUERY_ALL_JOBS, &found);
    }
    storeroom_done(s, QUERY_ALL_JOBS);
    return result;
}

/* A document whose line is sound begins again; one whose line is not is not known any more. */
static status put_aside(store *s, const storeroom_document *r)
{
    log_warn("state", "%s: the %s of document \"%.60s\" sample %d is damaged and not used: %s",
             s->file.path, r->line_sound ? "standing" : "line", r->custom_id ? r->custom_id : "",
             r->sample, r->line_sound ? "it is generated again" : "it has to be submitted again");
    s->damaged++;
    if (r->line_sound) {
        storeroom_document fresh = {.place = r->place,
                                    .job = r->job,
                                    .custom_id = r->custom_id,
                                    .sample = r->sample,
                                    .line = r->line,
                                    .was = STORE_STATES,
                                    .epoch = r->epoch > 0 ? r->epoch : 0};
        return storeroom_write(s, &fresh);
    }
    TRY(storeroom_begin(s));
    sqlite3_bind_int64(s->query[QUERY_DROP], 1, r->place);
    return storeroom_run(s, QUERY_DROP);
}

/* Changing the row that a scan stands on is allowed. */
static status check_rows(store *s)
{
    bool   found;
    status result = storeroom_step(s, QUERY_ALL, &found);
    while (result == DID_OK && found) {
        storeroom_document r = storeroom_row(s->query[QUERY_ALL]);
        if (r.sound) count(s, &r, STORE_STATES);
        else result = put_aside(s, &r);
        if (result == DID_OK) result = storeroom_step(s, QUERY_ALL, &found);
    }
    storeroom_done(s, QUERY_ALL);
    return result;
}

static status prepare(store *s)
{
    for (int q = 0; q < STOREROOM_QUERIES; q++)
        TRY(statefile_prepare(&s->file, sql[q], &s->query[q]));
    return DID_OK;
}

status storeroom_open(store *s, const char *path)
{
    bool found;
    TRY(statefile_open(&s->file, path));
    const wal_report *log = &s->file.log;
    if (wal_damaged(log)) s->damaged += log->header ? (int)log->lost : 1;
    if (s->file.fresh) TRY(statefile_make(&s->file, schema));
    TRY(prepare(s));
    TRY(check_jobs(s));
    TRY(check_rows(s));
    TRY(store_commit(s));
    TRY(storeroom_step(s, QUERY_LAST, &found));
    s->last = sqlite3_column_int64(s->query[QUERY_LAST], 0);
    storeroom_done(s, QUERY_LAST);
    return DID_OK;
}

status storeroom_look(store *s, const char *path, store_say *say, void *context)
{
    s->looking = true;
    TRY(statefile_look(&s->file, path));
    TRY(statefile_check(&s->file, say, context));
    if (s->file.fresh) return DID_OK;
    TRY(prepare(s));
    return check_jobs(s);
}

void storeroom_close(store *s)
{
    for (int q = 0; q < STOREROOM_QUERIES; q++) sqlite3_finalize(s->query[q]);
    statefile_close(&s->file);
    rota_clear(&s->rota);
}

status storeroom_full(void)
{
    return status_fail(DID_ENOMEM, "no memory for a document of the state file");
}
