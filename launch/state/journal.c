#include "journal.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "log.h"
#include "statefile.h"

typedef enum { FIND, ADD, CHANGE, ALL, DROP, QUERIES } query;
static const char *const sql[QUERIES] = {
    [FIND] = "SELECT content, state, checkpoint, record FROM document"
             " WHERE custom_id = ?1 AND sample = ?2",
    [ADD] = "INSERT INTO document (custom_id, sample, content, state, sum)"
            " VALUES (?1, ?2, ?3, ?4, ?5)",
    [CHANGE] = "UPDATE document SET state = ?3, checkpoint = ?4, record = ?5, sum = ?6"
               " WHERE custom_id = ?1 AND sample = ?2",
    [ALL] = "SELECT place, custom_id, sample, content, state, checkpoint, record, sum"
            " FROM document ORDER BY place",
    [DROP] = "DELETE FROM document WHERE place = ?1",
};
static const char schema[] =
    "CREATE TABLE job (place INTEGER PRIMARY KEY CHECK (place = 1),"
    " identity TEXT NOT NULL, sum INTEGER NOT NULL);"
    "CREATE TABLE document (place INTEGER PRIMARY KEY, custom_id TEXT NOT NULL,"
    " sample INTEGER NOT NULL, content INTEGER NOT NULL, state INTEGER NOT NULL,"
    " checkpoint TEXT, record TEXT, sum INTEGER NOT NULL, UNIQUE (custom_id, sample));";

struct journal {
    statefile     file;
    sqlite3_stmt *query[QUERIES];
    int           damaged;
};

/* What a row of `document` holds; its texts are borrowed. */
typedef struct row {
    const char *custom_id;
    int         sample;
    int64_t     content;
    int         state;
    const char *checkpoint, *record;
} row;

static uint32_t sum_number(uint32_t sum, int64_t x)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)x >> 8 * i);
    return crc_32c(sum, bytes, sizeof bytes);
}

/* With its NUL, so that what moves from one text to the next shows; none counts as empty. */
static uint32_t sum_text(uint32_t sum, const char *text)
{
    if (!text) text = "";
    return crc_32c(sum, text, strlen(text) + 1);
}

static uint32_t sum_of(const row *r)
{
    uint32_t sum = sum_number(sum_text(0, r->custom_id), r->sample);
    sum = sum_number(sum_number(sum, r->content), r->state);
    return sum_text(sum_text(sum, r->checkpoint), r->record);
}

static status explain(const journal *j, const char *doing)
{
    return statefile_explain(&j->file, doing);
}

static status execute(journal *j, const char *text)
{
    return statefile_execute(&j->file, text);
}

/* All or nothing: `result` decides how the transaction ends, and is what happened before it. */
static status conclude(journal *j, status result)
{
    if (result == DID_OK) result = execute(j, "COMMIT");
    if (result != DID_OK) sqlite3_exec(j->file.db, "ROLLBACK", NULL, NULL, NULL);
    return result;
}

/* Run a query that gives no rows, and make it ready for the next time. */
static status run(journal *j, query q)
{
    int    code = sqlite3_step(j->query[q]);
    status s = code == SQLITE_DONE ? DID_OK : explain(j, sql[q]);
    sqlite3_reset(j->query[q]);
    sqlite3_clear_bindings(j->query[q]);
    return s;
}

/* ---- opening ---- */

static status create(journal *j, const char *identity)
{
    TRY(execute(j, schema));
    TRY(statefile_mark(&j->file));
    sqlite3_stmt *s;
    const char   *insert = "INSERT INTO job VALUES (1, ?1, ?2)";
    if (sqlite3_prepare_v2(j->file.db, insert, -1, &s, NULL) != SQLITE_OK)
        return explain(j, insert);
    sqlite3_bind_text(s, 1, identity, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, sum_text(0, identity));
    status result = sqlite3_step(s) == SQLITE_DONE ? DID_OK : explain(j, insert);
    sqlite3_finalize(s);
    return result;
}

