#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "standing.h"

typedef struct fixture {
    char    folder[64], path[96];
    store  *store;
    int64_t job;
} fixture;

static const store_quota quota = {100, 1 << 20};

static void again(fixture *f)
{
    store_close(&f->store);
    if (store_open(&f->store, f->path) != DID_OK) fail_msg("%s", status_message());
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/did-standing-XXXXXX");
    if (!mkdtemp(f->folder)) return 1;
    snprintf(f->path, sizeof f->path, "%s/state", f->folder);
    again(f);
    *state = f;
    return store_begin_job(f->store, "alice", "job", "{}", 3, &f->job) != DID_OK;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    char     beside[128];
    store_close(&f->store);
    unlink(f->path);
    snprintf(beside, sizeof beside, "%s-wal", f->path);
    unlink(beside);
    int left = rmdir(f->folder);
    free(f);
    return left;
}

static void submit(fixture *f, const char *id, int samples, const char *line, int added, int known)
{
    int new, old;
    store_line one = {id, samples, line, 1};
    assert_int_equal(store_submit(f->store, "alice", f->job, &one, 1, &quota, &new, &old), DID_OK);
    assert_int_equal(new, added);
    assert_int_equal(old, known);
}

/* Real enough to be recognised. */
static const char *record(char text[100], const char *id, int sample)
{
    snprintf(text, 100, "{\"custom_id\": \"%s\", \"sample\": %d}", id, sample);
    return text;
}

static int64_t take(fixture *f, const char *signature, int64_t epoch, const char *checkpoint)
{
    standing_loan loan;
    assert_int_equal(standing_take(f->store, signature, true, &loan), DID_OK);
    int64_t serial = loan.serial;
    if (serial) assert_int_equal(loan.epoch, epoch);
    if (checkpoint) assert_string_equal(loan.checkpoint, checkpoint);
    else assert_null(loan.checkpoint);
    standing_loan_clear(&loan);
    return serial;
}

static store_state at(fixture *f, int64_t serial)
{
    store_state s;
    int64_t     epoch;
    assert_int_equal(standing_look(f->store, serial, &s, &epoch), DID_OK);
    assert_true(epoch > 0);
    return s;
}

static void submitting(void **state)
{
    fixture   *f = *state;
    int        added, known;
    int64_t    other;
    store_line lines[] = {{"new", 1, "{}", 1}, {"a", 1, "{\"x\": 2}", 1}},
               many = {"m", 100, "{}", 1};
    submit(f, "a", 3, "{\"x\": 1}", 3, 0);
    submit(f, "a", 3, "{\"x\": 1}", 0, 3);
    assert_int_equal(store_submit(f->store, "alice", f->job, lines, 2, &quota, &added, &known),
                     DID_EINVAL);
    assert_non_null(strstr(status_message(), "another content"));
    submit(f, "new", 1, "{}", 1, 0); /* nothing of the refused batch stayed */
    assert_int_equal(store_submit(f->store, "alice", f->job, &many, 1, &quota, &added, &known),
                     DID_EINVAL);
    assert_non_null(strstr(status_message(), "more than 100 unfinished"));
    assert_int_equal(store_begin_job(f->store, "alice", "job", "{\"seed\":\"2\"}", 3, &other),
                     DID_EINVAL);
    assert_int_equal(store_begin_job(f->store, "bob", "job", "{\"seed\":\"2\"}", 3, &other),
                     DID_OK);
    assert_int_not_equal(other, f->job);
    assert_int_equal(store_find_job(f->store, "bob", "none", &other), DID_OK);
    assert_int_equal(other, 0);
}

static void checkpoints(void **state)
{
    fixture *f = *state;
    submit(f, "a", 1, "{}", 1, 0);
    int64_t a = take(f, "S", 1, NULL);
    assert_int_equal(at(f, a), STORE_DRAFTING);
    assert_int_equal(take(f, "S", 0, NULL), 0);
    assert_int_equal(standing_save(f->store, a, true, "S", "half"), DID_OK);
    assert_int_equal(standing_put_back(f->store, a), DID_OK);
    assert_int_equal(at(f, a), STORE_DRAFTED);
    assert_int_equal(store_commit(f->store), DID_OK);
    again(f);
    assert_int_equal(take(f, "S", 2, "half"), a);
    assert_int_equal(at(f, a), STORE_REFINING);
    assert_int_equal(standing_put_back(f->store, a), DID_OK);
    assert_int_equal(take(f, "another", 3, NULL), a); /* other numerics begin anew */
    assert_int_equal(at(f, a), STORE_DRAFTING);
    char text[100];
    assert_int_equal(standing_finish(f->store, a, record(text, "b", 0), false), DID_EFORMAT);
    assert_non_null(strstr(status_message(), "says it is \"b\" sample 0"));
    assert_int_equal(standing_finish(f->store, a, "what?", false), DID_EFORMAT);
    assert_int_equal(at(f, a), STORE_DRAFTING);
    assert_int_equal(standing_finish(f->store, a, record(text, "a", 0), false), DID_OK);
    assert_int_equal(at(f, a), STORE_DONE);
}

