#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heritage.h"
#include "ledger.h"
#include "sample.h"

enum { N = 6 };

typedef struct fixture {
    char            folder[64], state[96], output[96];
    request         requests[N];
    record_rules    rules;
    ledger_settings settings;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/did-ledger-XXXXXX");
    if (!mkdtemp(f->folder)) return 1;
    snprintf(f->state, sizeof f->state, "%s/state", f->folder);
    snprintf(f->output, sizeof f->output, "%s/out", f->folder);
    for (int i = 0; i < N; i++) {
        char id[16];
        snprintf(id, sizeof id, "d%d", N - i);
        f->requests[i] = sample_request(id, i % 2, 12, 2);
    }
    f->rules = (record_rules){.parcels = sample_rules(false), .signature = "did/1 test"};
    f->settings = (ledger_settings){.requests = f->requests,
                                    .n_requests = N,
                                    .rules = &f->rules,
                                    .state = f->state,
                                    .output = f->output};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    char     path[128];
    for (int i = 0; i < N; i++) request_clear(&f->requests[i]);
    snprintf(path, sizeof path, "%s-wal", f->state);
    unlink(path);
    unlink(f->state);
    unlink(f->output);
    int left = rmdir(f->folder);
    free(f);
    return left;
}

static ledger *opened(const fixture *f)
{
    ledger *l;
    if (ledger_open(&l, &f->settings) != DID_OK) fail_msg("%s", status_message());
    return l;
}

/* The record that the tests write for document `i`: real enough to be recognised. */
static char *line_for(const fixture *f, int64_t i)
{
    char *line = malloc(100);
    snprintf(line, 100, "{\"custom_id\": \"%s\", \"sample\": %d, \"text\": \"t\"}",
             f->requests[i].custom_id, f->requests[i].sample);
    return line;
}

static void finish_one(const fixture *f, ledger *l, int64_t serial, bool failed)
{
    assert_int_equal(ledger_finish(l, serial, line_for(f, serial), failed), DID_OK);
    assert_false(ledger_out(l, serial));
}

static int64_t take_one(ledger *l, const char *checkpoint)
{
    int64_t serial;
    char   *found;
    assert_int_equal(ledger_take(l, &serial, &found), DID_OK);
    if (checkpoint) assert_string_equal(found, checkpoint);
    else assert_null(found);
    free(found);
    return serial;
}

/* The output holds exactly the records of `serials`, in this order. */
static void output_holds(const fixture *f, const int64_t *serials, int n)
{
    char   expected[2000] = "", found[2000];
    FILE  *file = fopen(f->output, "r");
    size_t size = fread(found, 1, sizeof found - 1, file);
    fclose(file);
    found[size] = '\0';
    for (int i = 0; i < n; i++) {
        char *line = line_for(f, serials[i]);
        sprintf(expected + strlen(expected), "%s\n", line);
        free(line);
    }
    assert_string_equal(found, expected);
}

static void without_a_state_file(void **state)
{
    fixture *f = *state;
    f->settings.state = NULL;
    ledger *l = opened(f);
    for (int i = 0; i < N; i++) assert_int_equal(take_one(l, NULL), i);
    assert_int_equal(take_one(l, NULL), -1);
    assert_true(ledger_out(l, 2));
    assert_false(ledger_out(l, N) || ledger_out(l, -1));
    assert_int_equal(ledger_save(l, 2, false, strdup("anything")), DID_OK);
    finish_one(f, l, 2, false);
    finish_one(f, l, 0, true);
    assert_int_equal(ledger_done(l), 0);
    assert_int_equal(ledger_commit(l), DID_OK);
    assert_int_equal(ledger_done(l), 2);
    assert_int_equal(ledger_failed(l), 1);
    assert_int_equal(ledger_close(&l), DID_OK);
    output_holds(f, (int64_t[]){2, 0}, 2);

    assert_int_equal(ledger_open(&l, &f->settings), DID_EINVAL);
    assert_non_null(strstr(status_message(), "there is no state file that knows them"));
}

static void taken_up_again(void **state)
{
    fixture *f = *state;
    ledger  *l = opened(f);
    for (int i = 0; i < 4; i++) take_one(l, NULL);
    assert_int_equal(ledger_save(l, 1, false, strdup("one a")), DID_OK);
    assert_int_equal(ledger_save(l, 1, false, strdup("one b")), DID_OK);
    finish_one(f, l, 3, false);
    finish_one(f, l, 0, true);
    assert_int_equal(ledger_commit(l), DID_OK);
    assert_int_equal(ledger_save(l, 2, false, strdup("never committed")), DID_OK);
    assert_int_equal(ledger_close(&l), DID_OK);

    l = opened(f);
    assert_int_equal(ledger_done(l), 2);
    assert_int_equal(ledger_earlier(l), 2);
    assert_int_equal(ledger_failed(l), 1);
    assert_int_equal(take_one(l, "one b"), 1);
    assert_int_equal(take_one(l, NULL), 2);
    assert_int_equal(take_one(l, NULL), 4);
    assert_int_equal(take_one(l, NULL), 5);
    assert_int_equal(take_one(l, NULL), -1);
    finish_one(f, l, 1, false);
    assert_int_equal(ledger_commit(l), DID_OK);
    assert_int_equal(ledger_close(&l), DID_OK);
    output_holds(f, (int64_t[]){3, 0, 1}, 3);
}

