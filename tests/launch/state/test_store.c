#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sample.h"
#include "standing.h"

static const char        identity[] = "signature did/1\nwindow 256\ntrace no\n";
static const store_quota quota = {100, 1 << 20};

typedef struct fixture {
    char    folder[64], path[96];
    int64_t job;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/did-store-XXXXXX");
    if (!mkdtemp(f->folder)) return 1;
    snprintf(f->path, sizeof f->path, "%s/state", f->folder);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture                 *f = *state;
    char                     path[128];
    static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s%s", f->path, tails[i]);
        unlink(path);
    }
    int left = rmdir(f->folder);
    free(f);
    return left;
}

static store *own(fixture *f)
{
    store *s;
    if (store_open_own(&s, f->path, identity, &f->job) != DID_OK) fail_msg("%s", status_message());
    return s;
}

static int64_t enter(const fixture *f, store *s, const char *id, int sample, store_state state,
                     const char *text)
{
    store_found found;
    assert_int_equal(store_enter(s, f->job, id, sample, "{\"content\": \"1\"}", &found), DID_OK);
    assert_int_equal(found.state, state);
    assert_true(found.serial > 0);
    if (text) assert_string_equal(found.text, text);
    else assert_null(found.text);
    free(found.text);
    return found.serial;
}

static void refuses(const fixture *f, bool service, status code, const char *says)
{
    store  *s;
    int64_t job;
    status  got = service ? store_open(&s, f->path) : store_open_own(&s, f->path, identity, &job);
    assert_int_equal(got, code);
    assert_null(s);
    if (!strstr(status_message(), says)) fail_msg("\"%s\" lacks \"%s\"", status_message(), says);
}