static bool gather(void *context, const char *record)
{
    strcat(strcat(context, record), ";");
    return false;
}

static void three_strikes(void **state)
{
    fixture *f = *state;
    char     text[1000] = "";
    int64_t  after = 0, a = 0;
    bool     aside = false;
    submit(f, "a", 1, "{}", 1, 0);
    for (int i = 1; i <= 2; i++) {
        a = take(f, "S", i, NULL);
        assert_int_equal(standing_strike(f->store, a, "lost", &aside), DID_OK);
        assert_false(aside);
    }
    standing_loan loan;
    assert_int_equal(standing_take(f->store, "S", false, &loan), DID_OK);
    assert_int_equal(loan.serial, 0); /* not for a world that has others */
    assert_int_equal(take(f, "S", 3, NULL), a);
    assert_int_equal(standing_save(f->store, a, false, "S", "on"), DID_OK); /* forgiven */
    for (int i = 4; i <= 6; i++) {
        assert_int_equal(standing_strike(f->store, a, "lost", &aside), DID_OK);
        assert_false(aside && i < 6);
        if (!aside) take(f, "S", i, "on");
    }
    assert_true(aside);
    assert_int_equal(at(f, a), STORE_FAILED);
    assert_int_equal(store_read(f->store, f->job, &after, gather, text), DID_OK);
    assert_string_equal(text, "{\"custom_id\": \"a\", \"sample\": 0, \"text\": null,"
                              " \"finish_reason\": \"failed\", \"error\": \"lost\"};");
}

static status count_out(void *context, int64_t serial, int64_t epoch)
{
    (void)serial, (void)epoch;
    ++*(int *)context;
    return DID_OK;
}

static void reading_and_cancelling(void **state)
{
    fixture *f = *state;
    char     text[1000] = "", line[100];
    int64_t  after = 0, serial[5];
    int      out = 0, cancelled;
    submit(f, "a", 5, "{}", 5, 0);
    for (int i = 0; i < 4; i++) serial[i] = take(f, "S", 1, NULL);
    for (int i = 2; i >= 0; i -= 2) {
        assert_int_equal(standing_finish(f->store, serial[i], record(line, "a", i), i == 2),
                         DID_OK);
    }
    assert_int_equal(store_read(f->store, f->job, &after, gather, text), DID_OK);
    assert_int_equal(standing_finish(f->store, serial[1], record(line, "a", 1), false), DID_OK);
    assert_int_equal(store_read(f->store, f->job, &after, gather, text), DID_OK);
    assert_string_equal(text, "{\"custom_id\": \"a\", \"sample\": 2};"
                              "{\"custom_id\": \"a\", \"sample\": 0};"
                              "{\"custom_id\": \"a\", \"sample\": 1};");
    assert_int_equal(standing_cancel(f->store, f->job, "b", 9, count_out, &out, &cancelled), DID_OK);
    assert_int_equal(cancelled, 0);
    assert_int_equal(standing_cancel(f->store, f->job, "a", 1, count_out, &out, &cancelled), DID_OK);
    assert_int_equal(cancelled, 1);
    assert_int_equal(standing_cancel(f->store, f->job, NULL, 9, count_out, &out, &cancelled), DID_OK);
    assert_int_equal(cancelled, 1);
    assert_int_equal(out, 1);
    store_count c = store_counts(f->store, f->job);
    assert_int_equal(c.n[STORE_DONE], 2);
    assert_int_equal(c.n[STORE_FAILED], 1);
    assert_int_equal(c.n[STORE_CANCELLED], 2);
    assert_int_equal(store_open_documents(&c), 0);
}

/* Nothing that was not committed is there again; what was damaged is not used. */
static void crash_and_damage(void **state)
{
    fixture *f = *state;
    char     text[200] = "", ra[100], rb[100];
    int64_t  after = 0;
    submit(f, "a", 2, "{}", 2, 0);
    int64_t a = take(f, "S", 1, NULL), b = take(f, "S", 1, NULL);
    assert_int_equal(standing_finish(f->store, a, record(ra, "a", 0), false), DID_OK);
    assert_int_equal(standing_finish(f->store, b, record(rb, "a", 1), false), DID_OK);
    assert_int_equal(store_commit(f->store), DID_OK);
    submit(f, "c", 1, "{}", 1, 0);
    store_close(&f->store); /* without a commit */

    sqlite3 *db;
    char     spoil[200];
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    snprintf(spoil, sizeof spoil, "UPDATE document SET record = 'rx' WHERE place = %d", (int)a);
    assert_int_equal(sqlite3_exec(db, spoil, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    again(f);
    assert_int_equal(store_read(f->store, f->job, &after, gather, text), DID_OK);
    assert_string_equal(text, strcat(rb, ";"));
    assert_int_equal(at(f, a), STORE_QUEUED);
    assert_int_equal(take(f, "S", 2, NULL), a);
    assert_int_equal(take(f, "S", 0, NULL), 0);
}

int main(void)
{
#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {WITH_FILE(submitting), WITH_FILE(checkpoints),
                                       WITH_FILE(three_strikes), WITH_FILE(reading_and_cancelling),
                                       WITH_FILE(crash_and_damage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
