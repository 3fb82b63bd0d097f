#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal.h"
#include "sample.h"

enum { N = 5 };
static const char identity[] = "signature did/1\nwindow 256\ntrace no\n";

typedef struct fixture {
    char          folder[64], path[96];
    request       requests[N];
    journal_state state[N];
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/did-journal-XXXXXX");
    if (!mkdtemp(f->folder)) return 1;
    snprintf(f->path, sizeof f->path, "%s/state", f->folder);
    for (int i = 0; i < N; i++) {
        char id[16];
        snprintf(id, sizeof id, "d%d", i / 2);
        f->requests[i] = sample_request(id, i % 2, 12, 2);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    char     path[128];
    for (int i = 0; i < N; i++) request_clear(&f->requests[i]);
    static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s%s", f->path, tails[i]);
        unlink(path);
    }
    int left = rmdir(f->folder);
    free(f);
    return left;
}

static journal *opened(const fixture *f)
{
    journal *j;
    status   s = journal_open(&j, f->path, identity);
    if (s != DID_OK) fail_msg("%s", status_message());
    return j;
}

static journal *submitted(fixture *f)
{
    journal *j = opened(f);
    assert_int_equal(journal_submit(j, f->requests, N, f->state), DID_OK);
    return j;
}

static void write_change(journal *j, const char *id, int sample, journal_state state,
                         const char *text)
{
    journal_change change = {id, sample, state, text};
    assert_int_equal(journal_write(j, &change, 1), DID_OK);
}

static void check(journal *j, const char *id, int sample, journal_state state, const char *text)
{
    bool          known;
    journal_state found;
    char         *held;
    assert_int_equal(journal_read(j, id, sample, &known, &found, &held), DID_OK);
    assert_true(known);
    assert_int_equal(found, state);
    if (text) assert_string_equal(held, text);
    else assert_null(held);
    free(held);
}

static status count_records(void *context, const char *id, int sample, const char *record)
{
    char *seen = context;
    sprintf(seen + strlen(seen), "%s/%d=%s;", id, sample, record);
    return DID_OK;
}

static void a_life(void **state)
{
    fixture *f = *state;
    journal *j = submitted(f);
    char     seen[200] = "";
    bool     known;
    char    *text;
    assert_true(journal_fresh(j));
    for (int i = 0; i < N; i++) assert_int_equal(f->state[i], JOURNAL_QUEUED);
    check(j, "d0", 1, JOURNAL_QUEUED, NULL);
    journal_state none;
    assert_int_equal(journal_read(j, "d0", 2, &known, &none, &text), DID_OK);
    assert_false(known);
    write_change(j, "d0", 1, JOURNAL_DRAFTING, "point one");
    check(j, "d0", 1, JOURNAL_DRAFTING, "point one");
    write_change(j, "d0", 1, JOURNAL_DRAFTING, "point two");
    write_change(j, "d2", 0, JOURNAL_FAILED, "broken");
    write_change(j, "d1", 0, JOURNAL_DONE, "first");
    journal_close(&j);
    assert_null(j);

    j = submitted(f);
    assert_false(journal_fresh(j));
    assert_int_equal(journal_damaged(j), 0);
    const journal_state expected[N] = {JOURNAL_QUEUED, JOURNAL_DRAFTING, JOURNAL_DONE,
                                       JOURNAL_QUEUED, JOURNAL_FAILED};
    for (int i = 0; i < N; i++) assert_int_equal(f->state[i], expected[i]);
    check(j, "d0", 1, JOURNAL_DRAFTING, "point two");
    write_change(j, "d0", 1, JOURNAL_DONE, "second");
    check(j, "d0", 1, JOURNAL_DONE, "second");
    assert_int_equal(journal_each(j, count_records, seen), DID_OK);
    assert_string_equal(seen, "d0/1=second;d1/0=first;d2/0=broken;");
    journal_close(&j);
}

