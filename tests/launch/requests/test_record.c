#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "record.h"
#include "sample.h"

static tokenizer *words;

static int open_words(void **state)
{
    (void)state;
    return tokenizer_open(&words, DID_TEST_MODELS "/did-tiny") != DID_OK;
}

static int close_words(void **state)
{
    (void)state;
    tokenizer_close(&words);
    return 0;
}

static record_rules sample_record_rules(bool traced)
{
    return (record_rules){.parcels = sample_rules(traced),
                          .words = words,
                          .end_id = SAMPLE_END,
                          .window = SAMPLE_WINDOW,
                          .model = {0x0123456789abcdefu},
                          .signature = "did/1 f32 test"};
}

/* A finished document whose generated part is `text`, with the first `prompt` tokens given. */
static document *document_of(request *r, const char *text, int prompt, bool traced)
{
    parcel_rules rules = sample_rules(traced);
    int32_t     *ids;
    int          n;
    document    *d;
    assert_int_equal(tokenizer_encode(words, text, strlen(text), true, &ids, &n), DID_OK);
    *r = sample_request("doc", 2, n + 1, 0);
    for (int i = 0; i < prompt; i++) r->given[i + 1] = ids[i];
    r->prompt_tokens = prompt;
    request_seal(r);
    assert_int_equal(parcel_begin(&d, r, 0, &rules), DID_OK);
    for (int i = prompt; i < n; i++) {
        d->token[i + 1] = ids[i];
        d->masked[i + 1] = false;
        d->snapshot[i + 1] = 0.5f;
    }
    d->at = d->n_stages;
    d->finish = FINISH_LENGTH;
    free(ids);
    return d;
}

