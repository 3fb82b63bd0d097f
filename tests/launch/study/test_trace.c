#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

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

/* Position 2 is reopened and changes, position 3 is reopened and does not. */
#define HEAD                                                                                      \
    "{\"custom_id\":\"a\",\"sample\":0,\"text\":\"xyz\",\"finish_reason\":\"length\","            \
    "\"rejections\":1,\"settings\":{\"length\":4,\"stages\":["                                    \
    "{\"block\":2,\"sampler\":\"fhs\",\"nucleus\":0.9,\"temperature\":1},"                        \
    "{\"block\":4,\"remask\":0.5,\"policy\":\"lowest\",\"sampler\":\"quota\",\"steps\":8,"        \
    "\"order\":\"random\",\"nucleus\":0.9,\"temperature\":1},"                                    \
    "{\"work\":\"score\",\"model\":1,\"block\":4,\"steps\":0}]},"                                 \
    "\"cost\":[{\"nfe\":3,\"commits\":1},{\"nfe\":2,\"commits\":0,\"reopened\":2,\"changed\":1}," \
    "{\"rescored\":1}],\"score\":{\"nll\":6.0,\"tokens\":3}"
#define TRACE                                                                           \
    ",\"trace\":{\"given\":[4095,-1,-1,-1],\"left\":[[4095,10,11,12],[4095,10,13,12]]," \
    "\"draws\":[[0,0,1,10,-1,0.5],[0,1,3,12,-1,0.2],[0,2,2,11,-1,0.1],"                 \
    "[1,0,2,13,11,0.75],[1,1,3,12,12,0.875]]}"

static status read_text(view *v, const char *text)
{
    json_t *record = json_loads(text, 0, NULL);
    assert_non_null(record);
    status s = trace_read(v, record, NULL);
    json_decref(record);
    return s;
}

static void draws_are_replayed(void **state)
{
    view v;
    (void)state;
    assert_int_equal(read_text(&v, HEAD TRACE "}"), DID_OK);
    assert_string_equal(v.name, "a");
    assert_string_equal(v.ending,
                        "finished: length; 1 rejected drafts; perplexity 7.39 (2.000 nats "
                        "over 3 tokens)");
    assert_int_equal(v.n_stages, 2);
    assert_true(v.traced);
    assert_string_equal(v.stage[0].title,
                        "stage 1: draft, blocks of 2, fhs, nucleus 0.9, temperature 1");
    assert_string_equal(v.stage[1].title, "stage 2: refine, the whole at once, 0.5 reopened "
                                          "(lowest), quota/8 random, nucleus 0.9, temperature 1");
    assert_string_equal(v.stage[1].costs, "NFE 2, commits 0, 2 reopened, 1 changed");
    const view_token *draft = v.stage[0].token, *fine = v.stage[1].token;
    assert_true(isinf(draft[0].confidence) && isinf(fine[0].confidence));
    assert_true(draft[2].confidence == 0.1f && fine[2].confidence == 0.75f);
    assert_true(fine[1].confidence == 0.5f);
    assert_false(draft[1].reopens);
    assert_true(draft[2].reopens && draft[3].reopens);
    assert_true(fine[2].reopened && fine[3].reopened && !fine[1].reopened);
    assert_string_equal(draft[2].text, " 11");
    assert_string_equal(fine[2].text, " 13");
    assert_string_equal(fine[2].before, " 11");
    assert_null(fine[3].before);
    assert_int_equal(fine[3].stage, 1);
    assert_int_equal(fine[3].step, 1);
    view_clear(&v);
}

static void without_a_trace(void **state)
{
    view v;
    (void)state;
    assert_int_equal(read_text(&v, HEAD "}"), DID_OK);
    assert_false(v.traced);
    assert_string_equal(v.text, "xyz");
    assert_int_equal(v.stage[0].n, 0);
    view_clear(&v);
}

static void refused(const char *text, const char *says)
{
    view v;
    assert_int_equal(read_text(&v, text), DID_EFORMAT);
    if (!strstr(status_message(), says)) fail_msg("\"%s\" lacks \"%s\"", status_message(), says);
    view_clear(&v);
}

static void refusals(void **state)
{
    (void)state;
    refused("{}", "custom_id: found missing, expected a string");
    refused("{\"custom_id\":\"a\"}", "settings stages: found missing");
    refused(HEAD ",\"trace\":{}}", "trace given: found missing");
    refused(HEAD ",\"trace\":{\"given\":[1],\"left\":[[1,2]],\"draws\":[]}}",
            "trace left: found 2 tokens, expected at most 1");
    refused(HEAD ",\"trace\":{\"given\":[1],\"left\":[[\"x\"]],\"draws\":[]}}",
            "trace left: found \"x\"");
    refused(HEAD ",\"trace\":{\"given\":[1],\"left\":[[1]],\"draws\":[[0,0,1,5,-1,0.5]]}}",
            "trace draws position: found 1");
    refused(HEAD ",\"trace\":{\"given\":[1],\"left\":[[1]],\"draws\":[[2,0,0,5,-1,0.5]]}}",
            "trace draws stage: found 2");
}

/* A character that takes several tokens stands with the first; together they are the text. */
static void characters_stay_whole(void **state)
{
    static const char text[] = "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80!";
    int32_t          *ids;
    int               n;
    char             *one[64], all[64] = "";
    (void)state;
    assert_int_equal(tokenizer_encode(words, text, sizeof text - 1, false, &ids, &n), DID_OK);
    assert_int_equal(trace_spell(one, ids, n, words), DID_OK);
    bool shared = false;
    for (int i = 0; i < n; i++) {
        shared = shared || *one[i] == '\0';
        strcat(all, one[i]);
        free(one[i]);
    }
    assert_string_equal(all, text);
    assert_true(shared);

    /* The last byte of a character alone. */
    for (int i = n - 2; i < n - 1; i++) {
        assert_int_equal(trace_spell(one, ids + i, 1, words), DID_OK);
        assert_string_equal(one[0], "\xEF\xBF\xBD");
        free(one[0]);
    }
    free(ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_are_replayed), cmocka_unit_test(without_a_trace),
        cmocka_unit_test(refusals), cmocka_unit_test(characters_stay_whole)};
    return cmocka_run_group_tests(tests, open_words, close_words);
}
