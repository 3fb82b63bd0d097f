/* Damaged media: state file, write-ahead log and output are cut at every class of length and have
 * bits flipped in every region, one at a time. Start-up and audit reach a consistent state or
 * refuse with the reason; nothing that was not written is ever used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <sys/wait.h>

#include "audit.h"
#include "log.h"
#include "noop.h"

enum { FILES = 3, FLIPS = 60 /* in each file and each state of the job */ };

typedef struct bytes {
    char  *data;
    size_t size;
} bytes;

/* The files of a job as they were, and what has become of the damaged ones. */
typedef struct scene {
    const noop *job;
    const char *path[FILES]; /* state, log, output */
    bytes       sound[FILES];
    char        what[80]; /* was done to them */
    int         refused, whole, again;
} scene;

static bytes take(const char *path)
{
    bytes       b = {NULL, 0};
    struct stat st;
    FILE       *file = fopen(path, "r");
    if (!file) return b;
    assert_int_equal(fstat(fileno(file), &st), 0);
    b.size = (size_t)st.st_size;
    b.data = malloc(b.size + 1);
    assert_int_equal(fread(b.data, 1, b.size, file), b.size);
    fclose(file);
    return b;
}

static void put(const char *path, const bytes *b)
{
    if (!b->data) {
        unlink(path);
        return;
    }
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(b->data, 1, b->size, file), b->size);
    assert_int_equal(fclose(file), 0);
}

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
static void check_output(const scene *s)
{
    char  found[NOOP_LINE], expected[NOOP_LINE];
    int   times[NOOP_N] = {0};
    FILE *output = fopen(s->job->output, "r");
    assert_non_null(output);
    while (fgets(found, sizeof found, output)) {
        int i = 0;
        found[strcspn(found, "\n")] = '\0';
        for (; i < NOOP_N; i++) {
            noop_line(expected, i);
            if (strcmp(found, expected) == 0) break;
        }
        if (i == NOOP_N) fail_msg("%s: a strange line came through: %.60s", s->what, found);
        times[i]++;
    }
    fclose(output);
    for (int i = 0; i < NOOP_N; i++)
        if (times[i] != 1) fail_msg("%s: d%d is there %d times", s->what, i, times[i]);
}

static status look(audit *a, const noop *job)
{
    return audit_open(a, &(audit_subject){.state = job->state, .output = job->output});
}

/* The start-up, and where it is not refused the rest of the job. */
static void start_again(scene *s, audit_weight weight)
{
    ledger *l;
    audit   a;
    status  opened = ledger_open(&l, &s->job->settings);
    if (opened != DID_OK) {
        s->refused++;
        if (opened != DID_EINVAL && opened != DID_EFORMAT)
            fail_msg("%s: %s", s->what, status_message());
        if (weight != AUDIT_BAD)
            fail_msg("%s: refused, but audit found no reason: %s", s->what, status_message());
        assert_true(strlen(status_message()) > 20);
        return;
    }
    if (weight == AUDIT_BAD) fail_msg("%s: audit found it bad, but it was not refused", s->what);
    s->whole += ledger_done(l) == 2;
    s->again += ledger_done(l) < 2;
    int acks = open("/dev/null", O_WRONLY);
    if (noop_work(l, acks) != DID_OK) fail_msg("%s: %s", s->what, status_message());
    close(acks);
    assert_int_equal(ledger_close(&l), DID_OK);
    check_output(s);
    assert_int_equal(look(&a, s->job), DID_OK);
    if (a.weight != AUDIT_SOUND)
        fail_msg("%s: not sound afterwards: %s", s->what, a.finding[0].sentence);
    audit_close(&a);
}

static void try_it(scene *s, int file, const bytes *damaged)
{
    audit a;
    for (int i = 0; i < FILES; i++) put(s->path[i], i == file ? damaged : &s->sound[i]);
    if (look(&a, s->job) != DID_OK)
        fail_msg("%s: %s", s->what, status_message());
    audit_weight weight = a.weight;
    audit_close(&a);
    start_again(s, weight);
}

static scene begin(const noop *f, bool closed)
{
    scene s = {.job = f, .path = {f->state, f->log, f->output}};
    half_a_job(f, closed);
    for (int i = 0; i < FILES; i++) s.sound[i] = take(s.path[i]);
    return s;
}

static void end(scene *s)
{
    print_message("%d refused, %d as before, %d from an earlier state\n", s->refused, s->whole,
                  s->again);
    for (int i = 0; i < FILES; i++) free(s->sound[i].data);
}

/* The borders of headers, frames and pages, one byte around each, and some lengths between. */
static int lengths_of(size_t size, size_t out[200])
{
    static const size_t borders[] = {0, 16, 24, 32, 56, 100, 512, 1024, 4096, 4152, 8192, 8304};
    uint64_t            seed = size;
    int                 n = 0;
    for (size_t i = 0; i < sizeof borders / sizeof borders[0]; i++)
        for (size_t j = 0; j < 3; j++)
            if (borders[i] + j > 0 && borders[i] + j - 1 < size) out[n++] = borders[i] + j - 1;
    for (int i = 0; i < 20; i++) out[n++] = (size_t)(sample_next(&seed) % size);
    for (size_t i = 1; i <= 8; i++)
        if (i < size) out[n++] = size - i;
    return n;
}

static void cut(const noop *f, bool closed)
{
    scene s = begin(f, closed);
    for (int file = 0; file < FILES; file++) {
        size_t at[200];
        int    n = s.sound[file].size ? lengths_of(s.sound[file].size, at) : 0;
        for (int i = 0; i < n; i++) {
            bytes shorter = {s.sound[file].data, at[i]};
            snprintf(s.what, sizeof s.what, "file %d %s cut to %zu of %zu", file,
                     closed ? "closed" : "killed", at[i], s.sound[file].size);
            try_it(&s, file, &shorter);
        }
    }
    assert_true(s.refused > 0 && s.whole > 0);
    end(&s);
}

static void flip(const noop *f, bool closed)
{
    scene    s = begin(f, closed);
    uint64_t seed = closed ? 11 : 12;
    for (int file = 0; file < FILES; file++) {
        bytes *b = &s.sound[file];
        for (int i = 0; i < FLIPS && b->size > 0; i++) {
            size_t region = b->size / FLIPS;
            size_t at = (size_t)i * region + (size_t)(sample_next(&seed) % (region ? region : 1));
            char   sound = b->data[at];
            bytes  changed = {malloc(b->size), b->size};
            memcpy(changed.data, b->data, b->size);
            changed.data[at] = (char)(sound ^ 1 << sample_below(&seed, 8));
            snprintf(s.what, sizeof s.what, "file %d %s: a bit of byte %zu of %zu", file,
                     closed ? "closed" : "killed", at, b->size);
            try_it(&s, file, &changed);
            free(changed.data);
        }
    }
    assert_true(s.refused > 0 && s.whole > 0 && s.again > 0);
    end(&s);
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
#define WITH_JOB(test) cmocka_unit_test_setup_teardown(test, noop_set_up, noop_tear_down)
    const struct CMUnitTest tests[] = {WITH_JOB(cut_after_a_kill), WITH_JOB(cut_after_the_end),
                                       WITH_JOB(flipped_after_a_kill),
                                       WITH_JOB(flipped_after_the_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
