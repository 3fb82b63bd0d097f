/* A stage that measures, on the whole road: request, slip, parcel, record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "models.h"
#include "record.h"
#include "sample.h"
#include "slip.h"

enum { LENGTH = 24, PROMPT = 2 };

/* A draft, and a scorer behind it. */
static request scored_request(void)
{
    request r = sample_request("id", 0, LENGTH, PROMPT);
    r.stage[1] = (stage){.work = WORK_SCORE, .model = 1};
    request_seal(&r);
    return r;
}

static parcel_rules scorer_rules(bool traced)
{
    parcel_rules rules = sample_rules(traced);
    rules.ids.n_models = 2;
    rules.refine_window[1] = SAMPLE_WINDOW;
    return rules;
}

/* Drafted, and `done` tokens of it measured. */
static document *measured(const request *r, int done, bool traced)
{
    parcel_rules rules = scorer_rules(traced);
    document    *d;
    assert_int_equal(parcel_begin(&d, r, 3, &rules), DID_OK);
    assert_non_null(d->nll);
    d->entered = true;
    uint64_t seed = 9;
    for (int i = PROMPT + 1; i < LENGTH; i++) sample_place(d, i, &seed);
    sample_leave(d);
    d->entered = true;
    memcpy(d->before, d->token, LENGTH * sizeof *d->before);
    for (int i = 1; i <= done; i++) d->nll[i] = (float)i / 7;
    d->step = done;
    if (done == LENGTH - 1) {
        sample_leave(d);
        d->finish = FINISH_LENGTH;
    }
    return d;
}

static void a_request_travels(void **state)
{
    request      r = scored_request(), back;
    parcel_rules rules = scorer_rules(false);
    char        *text, *bad;
    (void)state;
    assert_int_equal(slip_pack(&text, &r), DID_OK);
    assert_int_equal(slip_unpack(&back, text, strlen(text), &rules.ids), DID_OK);
    assert_int_equal(back.stage[1].work, WORK_SCORE);
    assert_int_equal(back.stage[1].model, 1);
    assert_true(back.content == r.content);
    request_clear(&back);

    bad = strstr(text, "\"score\"");
    assert_non_null(bad);
    memcpy(bad, "\"bound\"", 7);
    assert_int_equal(slip_unpack(&back, text, strlen(text), &rules.ids), DID_EFORMAT);
    assert_non_null(strstr(status_message(), "stage 2: steps: found 0"));
    memcpy(bad, "\"scare\"", 7);
    assert_int_equal(slip_unpack(&back, text, strlen(text), &rules.ids), DID_EFORMAT);
    assert_non_null(strstr(status_message(), "work: found \"scare\""));
    free(text);
    request_clear(&r);
}

static void what_is_measured_is_content(void **state)
{
    request  r = scored_request();
    uint64_t content = r.content;
    (void)state;
    r.stage[1].work = WORK_BOUND;
    request_seal(&r);
    assert_true(r.content != content);
    request_clear(&r);
}

/* Put down after any number of measured tokens, and taken up with the same bits. */
static void a_checkpoint_keeps_nll(void **state)
{
    request r = scored_request();
    (void)state;
    for (int done = 0; done < LENGTH; done++)
        for (int traced = 0; traced < 2; traced++) {
            parcel_rules rules = scorer_rules(traced);
            document    *d = measured(&r, done, traced), *back;
            char        *text;
            assert_int_equal(parcel_pack(&text, d, &r), DID_OK);
            assert_int_equal(
                parcel_unpack(&back, text, strlen(text), &r, 3, done == LENGTH - 1, &rules),
                DID_OK);
            for (int i = 0; i < LENGTH; i++)
                assert_true(isnan(d->nll[i]) ? isnan(back->nll[i]) : d->nll[i] == back->nll[i]);
            assert_int_equal(back->at, d->at);
            assert_int_equal(back->step, d->step);
            document_close(&d);
            document_close(&back);
            free(text);
        }
    request_clear(&r);
}

