/* The state file of a service is killed, or refused, at every write, sync, truncation and
 * allocation in turn, and opened again: every submission, checkpoint, record and cancellation
 * that was acknowledged is there, and what a client has fetched comes again in the same order.
 * Needs DID_FAULTS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "counter.h"
#include "crash.h"
#include "log.h"

/* ---- what must be true afterwards ---- */

static void is_acknowledged(store *s, const char *word, const char *fault)
{
    char        id[16], line[COUNTER_LINE];
    int64_t     job;
    store_found found = {0};
    int         i = atoi(word + 1);
    counter_name(id, i);
    counter_record(line, i);
    assert_int_equal(store_find_job(s, counter_owner(i), "job", &job), DID_OK);
    if (job) assert_int_equal(store_find(s, job, id, 0, &found), DID_OK);
    if (found.serial == 0) fail_msg("%s: %s was acknowledged and is not known", fault, id);
    if (word[0] == 'c' && !found.text) fail_msg("%s: %s has lost its checkpoint", fault, id);
    if (word[0] == 'x' && found.state != STORE_CANCELLED)
        fail_msg("%s: %s was cancelled, and is %s", fault, id, store_word(found.state));
    if (word[0] == 'd' && (found.state != STORE_DONE || strcmp(found.text, line) != 0))
        fail_msg("%s: the acknowledged record of %s is lost", fault, id);
    free(found.text);
}

/* What the client holds is how the records begin. */
static void is_fetched(const counter *f, store *s, const char *fault)
{
    static char had[COUNTER_N * COUNTER_LINE], now[COUNTER_N * COUNTER_LINE];
    FILE       *file = fopen(f->fetched, "r");
    if (!file) return;
    size_t size = fread(had, 1, sizeof had, file);
    fclose(file);
    assert_int_equal(counter_fetch(f, s), DID_OK);
    file = fopen(f->fetched, "r");
    size_t more = fread(now, 1, sizeof now, file);
    fclose(file);
    if (more < size || memcmp(had, now, size) != 0)
        fail_msg("%s: the records are not those that the client was given", fault);
}

static void nothing_is_lost(const void *subject, const char *fault)
{
    const counter *f = subject;
    char           word[20];
    store         *s;
    FILE          *acks = fopen(f->acks, "r");
    if (!acks) return;
    if (store_open(&s, f->state) != DID_OK) fail_msg("%s: %s", fault, status_message());
    assert_int_equal(store_damaged(s), 0);
    while (fgets(word, sizeof word, acks)) is_acknowledged(s, word, fault);
    is_fetched(f, s, fault);
    store_close(&s);
    fclose(acks);
}

static void all_is_there(const void *subject, const char *fault)
{
    const counter *f = subject;
    store         *s;
    assert_int_equal(store_open(&s, f->state), DID_OK);
    store_count all = store_counts(s, 0);
    if (all.n[STORE_DONE] != COUNTER_N - 1 || all.n[STORE_CANCELLED] != 1)
        fail_msg("%s: %d done, %d cancelled", fault, (int)all.n[STORE_DONE],
                 (int)all.n[STORE_CANCELLED]);
    assert_int_equal(store_open_documents(&all), 0);
    for (int i = 0; i < COUNTER_N; i++) {
        char word[16];
        snprintf(word, sizeof word, "%c%d", i == COUNTER_CANCELLED ? 'x' : 'd', i);
        is_acknowledged(s, word, fault);
    }
    store_close(&s);
}

/* ---- the story ---- */

static status live(const void *subject)
{
    const counter *f = subject;
    store         *s;
    int            acks = open(f->acks, O_WRONLY | O_CREAT | O_APPEND, 0600);
    status         result = store_open(&s, f->state);
    if (result == DID_OK) {
        result = counter_work(f, s, acks);
        store_close(&s);
    }
    close(acks);
    return result;
}

static void clear(const void *subject)
{
    counter_clear(subject);
}

static crash_story story_of(void **state)
{
    const counter *f = *state;
    return (crash_story){.subject = f,
                         .said = f->said,
                         .live = live,
                         .clear = clear,
                         .check = nothing_is_lost,
                         .whole = all_is_there};
}

static void killed_everywhere(void **state)
{
    crash_story c = story_of(state);
    crash_killed(&c);
}

static void refused_everywhere(void **state)
{
    crash_story c = story_of(state);
    crash_refused(&c);
}

static void on_a_shared_disk(void **state)
{
    crash_story c = story_of(state);
    crash_on_a_shared_disk(&c);
}

int main(void)
{
    if (!fault_kinds()) {
        puts("skipped: this build has no faults (DID_FAULTS)");
        return CRASH_SKIPPED;
    }
    log_identity(0, 1, true);
#define WITH_COUNTER(test) cmocka_unit_test_setup_teardown(test, counter_set_up, counter_tear_down)
    const struct CMUnitTest tests[] = {WITH_COUNTER(killed_everywhere),
                                       WITH_COUNTER(refused_everywhere),
                                       WITH_COUNTER(on_a_shared_disk)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
