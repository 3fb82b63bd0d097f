/* Damaged media: state file, write-ahead log and output are cut at every class of length and have
 * bits flipped in every region, one at a time. Start-up and audit reach a consistent state or
 * refuse with the reason; nothing that was not written is ever used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <sys/wait.h>

#include "log.h"
#include "media.h"
#include "noop.h"

/* Two of the five documents finished, another saved; the process ended without closing anything, or
 * (`closed`) as it should. */
static void half_a_job(const noop *f, bool closed)
{
    pid_t child = fork();
    int   how;
    if (child == 0) {
        ledger *l;
        int64_t serial;
        char   *none, line[NOOP_LINE];
        if (ledger_open(&l, &f->settings) != DID_OK) _exit(1);
        for (int i = 0; i < 3; i++) {
            if (ledger_take(l, &serial, &none) != DID_OK) _exit(2);
            noop_line(line, (int)serial);
            status s = i < 2 ? ledger_finish(l, serial, strdup(line), false)
                             : ledger_save(l, serial, false, strdup("a checkpoint"));
            if (s != DID_OK || ledger_commit(l) != DID_OK) _exit(3);
        }
        _exit(closed ? ledger_close(&l) != DID_OK : 0);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
}

/* Only lines that were written, each once, and at the end all of them. */
static void check_output(const media *m)
{
    const noop *f = m->subject;
    char        found[NOOP_LINE], expected[NOOP_LINE];
    int         times[NOOP_N] = {0};
    FILE       *output = fopen(f->output, "r");
    assert_non_null(output);
    while (fgets(found, sizeof found, output)) {
        int i = 0;
        found[strcspn(found, "\n")] = '\0';
        for (; i < NOOP_N; i++) {
            noop_line(expected, i);
            if (strcmp(found, expected) == 0) break;
        }
        if (i == NOOP_N) fail_msg("%s: a strange line came through: %.60s", m->what, found);
        times[i]++;
    }
    fclose(output);
    for (int i = 0; i < NOOP_N; i++)
        if (times[i] != 1) fail_msg("%s: d%d is there %d times", m->what, i, times[i]);
}

/* The start-up, and where it is not refused the rest of the job. */
static void start_again(media *m, audit_weight weight)
{
    ledger     *l;
    const noop *f = m->subject;
    status      opened = ledger_open(&l, &f->settings);
    if (opened != DID_OK) {
        media_refused(m, opened, weight);
        return;
    }
    if (weight == AUDIT_BAD) fail_msg("%s: audit found it bad, but it was not refused", m->what);
    m->whole += ledger_done(l) == 2;
    m->again += ledger_done(l) < 2;
    int acks = open("/dev/null", O_WRONLY);
    if (noop_work(l, acks) != DID_OK) fail_msg("%s: %s", m->what, status_message());
    close(acks);
    assert_int_equal(ledger_close(&l), DID_OK);
    check_output(m);
    media_is_sound(m);
}

static media begin(const noop *f, bool closed)
{
    media m = {.path = {f->state, f->log, f->output},
               .of = {.state = f->state, .output = f->output},
               .subject = f,
               .start = start_again};
    half_a_job(f, closed);
    media_begin(&m);
    return m;
}

static void cut(const noop *f, bool closed)
{
    media m = begin(f, closed);
    media_cut(&m);
    assert_true(m.refused > 0 && m.whole > 0);
    media_end(&m);
}

static void flip(const noop *f, bool closed)
{
    media m = begin(f, closed);
    media_flip(&m, closed ? 11 : 12);
    assert_true(m.refused > 0 && m.whole > 0 && m.again > 0);
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
#define WITH_JOB(test) cmocka_unit_test_setup_teardown(test, noop_set_up, noop_tear_down)
    const struct CMUnitTest tests[] = {WITH_JOB(cut_after_a_kill), WITH_JOB(cut_after_the_end),
                                       WITH_JOB(flipped_after_a_kill),
                                       WITH_JOB(flipped_after_the_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