/* The value of line "name value" of `identity` that begins like `line` of `len` bytes up to its
 * space. */
static const char *value_of(const char *identity, const char *line, size_t name_len, size_t *len)
{
    for (const char *at = identity; *at;) {
        size_t line_len = strcspn(at, "\n");
        if (line_len > name_len && strncmp(at, line, name_len) == 0 && at[name_len] == ' ') {
            *len = line_len - name_len - 1;
            return at + name_len + 1;
        }
        at += line_len + (at[line_len] == '\n');
    }
    *len = 0;
    return "";
}

static status compare_identity(const journal *j, const char *found, const char *now)
{
    if (strcmp(found, now) == 0) return DID_OK;
    for (const char *at = now; *at;) {
        size_t      len = strcspn(at, "\n"), name = strcspn(at, " \n"), old_len, new_len;
        const char *old = value_of(found, at, name, &old_len);
        const char *new = value_of(now, at, name, &new_len);
        if (old_len != new_len || strncmp(old, new, new_len) != 0)
            return status_fail(DID_EINVAL,
                               "state file %s belongs to another job: its %.*s is \"%.*s\","
                               " this run has \"%.*s\"",
                               j->file.path, (int)name, at, (int)old_len, old, (int)new_len, new);
        at += len + (at[len] == '\n');
    }
    return status_fail(DID_EINVAL,
                       "state file %s belongs to another job: it knows settings that this"
                       " run has not",
                       j->file.path);
}

/* The identity of the job that the file belongs to, malloc'ed. */
static status read_identity(journal *j, char **identity)
{
    sqlite3_stmt *s;
    const char   *select = "SELECT identity, sum FROM job";
    *identity = NULL;
    if (sqlite3_prepare_v2(j->file.db, select, -1, &s, NULL) != SQLITE_OK)
        return explain(j, select);
    const char *found =
        sqlite3_step(s) == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    status result = DID_OK;
    if (!found || sum_text(0, found) != sqlite3_column_int64(s, 1))
        result = status_fail(DID_EFORMAT,
                             "state file %s is damaged: the sum of the job's record does"
                             " not match",
                             j->file.path);
    else if (!(*identity = strdup(found)))
        result = status_fail(DID_ENOMEM, "no memory for the state file %s", j->file.path);
    sqlite3_finalize(s);
    return result;
}

static status check_identity(journal *j, const char *identity)
{
    char *found;
    TRY(read_identity(j, &found));
    status s = compare_identity(j, found, identity);
    free(found);
    return s;
}

static const char *column_text(sqlite3_stmt *s, int i)
{
    return (const char *)sqlite3_column_text(s, i);
}

static row row_at(sqlite3_stmt *s)
{
    return (row){column_text(s, 1),        sqlite3_column_int(s, 2), sqlite3_column_int64(s, 3),
                 sqlite3_column_int(s, 4), column_text(s, 5),        column_text(s, 6)};
}

/* Does the row that ALL stands on carry its own sum, and a state that there is? */
static bool is_sound(sqlite3_stmt *s, const row *r)
{
    return r->custom_id && r->state >= JOURNAL_QUEUED && r->state <= JOURNAL_FAILED &&
           sum_of(r) == sqlite3_column_int64(s, 7);
}

/* Name and drop the rows whose sum does not match. Deleting the row that a scan stands on is
 * allowed. */
static status drop_damaged(journal *j)
{
    sqlite3_stmt *s = j->query[ALL];
    status        result = DID_OK;
    int           code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW && result == DID_OK) {
        row r = row_at(s);
        if (is_sound(s, &r)) continue;
        log_warn("journal",
                 "%s: the record of document \"%.60s\" sample %d is damaged and not used",
                 j->file.path, r.custom_id ? r.custom_id : "", r.sample);
        j->damaged++;
        sqlite3_bind_int64(j->query[DROP], 1, sqlite3_column_int64(s, 0));
        result = run(j, DROP);
    }
    if (result == DID_OK && code != SQLITE_DONE) result = explain(j, "reading");
    sqlite3_reset(s);
    return result;
}

