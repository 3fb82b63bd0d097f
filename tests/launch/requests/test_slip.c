#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "sample.h"
#include "slip.h"

static void same_request(const request *a, const request *b)
{
    assert_string_equal(a->custom_id, b->custom_id);
    assert_int_equal(a->sample, b->sample);
    assert_int_equal(a->length, b->length);
    assert_memory_equal(a->given, b->given, (size_t)a->length * sizeof *a->given);
    assert_int_equal(a->prompt_tokens, b->prompt_tokens);
    assert_int_equal(a->has_seed, b->has_seed);
    assert_true(a->seed == b->seed && a->key == b->key && a->content == b->content);
    assert_int_equal(a->n_stages, b->n_stages);
    for (int k = 0; k < a->n_stages; k++) {
        const stage *x = &a->stage[k], *y = &b->stage[k];
        assert_int_equal(x->model, y->model);
        assert_int_equal(x->block, y->block);
        assert_int_equal(x->policy, y->policy);
        assert_int_equal(x->sampler, y->sampler);
        assert_int_equal(x->steps, y->steps);
        assert_int_equal(x->order, y->order);
        assert_int_equal(x->rule, y->rule);
        assert_int_equal(x->confidence, y->confidence);
        assert_true(x->remask == y->remask && x->nucleus == y->nucleus);
        assert_true(x->temperature == y->temperature);
    }
    assert_int_equal(a->variable_length, b->variable_length);
    assert_int_equal(a->reject.on, b->reject.on);
    assert_int_equal(a->n_stop, b->n_stop);
    for (int i = 0; i < a->n_stop; i++) assert_string_equal(a->stop[i], b->stop[i]);
}

/* Every field comes back, the doubles to the last bit and a seed beyond 2^63 too. */
static void there_and_back(void **state)
{
    (void)state;
    request      r = sample_request("a \"quoted\" id \xE2\x82\xAC", 3, 40, 5), back;
    parcel_rules rules = sample_rules(false);
    char        *text, *again;
    r.has_seed = true;
    r.seed = UINT64_MAX - 5;
    r.variable_length = r.reject.on = true;
    r.stage[1].policy = POLICY_POSTHOC;
    r.stage[1].order = ORDER_CONFIDENT;
    r.stage[1].rule = NUCLEUS_INCLUSIVE;
    r.stage[1].confidence = CONFIDENCE_NUCLEUS;
    r.stage[1].temperature = 0.1 + 0.2;
    request_seal(&r);
    assert_int_equal(slip_pack(&text, &r), DID_OK);
    assert_null(strchr(text, '\n'));
    assert_int_equal(slip_unpack(&back, text, strlen(text), &rules.ids), DID_OK);
    same_request(&r, &back);
    assert_int_equal(slip_pack(&again, &back), DID_OK);
    assert_string_equal(text, again);
    free(text);
    free(again);
    request_clear(&r);
    request_clear(&back);
}

/* A copy of `text` with the first `from` replaced by `to`. */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    assert_non_null(at);
    char *out = malloc(strlen(text) + strlen(to) + 1);
    sprintf(out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out;
}

static void refuses(const char *text, const char *from, const char *to, const char *says)
{
    request      back;
    parcel_rules rules = sample_rules(false);
    char        *bad = replaced(text, from, to);
    assert_int_equal(slip_unpack(&back, bad, strlen(bad), &rules.ids), DID_EFORMAT);
    if (!strstr(status_message(), says)) fail_msg("\"%s\" lacks \"%s\"", status_message(), says);
    assert_null(back.given);
    free(bad);
}

static void refusals(void **state)
{
    (void)state;
    request r = sample_request("id", 0, 12, 2);
    char   *text;
    assert_int_equal(slip_pack(&text, &r), DID_OK);
    refuses(text, "\"length\":12", "\"length\":13", "given: found 12 elements, expected 13");
    refuses(text, "\"length\":12", "\"length\":5000000", "length: found 5000000");
    refuses(text, "\"given\":[4095", "\"given\":[-1", "position 0");
    refuses(text, "\"given\":[4095,301", "\"given\":[4095,4096", "mask id");
    refuses(text, "\"given\":[4095,301", "\"given\":[4095,4097", "element 1");
    refuses(text, "\"model\":0", "\"model\":1", "stage 1: model: found 1");
    refuses(text, "\"quota\"", "\"threshold\"", "threshold: found");
    refuses(text, "\"quota\"", "\"quotas\"", "sampler: found \"quotas\"");
    refuses(text, "\"steps\":32", "\"steps\":0", "steps: found 0");
    refuses(text, "\"remask\":0.25", "\"remask\":1.25", "remask: found 1.25");
    refuses(text, "\"nucleus\":", "\"nucleus\":0,\"x\":", "nucleus: found 0, expected a share");
    refuses(text, "\"remask\":", "\"work\":\"denoise\",\"remask\":",
            "work: found \"denoise\", expected \"score\" or \"bound\"");
    refuses(text, "\"on\":false", "\"on\":0", "on: found 0");
    refuses(text, "\"stop\":[", "\"stop\":[\"\",", "stop: element 0");
    refuses(text, "\"restarts\":10", "\"restarts\":11", "content: found");
    refuses(text, "\"sample\":0", "\"sample\":1", "content: found");
    refuses(text, "{", "[", "not JSON");
    free(text);
    request_clear(&r);
}

/* Whatever a byte is turned into: a refusal or a request that says the same, never a crash. */
static void mutations(void **state)
{
    (void)state;
    uint64_t     seed = 11;
    request      r = sample_request("id", 0, 12, 2), back;
    parcel_rules rules = sample_rules(false);
    char        *text;
    assert_int_equal(slip_pack(&text, &r), DID_OK);
    size_t size = strlen(text);
    for (int i = 0; i < 4000; i++) {
        char *bad = malloc(size);
        memcpy(bad, text, size);
        for (int k = sample_below(&seed, 3); k >= 0; k--)
            bad[sample_below(&seed, (int)size)] = (char)sample_next(&seed);
        size_t cut = i % 4 ? size : (size_t)sample_below(&seed, (int)size);
        if (slip_unpack(&back, bad, cut, &rules.ids) == DID_OK) {
            assert_true(back.content == r.content);
            request_clear(&back);
        }
        free(bad);
    }
    free(text);
    request_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back), cmocka_unit_test(refusals),
                                       cmocka_unit_test(mutations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
