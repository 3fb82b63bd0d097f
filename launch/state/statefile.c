#include "statefile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "disk.h"
#include "log.h"

enum {
    APPLICATION_ID = 0x44694431, /* "DiD1" */
    SERVICE_ID = 0x44694453,     /* "DiDS": files of a service before version 3 */
    COMPLAINTS_MAX = 20
};

status statefile_explain(const statefile *f, const char *doing)
{
    int code = sqlite3_errcode(f->db) & 0xff;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return status_fail(DID_EIO, "state file %s is in use by another process", f->path);
    if (code == SQLITE_NOTADB)
        return status_fail(DID_EFORMAT, "%s is not a state file of did", f->path);
    if (code == SQLITE_CORRUPT)
        return status_fail(DID_EFORMAT, "state file %s is damaged: %s", f->path,
                           sqlite3_errmsg(f->db));
    status kind = code == SQLITE_NOMEM ? DID_ENOMEM : code == SQLITE_FULL ? DID_EFULL : DID_EIO;
    return status_fail(kind, "state file %s: %s: %s", f->path, doing, sqlite3_errmsg(f->db));
}

status statefile_execute(statefile *f, const char *sql)
{
    return sqlite3_exec(f->db, sql, NULL, NULL, NULL) == SQLITE_OK ? DID_OK
                                                                   : statefile_explain(f, sql);
}

void statefile_retract(statefile *f, const char *sql)
{
    sqlite3_exec(f->db, sql, NULL, NULL, NULL);
}

