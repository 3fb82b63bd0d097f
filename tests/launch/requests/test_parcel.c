#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "parcel.h"
#include "sample.h"

enum { LENGTH = 40, PROMPT = 5, FREE = LENGTH - 1 - PROMPT };

static void same_document(const document *a, const document *b)
{
    size_t n = (size_t)a->capacity;
    assert_int_equal(a->capacity, b->capacity);
    assert_int_equal(a->length, b->length);
    assert_memory_equal(a->token, b->token, n * sizeof *a->token);
    assert_memory_equal(a->snapshot, b->snapshot, n * sizeof *a->snapshot);
    assert_memory_equal(a->masked, b->masked, n * sizeof *a->masked);
    assert_memory_equal(a->given, b->given, n * sizeof *a->given);
    assert_memory_equal(a->before, b->before, n * sizeof *a->before);
    assert_true(a->key == b->key && a->serial == b->serial);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->at, b->at);
    assert_int_equal(a->entered, b->entered);
    assert_int_equal(a->region, b->region);
    assert_int_equal(a->step, b->step);
    assert_int_equal(a->finish, b->finish);
    assert_string_equal(a->reason, b->reason);
    assert_memory_equal(a->cost, b->cost, sizeof a->cost);
    assert_int_equal(a->rejected_nfe, b->rejected_nfe);
    assert_int_equal(a->n_draws, b->n_draws);
    for (int i = 0; i < a->n_draws; i++) {
        assert_memory_equal(&a->draws[i], &b->draws[i], sizeof a->draws[i]);
    }
    for (int k = 0; k < a->n_stages; k++) {
        assert_int_equal(a->left_length[k], b->left_length[k]);
        if (a->left_length[k])
            assert_memory_equal(a->left[k], b->left[k],
                                (size_t)a->left_length[k] * sizeof *a->left[k]);
    }
}

/* A document put down after any number of tokens is the same when it is taken up, bit for bit. */
static void there_and_back(void **state)
{
    (void)state;
    request r = sample_request("id", 0, LENGTH, PROMPT);
    for (int traced = 0; traced < 2; traced++) {
        parcel_rules rules = sample_rules(traced);
        for (int tokens = 0; tokens <= 2 * FREE; tokens++) {
            document *d, *back;
            char     *text, *again;
            assert_int_equal(parcel_begin(&d, &r, 17, &rules), DID_OK);
            sample_walk(d, tokens, 5);
            d->attempt = tokens % 3;
            d->rejected_nfe = 7 * d->attempt;
            bool over = d->finish != FINISH_NONE;
            assert_int_equal(parcel_pack(&text, d, &r), DID_OK);
            assert_int_equal(parcel_unpack(&back, text, strlen(text), &r, 17, over, &rules),
                             DID_OK);
            same_document(d, back);
            assert_int_equal(parcel_pack(&again, back, &r), DID_OK);
            assert_string_equal(text, again);
            document_close(&back);
            assert_int_equal(parcel_unpack(&back, text, strlen(text), &r, 17, !over, &rules),
                             DID_EFORMAT);
            assert_null(back);
            document_close(&d);
            free(text);
            free(again);
        }
    }
    request_clear(&r);
}

/* Every f32 that can be a probability survives, the smallest ones and the neighbours of one too. */
static void floats_are_exact(void **state)
{
    (void)state;
    uint64_t     seed = 3;
    request      r = sample_request("id", 0, 1000, 0);
    parcel_rules rules = sample_rules(false);
    document    *d, *back;
    char        *text;
    assert_int_equal(parcel_begin(&d, &r, 0, &rules), DID_OK);
    sample_walk(d, 999, 1);
    d->snapshot[1] = 1.0f;
    d->snapshot[2] = 0.99999994f;
    d->snapshot[3] = 1e-45f;
    d->snapshot[4] = 1.00001f; /* the largest that is taken is handed on as well */
    for (int i = 5; i < 1000; i++) {
        uint32_t bits = (uint32_t)(sample_next(&seed) % 0x3f800000u);
        memcpy(&d->snapshot[i], &bits, sizeof bits);
    }
    assert_int_equal(parcel_pack(&text, d, &r), DID_OK);
    assert_int_equal(parcel_unpack(&back, text, strlen(text), &r, 0, false, &rules), DID_OK);
    assert_memory_equal(d->snapshot, back->snapshot, 1000 * sizeof *d->snapshot);
    d->snapshot[9] = NAN;
    free(text);
    assert_int_equal(parcel_pack(&text, d, &r), DID_EINVAL);
    assert_non_null(strstr(status_message(), "position 9"));
    document_close(&d);
    document_close(&back);
    request_clear(&r);
}

