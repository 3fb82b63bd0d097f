/* What a document leaves, and how another begins with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heritage.h"
#include "record.h"
#include "sample.h"

enum { LENGTH = 12, PROMPT = 2 };

/* A draft alone, under a name that JSON has to escape, and the same with a refinement behind it. */
typedef struct pair {
    request      from, to;
    parcel_rules rules;
    document    *draft;
    char        *line;
} pair;

static void pair_open(pair *p, bool traced)
{
    p->rules = sample_rules(traced);
    p->from = sample_request("the \"first\"", 0, LENGTH, PROMPT);
    p->to = sample_request("second", 0, LENGTH, PROMPT);
    p->from.n_stages = 1;
    p->from.has_seed = p->to.has_seed = true;
    request_seal(&p->from);
    request_seal(&p->to);
    assert_int_equal(parcel_begin(&p->draft, &p->from, 3, &p->rules), DID_OK);
    sample_walk(p->draft, LENGTH, 5);
    assert_int_equal(p->draft->finish, FINISH_LENGTH);
}

static void leave(pair *p)
{
    assert_int_equal(heritage_leave(&p->line, p->draft, &p->from), DID_OK);
}

static void pair_close(pair *p)
{
    request_clear(&p->from);
    request_clear(&p->to);
    document_close(&p->draft);
    free(p->line);
}

static void a_name_and_a_mark(void **state)
{
    pair  p = {0};
    char *id;
    int   sample;
    (void)state;
    pair_open(&p, false);
    leave(&p);
    assert_true(heritage_is(p.line));
    assert_false(heritage_is("{\"custom_id\": \"second\", \"sample\": 0}"));
    assert_null(strchr(p.line, '\n'));
    json_t *o = json_loads(p.line, JSON_REJECT_DUPLICATES, NULL);
    assert_string_equal(json_string_value(json_object_get(o, "custom_id")), "the \"first\"");
    json_decref(o);
    assert_int_equal(record_owner(p.line, strlen(p.line), &id, &sample), DID_OK);
    assert_string_equal(id, "the \"first\"");
    free(id);
    pair_close(&p);
}

static document *going_on(const pair *p)
{
    document *d = NULL;
    char     *checkpoint = NULL;
    assert_int_equal(heritage_take(&checkpoint, p->line, &p->from, &p->to, &p->rules), DID_OK);
    status s = parcel_unpack(&d, checkpoint, strlen(checkpoint), &p->to, 4, false, &p->rules);
    assert_int_equal(s, DID_OK);
    free(checkpoint);
    return d;
}

/* The one that went the whole way by itself, and the one that goes on, stand alike. */
static void goes_on_as_if_alone(void **state)
{
    (void)state;
    for (int traced = 0; traced < 2; traced++) {
        pair      p = {0};
        document *alone = NULL;
        char     *text[2];
        pair_open(&p, traced);
        leave(&p);
        document *after = going_on(&p);
        assert_int_equal(after->at, 1);
        assert_false(after->entered);
        assert_int_equal(after->n_draws, traced ? LENGTH - 1 - PROMPT : 0);
        sample_reopen(after);
        assert_int_equal(parcel_begin(&alone, &p.to, 4, &p.rules), DID_OK);
        sample_walk(alone, LENGTH - 1 - PROMPT, 5);
        assert_int_equal(parcel_pack(&text[0], alone, &p.to), DID_OK);
        assert_int_equal(parcel_pack(&text[1], after, &p.to), DID_OK);
        assert_string_equal(text[0], text[1]);
        free(text[0]);
        free(text[1]);
        document_close(&alone);
        document_close(&after);
        pair_close(&p);
    }
}

static void without_a_text_nothing_is_left(void **state)
{
    static const finish ends[] = {FINISH_FAILED, FINISH_REJECTED};
    (void)state;
    for (int i = 0; i < 2; i++) {
        pair  p = {0};
        char *checkpoint;
        pair_open(&p, false);
        p.draft->finish = ends[i];
        leave(&p);
        assert_int_equal(heritage_take(&checkpoint, p.line, &p.from, &p.to, &p.rules), DID_OK);
        assert_null(checkpoint);
        pair_close(&p);
    }
}

static void refuses_what_another_left(void **state)
{
    pair  p = {0};
    char *checkpoint;
    (void)state;
    pair_open(&p, false);
    leave(&p);
    p.from.seed++;
    request_seal(&p.from);
    assert_int_equal(heritage_take(&checkpoint, p.line, &p.from, &p.to, &p.rules), DID_EFORMAT);
    assert_non_null(strstr(status_message(), "content: found"));
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_name_and_a_mark),
                                       cmocka_unit_test(goes_on_as_if_alone),
                                       cmocka_unit_test(without_a_text_nothing_is_left),
                                       cmocka_unit_test(refuses_what_another_left)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
