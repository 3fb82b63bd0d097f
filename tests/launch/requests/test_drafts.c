/* Texts from elsewhere become requests that refine them: what stays, how sure somebody was, which
 * stages follow; and what is refused. */
#include "drafts.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The bundled model: 256 positions, 4097 ids, the mask is 4096 and E is 4095. */
#define MODEL DID_TEST_MODELS "/did-tiny"
enum { E = 4095 };

static tokenizer   *words;
static models       list;
static input_rules  usual;
static drafts_rules rules;

static int set_up(void **state)
{
    int handle;
    (void)state;
    if (tokenizer_open(&words, MODEL) != DID_OK) return 1;
    if (models_add(&list, MODEL, &handle) != DID_OK) return 1;
    usual = (input_rules){.words = words,
                          .models = &list,
                          .end_id = E,
                          .stages = "L:0.5:quota/4",
                          .defaults = {.sampler = -1, .nucleus = 0.9, .temperature = 1},
                          .samples = 1,
                          .seed = 9};
    rules = (drafts_rules){.usual = &usual, .precision = "f32"};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tokenizer_close(&words);
    return 0;
}

static status parse(input *in, const char *text)
{
    int left_out;
    return drafts_parse(in, text, strlen(text), "file", &rules, &left_out);
}

static void good(input *in, const char *text)
{
    if (parse(in, text) != DID_OK) fail_msg("%s: %s", text, status_message());
}

/* The draft stands before the second stage, and what was given agrees with the request. */
static void assert_begun(const request *q)
{
    const document *d = q->draft;
    assert_non_null(d);
    assert_int_equal(d->at, 1);
    assert_false(d->entered);
    assert_int_equal(d->length, q->length);
    assert_int_equal(q->stage[0].work, WORK_FOUND);
    assert_int_equal(q->given[0], E);
    for (int i = 0; i < q->length; i++) {
        assert_false(d->masked[i]);
        assert_int_equal(d->given[i], q->given[i] >= 0);
        assert_int_equal(isinf(d->snapshot[i]) != 0, d->given[i]);
        if (d->given[i]) assert_int_equal(q->given[i], d->token[i]);
    }
}

static void plain_lines(void **state)
{
    input in;
    (void)state;
    good(&in, "Once upon a time\n\nThe king was happy.\n");
    assert_int_equal(in.n, 2);
    assert_string_equal(in.request[0].custom_id, "line-1");
    assert_string_equal(in.request[1].custom_id, "line-3");
    for (int i = 0; i < 2; i++) {
        const request *q = &in.request[i];
        assert_begun(q);
        assert_int_equal(q->n_stages, 2);
        assert_int_equal(q->prompt_tokens, 1);
        assert_int_equal(q->stage[1].policy, POLICY_POSTHOC); /* nobody knows a confidence */
        assert_true(q->seed == 9 && !q->has_seed && q->found != 0);
    }
    assert_int_equal(in.length_max, in.request[1].length);
    input_clear(&in);
}

static void ids_and_confidences(void **state)
{
    static const char *const same[] = {
        "{\"custom_id\":\"a\",\"ids\":[7,8,9],\"confidences\":[0.5,null,1]}",
        "{\"custom_id\":\"a\",\"ids\":[4095,7,8,9],\"confidences\":[0.5,null,1]}",
        "{\"custom_id\":\"a\",\"ids\":[4095,7,8,9],\"confidences\":[null,0.5,null,1]}",
        "{\"custom_id\":\"a\",\"ids\":[7,8,9],\"confidences\":[0.25,0.5,0.75,1],\"given\":[0,1,0]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        input in;
        good(&in, same[i]);
        const request *q = &in.request[0];
        assert_begun(q);
        assert_int_equal(q->length, 4);
        assert_int_equal(q->given[2], 8);
        assert_int_equal(q->given[1] + q->given[3], -2);
        assert_true(q->draft->snapshot[1] == 0.5f && q->draft->snapshot[3] == 1.0f);
        assert_int_equal(q->stage[1].policy, POLICY_LOWEST);
        input_clear(&in);
    }
}