static status prepare(journal *j)
{
    for (int q = 0; q < QUERIES; q++)
        if (sqlite3_prepare_v3(j->file.db, sql[q], -1, SQLITE_PREPARE_PERSISTENT, &j->query[q],
                               NULL) != SQLITE_OK)
            return explain(j, sql[q]);
    return DID_OK;
}

static status bring_up(journal *j, const char *identity)
{
    const wal_report *log = &j->file.log;
    if (wal_damaged(log)) j->damaged += log->header ? (int)log->lost : 1;
    TRY(execute(j, "BEGIN EXCLUSIVE"));
    status s = j->file.fresh ? create(j, identity) : check_identity(j, identity);
    if (s == DID_OK) s = prepare(j);
    if (s == DID_OK) s = drop_damaged(j);
    return conclude(j, s);
}

static status make(journal **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? DID_OK : status_fail(DID_ENOMEM, "no memory for a state file");
}

status journal_open(journal **out, const char *path, const char *identity)
{
    TRY(make(out));
    status s = statefile_open(&(*out)->file, path);
    if (s == DID_OK) s = bring_up(*out, identity);
    if (s != DID_OK) journal_close(out);
    return s;
}

/* The job's own row, without anybody to compare it with. */
static status check_job(journal *j)
{
    char *identity;
    TRY(read_identity(j, &identity));
    free(identity);
    return DID_OK;
}

status journal_look(journal **out, const char *path, journal_say *say, void *context)
{
    TRY(make(out));
    journal *j = *out;
    status   s = statefile_look(&j->file, path);
    if (s == DID_OK) s = statefile_check(&j->file, say, context);
    if (s == DID_OK && !j->file.fresh) s = check_job(j);
    if (s == DID_OK && !j->file.fresh) s = prepare(j);
    if (s != DID_OK) journal_close(out);
    return s;
}

const wal_report *journal_log(const journal *j)
{
    return &j->file.log;
}

void journal_close(journal **out)
{
    journal *j = *out;
    *out = NULL;
    if (!j) return;
    for (int q = 0; q < QUERIES; q++) sqlite3_finalize(j->query[q]);
    statefile_close(&j->file);
    free(j);
}

bool journal_fresh(const journal *j)
{
    return j->file.fresh;
}

int journal_damaged(const journal *j)
{
    return j->damaged;
}

/* ---- documents ---- */

static void bind_name(sqlite3_stmt *s, const char *custom_id, int sample)
{
    sqlite3_bind_text(s, 1, custom_id, -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, sample);
}

/* Look a document up; the texts of *r are borrowed until the query is reset by `forget`. */
static status find(journal *j, const char *custom_id, int sample, bool *known, row *r)
{
    sqlite3_stmt *s = j->query[FIND];
    bind_name(s, custom_id, sample);
    int code = sqlite3_step(s);
    *known = code == SQLITE_ROW;
    if (*known)
        *r = (row){custom_id,
                   sample,
                   sqlite3_column_int64(s, 0),
                   sqlite3_column_int(s, 1),
                   column_text(s, 2),
                   column_text(s, 3)};
    return *known || code == SQLITE_DONE ? DID_OK : explain(j, "looking a document up");
}

static void forget(journal *j)
{
    sqlite3_reset(j->query[FIND]);
    sqlite3_clear_bindings(j->query[FIND]);
}

