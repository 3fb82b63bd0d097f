/* Damaged media: the state file of a service and its write-ahead log are cut at every class of
 * length and have bits flipped in every region, one at a time. Start-up and audit reach an
 * earlier state or refuse with the reason; a record that was not written is never given out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <sys/wait.h>

#include "counter.h"
#include "log.h"
#include "media.h"

/* Two of the six documents finished, one saved, one cancelled; the process ended without closing
 * anything, or (`closed`) as it should. */
static void half_a_day(const counter *f, bool closed)
{
    pid_t child = fork();
    int   how;
    if (child == 0) {
        store *s;
        int    acks = open("/dev/null", O_WRONLY);
        if (store_open(&s, f->state) != DID_OK) _exit(1);
        if (counter_submit(s, 0, COUNTER_LAST, acks) != DID_OK) _exit(2);
        if (counter_submit(s, COUNTER_LAST, COUNTER_N, acks) != DID_OK) _exit(3);
        if (counter_cancel(s, acks) != DID_OK) _exit(4);
        for (int i = 0; i < 3; i++) {
            standing_loan loan;
            char          line[COUNTER_LINE];
            if (standing_take(s, "S", true, &loan) != DID_OK || !loan.serial) _exit(5);
            counter_record(line, counter_number(&loan));
            status done = i < 2 ? standing_finish(s, loan.serial, line, false)
                                : standing_save(s, loan.serial, true, "S", "a checkpoint");
            if (done != DID_OK || store_commit(s) != DID_OK) _exit(6);
            standing_loan_clear(&loan);
        }
        if (closed) store_close(&s);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
}

typedef struct reading {
    const media *media;
    int          n;
} reading;

/* Each record that is given out is one that was written. */
static bool is_written(void *context, const char *record)
{
    reading *r = context;
    char     line[COUNTER_LINE];
    int      i = 0;
    for (; i < COUNTER_N; i++) {
        counter_record(line, i);
        if (strcmp(line, record) == 0) break;
    }
    if (i == COUNTER_N) fail_msg("%s: a strange record: %.60s", r->media->what, record);
    r->n++;
    return false;
}

static int count_records(const media *m, store *s)
{
    reading r = {m, 0};
    for (int k = 0; k < 2; k++) {
        int64_t job, after = 0;
        assert_int_equal(store_find_job(s, k ? "bob" : "alice", "job", &job), DID_OK);
        if (job) assert_int_equal(store_read(s, job, &after, is_written, &r), DID_OK);
    }
    return r.n;
}

/* The start-up, and where it is not refused the rest of the day: both clients submit again. */
static void start_again(media *m, audit_weight weight)
{
    const counter *f = m->subject;
    store         *s;
    status         opened = store_open(&s, f->state);
    if (opened != DID_OK) {
        media_refused(m, opened, weight);
        return;
    }
    if (weight == AUDIT_BAD) fail_msg("%s: audit found it bad, but it was not refused", m->what);
    store_count all = store_counts(s, 0);
    int         before = count_records(m, s);
    assert_int_equal(before, all.n[STORE_DONE]);
    bool whole = before == 2 && all.n[STORE_CANCELLED] == 1 && all.n[STORE_REFINING] == 1;
    m->whole += whole;
    m->again += !whole;
    /* A log whose end is missing or not sound is a commit that a crash cut short, an empty file is
     * one that was never begun. Everything else has to be found. */
    if (weight == AUDIT_SOUND && !whole && strncmp(m->what, "file 1", 6) != 0 &&
        strncmp(m->what, "file 0 cut to 0 of", 18) != 0)
        fail_msg("%s: audit found nothing, but something is lost", m->what);
    int acks = open("/dev/null", O_WRONLY);
    if (counter_work(f, s, acks) != DID_OK) fail_msg("%s: %s", m->what, status_message());
    close(acks);
    all = store_counts(s, 0);
    assert_int_equal(all.n[STORE_DONE] + all.n[STORE_CANCELLED], COUNTER_N);
    assert_int_equal(count_records(m, s), all.n[STORE_DONE]);
    store_close(&s);
    media_is_sound(m);
}

static media begin(const counter *f, bool closed)
{
    media m = {
        .path = {f->state, f->log}, .of = {.state = f->state}, .subject = f, .start = start_again};
    half_a_day(f, closed);
    media_begin(&m);
    return m;
}

static void cut(const counter *f, bool closed)
{
    media m = begin(f, closed);
    media_cut(&m);
    assert_true(m.refused > 0 && m.again > 0);
    media_end(&m);
}

static void flip(const counter *f, bool closed)
{
    media m = begin(f, closed);
    media_flip(&m, closed ? 21 : 22);
    assert_true(m.whole > 0 && m.again > 0);
    media_end(&m);
}

static void cut_after_a_kill(void **state)
{
    cut(*state, false);
}

static void cut_after_the_end(void **state)
{
    cut(*state, true);
}

static void flipped_after_a_kill(void **state)
{
    flip(*state, false);
}

static void flipped_after_the_end(void **state)
{
    flip(*state, true);
}

int main(void)
{
    log_identity(0, 1, true);
#define WITH_COUNTER(test) cmocka_unit_test_setup_teardown(test, counter_set_up, counter_tear_down)
    const struct CMUnitTest tests[] = {
        WITH_COUNTER(cut_after_a_kill), WITH_COUNTER(cut_after_the_end),
        WITH_COUNTER(flipped_after_a_kill), WITH_COUNTER(flipped_after_the_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