/* Variable length: the end became a given token and the rest is gone. */
static void a_cut_document(void **state)
{
    (void)state;
    request      r = sample_request("id", 0, LENGTH, PROMPT);
    parcel_rules rules = sample_rules(true);
    document    *d, *back;
    char        *text;
    r.variable_length = true;
    request_seal(&r);
    assert_int_equal(parcel_begin(&d, &r, 1, &rules), DID_OK);
    sample_walk(d, 10, 5);
    d->length = 16;
    d->token[15] = SAMPLE_END;
    d->given[15] = true;
    d->snapshot[15] = INFINITY;
    for (int i = 16; i < LENGTH; i++) d->masked[i] = false;
    sample_leave(d);
    sample_reopen(d);
    sample_walk(d, 1, 6);
    assert_int_equal(d->at, 1);
    assert_int_equal(parcel_pack(&text, d, &r), DID_OK);
    assert_int_equal(parcel_unpack(&back, text, strlen(text), &r, 1, false, &rules), DID_OK);
    same_document(d, back);
    document_close(&back);
    document_close(&d);
    free(text);
    request_clear(&r);
}

typedef struct fixture {
    request      r;
    parcel_rules rules;
    char        *text; /* a refinement under way */
} fixture;

static int set_up(void **state)
{
    fixture  *f = calloc(1, sizeof *f);
    document *d;
    f->r = sample_request("id", 0, LENGTH, PROMPT);
    f->rules = sample_rules(true);
    if (parcel_begin(&d, &f->r, 1, &f->rules) != DID_OK) return 1;
    sample_walk(d, FREE + 2, 5);
    if (parcel_pack(&f->text, d, &f->r) != DID_OK) return 1;
    document_close(&d);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    request_clear(&f->r);
    free(f->text);
    free(f);
    return 0;
}

/* The parcel with `key` set to what the JSON text `value` holds must be refused, saying `says`. */
static void refuses(const fixture *f, const char *key, const char *value, const char *says)
{
    document *back;
    json_t   *o = json_loads(f->text, 0, NULL), *v = json_loads(value, JSON_DECODE_ANY, NULL);
    assert_non_null(v);
    json_object_set_new(o, key, v);
    char *bad = json_dumps(o, 0);
    assert_int_equal(parcel_unpack(&back, bad, strlen(bad), &f->r, 1, false, &f->rules),
                     DID_EFORMAT);
    assert_null(back);
    if (!strstr(status_message(), says)) fail_msg("\"%s\" lacks \"%s\"", status_message(), says);
    free(bad);
    json_decref(o);
}

/* The same with element `i` of the array `key` replaced. */
static void refuses_element(const fixture *f, const char *key, int i, const char *value,
                            const char *says)
{
    json_t *o = json_loads(f->text, 0, NULL), *array = json_object_get(o, key);
    assert_int_equal(json_array_set_new(array, (size_t)i, json_loads(value, JSON_DECODE_ANY, NULL)),
                     0);
    char *text = json_dumps(array, 0);
    refuses(f, key, text, says);
    free(text);
    json_decref(o);
}

/* In the middle of a cached stage a parcel knows what was masked when all was last evaluated; not
 * every set of positions can have been. */
static void cached_stages(void **state)
{
    (void)state;
    request      r = sample_request("id", 0, LENGTH, PROMPT);
    parcel_rules rules = sample_rules(false);
    document    *d, *back;
    char        *text;
    r.stage[1].cache = 3;
    request_seal(&r);
    assert_int_equal(parcel_begin(&d, &r, 1, &rules), DID_OK);
    sample_walk(d, FREE, 5);
    memcpy(d->loose, d->masked, LENGTH);
    d->step = 1;
    d->cost[1].rows = INT64_C(1) << 40;
    assert_int_equal(parcel_pack(&text, d, &r), DID_OK);
    assert_int_equal(parcel_unpack(&back, text, strlen(text), &r, 1, false, &rules), DID_OK);
    same_document(d, back);
    assert_memory_equal(d->loose, back->loose, LENGTH);
    document_close(&back);
    free(text);
    int masked = 0;
    while (!d->masked[masked]) masked++;
    for (int wrong = 0; wrong < 2; wrong++) {
        d->loose[wrong ? 1 : masked] = wrong;
        assert_int_equal(parcel_pack(&text, d, &r), DID_OK);
        assert_int_equal(parcel_unpack(&back, text, strlen(text), &r, 1, false, &rules), DID_EFORMAT);
        assert_non_null(strstr(status_message(), wrong ? "loose: position 1 is given"
                                                       : "is masked and not among them"));
        d->loose[masked] = true;
        free(text);
    }
    document_close(&d);
    request_clear(&r);
}