static status submit_one(journal *j, const request *q, journal_state *state)
{
    row    r = {q->custom_id, q->sample, (int64_t)q->content, JOURNAL_QUEUED, NULL, NULL};
    row    old;
    bool   known;
    status s = find(j, q->custom_id, q->sample, &known, &old);
    if (s == DID_OK && known) {
        *state = (journal_state)old.state;
        if (old.content != r.content)
            s = status_fail(DID_EINVAL,
                            "state file %s knows document \"%.60s\" sample %d with another"
                            " content",
                            j->file.path, q->custom_id, q->sample);
    }
    forget(j);
    if (s != DID_OK || known) return s;
    *state = JOURNAL_QUEUED;
    bind_name(j->query[ADD], r.custom_id, r.sample);
    sqlite3_bind_int64(j->query[ADD], 3, r.content);
    sqlite3_bind_int(j->query[ADD], 4, r.state);
    sqlite3_bind_int64(j->query[ADD], 5, sum_of(&r));
    return run(j, ADD);
}

status journal_submit(journal *j, const request *requests, int n, journal_state *state)
{
    status s = execute(j, "BEGIN IMMEDIATE");
    for (int i = 0; i < n && s == DID_OK; i++) s = submit_one(j, &requests[i], &state[i]);
    return conclude(j, s);
}

static status write_one(journal *j, const journal_change *c)
{
    row    old;
    bool   known;
    status s = find(j, c->custom_id, c->sample, &known, &old);
    forget(j);
    TRY(s);
    if (!known)
        return status_fail(DID_EINVAL, "state file %s does not know document \"%.60s\" sample %d",
                           j->file.path, c->custom_id, c->sample);
    bool over = c->state == JOURNAL_DONE || c->state == JOURNAL_FAILED;
    row  r = {c->custom_id,         c->sample, old.content, (int)c->state, over ? NULL : c->text,
             over ? c->text : NULL};
    bind_name(j->query[CHANGE], r.custom_id, r.sample);
    sqlite3_bind_int(j->query[CHANGE], 3, r.state);
    sqlite3_bind_text(j->query[CHANGE], 4, r.checkpoint, -1, SQLITE_STATIC);
    sqlite3_bind_text(j->query[CHANGE], 5, r.record, -1, SQLITE_STATIC);
    sqlite3_bind_int64(j->query[CHANGE], 6, sum_of(&r));
    return run(j, CHANGE);
}

status journal_write(journal *j, const journal_change *changes, int n)
{
    status s = execute(j, "BEGIN IMMEDIATE");
    for (int i = 0; i < n && s == DID_OK; i++) s = write_one(j, &changes[i]);
    return conclude(j, s);
}

status journal_read(journal *j, const char *custom_id, int sample, bool *known,
                    journal_state *state, char **text)
{
    row r = {0};
    *text = NULL;
    status s = find(j, custom_id, sample, known, &r);
    if (s == DID_OK && *known) {
        const char *found = r.record ? r.record : r.checkpoint;
        *state = (journal_state)r.state;
        if (found && !(*text = strdup(found)))
            s = status_fail(DID_ENOMEM, "no memory for a record of %zu bytes", strlen(found));
    }
    forget(j);
    return s;
}

status journal_each(journal *j, journal_visit *visit, void *context)
{
    sqlite3_stmt *s = j->query[ALL];
    status        result = DID_OK;
    int           code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW && result == DID_OK) {
        row r = row_at(s);
        if (r.record) result = visit(context, r.custom_id, r.sample, r.record);
    }
    if (result == DID_OK && code != SQLITE_DONE) result = explain(j, "reading");
    sqlite3_reset(s);
    return result;
}

status journal_scan(journal *j, journal_seen *seen, void *context)
{
    sqlite3_stmt *s = j->query[ALL];
    status        result = DID_OK;
    int           code = SQLITE_DONE;
    if (j->file.fresh) return DID_OK;
    while (result == DID_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        row         r = row_at(s);
        journal_row out = {r.custom_id ? r.custom_id : "", r.sample, (journal_state)r.state,
                           r.checkpoint, r.record, is_sound(s, &r)};
        result = seen(context, &out);
    }
    if (result == DID_OK && code != SQLITE_DONE) result = explain(j, "reading");
    sqlite3_reset(s);
    return result;
}