static void conflicts(void **state)
{
    fixture *f = *state;
    journal *j = submitted(f);
    journal_close(&j);

    request *r = &f->requests[3];
    r->seed++;
    request_seal(r);
    j = opened(f);
    assert_int_equal(journal_submit(j, f->requests, N, f->state), DID_EINVAL);
    assert_non_null(strstr(status_message(), "\"d1\" sample 1 with another content"));
    journal_close(&j);

    assert_int_equal(journal_open(&j, f->path, "signature did/2\nwindow 256\ntrace no\n"),
                     DID_EINVAL);
    assert_null(j);
    assert_non_null(strstr(status_message(), "its signature is \"did/1\", this run has \"did/2\""));
    assert_int_equal(journal_open(&j, f->path, "signature did/1\nwindow 256\n"), DID_EINVAL);
    assert_non_null(strstr(status_message(), "settings that this run has not"));
    assert_int_equal(journal_open(&j, f->path, "signature did/1\nwindow 256\ntrace no\nx y\n"),
                     DID_EINVAL);
    assert_non_null(strstr(status_message(), "its x is \"\", this run has \"y\""));
}

/* A refused submission leaves nothing behind: all requests or none. */
static void all_or_nothing(void **state)
{
    fixture *f = *state;
    journal *j = opened(f);
    bool     known;
    char    *text;
    assert_int_equal(journal_submit(j, f->requests + 4, 1, f->state), DID_OK);
    f->requests[4].seed++;
    request_seal(&f->requests[4]);
    assert_int_equal(journal_submit(j, f->requests, N, f->state), DID_EINVAL);
    assert_int_equal(journal_read(j, "d0", 0, &known, &f->state[0], &text), DID_OK);
    assert_false(known);
    journal_change changes[] = {{"d2", 0, JOURNAL_DONE, "x"}, {"nobody", 0, JOURNAL_DONE, "x"}};
    assert_int_equal(journal_write(j, changes, 2), DID_EINVAL);
    check(j, "d2", 0, JOURNAL_QUEUED, NULL);
    journal_close(&j);
}

static void one_process_at_a_time(void **state)
{
    fixture *f = *state;
    journal *j = submitted(f), *other;
    assert_int_equal(journal_open(&other, f->path, identity), DID_EIO);
    assert_non_null(strstr(status_message(), "in use by another process"));
    journal_close(&j);
}

static void refuses_file(const fixture *f, status code, const char *says)
{
    journal *j;
    assert_int_equal(journal_open(&j, f->path, identity), code);
    assert_null(j);
    if (!strstr(status_message(), says)) fail_msg("\"%s\" lacks \"%s\"", status_message(), says);
}