/* The state file knows more than the output: a line was lost, another torn. Both come back. */
static void a_shortened_output(void **state)
{
    fixture *f = *state;
    ledger  *l = opened(f);
    for (int i = 0; i < N; i++) take_one(l, NULL);
    for (int i = N - 1; i >= 0; i--) finish_one(f, l, i, false);
    assert_int_equal(ledger_commit(l), DID_OK);
    assert_int_equal(ledger_close(&l), DID_OK);
    struct stat st;
    assert_int_equal(stat(f->output, &st), 0);
    assert_int_equal(truncate(f->output, st.st_size / 3 + 5), 0);
    l = opened(f);
    assert_int_equal(take_one(l, NULL), -1);
    assert_int_equal(ledger_close(&l), DID_OK);
    output_holds(f, (int64_t[]){5, 4, 3, 2, 1, 0}, 6);

    unlink(f->output);
    l = opened(f);
    assert_int_equal(ledger_close(&l), DID_OK);
    output_holds(f, (int64_t[]){5, 4, 3, 2, 1, 0}, 6);
}

static void refuses_output(const fixture *f, const char *text, const char *says)
{
    ledger *l;
    FILE   *file = fopen(f->output, "w");
    fputs(text, file);
    fclose(file);
    assert_int_not_equal(ledger_open(&l, &f->settings), DID_OK);
    assert_null(l);
    if (!strstr(status_message(), says)) fail_msg("\"%s\" lacks \"%s\"", status_message(), says);
    assert_non_null(strstr(status_message(), f->output));
}

static void somebody_elses_output(void **state)
{
    fixture *f = *state;
    char    *line = line_for(f, 0), twice[400];
    refuses_output(f, "{}\n", "there is no state file that knows them");
    unlink(f->output);
    unlink(f->state);
    ledger *l = opened(f);
    take_one(l, NULL);
    finish_one(f, l, 0, false);
    assert_int_equal(ledger_commit(l), DID_OK);
    assert_int_equal(ledger_close(&l), DID_OK);

    snprintf(twice, sizeof twice, "%s\n%s\n", line, line);
    refuses_output(f, twice, "document \"d6\" sample 0 twice");
    refuses_output(f, "text\n", "record: not JSON");
    refuses_output(f, "{\"custom_id\": \"d6\", \"sample\": 0}\n", "is not the state file's");
    refuses_output(f, "{\"custom_id\": \"d5\", \"sample\": 1}\n", "has not seen finished");
    refuses_output(f, "{\"custom_id\": \"zz\", \"sample\": 0}\n", "has not seen finished");
    free(line);
}