status statefile_prepare(statefile *f, const char *sql, sqlite3_stmt **out)
{
    int code = sqlite3_prepare_v3(f->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    return code == SQLITE_OK ? DID_OK : statefile_explain(f, sql);
}

status statefile_step(statefile *f, sqlite3_stmt *q, bool *found)
{
    int code = sqlite3_step(q);
    *found = code == SQLITE_ROW;
    return *found || code == SQLITE_DONE ? DID_OK : statefile_explain(f, sqlite3_sql(q));
}

void statefile_done(sqlite3_stmt *q)
{
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
}

status statefile_run(statefile *f, sqlite3_stmt *q)
{
    bool   found;
    status s = statefile_step(f, q, &found);
    statefile_done(q);
    return s;
}

const char *statefile_text(sqlite3_stmt *q, int column)
{
    return (const char *)sqlite3_column_text(q, column);
}

/* The first column of the first row that `sql` gives, as a number or as a text (either may be
 * NULL). */
static status ask(statefile *f, const char *sql, int64_t *number, char *word, size_t size)
{
    sqlite3_stmt *q;
    bool          found = false;
    TRY(statefile_prepare(f, sql, &q));
    status s = statefile_step(f, q, &found);
    if (found && number) *number = sqlite3_column_int64(q, 0);
    if (found && word) snprintf(word, size, "%s", statefile_text(q, 0));
    sqlite3_finalize(q);
    return s == DID_OK && !found ? statefile_explain(f, sql) : s;
}

status statefile_make(statefile *f, const char *schema)
{
    char mark[80];
    snprintf(mark, sizeof mark, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, STATEFILE_VERSION);
    TRY(statefile_execute(f, "BEGIN EXCLUSIVE"));
    status s = statefile_execute(f, schema);
    if (s == DID_OK) s = statefile_execute(f, mark);
    if (s == DID_OK) s = statefile_execute(f, "COMMIT");
    if (s != DID_OK) statefile_retract(f, "ROLLBACK");
    return s;
}

/* Is it ours and of this version? Changes nothing. */
static status recognise(statefile *f)
{
    int64_t id = 0, version = 0, objects = 0;
    TRY(ask(f, "PRAGMA application_id", &id, NULL, 0));
    TRY(ask(f, "PRAGMA user_version", &version, NULL, 0));
    TRY(ask(f, "SELECT count(*) FROM sqlite_schema", &objects, NULL, 0));
    f->fresh = id == 0 && version == 0 && objects == 0;
    if (f->fresh) return DID_OK;
    if (id != APPLICATION_ID && id != SERVICE_ID)
        return status_fail(DID_EFORMAT, "%s is a database, but not a state file of did", f->path);
    if (id == SERVICE_ID || version != STATEFILE_VERSION)
        return status_fail(DID_EFORMAT,
                           "state file %s has version %lld, this program reads %d: finish its jobs "
                           "with the program that made it",
                           f->path, (long long)version, STATEFILE_VERSION);
    return DID_OK;
}

status statefile_check(statefile *f, statefile_say *say, void *context)
{
    char          sql[48];
    sqlite3_stmt *q;
    bool          found;
    snprintf(sql, sizeof sql, "PRAGMA integrity_check(%d)", COMPLAINTS_MAX);
    TRY(statefile_prepare(f, sql, &q));
    status s = statefile_step(f, q, &found);
    while (s == DID_OK && found) {
        const char *sentence = statefile_text(q, 0);
        if (sentence && strcmp(sentence, "ok") != 0) say(context, sentence);
        s = statefile_step(f, q, &found);
    }
    sqlite3_finalize(q);
    return s;
}

/* ---- opening ---- */

static status choose_mode(statefile *f)
{
    char mode[16] = "";
    TRY(statefile_execute(f, "PRAGMA synchronous = FULL"));
    if (!disk_shared(f->path)) TRY(ask(f, "PRAGMA journal_mode = WAL", NULL, mode, sizeof mode));
    if (strcmp(mode, "wal") == 0) return DID_OK;
    TRY(ask(f, "PRAGMA journal_mode = TRUNCATE", NULL, mode, sizeof mode));
    if (strcmp(mode, "truncate") != 0)
        return status_fail(DID_EIO,
                           "state file %s: found journal mode %s, expected wal or truncate",
                           f->path, mode);
    log_say("state", "%s cannot have a write-ahead log here: journal mode TRUNCATE", f->path);
    return DID_OK;
}

static off_t size_of(const char *path, const char *tail)
{
    char        name[4096];
    struct stat st;
    snprintf(name, sizeof name, "%s%s", path, tail);
    return stat(name, &st) == 0 ? st.st_size : -1;
}

static bool has(const char *path, const char *tail)
{
    return size_of(path, tail) >= 0;
}

/* SQLite takes a file of one byte for an empty one, and throws the log of an empty one away
 * without a word. */
static status check_pair(const statefile *f)
{
    off_t size = size_of(f->path, "");
    if (size >= 0 && size <= 1 && size_of(f->path, "-wal") > 0)
        return status_fail(DID_EFORMAT,
                           "state file %s is damaged: it is empty, but its log %s-wal is not",
                           f->path, f->path);
    if (size == 1)
        return status_fail(DID_EFORMAT, "%s is not a state file of did: it has one byte", f->path);
    return DID_OK;
}

static status open_with(statefile *f, const char *path, int flags)
{
    *f = (statefile){.path = strdup(path)};
    if (!f->path) return status_fail(DID_ENOMEM, "no memory for the state file %s", path);
    TRY(check_pair(f));
    if (sqlite3_open_v2(path, &f->db, flags, disk_name()) != SQLITE_OK)
        return status_fail(sqlite3_system_errno(f->db) == ENOSPC ? DID_EFULL : DID_EIO,
                           "state file %s: %s: %s", path, sqlite3_errmsg(f->db),
                           strerror(sqlite3_system_errno(f->db)));
    TRY(statefile_execute(f, "PRAGMA locking_mode = EXCLUSIVE"));
    return statefile_execute(f, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON");
}

static void keep_first(void *context, const char *sentence)
{
    char *first = context;
    if (!first[0]) snprintf(first, 200, "%s", sentence);
}

/* From the first look on the file is locked, so its log can be read beside SQLite. */
static status bring_up(statefile *f)
{
    char found[200] = "", sentence[WAL_SENTENCE];
    TRY(recognise(f));
    TRY(wal_examine(&f->log, f->path));
    if (wal_damaged(&f->log)) log_warn("state", "%s: %s", f->path, wal_describe(&f->log, sentence));
    if (!f->fresh) TRY(statefile_check(f, keep_first, found));
    if (found[0]) return status_fail(DID_EFORMAT, "state file %s is damaged: %s", f->path, found);
    return choose_mode(f);
}

status statefile_open(statefile *f, const char *path)
{
    status s = open_with(f, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (s == DID_OK) s = bring_up(f);
    if (s != DID_OK) statefile_close(f);
    return s;
}

/* A rollback journal with a header is a commit that did not end. */
static status check_rolled_back(const statefile *f)
{
    char name[4096], first = '\0';
    snprintf(name, sizeof name, "%s-journal", f->path);
    FILE *file = fopen(name, "r");
    if (!file) return DID_OK;
    if (fread(&first, 1, 1, file) != 1) first = '\0';
    fclose(file);
    if (first == '\0') return DID_OK;
    return status_fail(DID_EINVAL,
                       "state file %s: a commit was interrupted, and %s has to undo it before "
                       "anybody can look",
                       f->path, name);
}

static status look(statefile *f)
{
    TRY(check_rolled_back(f));
    /* A log that is there stays as it is; an empty one that looking makes goes again. */
    if (has(f->path, "-wal"))
        sqlite3_db_config(f->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    TRY(statefile_execute(f, "PRAGMA query_only = ON"));
    TRY(recognise(f));
    return wal_examine(&f->log, f->path);
}

status statefile_look(statefile *f, const char *path)
{
    status s = open_with(f, path, SQLITE_OPEN_READWRITE);
    if (s == DID_OK) s = look(f);
    if (s != DID_OK) statefile_close(f);
    return s;
}

void statefile_close(statefile *f)
{
    sqlite3_close(f->db);
    free(f->path);
    *f = (statefile){0};
}