/* Post-hoc confidence is measured once, by the first stage that would have needed a snapshot. */
static void unknown_confidences_are_measured(void **state)
{
    static const struct {
        const char *stages;
        policy      first, second;
    } cases[] = {{"L:0.5,L:0.5", POLICY_POSTHOC, POLICY_LOWEST},
                 {"L:0.5:policy=random,L:0.5", POLICY_RANDOM, POLICY_POSTHOC},
                 {"L:0.5:policy=posthoc,L:0.5", POLICY_POSTHOC, POLICY_LOWEST}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        input in;
        usual.stages = cases[i].stages;
        good(&in, "{\"ids\":[7,8,9]}");
        assert_int_equal(in.request[0].n_stages, 3);
        assert_int_equal(in.request[0].stage[1].policy, cases[i].first);
        assert_int_equal(in.request[0].stage[2].policy, cases[i].second);
        input_clear(&in);
    }
    usual.stages = "L:0.5:quota/4";
}

static int given_of(const char *text)
{
    input in;
    good(&in, text);
    int n = 0;
    assert_begun(&in.request[0]);
    while (n < in.request[0].length && in.request[0].given[n] >= 0) n++;
    assert_int_equal(n, in.request[0].prompt_tokens);
    input_clear(&in);
    return n;
}

static void prompts_stay(void **state)
{
    (void)state;
    assert_int_equal(given_of("{\"ids\":[7,8,9,10]}"), 1);
    assert_int_equal(given_of("{\"ids\":[7,8,9,10],\"prompt_tokens\":3}"), 3);
    assert_int_equal(given_of("{\"ids\":[7,8,9,10],\"given\":[1,1,0,0],\"prompt_tokens\":2}"), 3);
    assert_int_equal(given_of("{\"text\":\"Once upon a time\",\"prompt_tokens\":2}"), 2);
    int all = given_of("{\"text\":\"Once upon a time\",\"prompt\":\"Once upon a time\"}");
    assert_int_equal(given_of("{\"text\":\"Once upon a time there was\",\"prompt\":"
                              "\"Once upon a time\"}"), all);
    assert_int_equal(given_of("{\"text\":\"Once upon a time\",\"prompt\":\"\"}"), 1);
}

/* The same text with other confidences, or with something else given, is another request. */
static void content_tells_texts_apart(void **state)
{
    static const char *const lines[] = {
        "{\"ids\":[7,8,9]}",
        "{\"ids\":[7,8,10]}",
        "{\"ids\":[7,8,9],\"confidences\":[0.5,0.5,0.5]}",
        "{\"ids\":[7,8,9],\"confidences\":[0.5,0.5,0.25]}",
        "{\"ids\":[7,8,9],\"given\":[0,1,0]}",
    };
    enum { LINES = sizeof lines / sizeof *lines };
    uint64_t content[LINES];
    (void)state;
    for (size_t i = 0; i < LINES; i++) {
        input in;
        good(&in, lines[i]);
        content[i] = in.request[0].content;
        for (size_t j = 0; j < i; j++) assert_true(content[i] != content[j]);
        input_clear(&in);
    }
}