/* The row of a finished document was damaged: it is generated again, its line stays single. */
static void a_damaged_record(void **state)
{
    fixture *f = *state;
    ledger  *l = opened(f);
    sqlite3 *db;
    for (int i = 0; i < 2; i++) take_one(l, NULL);
    for (int i = 0; i < 2; i++) finish_one(f, l, i, false);
    assert_int_equal(ledger_commit(l), DID_OK);
    assert_int_equal(ledger_close(&l), DID_OK);
    assert_int_equal(sqlite3_open(f->state, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE document SET sum = sum + 1 WHERE custom_id = 'd6'",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);

    l = opened(f);
    assert_int_equal(ledger_done(l), 1);
    assert_int_equal(take_one(l, NULL), 0);
    finish_one(f, l, 0, false);
    assert_int_equal(ledger_commit(l), DID_OK);
    assert_int_equal(ledger_done(l), 2);
    assert_int_equal(ledger_close(&l), DID_OK);
    output_holds(f, (int64_t[]){0, 1}, 2);
}

/* Killed at any moment between commits and started again, until all is done: every record once. */
/* Documents 1 and 2 go on from 0, which nobody asked for, and 4 from 3, likewise. */
static void with_sources(fixture *f)
{
    static const int source[N] = {0, 1, 1, 0, 4, 0};
    for (int i = 0; i < N; i++) {
        request *r = &f->requests[i];
        r->source = source[i];
        r->silent = i == 0 || i == 3;
        r->sample = 0;
        r->has_seed = true;
        if (r->silent) r->n_stages = 1;
        request_seal(r);
    }
}

/* The source comes to an end, with a text or without. */
static void finish_source(const fixture *f, ledger *l, int serial, finish end)
{
    const request *r = &f->requests[serial];
    document      *d;
    char          *line;
    assert_int_equal(parcel_begin(&d, r, serial, &f->rules.parcels), DID_OK);
    sample_walk(d, r->length, 9);
    d->finish = end;
    assert_int_equal(heritage_leave(&line, d, r), DID_OK);
    assert_int_equal(ledger_finish(l, serial, line, end != FINISH_LENGTH), DID_OK);
    document_close(&d);
}

static int64_t take_begun(const fixture *f, ledger *l)
{
    int64_t   serial;
    char     *found;
    document *d;
    assert_int_equal(ledger_take(l, &serial, &found), DID_OK);
    assert_non_null(found);
    status s = parcel_unpack(&d, found, strlen(found), &f->requests[serial], serial, false,
                             &f->rules.parcels);
    assert_int_equal(s, DID_OK);
    assert_int_equal(d->at, 1);
    document_close(&d);
    free(found);
    return serial;
}

static void sources_come_first(void **state)
{
    fixture *f = *state;
    with_sources(f);
    ledger *l = opened(f);
    assert_true(ledger_asked(l) == 4 && ledger_waiting(l) == 3 && ledger_held(l) == 3);
    assert_int_equal(take_one(l, NULL), 0);
    assert_int_equal(take_one(l, NULL), 3);
    assert_int_equal(take_one(l, NULL), 5);
    assert_int_equal(take_one(l, NULL), -1);
    finish_source(f, l, 0, FINISH_LENGTH);
    assert_int_equal(ledger_held(l), 3);
    assert_int_equal(ledger_commit(l), DID_OK);
    assert_true(ledger_waiting(l) == 2 && ledger_held(l) == 1 && ledger_done(l) == 0);
    assert_int_equal(take_begun(f, l), 1);
    finish_one(f, l, 1, false);
    assert_int_equal(ledger_commit(l), DID_OK);
    output_holds(f, (int64_t[]){1}, 1);
    assert_int_equal(ledger_close(&l), DID_OK);

    /* Taken up again: what the first source left is still there, the second begins anew and fails,
     * so the one behind it begins by itself. */
    l = opened(f);
    assert_true(ledger_earlier(l) == 1 && ledger_waiting(l) == 3 && ledger_held(l) == 1);
    assert_int_equal(take_begun(f, l), 2);
    assert_int_equal(take_one(l, NULL), 3);
    finish_source(f, l, 3, FINISH_REJECTED);
    assert_int_equal(ledger_commit(l), DID_OK);
    assert_true(ledger_failed(l) == 0 && ledger_held(l) == 0);
    assert_int_equal(take_one(l, NULL), 4);
    assert_int_equal(take_one(l, NULL), 5);
    for (int i = 2; i < N; i++)
        if (i != 3) finish_one(f, l, i, false);
    assert_int_equal(ledger_commit(l), DID_OK);
    output_holds(f, (int64_t[]){1, 2, 4, 5}, 4);
    assert_int_equal(ledger_close(&l), DID_OK);
}

/* A run that shares nothing comes after one that does, and the other way round: whoever is finished
 * needs no source, and a source that nobody needs is not made. */
static void sources_that_nobody_needs(void **state)
{
    fixture *f = *state;
    with_sources(f);
    for (int i = 0; i < N; i++) f->requests[i].source = 0;
    ledger *l = opened(f);
    for (int i = 0; i < 3; i++) assert_int_equal(take_one(l, NULL), i < 2 ? i + 1 : 4);
    finish_one(f, l, 1, false);
    assert_int_equal(ledger_save(l, 2, false, strdup("two")), DID_OK);
    assert_int_equal(ledger_commit(l), DID_OK);
    assert_int_equal(ledger_close(&l), DID_OK);
    with_sources(f);
    l = opened(f);
    assert_true(ledger_waiting(l) == 3 && ledger_held(l) == 1);
    assert_int_equal(take_one(l, "two"), 2);
    assert_int_equal(take_one(l, NULL), 3);
    assert_int_equal(ledger_close(&l), DID_OK);
}

static void killed_again_and_again(void **state)
{
    fixture *f = *state;
    int      how = 0, lives = 0;
    do {
        pid_t child = fork();
        if (child == 0) {
            ledger *l;
            if (ledger_open(&l, &f->settings) != DID_OK) _exit(1);
            for (int i = 0; i < 2; i++) {
                int64_t serial;
                char   *checkpoint;
                if (ledger_take(l, &serial, &checkpoint) != DID_OK) _exit(2);
                if (serial < 0) _exit(ledger_close(&l) == DID_OK ? 77 : 3);
                if (lives % 3 == 0) _exit(0);
                if (ledger_finish(l, serial, line_for(f, serial), false) != DID_OK) _exit(4);
                if (lives % 3 == 1 && i == 1) _exit(0);
                if (ledger_commit(l) != DID_OK) _exit(5);
            }
            _exit(0);
        }
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFEXITED(how) && (WEXITSTATUS(how) == 0 || WEXITSTATUS(how) == 77));
        lives++;
    } while (WEXITSTATUS(how) != 77);
    assert_true(lives > 3);
    output_holds(f, (int64_t[]){0, 1, 2, 3, 4, 5}, 6);
}

int main(void)
{
#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_FILES(without_a_state_file), WITH_FILES(taken_up_again),
        WITH_FILES(a_shortened_output),   WITH_FILES(somebody_elses_output),
        WITH_FILES(a_damaged_record),     WITH_FILES(sources_come_first),
        WITH_FILES(sources_that_nobody_needs), WITH_FILES(killed_again_and_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