static void change_with_sqlite(const fixture *f, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

static const char done[] = "{\"custom_id\": \"d\", \"sample\": 1}";

static void a_job_of_its_own(void **state)
{
    fixture    *f = *state;
    store      *s = own(f);
    store_found found;
    assert_true(store_fresh(s));
    int64_t a = enter(f, s, "d", 0, STORE_QUEUED, NULL),
            b = enter(f, s, "d", 1, STORE_QUEUED, NULL);
    assert_int_equal(standing_save(s, a, true, identity, "half"), DID_OK);
    assert_int_equal(standing_finish(s, b, done, false), DID_OK);
    assert_int_equal(store_commit(s), DID_OK);
    assert_int_equal(standing_save(s, a, true, identity, "never committed"), DID_OK);
    store_close(&s);
    assert_null(s);

    s = own(f);
    assert_false(store_fresh(s));
    assert_int_equal(store_damaged(s), 0);
    assert_int_equal(enter(f, s, "d", 0, STORE_REFINING, "half"), a);
    assert_int_equal(enter(f, s, "d", 1, STORE_DONE, done), b);
    assert_int_equal(store_find(s, f->job, "d", 2, &found), DID_OK);
    assert_int_equal(found.serial, 0);
    assert_int_equal(store_enter(s, f->job, "d", 1, "{\"content\": \"2\"}", &found), DID_EINVAL);
    assert_non_null(strstr(status_message(), "\"d\" sample 1 is known with another content"));
    store_close(&s);
}

static void other_jobs(void **state)
{
    fixture *f = *state;
    store   *s = own(f);
    int64_t  job;
    store_close(&s);
    s = own(f);
    enter(f, s, "d", 0, STORE_QUEUED, NULL);
    assert_int_equal(store_commit(s), DID_OK);
    store_close(&s);

    assert_int_equal(store_open_own(&s, f->path, "signature did/2\nwindow 256\ntrace no\n", &job),
                     DID_EINVAL);
    assert_null(s);
    assert_non_null(strstr(status_message(), "its signature is \"did/1\", this run has \"did/2\""));
    assert_int_equal(store_open_own(&s, f->path, "signature did/1\nwindow 256\n", &job),
                     DID_EINVAL);
    assert_non_null(strstr(status_message(), "settings that this run has not"));
    assert_int_equal(
        store_open_own(&s, f->path, "signature did/1\nwindow 256\ntrace no\nx y\n", &job),
        DID_EINVAL);
    assert_non_null(strstr(status_message(), "its x is \"\", this run has \"y\""));
    refuses(f, true, DID_EINVAL, "belongs to a did generate");
    unlink(f->path);

    store_line line = {"a", 1, "{}", 1};
    int        added, known;
    assert_int_equal(store_open(&s, f->path), DID_OK);
    assert_int_equal(store_begin_job(s, "", "job", "{}", 3, &job), DID_OK);
    assert_int_equal(store_submit(s, "", job, &line, 1, &quota, &added, &known), DID_OK);
    assert_int_equal(store_commit(s), DID_OK);
    store_close(&s);
    refuses(f, false, DID_EINVAL, "belongs to a service");
}

static void one_process_at_a_time(void **state)
{
    fixture *f = *state;
    store   *s = own(f);
    refuses(f, false, DID_EIO, "in use by another process");
    store_close(&s);
}

static void strange_files(void **state)
{
    fixture *f = *state;
    FILE    *file = fopen(f->path, "w");
    for (int i = 0; i < 200; i++) fputs("this is not a database\n", file);
    fclose(file);
    refuses(f, true, DID_EFORMAT, "is not a state file of did");
    unlink(f->path);

    change_with_sqlite(f, "CREATE TABLE somebody (s TEXT)");
    refuses(f, true, DID_EFORMAT, "a database, but not a state file of did");
    unlink(f->path);

    store *s = own(f);
    enter(f, s, "d", 0, STORE_QUEUED, NULL);
    assert_int_equal(store_commit(s), DID_OK);
    store_close(&s);
    change_with_sqlite(f, "PRAGMA user_version = 1");
    refuses(f, false, DID_EFORMAT, "has version 1, this program reads 3: finish its jobs with");
    change_with_sqlite(f, "PRAGMA user_version = 2; PRAGMA application_id = 1147749459");
    refuses(f, true, DID_EFORMAT, "has version 2, this program reads 3");
    change_with_sqlite(f, "PRAGMA user_version = 3; PRAGMA application_id = 1147749425");
    s = own(f);
    store_close(&s);
    change_with_sqlite(f, "UPDATE job SET terms = terms || ' '");
    refuses(f, false, DID_EFORMAT, "the sum of the row of job \"did generate\" does not match");
    unlink(f->path);

    mkdir(f->path, 0700);
    refuses(f, true, DID_EIO, f->path);
    rmdir(f->path);
}

static status count_unsound(void *context, const store_row *row)
{
    int *n = context;
    n[0]++;
    n[1] += !row->sound;
    n[2] += !row->line_sound;
    assert_string_equal(row->name, "did generate");
    return DID_OK;
}

static void say_nothing(void *context, const char *sentence)
{
    (void)context;
    fail_msg("%s", sentence);
}

/* Where SQLite sees nothing wrong the sums do: whatever a row is asked to believe, it is put aside,
 * and its neighbours stay. */
static void damaged_rows(void **state)
{
    static const char *const changes[] = {"record = replace(record, '1', '2')",
                                          "finished = finished + 1",
                                          "state = 0",
                                          "state = 99",
                                          "epoch = epoch + 1",
                                          "failures = 1",
                                          "signature = 'x'",
                                          "checkpoint = 'x'",
                                          "sum = sum + 1",
                                          "sample = 7",
                                          "line = 'x'",
                                          "custom_id = 'x'",
                                          "line_sum = 0"};
    enum { CHANGES = sizeof changes / sizeof changes[0], LINES_FROM = 9 };
    fixture *f = *state;
    for (int i = 0; i < CHANGES; i++) {
        char   text[200];
        int    n[3] = {0};
        store *s = own(f);
        enter(f, s, "d", 0, STORE_QUEUED, NULL);
        int64_t b = enter(f, s, "d", 1, STORE_QUEUED, NULL);
        assert_int_equal(standing_finish(s, b, done, false), DID_OK);
        assert_int_equal(store_commit(s), DID_OK);
        store_close(&s);
        snprintf(text, sizeof text, "UPDATE document SET %s WHERE place = %d", changes[i], (int)b);
        change_with_sqlite(f, text);

        assert_int_equal(store_look(&s, f->path, say_nothing, NULL), DID_OK);
        assert_int_equal(store_scan(s, count_unsound, n), DID_OK);
        store_close(&s);
        if (n[0] != 2 || n[1] != 1 || n[2] != (i >= LINES_FROM))
            fail_msg("%s: %d rows, %d unsound, %d of them lines", changes[i], n[0], n[1], n[2]);
        s = own(f);
        assert_int_equal(store_damaged(s), 1);
        enter(f, s, "d", 0, STORE_QUEUED, NULL);
        enter(f, s, "d", 1, STORE_QUEUED, NULL);
        assert_int_equal(store_commit(s), DID_OK);
        store_close(&s);
        s = own(f);
        assert_int_equal(store_damaged(s), 0);
        store_close(&s);
        unlink(f->path);
    }
}

/* What is read is checked again: a row that was damaged under a running program is not used. */
static void damaged_while_open(void **state)
{
    fixture    *f = *state;
    store      *s = own(f);
    store_found found;
    int64_t     a = enter(f, s, "d", 1, STORE_QUEUED, NULL);
    assert_int_equal(standing_finish(s, a, done, false), DID_OK);
    assert_int_equal(store_commit(s), DID_OK);
    store_close(&s);
    assert_int_equal(store_look(&s, f->path, say_nothing, NULL), DID_OK);
    assert_int_equal(store_find(s, f->job, "d", 1, &found), DID_OK);
    free(found.text);
    store_close(&s);
    change_with_sqlite(f, "UPDATE document SET record = 'x'");
    assert_int_equal(store_look(&s, f->path, say_nothing, NULL), DID_OK);
    assert_int_equal(store_find(s, f->job, "d", 1, &found), DID_EIO);
    assert_non_null(strstr(status_message(), "was damaged since"));
    store_close(&s);
}

int main(void)
{
#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_FILE(a_job_of_its_own), WITH_FILE(other_jobs),   WITH_FILE(one_process_at_a_time),
        WITH_FILE(strange_files),    WITH_FILE(damaged_rows), WITH_FILE(damaged_while_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
