#include "database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "log.h"

enum { APPLICATION_ID = 0x44694453 /* "DiDS" */ };

struct database {
    sqlite3 *db;
    char    *path;
    char     kind[24];
};

static status explain(const database *d, const char *doing)
{
    int code = sqlite3_errcode(d->db) & 0xff;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return status_fail(DID_EIO, "state file %s is in use by another process", d->path);
    if (code == SQLITE_NOTADB)
        return status_fail(DID_EFORMAT, "%s is not a state file of did", d->path);
    if (code == SQLITE_CORRUPT)
        return status_fail(DID_EFORMAT, "state file %s is damaged: %s", d->path,
                           sqlite3_errmsg(d->db));
    return status_fail(code == SQLITE_NOMEM ? DID_ENOMEM : DID_EIO, "state file %s: %s: %s",
                       d->path, doing, sqlite3_errmsg(d->db));
}

status database_execute(database *d, const char *text)
{
    return sqlite3_exec(d->db, text, NULL, NULL, NULL) == SQLITE_OK ? DID_OK : explain(d, text);
}

void database_retract(database *d, const char *text)
{
    sqlite3_exec(d->db, text, NULL, NULL, NULL);
}

status database_prepare(database *d, const char *text, sqlite3_stmt **out)
{
    int code = sqlite3_prepare_v3(d->db, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    return code == SQLITE_OK ? DID_OK : explain(d, text);
}

status database_step(database *d, sqlite3_stmt *q, bool *found)
{
    int code = sqlite3_step(q);
    *found = code == SQLITE_ROW;
    return *found || code == SQLITE_DONE ? DID_OK : explain(d, sqlite3_sql(q));
}

void database_done(sqlite3_stmt *q)
{
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
}

status database_run(database *d, sqlite3_stmt *q)
{
    bool   found;
    status s = database_step(d, q, &found);
    database_done(q);
    return s;
}

/* The first column of the first row. */
static status ask(database *d, const char *text, int64_t *number, char *word, size_t size)
{
    sqlite3_stmt *q;
    bool          found = false;
    if (sqlite3_prepare_v2(d->db, text, -1, &q, NULL) != SQLITE_OK) return explain(d, text);
    status s = database_step(d, q, &found);
    if (found && number) *number = sqlite3_column_int64(q, 0);
    if (found && word) snprintf(word, size, "%s", database_text(q, 0));
    sqlite3_finalize(q);
    return s == DID_OK && !found ? explain(d, text) : s;
}

/* A write-ahead log needs memory that all readers share; some file systems have none. */
static status choose_mode(database *d)
{
    char mode[16] = "";
    TRY(database_execute(d, "PRAGMA synchronous = FULL"));
    TRY(ask(d, "PRAGMA journal_mode = WAL", NULL, mode, sizeof mode));
    if (strcmp(mode, "wal") == 0) return DID_OK;
    TRY(ask(d, "PRAGMA journal_mode = TRUNCATE", NULL, mode, sizeof mode));
    log_say("state", "%s cannot have a write-ahead log here: journal mode %s", d->path, mode);
    return DID_OK;
}

/* Is it ours, of this version, and whole? Changes nothing. */
static status check_file(database *d, int version, bool *fresh)
{
    int64_t id, found_version, objects;
    char    found[200] = "";
    TRY(ask(d, "PRAGMA application_id", &id, NULL, 0));
    TRY(ask(d, "PRAGMA user_version", &found_version, NULL, 0));
    TRY(ask(d, "SELECT count(*) FROM sqlite_schema", &objects, NULL, 0));
    *fresh = id == 0 && found_version == 0 && objects == 0;
    if (*fresh) return DID_OK;
    if (id != APPLICATION_ID)
        return status_fail(DID_EFORMAT, "%s is a database, but not the state file of a %s", d->path,
                           d->kind);
    if (found_version != version)
        return status_fail(DID_EFORMAT, "state file %s has version %lld, this program reads %d",
                           d->path, (long long)found_version, version);
    TRY(ask(d, "PRAGMA integrity_check(1)", NULL, found, sizeof found));
    if (strcmp(found, "ok") != 0)
        return status_fail(DID_EFORMAT, "state file %s is damaged: %s", d->path, found);
    return DID_OK;
}

static status make(database *d, int version, const char *schema)
{
    char text[96];
    snprintf(text, sizeof text, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, version);
    TRY(database_execute(d, "BEGIN EXCLUSIVE"));
    status s = database_execute(d, schema);
    if (s == DID_OK) s = database_execute(d, text);
    if (s == DID_OK) s = database_execute(d, "COMMIT");
    if (s != DID_OK) database_retract(d, "ROLLBACK");
    return s;
}

static status bring_up(database *d, int version, const char *schema)
{
    bool fresh;
    TRY(database_execute(d, "PRAGMA locking_mode = EXCLUSIVE"));
    TRY(database_execute(d, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON"));
    TRY(check_file(d, version, &fresh));
    TRY(choose_mode(d));
    return fresh ? make(d, version, schema) : DID_OK;
}

status database_open(database **out, const char *path, const char *kind, int version,
                     const char *schema)
{
    database *d = calloc(1, sizeof *d);
    *out = d;
    if (!d || !(d->path = strdup(path))) {
        database_close(out);
        return status_fail(DID_ENOMEM, "no memory for the state file %s", path);
    }
    snprintf(d->kind, sizeof d->kind, "%s", kind);
    status s;
    if (sqlite3_open_v2(path, &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
        SQLITE_OK)
        s = status_fail(DID_EIO, "state file %s: %s: %s", path, sqlite3_errmsg(d->db),
                        strerror(sqlite3_system_errno(d->db)));
    else s = bring_up(d, version, schema);
    if (s != DID_OK) database_close(out);
    return s;
}

void database_close(database **out)
{
    database *d = *out;
    *out = NULL;
    if (!d) return;
    sqlite3_close(d->db);
    free(d->path);
    free(d);
}

const char *database_path(const database *d)
{
    return d->path;
}

int64_t database_last_row(const database *d)
{
    return sqlite3_last_insert_rowid(d->db);
}

const char *database_text(sqlite3_stmt *q, int column)
{
    return (const char *)sqlite3_column_text(q, column);
}

uint32_t database_sum_number(uint32_t sum, int64_t x)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)x >> 8 * i);
    return crc_32c(sum, bytes, sizeof bytes);
}

uint32_t database_sum_text(uint32_t sum, const char *text)
{
    if (!text) text = "";
    return crc_32c(sum, text, strlen(text) + 1);
}
