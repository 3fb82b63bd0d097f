#include "storeroom.h"

#include <stdlib.h>
#include <string.h>

#include "expanse.h"
#include "log.h"

enum { SCHEMA_VERSION = 2 };

#define ROW \
    "place, job, custom_id, sample, line, state, epoch, failures, signature, checkpoint, record"

static const char *const sql[STOREROOM_QUERIES] = {
    [QUERY_FIND_JOB] = "SELECT id FROM job WHERE owner = ?1 AND name = ?2",
    [QUERY_ADD_JOB] = "INSERT INTO job (owner, name, terms) VALUES (?1, ?2, ?3)",
    [QUERY_DROP_JOB] = "DELETE FROM job WHERE id = ?1",
    [QUERY_TERMS] = "SELECT terms FROM job WHERE id = ?1",
    [QUERY_JOBS] = "SELECT id, name FROM job WHERE owner = ?1 ORDER BY id",
    [QUERY_EVERY_JOB] = "SELECT id, owner, terms FROM job ORDER BY id",
    [QUERY_FIND] = "SELECT " ROW " FROM document WHERE place = ?1",
    [QUERY_FIND_KEY] =
        "SELECT " ROW " FROM document WHERE job = ?1 AND custom_id = ?2 AND sample = ?3",
    [QUERY_ADD] =
        "INSERT INTO document (job, custom_id, sample, line, line_sum, state, epoch, failures,"
        " finished, sum) VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, 0, 0, ?6)",
    [QUERY_CHANGE] = "UPDATE document SET state = ?2, epoch = ?3, failures = ?4, signature = ?5,"
                     " checkpoint = ?6, record = ?7, finished = ?8, sum = ?9 WHERE place = ?1",
    [QUERY_DROP] = "DELETE FROM document WHERE place = ?1",
    [QUERY_ALL] = "SELECT " ROW ", line_sum, sum FROM document ORDER BY place",
    [QUERY_NEXT] = "SELECT " ROW " FROM document WHERE job = ?1 AND state = ?2 AND failures < ?3"
                   " ORDER BY place LIMIT 1",
    [QUERY_OUT] = "SELECT place, epoch FROM document WHERE state = ?1",
    [QUERY_LATER] = "SELECT finished, record FROM document WHERE job = ?1 AND finished > ?2"
                    " ORDER BY finished",
    [QUERY_OPEN_OF_JOB] = "SELECT place, state, epoch FROM document WHERE job = ?1 AND state < 4",
    [QUERY_OPEN_OF_ID] = "SELECT place, state, epoch FROM document WHERE job = ?1 AND state < 4"
                         " AND custom_id = ?2",
    [QUERY_LAST] = "SELECT ifnull(max(finished), 0) FROM document",
};
static const char schema[] =
    "CREATE TABLE job (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL,"
    " terms TEXT NOT NULL, UNIQUE (owner, name));"
    "CREATE TABLE document (place INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL,"
    " custom_id TEXT NOT NULL, sample INTEGER NOT NULL, line TEXT NOT NULL,"
    " line_sum INTEGER NOT NULL, state INTEGER NOT NULL, epoch INTEGER NOT NULL,"
    " failures INTEGER NOT NULL, finished INTEGER NOT NULL, signature TEXT, checkpoint TEXT,"
    " record TEXT, sum INTEGER NOT NULL, UNIQUE (job, custom_id, sample));"
    "CREATE INDEX waiting ON document (state, place);"
    "CREATE INDEX standing ON document (job, state);"
    "CREATE INDEX ended ON document (job, finished) WHERE finished > 0;";

storeroom_document storeroom_row(sqlite3_stmt *q)
{
    return (storeroom_document){
        sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1), database_text(q, 2),
        sqlite3_column_int(q, 3),   database_text(q, 4),        sqlite3_column_int(q, 5),
        sqlite3_column_int(q, 5),   sqlite3_column_int64(q, 6), sqlite3_column_int(q, 7),
        database_text(q, 8),        database_text(q, 9),        database_text(q, 10)};
}

uint32_t storeroom_sum_line(const storeroom_document *r)
{
    uint32_t sum = database_sum_text(database_sum_number(0, r->job), r->custom_id);
    return database_sum_text(database_sum_number(sum, r->sample), r->line);
}

uint32_t storeroom_sum(const storeroom_document *r)
{
    uint32_t sum = database_sum_number(storeroom_sum_line(r), r->state);
    sum = database_sum_number(database_sum_number(sum, r->epoch), r->failures);
    sum = database_sum_text(database_sum_text(sum, r->signature), r->checkpoint);
    return database_sum_text(sum, r->record);
}

status storeroom_begin(store *s)
{
    if (s->begun) return DID_OK;
    TRY(database_execute(s->db, "BEGIN IMMEDIATE"));
    s->begun = true;
    return DID_OK;
}

status storeroom_run(store *s, storeroom_query q)
{
    return database_run(s->db, s->query[q]);
}

