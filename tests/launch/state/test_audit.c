#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <sys/wait.h>

#include "audit.h"
#include "counter.h"
#include "disk.h"
#include "fault.h"
#include "noop.h"

typedef struct bytes {
    char  *data;
    size_t size;
} bytes;

static bytes file_bytes(const char *path)
{
    bytes       b = {NULL, 0};
    struct stat st;
    FILE       *file = fopen(path, "r");
    if (!file) return b;
    assert_int_equal(fstat(fileno(file), &st), 0);
    b.size = (size_t)st.st_size;
    b.data = malloc(b.size + 1);
    assert_int_equal(fread(b.data, 1, b.size, file), b.size);
    b.data[b.size] = '\0';
    fclose(file);
    return b;
}

static void put_bytes(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* A finished job; `killed`: its process ended before the log went into the state file. */
static void run(const noop *f, bool killed)
{
    pid_t child = fork();
    int   how;
    if (child == 0) {
        ledger *l;
        if (!killed) _exit(noop_run(f) != DID_OK);
        if (ledger_open(&l, &f->settings) != DID_OK) _exit(1);
        _exit(noop_work(l, open("/dev/null", O_WRONLY)) != DID_OK);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
}

static status open_audit(audit *a, const char *state, const char *output)
{
    return audit_open(a, &(audit_subject){.state = state, .output = output});
}

/* Look, and see that looking changed nothing. */
static audit look(const noop *f)
{
    audit             a;
    const char *const paths[] = {f->state, f->log, f->output};
    bytes             before[3];
    for (int i = 0; i < 3; i++) before[i] = file_bytes(paths[i]);
    if (open_audit(&a, f->state, f->output) != DID_OK) fail_msg("%s", status_message());
    for (int i = 0; i < 3; i++) {
        bytes after = file_bytes(paths[i]);
        assert_int_equal(after.size, before[i].size);
        assert_true((after.data == NULL) == (before[i].data == NULL));
        if (after.data) assert_memory_equal(after.data, before[i].data, after.size);
        free(after.data);
        free(before[i].data);
    }
    return a;
}

static void finds(const noop *f, audit_weight weight, const char *says)
{
    audit a = look(f);
    bool  said = false;
    for (int i = 0; i < a.n_findings; i++) {
        said |= a.finding[i].weight == weight && strstr(a.finding[i].sentence, says) != NULL;
        if (a.weight != weight) print_message("%d: %s\n", i, a.finding[i].sentence);
    }
    assert_int_equal(a.weight, weight);
    if (!said) fail_msg("no finding says \"%s\"", says);
    audit_close(&a);
}

static void is_sound(const noop *f)
{
    audit a = look(f);
    for (int i = 0; i < a.n_findings && a.weight != AUDIT_SOUND; i++)
        print_message("%s\n", a.finding[i].sentence);
    assert_int_equal(a.weight, AUDIT_SOUND);
    assert_int_equal(a.documents[STORE_DONE], NOOP_N);
    assert_int_equal(a.lines, NOOP_N);
    audit_close(&a);
}

static void mends(const noop *f)
{
    audit a = look(f);
    if (audit_mend(&a) != DID_OK) fail_msg("%s", status_message());
    audit_close(&a);
}

static void a_sound_job(void **state)
{
    const noop *f = *state;
    run(f, false);
    is_sound(f);
    noop_clear(f);
    run(f, true);
    is_sound(f);
}

/* The output is cut at many places: always mendable, and the same bytes afterwards. */
static void a_cut_output(void **state)
{
    const noop *f = *state;
    run(f, true);
    bytes whole = file_bytes(f->output);
    for (size_t size = 0; size < whole.size; size += 1 + whole.size / 23) {
        put_bytes(f->output, whole.data, size);
        finds(f, AUDIT_MENDABLE, "finished document");
        mends(f);
        is_sound(f);
        bytes mended = file_bytes(f->output);
        assert_int_equal(mended.size, whole.size);
        assert_memory_equal(mended.data, whole.data, whole.size);
        free(mended.data);
    }
    free(whole.data);
}

static void a_changed_output(void **state)
{
    const noop *f = *state;
    audit       a;
    run(f, false);
    bytes whole = file_bytes(f->output);
    whole.data[whole.size / 2] ^= 1;
    put_bytes(f->output, whole.data, whole.size);
    finds(f, AUDIT_BAD, "the line was changed");
    a = look(f);
    assert_int_equal(audit_mend(&a), DID_EINVAL);
    audit_close(&a);
    whole.data[whole.size / 2] ^= 1;
    put_bytes(f->output, whole.data, whole.size);
    is_sound(f);

    FILE *file = fopen(f->output, "a");
    fwrite(whole.data, 1, (size_t)(strchr(whole.data, '\n') - whole.data) + 1, file);
    fclose(file);
    finds(f, AUDIT_BAD, "is there twice");
    put_bytes(f->output, "what?\n", 6);
    finds(f, AUDIT_BAD, "line 1: record: not JSON");
    static const char stranger[] = "{\"custom_id\": \"x\", \"sample\": 0}\n";
    put_bytes(f->output, stranger, strlen(stranger));
    finds(f, AUDIT_BAD, "is not in the state file: the line is another job's");
    free(whole.data);
}

static void change_state(const noop *f, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->state, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void a_damaged_row(void **state)
{
    const noop *f = *state;
    run(f, false);
    change_state(f, "UPDATE document SET record = replace(record, 'b', 'c') WHERE place = 2");
    finds(f, AUDIT_LOST, "\"d1\" sample 0: the checksum of its standing does not match");
    run(f, false);
    is_sound(f);
}

static void other_files(void **state)
{
    const noop *f = *state;
    audit       a;
    assert_int_equal(open_audit(&a, f->state, NULL), DID_EIO);
    assert_int_not_equal(access(f->state, F_OK), 0);
    run(f, false);
    assert_int_equal(open_audit(&a, f->state, "/nowhere/out"), DID_EIO);
    change_state(f, "PRAGMA user_version = 99");
    finds(f, AUDIT_BAD, "has version 99");
    change_state(f, "PRAGMA application_id = 5");
    finds(f, AUDIT_BAD, "not a state file of did");
    put_bytes(f->log, "xxxx", 4);
    put_bytes(f->state, "", 0);
    finds(f, AUDIT_BAD, "it is empty, but its log");
    put_bytes(f->state, "hello", 5);
    finds(f, AUDIT_BAD, "is not a state file of did");
}

static void one_at_a_time(void **state)
{
    const noop *f = *state;
    ledger     *l;
    audit       a;
    assert_int_equal(ledger_open(&l, &f->settings), DID_OK);
    assert_int_equal(open_audit(&a, f->state, f->output), DID_EIO);
    assert_non_null(strstr(status_message(), "in use by another process"));
    assert_int_equal(ledger_close(&l), DID_OK);
}

/* A bit of an early frame of the log: SQLite would take it for the end of the log, and the output
 * says more than the state file then knows. The job goes on from there and ends with all of it. */
static void a_damaged_log(void **state)
{
    const noop *f = *state;
    run(f, true);
    bytes log = file_bytes(f->log);
    log.data[log.size * 2 / 3] ^= 4;
    put_bytes(f->log, log.data, log.size);
    finds(f, AUDIT_LOST, "the write-ahead log is damaged at frame");
    run(f, false);
    is_sound(f);
    log.data[20] ^= 1;
    noop_clear(f);
    run(f, true);
    put_bytes(f->log, log.data, log.size);
    finds(f, AUDIT_BAD, "");
    free(log.data);
}

#ifdef DID_FAULTS
/* Without a write-ahead log (network file systems) a commit that was cut short is undone first. */
static void an_interrupted_commit(void **state)
{
    const noop *f = *state;
    run(f, false);
    change_state(f, "PRAGMA journal_mode = DELETE");
    pid_t child = fork();
    int   how;
    if (child == 0) {
        sqlite3 *db;
        setenv("DID_FAULT", "fsync:3:die", 1);
        if (fault_begin() != DID_OK || !freopen("/dev/null", "w", stderr)) _exit(1);
        if (sqlite3_open_v2(f->state, &db, SQLITE_OPEN_READWRITE, disk_name()) != SQLITE_OK)
            _exit(2);
        sqlite3_exec(db, "UPDATE document SET record = 'x'", NULL, NULL, NULL);
        _exit(3);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 137);
    finds(f, AUDIT_MENDABLE, "a commit was interrupted");
    mends(f);
    is_sound(f);
}
#endif

/* ---- the file of a service ---- */

static audit look_at(const counter *f, const char *output, const char *job, const char *owner)
{
    audit a;
    if (audit_open(&a, &(audit_subject){f->state, output, job, owner}) != DID_OK)
        fail_msg("%s", status_message());
    return a;
}

static bool says(const audit *a, audit_weight weight, const char *words)
{
    for (int i = 0; i < a->n_findings; i++)
        if (a->finding[i].weight == weight && strstr(a->finding[i].sentence, words)) return true;
    for (int i = 0; i < a->n_findings; i++) print_message("%s\n", a->finding[i].sentence);
    return false;
}

static void damage(const counter *f, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->state, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* Everything done but what `out` says: that is with a world. What the first client fetched lies in
 * f->fetched. */
static void a_day(const counter *f, bool out)
{
    store *s;
    int    acks = open("/dev/null", O_WRONLY);
    assert_int_equal(store_open(&s, f->state), DID_OK);
    if (out) {
        standing_loan loan;
        assert_int_equal(counter_submit(s, 0, COUNTER_LAST, acks), DID_OK);
        assert_int_equal(standing_take(s, "S", true, &loan), DID_OK);
        standing_loan_clear(&loan);
        assert_int_equal(store_commit(s), DID_OK);
    } else {
        assert_int_equal(counter_work(f, s, acks), DID_OK);
    }
    store_close(&s);
    close(acks);
}

static void documents_that_are_out(void **state)
{
    const counter *f = *state;
    a_day(f, true);
    audit a = look_at(f, NULL, NULL, NULL);
    assert_int_equal(a.weight, AUDIT_SOUND);
    assert_int_equal(a.documents[STORE_DRAFTING], 1);
    assert_int_equal(a.documents[STORE_QUEUED], COUNTER_LAST - 1);
    assert_false(a.own);
    assert_true(says(&a, AUDIT_SOUND, "1 document is out with worlds: after a start"));
    audit_close(&a);
}

static void whose_output(void **state)
{
    const counter *f = *state;
    audit          a;
    a_day(f, false);
    assert_int_equal(audit_open(&a, &(audit_subject){f->state, f->fetched, NULL, NULL}),
                     DID_EINVAL);
    assert_non_null(strstr(status_message(), "has 2 jobs: --job must say"));
    assert_int_equal(audit_open(&a, &(audit_subject){f->state, f->fetched, "job", NULL}),
                     DID_EINVAL);
    assert_non_null(strstr(status_message(), "has 2 jobs \"job\": --owner must say"));
    assert_int_equal(audit_open(&a, &(audit_subject){f->state, f->fetched, "x", NULL}), DID_EINVAL);
    a = look_at(f, f->fetched, "job", "alice");
    assert_int_equal(a.weight, AUDIT_SOUND);
    assert_int_equal(a.lines, COUNTER_LAST - 1);
    assert_int_equal(a.documents[STORE_DONE], COUNTER_N - 1);
    assert_int_equal(a.documents[STORE_CANCELLED], 1);
    audit_close(&a);
    a = look_at(f, f->fetched, "job", "bob");
    assert_int_equal(a.weight, AUDIT_BAD);
    assert_true(says(&a, AUDIT_BAD, "is not in the state file: the line is another job's"));
    audit_close(&a);
}

static void fetched_in_part(void **state)
{
    const counter *f = *state;
    struct stat    st;
    a_day(f, false);
    assert_int_equal(stat(f->fetched, &st), 0);
    bytes whole = file_bytes(f->fetched);
    assert_int_equal(truncate(f->fetched, st.st_size / 2 + 10), 0);
    audit a = look_at(f, f->fetched, "job", "alice");
    assert_int_equal(a.weight, AUDIT_MENDABLE);
    assert_true(says(&a, AUDIT_MENDABLE, "ends in a torn line"));
    assert_true(says(&a, AUDIT_MENDABLE, "lacks 2 finished documents"));
    assert_int_equal(audit_mend(&a), DID_OK);
    audit_close(&a);
    bytes mended = file_bytes(f->fetched);
    assert_int_equal(mended.size, whole.size);
    assert_memory_equal(mended.data, whole.data, whole.size);
    free(mended.data);
    free(whole.data);
}

static void damaged_rows_of_a_service(void **state)
{
    const counter *f = *state;
    a_day(f, false);
    damage(f,
           "UPDATE document SET record = replace(record, 'aaaa', 'bbbb') WHERE custom_id = 'd0'");
    damage(f, "UPDATE document SET line = '{}' WHERE custom_id = 'd5'");
    audit a = look_at(f, f->fetched, "job", "alice");
    assert_int_equal(a.weight, AUDIT_LOST);
    assert_int_equal(a.damaged, 2);
    assert_true(says(&a, AUDIT_LOST,
                     "\"d0\" sample 0 of job \"job\": the checksum of its standing does not match: "
                     "it is not used, and the next start generates the document again"));
    assert_true(says(&a, AUDIT_LOST, "the document has to be submitted again"));
    audit_close(&a);
    damage(f, "UPDATE job SET terms = '{\"seed\":\"2\"}' WHERE owner = 'bob'");
    a = look_at(f, NULL, NULL, NULL);
    assert_int_equal(a.weight, AUDIT_BAD);
    assert_true(says(&a, AUDIT_BAD, "the sum of the row of job \"job\" does not match"));
    audit_close(&a);
}

int main(void)
{
#define WITH_JOB(test) cmocka_unit_test_setup_teardown(test, noop_set_up, noop_tear_down)
    const struct CMUnitTest tests[] = {
        WITH_JOB(a_sound_job),
        WITH_JOB(a_cut_output),
        WITH_JOB(a_changed_output),
        WITH_JOB(a_damaged_row),
        WITH_JOB(other_files),
        WITH_JOB(one_at_a_time),
        WITH_JOB(a_damaged_log),
#define WITH_COUNTER(test) cmocka_unit_test_setup_teardown(test, counter_set_up, counter_tear_down)
        WITH_COUNTER(documents_that_are_out),
        WITH_COUNTER(whose_output),
        WITH_COUNTER(fetched_in_part),
        WITH_COUNTER(damaged_rows_of_a_service),
#ifdef DID_FAULTS
        WITH_JOB(an_interrupted_commit),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