static void refused(const request *r, const char *text, const char *from, const char *to,
                    const char *says)
{
    parcel_rules rules = scorer_rules(false);
    document    *back;
    char         bad[8192];
    const char  *at = strstr(text, from);
    assert_non_null(at);
    snprintf(bad, sizeof bad, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    assert_int_equal(parcel_unpack(&back, bad, strlen(bad), r, 3, false, &rules), DID_EFORMAT);
    if (!strstr(status_message(), says)) fail_msg("\"%s\" lacks \"%s\"", status_message(), says);
}

static void bad_checkpoints_are_refused(void **state)
{
    request   r = scored_request();
    document *d = measured(&r, 5, false);
    char     *text;
    (void)state;
    assert_int_equal(parcel_pack(&text, d, &r), DID_OK);
    refused(&r, text, "\"nll\":[null", "\"nll\":[\"x\"", "nll: found \"x\" at position 0");
    refused(&r, text, "\"nll\":[null", "\"nll\":[-3", "nll: found -3 at position 0");
    refused(&r, text, "\"nll\":[null", "\"nll\":[1e39",
            "nll: found 9.9999999999999994e38 at position 0");
    refused(&r, text, "\"nll\":[null,", "\"nll\":[", "nll: found 23 elements, expected 24");
    refused(&r, text, "\"step\":5", "\"step\":24", "step: found 24 in stage 1");
    free(text);
    d->nll[4] = INFINITY;
    assert_int_equal(parcel_pack(&text, d, &r), DID_EINVAL);
    assert_string_equal(status_message(), "the nll at position 4 is not finite");
    document_close(&d);
    request_clear(&r);
}

/* The record sums up what was measured; E in the middle does not count. */
static void a_record_holds_the_sum(void **state)
{
    request      r = scored_request();
    document    *d = measured(&r, LENGTH - 1, false);
    record_rules rules = {.parcels = scorer_rules(false),
                          .end_id = SAMPLE_END,
                          .window = SAMPLE_WINDOW,
                          .signature = "test"};
    char        *line;
    double       sum = 0;
    (void)state;
    d->token[7] = SAMPLE_END;
    for (int i = 1; i < LENGTH; i++)
        if (i != 7) sum += (double)d->nll[i];
    assert_int_equal(record_line(&line, &r, d, &rules), DID_OK);
    json_t *o = json_loads(line, 0, NULL), *score = json_object_get(o, "score");
    assert_true(fabs(json_real_value(json_object_get(score, "nll")) - sum) < 1e-12);
    assert_int_equal(json_integer_value(json_object_get(score, "tokens")), LENGTH - 2);
    json_decref(o);
    free(line);
    document_close(&d);
    request_clear(&r);
}

/* A scorer has its own handle, speaks the language of what it scores, and reads left to right. */
static void a_scorer_among_the_models(void **state)
{
    models m = {0};
    int    handle = -1;
    (void)state;
    assert_int_equal(models_add(&m, DID_TEST_MODELS "/did-tiny", &handle), DID_OK);
    assert_int_equal(models_add_scorer(&m, DID_TEST_MODELS "/did-tiny/.", &handle), DID_EINVAL);
    assert_non_null(strstr(status_message(), "must be a model that reads left to right"));
    assert_int_equal(models_add_scorer(&m, DID_TEST_MODELS "/gpt2-tiny-scorer", &handle), DID_OK);
    assert_int_equal(handle, 1);
    assert_int_equal(models_add_scorer(&m, DID_TEST_MODELS "/gpt2-tiny-scorer", &handle), DID_OK);
    assert_int_equal(handle, 1);
    m.n = 1;
    m.shape[0].vocab = 50258;
    m.shape[0].mask_id = 50257;
    assert_int_equal(models_add_scorer(&m, DID_TEST_MODELS "/gpt2-tiny-scorer", &handle),
                     DID_EINVAL);
    assert_non_null(strstr(status_message(), "vocabulary 4096, end id 4095; to score what"));
    assert_non_null(strstr(status_message(), "it needs 50257 and 4095"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_travels),      cmocka_unit_test(what_is_measured_is_content),
        cmocka_unit_test(a_checkpoint_keeps_nll), cmocka_unit_test(bad_checkpoints_are_refused),
        cmocka_unit_test(a_record_holds_the_sum), cmocka_unit_test(a_scorer_among_the_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