status storeroom_step(store *s, storeroom_query q, bool *found)
{
    return database_step(s->db, s->query[q], found);
}

void storeroom_done(store *s, storeroom_query q)
{
    database_done(s->query[q]);
}

/* What the list of jobs knows of a document. */
static void count(store *s, const storeroom_document *r, store_state from)
{
    const rota_job *j = rota_look(&s->rota, r->job);
    bool            enters = from == STORE_STATES && r->state < STORE_DONE,
         leaves = from < STORE_DONE && r->state >= STORE_DONE;
    int64_t bytes = j && (enters || leaves) ? expanse_of_line(r->line, j->length) : 0;
    rota_move(&s->rota, r->job, from, (store_state)r->state, bytes);
}

status storeroom_write(store *s, const storeroom_document *r, int64_t finished)
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
    sqlite3_bind_int64(q, 8, finished);
    sqlite3_bind_int64(q, 9, storeroom_sum(r));
    TRY(storeroom_run(s, QUERY_CHANGE));
    count(s, r, (store_state)r->was);
    return DID_OK;
}

/* ---- opening ---- */

static status check_row(store *s, storeroom_document *r, int64_t line_sum, int64_t sum)
{
    bool line = r->custom_id && r->line && storeroom_sum_line(r) == line_sum;
    if (line && r->state >= 0 && r->state < STORE_STATES && storeroom_sum(r) == sum) return DID_OK;
    log_warn("store", "%s: the %s of document \"%.60s\" sample %d is damaged and not used%s",
             database_path(s->db), line ? "standing" : "line", r->custom_id ? r->custom_id : "",
             r->sample, line ? ": it is generated again" : ": submit it again");
    if (!line) {
        TRY(storeroom_begin(s));
        sqlite3_bind_int64(s->query[QUERY_DROP], 1, r->place);
        r->line = NULL;
        return storeroom_run(s, QUERY_DROP);
    }
    *r = (storeroom_document){.place = r->place,
                              .job = r->job,
                              .custom_id = r->custom_id,
                              .sample = r->sample,
                              .line = r->line,
                              .epoch = r->epoch > 0 ? r->epoch : 0};
    return storeroom_write(s, r, 0);
}

static status check_rows(store *s)
{
    bool   found;
    status result = storeroom_step(s, QUERY_ALL, &found);
    while (result == DID_OK && found) {
        sqlite3_stmt      *q = s->query[QUERY_ALL];
        storeroom_document r = storeroom_row(q);
        result = check_row(s, &r, sqlite3_column_int64(q, 11), sqlite3_column_int64(q, 12));
        if (result == DID_OK && r.line) count(s, &r, STORE_STATES);
        if (result == DID_OK) result = storeroom_step(s, QUERY_ALL, &found);
    }
    storeroom_done(s, QUERY_ALL);
    return result;
}

static status list_jobs(store *s)
{
    sqlite3_stmt *q = s->query[QUERY_EVERY_JOB];
    bool          found;
    status        result = storeroom_step(s, QUERY_EVERY_JOB, &found);
    while (result == DID_OK && found) {
        result = rota_begin(&s->rota, database_text(q, 1), sqlite3_column_int64(q, 0),
                            expanse_length(database_text(q, 2)));
        if (result == DID_OK) result = storeroom_step(s, QUERY_EVERY_JOB, &found);
    }
    storeroom_done(s, QUERY_EVERY_JOB);
    return result;
}

status storeroom_open(store *s, const char *path)
{
    bool found;
    TRY(database_open(&s->db, path, "service", SCHEMA_VERSION, schema));
    for (int q = 0; q < STOREROOM_QUERIES; q++) TRY(database_prepare(s->db, sql[q], &s->query[q]));
    TRY(list_jobs(s));
    TRY(check_rows(s));
    TRY(store_commit(s));
    TRY(storeroom_step(s, QUERY_LAST, &found));
    s->last = sqlite3_column_int64(s->query[QUERY_LAST], 0);
    storeroom_done(s, QUERY_LAST);
    return DID_OK;
}

void storeroom_close(store *s)
{
    for (int q = 0; q < STOREROOM_QUERIES; q++) sqlite3_finalize(s->query[q]);
    database_close(&s->db);
    rota_clear(&s->rota);
}

status storeroom_full(void)
{
    return status_fail(DID_ENOMEM, "no memory for a document of the state file");
}

status storeroom_terms(store *s, int64_t job, char **terms)
{
    bool found;
    *terms = NULL;
    sqlite3_bind_int64(s->query[QUERY_TERMS], 1, job);
    status result = storeroom_step(s, QUERY_TERMS, &found);
    if (result == DID_OK && found) *terms = strdup(database_text(s->query[QUERY_TERMS], 0));
    storeroom_done(s, QUERY_TERMS);
    if (result == DID_OK && !*terms) result = storeroom_full();
    return result;
}