static void refusals(void **state)
{
    static const char *const cases[][2] = {
        {"", "file: the file holds no texts"},
        {"{\"text\":\"x\",\"finish_reason\":\"failed\"}", "the file holds no texts that were finished"},
        {"{\"id\":3}", "file:1: found neither \"text\" nor \"ids\""},
        {"{\"id\":3,\"text\":\"x\"}\n{\"id\":3,\"text\":\"y\"}",
         "file:2: custom_id: \"3\" sample 0 was used on line 1 already"},
        {"{\"ids\":[7,4097]}", "file:1: ids: element 1 is 4097, expected an id from 0 to 4096"},
        {"{\"ids\":[7,-1]}", "file:1: ids: element 1 is -1, expected an id from 0 to 4096"},
        {"{\"ids\":[7,4096]}", "file:1: ids: element 1 is the mask: the text is not finished"},
        {"{\"ids\":[4095]}", "file:1: the text holds nothing to refine"},
        {"{\"text\":\"\"}", "file:1: the text holds nothing to refine"},
        {"{\"ids\":[7,8],\"confidences\":[0.5,1.5]}",
         "file:1: confidences: element 1 is 1.5, expected a probability or null"},
        {"{\"ids\":[7,8],\"confidences\":[-0.5,1]}", "confidences: element 0 is -0.5, expected"},
        {"{\"ids\":[7,8],\"confidences\":[0.5,\"x\"]}", "confidences: element 1 is \"x\", expected"},
        {"{\"ids\":[7,8],\"confidences\":[0.5]}",
         "file:1: confidences: found 1 elements, expected 2, as many as tokens"},
        {"{\"ids\":[7,8],\"confidences\":0.5}", "confidences: found 0.5, expected an array"},
        {"{\"ids\":[7,8],\"given\":[0,1,0,1]}", "given: found 4 elements, expected 2"},
        {"{\"ids\":[7,8],\"given\":[0,2]}", "element 1: given: found 2, expected"},
        {"{\"ids\":[7,8],\"prompt_tokens\":4}", "prompt_tokens: found 4, expected"},
        {"{\"ids\":[7,8],\"prompt\":\"x\"}", "prompt: it belongs to a text; beside \"ids\" say"},
        {"{\"text\":\"yes\",\"prompt\":\"no\"}", "prompt: the text does not begin with it"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        input in;
        assert_int_equal(parse(&in, cases[i][0]), DID_EFORMAT);
        if (!strstr(status_message(), cases[i][1])) assert_string_equal(status_message(), cases[i][1]);
        input_clear(&in);
    }
}

static void stages_that_do_not_fit(void **state)
{
    input in;
    (void)state;
    usual.stages = "3:0.5";
    assert_int_equal(parse(&in, "{\"ids\":[7,8,9]}"), DID_EINVAL);
    assert_string_equal(status_message(), "file:1: stage 2: block 3 does not divide the length 4; 2 "
                                          "or L would");
    input_clear(&in);
    usual.stages = "L:0.5,2:0.5";
    assert_int_equal(parse(&in, "{\"ids\":[7,8,9]}"), DID_EINVAL);
    assert_non_null(strstr(status_message(), "stage 3: block 2 is smaller than the 4"));
    input_clear(&in);
    usual.stages = "L,L,L,L,L,L,L,L";
    assert_int_equal(parse(&in, "{\"ids\":[7,8,9]}"), DID_EFORMAT);
    assert_non_null(strstr(status_message(), "1 stages before and 8 that follow make more than 8"));
    input_clear(&in);
    usual.stages = "L:x";
    assert_int_equal(parse(&in, "{\"ids\":[7,8,9]}"), DID_EINVAL);
    assert_non_null(strstr(status_message(), "stage 2 (L:x): found \"x\""));
    input_clear(&in);
    usual.stages = "L:0.5:quota/4";
    rules.after = 1;
    assert_int_equal(parse(&in, "{\"ids\":[7,8,9]}"), DID_EFORMAT);
    assert_non_null(strstr(status_message(), "--after chooses a stage of records"));
    input_clear(&in);
    rules.after = 0;
}

/* A record as did generate --trace writes it, of another model than this one: found, with the
 * confidences it has. %s takes another stage's settings and texts. */
static const char record[] =
    "{\"custom_id\":\"r\",\"sample\":1,\"model\":\"0000000000000001\",\"rejections\":2,"
    "\"rejected_nfe\":9,\"settings\":{\"length\":4,\"seed\":5,\"window\":256,\"refine_window\":256,"
    "\"variable_length\":false,\"reject\":false,\"stages\":[{\"model\":0,\"block\":2,\"remask\":0,"
    "\"policy\":\"lowest\",\"sampler\":\"fhs\",\"steps\":0,\"order\":\"random\",\"nucleus\":0.9,"
    "\"rule\":\"exclusive\",\"temperature\":1,\"confidence\":\"raw\"}]},\"cost\":[{\"nfe\":2,"
    "\"commits\":1,\"rescored\":0,\"reopened\":0,\"changed\":0}],\"trace\":{\"mask_id\":4096,"
    "\"end_id\":4095,\"key\":\"%s\",\"given\":[4095,7,-1,-1],\"ids\":[4095,7,8,9],"
    "\"left\":[[4095,7,8,9]],\"draws\":[[0,0,3,9,-1,0.25],[0,1,2,8,-1,0.5]]}}";

static void records_of_other_models(void **state)
{
    char    line[2000];
    input   in;
    request own = {.custom_id = (char[]){"r"}, .sample = 1, .seed = 5};
    (void)state;
    for (int has_seed = 0; has_seed < 2; has_seed++) {
        own.has_seed = has_seed;
        request_seal(&own);
        snprintf(line, sizeof line, record, "0123456789abcdef");
        assert_int_equal(parse(&in, line), DID_EFORMAT);
        assert_non_null(strstr(status_message(), "give --seed for others"));
        input_clear(&in);
        char key[17];
        snprintf(key, sizeof key, "%016llx", (unsigned long long)own.key);
        snprintf(line, sizeof line, record, key);
        good(&in, line);
        const request *q = &in.request[0];
        assert_begun(q);
        assert_int_equal(q->prompt_tokens, 2);
        assert_int_equal(q->stage[1].policy, POLICY_LOWEST);
        assert_true(q->draft->snapshot[2] == 0.5f && q->draft->snapshot[3] == 0.25f);
        assert_true(q->key == own.key && q->seed == 5 && q->has_seed == (has_seed == 1));
        assert_int_equal(q->draft->attempt, 0); /* what it cost somebody else is not told */
        input_clear(&in);
    }
    rules.reseeded = true;
    good(&in, line);
    assert_true(in.request[0].seed == 9 && !in.request[0].has_seed);
    input_clear(&in);
    rules.reseeded = false;
}

static void broken_records(void **state)
{
    static const char *const cases[][3] = {
        {"\"end_id\":4095", "\"end_id\":50256", "the ids are of another tokenizer than the model's"},
        {"\"settings\":", "\"setting\":", "stages: found missing"},
        {"[4095,7,8,9]],", "[4095,7,8,4096]],", "tokens: found 4096 at position 3"},
        {"[4095,7,8,9]],", "[4095,7,8,9,9]],", "trace left 1: found 5 tokens, expected 1 to 4"},
        {"[4095,7,8,9]],", "[4095,6,8,9]],", "trace left 1: found 6 at position 1, where 7 was"},
        {"-1,0.25]", "-1,2.5]", "trace draws: element 0 has confidence 2.5"},
        {"\"fhs\"", "\"fast\"", "settings stage 1: sampler: found \"fast\""},
        {"\"length\":4", "\"length\":3", "given: found 4 elements, expected 3"},
    };
    char line[2000], changed[2000];
    (void)state;
    request own = {.custom_id = (char[]){"r"}, .sample = 1, .seed = 5};
    char    key[17];
    request_seal(&own);
    snprintf(key, sizeof key, "%016llx", (unsigned long long)own.key);
    snprintf(line, sizeof line, record, key);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        input in;
        char *at = strstr(line, cases[i][0]);
        assert_non_null(at);
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - line), line, cases[i][1],
                 at + strlen(cases[i][0]));
        assert_int_equal(parse(&in, changed), DID_EFORMAT);
        if (!strstr(status_message(), cases[i][2])) assert_string_equal(status_message(), cases[i][2]);
        input_clear(&in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_lines),
        cmocka_unit_test(ids_and_confidences),
        cmocka_unit_test(unknown_confidences_are_measured),
        cmocka_unit_test(prompts_stay),
        cmocka_unit_test(content_tells_texts_apart),
        cmocka_unit_test(refusals),
        cmocka_unit_test(stages_that_do_not_fit),
        cmocka_unit_test(records_of_other_models),
        cmocka_unit_test(broken_records),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