static void change_with_sqlite(const fixture *f, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void strange_files(void **state)
{
    fixture *f = *state;
    FILE    *file = fopen(f->path, "w");
    for (int i = 0; i < 200; i++) fputs("this is not a database\n", file);
    fclose(file);
    refuses_file(f, DID_EFORMAT, "is not a state file of did");
    unlink(f->path);

    change_with_sqlite(f, "CREATE TABLE somebody (s TEXT)");
    refuses_file(f, DID_EFORMAT, "a database, but not a state file of did");
    unlink(f->path);

    journal *j = submitted(f);
    journal_close(&j);
    change_with_sqlite(f, "PRAGMA user_version = 99");
    refuses_file(f, DID_EFORMAT, "has version 99, this program reads 1");
    change_with_sqlite(f, "PRAGMA user_version = 1; UPDATE job SET sum = sum + 1");
    refuses_file(f, DID_EFORMAT, "the sum of the job's record does not match");
    unlink(f->path);

    mkdir(f->path, 0700);
    refuses_file(f, DID_EIO, f->path);
    rmdir(f->path);
}

/* Where SQLite sees nothing wrong the sums do: a row of wrong bytes is dropped and its document
 * starts again; its neighbours stay. */
static void damaged_rows(void **state)
{
    fixture *f = *state;
    journal *j = submitted(f);
    write_change(j, "d0", 0, JOURNAL_DONE, "zero");
    write_change(j, "d0", 1, JOURNAL_DRAFTING, "point");
    write_change(j, "d1", 0, JOURNAL_DONE, "one");
    journal_close(&j);
    change_with_sqlite(f, "UPDATE document SET record = 'zerO' WHERE record = 'zero'");
    change_with_sqlite(f, "UPDATE document SET checkpoint = 'poynt' WHERE checkpoint = 'point'");

    j = submitted(f);
    assert_int_equal(journal_damaged(j), 2);
    check(j, "d0", 0, JOURNAL_QUEUED, NULL);
    check(j, "d0", 1, JOURNAL_QUEUED, NULL);
    check(j, "d1", 0, JOURNAL_DONE, "one");
    journal_close(&j);
    j = submitted(f);
    assert_int_equal(journal_damaged(j), 0);
    journal_close(&j);
}

/* Flip bits all over the closed file: it opens with what is sound, or is refused; never a crash,
 * never a record that was not written. */
static void flipped_bits(void **state)
{
    fixture *f = *state;
    journal *j = submitted(f);
    uint64_t seed = 5;
    int      refused = 0, dropped = 0;
    char     record[400];
    memset(record, 'r', sizeof record - 1);
    record[sizeof record - 1] = '\0';
    write_change(j, "d0", 0, JOURNAL_DONE, record);
    write_change(j, "d1", 1, JOURNAL_DONE, record);
    journal_close(&j);
    int         fd = open(f->path, O_RDWR);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    char *sound = malloc((size_t)st.st_size);
    assert_int_equal(pread(fd, sound, (size_t)st.st_size, 0), st.st_size);
    for (int i = 0; i < 150; i++) {
        off_t at = (off_t)(sample_next(&seed) % (uint64_t)st.st_size);
        char  bad = (char)(sound[at] ^ 1 << sample_below(&seed, 8));
        assert_int_equal(pwrite(fd, &bad, 1, at), 1);
        if (journal_open(&j, f->path, identity) == DID_OK) {
            char seen[1000] = "", expected[1000];
            dropped += journal_damaged(j) > 0;
            assert_int_equal(journal_each(j, count_records, seen), DID_OK);
            snprintf(expected, sizeof expected, "d0/0=%s;d1/1=%s;", record, record);
            if (journal_damaged(j) == 0) assert_string_equal(seen, expected);
            journal_close(&j);
        } else {
            refused++;
        }
        assert_int_equal(ftruncate(fd, st.st_size), 0);
        assert_int_equal(pwrite(fd, sound, (size_t)st.st_size, 0), st.st_size);
    }
    close(fd);
    free(sound);
    assert_true(refused > 0 && dropped > 0);
}

/* A process that dies between two writes: what was written before is there, what was not is not. */
static void killed(void **state)
{
    fixture *f = *state;
    journal *j;
    for (int last = 0; last < 4; last++) {
        pid_t child = fork();
        if (child == 0) {
            if (journal_open(&j, f->path, identity) != DID_OK) _exit(1);
            if (journal_submit(j, f->requests, N, f->state) != DID_OK) _exit(2);
            if (last == 0) _exit(0);
            journal_change c = {"d1", 0, JOURNAL_DRAFTING, last == 1 ? "one" : "two"};
            if (journal_write(j, &c, 1) != DID_OK) _exit(3);
            if (last < 3) _exit(0);
            c = (journal_change){"d1", 0, JOURNAL_DONE, "three"};
            if (journal_write(j, &c, 1) != DID_OK) _exit(4);
            _exit(0);
        }
        int how;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
        static const char *const expected[] = {NULL, "one", "two", "three"};
        const journal_state      states[] = {JOURNAL_QUEUED, JOURNAL_DRAFTING, JOURNAL_DRAFTING,
                                             JOURNAL_DONE};
        j = submitted(f);
        check(j, "d1", 0, states[last], expected[last]);
        journal_close(&j);
    }
}

int main(void)
{
#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_FILE(a_life),         WITH_FILE(conflicts),
        WITH_FILE(all_or_nothing), WITH_FILE(one_process_at_a_time),
        WITH_FILE(strange_files),  WITH_FILE(damaged_rows),
        WITH_FILE(flipped_bits),   WITH_FILE(killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