static json_t *line_of(const request *r, const document *d, const record_rules *rules)
{
    char *line;
    assert_int_equal(record_line(&line, r, d, rules), DID_OK);
    assert_null(strchr(line, '\n'));
    json_t *o = json_loads(line, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    free(line);
    return o;
}

static const char *text_at(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static void check_text(const char *text, int prompt, const char *stop, bool keep_eos,
                       const char *expected, const char *reason)
{
    request      r;
    record_rules rules = sample_record_rules(false);
    document    *d = document_of(&r, text, prompt, false);
    rules.keep_eos = keep_eos;
    free(r.stop[0]);
    r.stop[0] = strdup(stop);
    json_t *o = line_of(&r, d, &rules);
    assert_string_equal(text_at(o, "text"), expected);
    assert_string_equal(text_at(o, "finish_reason"), reason);
    json_decref(o);
    document_close(&d);
    request_clear(&r);
}

static void texts(void **state)
{
    (void)state;
    check_text("Once upon a time", 0, "zzz", false, "Once upon a time", "length");
    check_text("Once upon a time", 0, "upon", false, "Once ", "stop");
    check_text("Once upon a time", 0, " time", false, "Once upon a", "stop");
    /* What the prompt says does not stop the answer to it. */
    check_text("Once upon a time a dog", 2, "Once", false, "Once upon a time a dog", "length");
    check_text("Once, once, once", 1, "ce", false, "Once, on", "stop");
    check_text("One<|endoftext|>Two", 0, "zzz", false, "One", "length");
    check_text("One<|endoftext|>Two", 0, "zzz", true, "One<|endoftext|>Two", "length");
    check_text("One<|endoftext|>Two", 0, "Two", false, "One", "length");
    check_text("One<|endoftext|>Two", 0, "Two", true, "One<|endoftext|>", "stop");
}

/* Of several stop strings the one that begins first ends the text, whatever their order. */
static void several_stops(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        request      r;
        record_rules rules = sample_record_rules(false);
        document    *d = document_of(&r, "a red fox and a blue fox", 0, false);
        free(r.stop[0]);
        r.stop[0] = strdup(turn ? "blue fox" : "fox and");
        r.stop[1] = strdup(turn ? "fox and" : "blue fox");
        r.n_stop = 2;
        json_t *o = line_of(&r, d, &rules);
        assert_string_equal(text_at(o, "text"), "a red ");
        json_decref(o);
        document_close(&d);
        request_clear(&r);
    }
}

/* Half a character becomes U+FFFD and a NUL byte stays a NUL byte. */
static void broken_characters(void **state)
{
    (void)state;
    request      r;
    record_rules rules = sample_record_rules(false);
    document    *d = document_of(&r, "x\xE2\x82\xACy", 0, false);
    int32_t     *ids;
    int          n;
    json_t      *o = line_of(&r, d, &rules);
    assert_string_equal(text_at(o, "text"), "x\xE2\x82\xACy");
    json_decref(o);

    int last = d->length - 2; /* the sign's last byte, where it has a token of its own */
    d->masked[last] = true;
    d->token[last] = SAMPLE_MASK;
    o = line_of(&r, d, &rules);
    assert_non_null(strstr(text_at(o, "text"), "x\xEF\xBF\xBD"));
    assert_null(strchr(text_at(o, "text"), 'y'));
    json_decref(o);

    assert_int_equal(tokenizer_encode(words, "\0", 1, false, &ids, &n), DID_OK);
    d->masked[last] = false;
    d->token[last] = ids[0];
    free(ids);
    o = line_of(&r, d, &rules);
    const json_t *text = json_object_get(o, "text");
    const char   *bytes = json_string_value(text);
    assert_true(json_string_length(text) > strlen(bytes));
    assert_int_equal(bytes[json_string_length(text) - 1], 'y');
    json_decref(o);
    document_close(&d);
    request_clear(&r);
}

static const char *const keys[] = {
    "custom_id",    "sample",   "text", "finish_reason", "prompt_tokens", "ids",  "rejections",
    "rejected_nfe", "settings", "cost", "model",         "signature",     "trace"};

/* The whole of a traced record: keys in their order, every number where it belongs. */
static void a_whole_record(void **state)
{
    (void)state;
    request      r = sample_request("doc", 1, 40, 5);
    record_rules rules = sample_record_rules(true);
    document    *d;
    rules.ids = true;
    assert_int_equal(parcel_begin(&d, &r, 0, &rules.parcels), DID_OK);
    sample_walk(d, 1000, 9);
    json_t     *o = line_of(&r, d, &rules), *value;
    size_t      i = 0;
    const char *key;
    json_object_foreach(o, key, value)
    {
        assert_true(i < sizeof keys / sizeof keys[0]);
        assert_string_equal(key, keys[i++]);
    }
    assert_int_equal(i, sizeof keys / sizeof keys[0]);

    json_t *trace = json_object_get(o, "trace"), *settings = json_object_get(o, "settings");
    json_t *stages = json_object_get(settings, "stages"), *draws = json_object_get(trace, "draws");
    assert_int_equal(json_array_size(json_object_get(o, "ids")), 40);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(o, "ids"), 0)), SAMPLE_END);
    assert_int_equal(json_array_size(json_object_get(trace, "left")), 2);
    assert_int_equal(json_array_size(draws), d->n_draws);
    assert_int_equal(json_integer_value(json_object_get(trace, "mask_id")), SAMPLE_MASK);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(trace, "given"), 6)), -1);
    double seen = json_real_value(json_array_get(json_array_get(draws, 7), 5));
    assert_true((float)seen == d->draws[7].snapshot);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(stages, 1), "block")), 40);
    assert_int_equal(json_integer_value(json_object_get(settings, "seed")), 7);
    assert_string_equal(text_at(o, "model"), "0123456789abcdef");
    json_t *spent = json_array_get(json_object_get(o, "cost"), 1);
    assert_int_equal(json_integer_value(json_object_get(spent, "reopened")), d->cost[1].reopened);
    json_decref(o);
    document_close(&d);
    request_clear(&r);
}

/* The same document gives the same bytes: from another run's slot, with another serial, by way of a
 * parcel. And numbers look like what people wrote. */
