#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <sys/wait.h>

#include "audit.h"
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

int main(void)
{
#define WITH_JOB(test) cmocka_unit_test_setup_teardown(test, noop_set_up, noop_tear_down)
    const struct CMUnitTest tests[] = {
        WITH_JOB(a_sound_job),   WITH_JOB(a_cut_output), WITH_JOB(a_changed_output),
        WITH_JOB(a_damaged_row), WITH_JOB(other_files),  WITH_JOB(one_at_a_time),
        WITH_JOB(a_damaged_log),
#ifdef DID_FAULTS
        WITH_JOB(an_interrupted_commit),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