static void refusals(void **state)
{
    const fixture *f = *state;
    refuses(f, "content", "\"0123456789abcdef\"", "content: found");
    refuses(f, "rows", "[1]", "rows: found 1 elements, expected 2");
    refuses(f, "rows", "[1, -1]", "rows: found -1");
    refuses(f, "attempt", "-1", "attempt: found -1");
    refuses(f, "stage", "2", "stage: found 2");
    refuses(f, "stage", "0", "region: found 0 of stage 0, where nothing is masked");
    refuses(f, "entered", "1", "entered: found 1");
    refuses(f, "region", "1", "region: found 1");
    refuses(f, "region", "-1", "region: found -1");
    refuses(f, "step", "1.5", "step: found 1.5");
    refuses(f, "finish", "\"failed\"", "finish: found \"failed\" in a document that is on its way");
    refuses(f, "finish", "\"well\"", "finish: found \"well\"");
    refuses(f, "reason", "null", "reason: found null");
    refuses(f, "length", "39", "length: found 39");
    refuses(f, "tokens", "[1,2]", "tokens: found 2 elements, expected 40");
    refuses_element(f, "tokens", 1, "302", "expected the given 301");
    refuses_element(f, "tokens", 9, "4096", "which is not masked");
    refuses_element(f, "tokens", 9, "5000", "tokens: found 5000");
    refuses_element(f, "tokens", 39, "7", "position 39, which is masked");
    refuses_element(f, "snapshots", 9, "null", "which is not given");
    refuses_element(f, "snapshots", 9, "1.5", "element 9: found 1.5");
    refuses_element(f, "snapshots", 9, "\"1\"", "expected a probability or null");
    refuses(f, "masked", "\"01\"", "masked: found 2 characters");
    refuses(f, "given", "\"1000000000000000000000000000000000000000\"", "given: position 1");
    refuses(f, "given", "\"1111111100000000000000000000000000000000\"", "given: position 6");
    refuses_element(f, "before", 3, "-1", "before: found -1");
    refuses(f, "cost", "[]", "cost: found 0 elements, expected 2");
    refuses(f, "cost", "[[1,2,3,4,5],[1,2,3,4]]", "cost: found 4 elements, expected 5");
    refuses(f, "rejected_nfe", "true", "rejected_nfe: found true");
    refuses(f, "left", "[]", "left: found 0 elements, expected 1");
    refuses(f, "left", "[[]]", "left: found 0 tokens");
    refuses(f, "left", "[7]", "left: found 0 tokens");
    refuses_element(f, "draws", 0, "[0,0,6,7,-1]", "element 0: found 5 elements");
    refuses_element(f, "draws", 0, "[2,0,6,7,-1,0.5]", "stage: found 2");
    refuses_element(f, "draws", 0, "[0,0,40,7,-1,0.5]", "position: found 40");
    refuses_element(f, "draws", 0, "[0,0,6,7,-2,0.5]", "replaced: found -2");
    refuses_element(f, "draws", 0, "[0,0,6,7,-1,null]", "found null");
}

/* A checkpoint with more draws than there can have been leaves no room for those to come. */
static void too_many_draws(void **state)
{
    const fixture *f = *state;
    json_t        *o = json_loads(f->text, 0, NULL), *draws = json_object_get(o, "draws");
    while (json_array_size(draws) < 2 * FREE) json_array_append(draws, json_array_get(draws, 0));
    char *text = json_dumps(draws, 0);
    refuses(f, "draws", text, "draws: found 68, expected at most");
    free(text);
    json_decref(o);
}

/* Whatever a byte is turned into: a refusal or a document that is whole, never a crash. */
static void mutations(void **state)
{
    const fixture *f = *state;
    uint64_t       seed = 2;
    size_t         size = strlen(f->text);
    int            taken = 0;
    for (int i = 0; i < 6000; i++) {
        document *back;
        char     *bad = malloc(size), *again;
        memcpy(bad, f->text, size);
        static const char likely[] = "0123456789-[]{},:\"";
        for (int k = sample_below(&seed, 3); k >= 0; k--)
            bad[sample_below(&seed, (int)size)] =
                i % 2 ? likely[sample_below(&seed, sizeof likely - 1)] : (char)sample_next(&seed);
        size_t cut = i % 8 ? size : (size_t)sample_below(&seed, (int)size);
        if (parcel_unpack(&back, bad, cut, &f->r, 1, false, &f->rules) == DID_OK) {
            taken++;
            assert_true(document_masked(back, 0, back->length) > 0);
            assert_int_equal(parcel_pack(&again, back, &f->r), DID_OK);
            free(again);
            document_close(&back);
        }
        free(bad);
    }
    assert_in_range(taken, 100, 5900); /* digits of numbers change; both ends would be no test */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(floats_are_exact),
        cmocka_unit_test(a_cut_document),
        cmocka_unit_test(cached_stages),
        cmocka_unit_test_setup_teardown(refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_draws, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mutations, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