static void the_same_bytes(void **state)
{
    (void)state;
    request      r = sample_request("doc", 1, 40, 5);
    record_rules rules = sample_record_rules(true);
    document    *d, *other;
    char        *line, *again, *parcel;
    assert_int_equal(parcel_begin(&d, &r, 0, &rules.parcels), DID_OK);
    sample_walk(d, 1000, 9);
    assert_int_equal(parcel_pack(&parcel, d, &r), DID_OK);
    assert_int_equal(parcel_unpack(&other, parcel, strlen(parcel), &r, 99, true, &rules.parcels),
                     DID_OK);
    other->slot = 3;
    assert_int_equal(record_line(&line, &r, d, &rules), DID_OK);
    assert_int_equal(record_line(&again, &r, other, &rules), DID_OK);
    assert_string_equal(line, again);
    assert_non_null(strstr(line, "\"nucleus\": 0.9,"));
    assert_non_null(strstr(line, "\"temperature\": 0.7,"));
    free(line);
    free(again);
    free(parcel);
    document_close(&d);
    document_close(&other);
    request_clear(&r);
}

/* Without a tokenizer the ids stand for the text; a failed document has no text and says why. */
static void without_text(void **state)
{
    (void)state;
    request      r;
    record_rules rules = sample_record_rules(false);
    document    *d = document_of(&r, "Once upon a time", 0, false);
    rules.words = NULL;
    json_t *o = line_of(&r, d, &rules);
    assert_true(json_is_null(json_object_get(o, "text")));
    assert_int_equal(json_array_size(json_object_get(o, "ids")), d->length);
    assert_null(json_object_get(o, "error"));
    json_decref(o);

    rules.words = words;
    rules.parcels.ids.n_models = 2;
    d->finish = FINISH_FAILED;
    strcpy(d->reason, "not finite \xFF");
    r.seed = UINT64_MAX;
    o = line_of(&r, d, &rules);
    assert_true(json_is_null(json_object_get(o, "text")));
    assert_null(json_object_get(o, "ids"));
    assert_string_equal(text_at(o, "error"), "not finite \xEF\xBF\xBD");
    assert_string_equal(text_at(o, "finish_reason"), "failed");
    assert_int_equal(json_array_size(json_object_get(o, "model")), 2);
    assert_string_equal(text_at(json_object_get(o, "settings"), "seed"), "18446744073709551615");
    json_decref(o);
    document_close(&d);
    request_clear(&r);
}

static void identities(void **state)
{
    (void)state;
    record_rules rules = sample_record_rules(false);
    char        *first, *second;
    assert_int_equal(record_identity(&first, &rules), DID_OK);
    assert_int_equal(record_identity(&second, &rules), DID_OK);
    assert_string_equal(first, second);
    assert_non_null(strstr(first, "signature did/1 f32 test\n"));
    assert_non_null(strstr(first, "model-0 0123456789abcdef\n"));
    free(second);
    rules.keep_eos = true;
    assert_int_equal(record_identity(&second, &rules), DID_OK);
    assert_string_not_equal(first, second);
    free(second);
    rules.keep_eos = false;
    rules.words = NULL;
    assert_int_equal(record_identity(&second, &rules), DID_OK);
    assert_string_not_equal(first, second);
    free(first);
    free(second);
}

static void owners(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "{\"custom_id\": 1, \"sample\": 0}",
                                      "{\"custom_id\": \"a\"}",
                                      "{\"custom_id\": \"a\", \"sample\": -1}"};
    const char *good = "{\"custom_id\": \"a\", \"sample\": 3, \"text\": \"x\\u0000y\"}";
    char       *id;
    int         sample;
    assert_int_equal(record_owner(good, strlen(good), &id, &sample), DID_OK);
    assert_string_equal(id, "a");
    assert_int_equal(sample, 3);
    free(id);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(record_owner(bad[i], strlen(bad[i]), &id, &sample), DID_EFORMAT);
        assert_null(id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(several_stops),
        cmocka_unit_test(broken_characters),
        cmocka_unit_test(a_whole_record),
        cmocka_unit_test(the_same_bytes),
        cmocka_unit_test(without_text),
        cmocka_unit_test(identities),
        cmocka_unit_test(owners),
    };
    return cmocka_run_group_tests(tests, open_words, close_words);
}
