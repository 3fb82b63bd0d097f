#include "stages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Two models that are never read: 256 positions, blocks of 4. */
static models two_models(void)
{
    models m = {.n = 2, .dir = {"models/one", "models/two"}};
    for (int i = 0; i < 2; i++)
        m.shape[i] = (geometry){.length = 256, .block = 4, .vocab = 4097, .mask_id = 4096};
    return m;
}

static const stage_defaults silent = {.sampler = -1, .nucleus = 0.9, .temperature = 1};

static void the_usual_text(void **state)
{
    models m = two_models();
    stage  s[STAGES_MAX];
    int    n;
    (void)state;
    assert_int_equal(stages_parse(s, &n, "4,L:0.25:quota/16", &silent, &m), DID_OK);
    assert_int_equal(n, 2);
    assert_int_equal(s[0].block, 4);
    assert_int_equal(s[0].sampler, SAMPLER_FHS);
    assert_true(s[0].nucleus == 0.9 && s[0].temperature == 1);
    assert_int_equal(s[1].block, STAGE_BLOCK_WHOLE);
    assert_int_equal(s[1].sampler, SAMPLER_QUOTA);
    assert_int_equal(s[1].steps, 16);
    assert_true(s[1].remask == 0.25);
    assert_int_equal(s[1].model, 0);
}

static void every_setting_is_understood(void **state)
{
    models m = two_models();
    stage  s[STAGES_MAX];
    int    n;
    (void)state;
    assert_int_equal(stages_parse(s, &n,
                                  "8:ancestral/5:T=0:rule=inclusive,64:.5:p=1:order=left:"
                                  "policy=posthoc:confidence=nucleus:model=models/two",
                                  &silent, &m),
                     DID_OK);
    assert_int_equal(s[0].sampler, SAMPLER_ANCESTRAL);
    assert_int_equal(s[0].steps, 5);
    assert_true(s[0].temperature == 0);
    assert_int_equal(s[0].rule, NUCLEUS_INCLUSIVE);
    assert_int_equal(s[1].block, 64);
    assert_true(s[1].remask == 0.5 && s[1].nucleus == 1);
    assert_int_equal(s[1].order, ORDER_LEFT);
    assert_int_equal(s[1].policy, POLICY_POSTHOC);
    assert_int_equal(s[1].confidence, CONFIDENCE_NUCLEUS);
    assert_int_equal(s[1].rule, NUCLEUS_EXCLUSIVE);
    assert_int_equal(s[1].model, 1);
    assert_int_equal(m.n, 2);
}

static void defaults_apply_where_a_stage_is_silent(void **state)
{
    models         m = two_models();
    stage          s[STAGES_MAX];
    int            n;
    stage_defaults d = {.sampler = SAMPLER_ANCESTRAL,
                        .steps = 7,
                        .order = ORDER_CONFIDENT,
                        .nucleus = 0.5,
                        .rule = NUCLEUS_INCLUSIVE,
                        .temperature = 2,
                        .policy = POLICY_RANDOM,
                        .confidence = CONFIDENCE_NUCLEUS};
    (void)state;
    assert_int_equal(stages_parse(s, &n, "L", &silent, &m), DID_OK);
    assert_int_equal(s[0].sampler, SAMPLER_QUOTA);
    assert_int_equal(s[0].steps, 64);
    assert_int_equal(stages_parse(s, &n, "4:quota,L", &silent, &m), DID_OK);
    assert_int_equal(s[0].steps, 32);
    assert_int_equal(s[1].steps, 32);
    assert_true(s[1].remask == 0.25);

    assert_int_equal(stages_parse(s, &n, "4,L:0.5,L:quota:p=0.7", &d, &m), DID_OK);
    assert_int_equal(n, 3);
    assert_int_equal(s[0].sampler, SAMPLER_ANCESTRAL);
    assert_int_equal(s[0].steps, 7);
    assert_int_equal(s[1].policy, POLICY_RANDOM);
    assert_int_equal(s[1].rule, NUCLEUS_INCLUSIVE);
    assert_int_equal(s[1].confidence, CONFIDENCE_NUCLEUS);
    assert_true(s[1].temperature == 2 && s[1].nucleus == 0.5);
    assert_int_equal(s[2].sampler, SAMPLER_QUOTA);
    assert_int_equal(s[2].order, ORDER_CONFIDENT);
    assert_true(s[2].nucleus == 0.7);

    char text[32];
    stages_default(&m.shape[0], text, sizeof text);
    assert_string_equal(text, "4,L:0.25");
    m.shape[0].block = 256;
    stages_default(&m.shape[0], text, sizeof text);
    assert_string_equal(text, "L");
}

static void thresholds(void **state)
{
    models         m = two_models();
    stage          s[STAGES_MAX];
    int            n;
    stage_defaults d = silent;
    (void)state;
    assert_int_equal(stages_parse(s, &n, "4:threshold/.7,L:threshold,L", &d, &m), DID_OK);
    assert_int_equal(s[0].sampler, SAMPLER_THRESHOLD);
    assert_true(s[0].threshold == 0.7 && s[0].steps == 0);
    assert_true(s[1].threshold == 0.9);
    assert_true(s[2].sampler == SAMPLER_QUOTA && s[2].threshold == 0);
    d.sampler = SAMPLER_THRESHOLD;
    d.threshold = 0.5;
    d.cache = 5;
    assert_int_equal(stages_parse(s, &n, "4,8,L,L:cache=2", &d, &m), DID_OK);
    assert_int_equal(s[0].cache + s[1].cache, 0);
    assert_int_equal(s[2].cache, 5);
    assert_int_equal(s[3].cache, 2);
    assert_int_equal(stages_parse(s, &n, "4,L:quota", &d, &m), DID_OK);
    assert_true(s[0].sampler == SAMPLER_THRESHOLD && s[0].threshold == 0.5);
    assert_int_equal(s[1].steps, 32);
}

static void text_that_makes_no_sense(void **state)
{
    static const char *const cases[][2] = {
        {"", "stage 1 (): found block \"\", expected a whole number of tokens or L"},
        {"0", "stage 1 (0): found block \"0\", expected a whole number of tokens or L"},
        {"4,x", "stage 2 (x): found block \"x\", expected a whole number of tokens or L"},
        {"4,,L", "stage 2 (): found block \"\", expected a whole number of tokens or L"},
        {"4:0.5", "stage 1 (4:0.5): the first stage drafts from nothing: it takes no remask "
                  "share"},
        {"4,L:1.5", "stage 2 (L:1.5): remask share: found \"1.5\", expected a number from 0 to 1"},
        {"4,L:-0.1",
         "stage 2 (L:-0.1): remask share: found \"-0.1\", expected a number from 0 to 1"},
        {"4,L:0.25:0.5", "stage 2 (L:0.25:0.5): found \"0.5\", expected fhs, ancestral/N, "
                         "quota/N, threshold/P or a setting like p=0.9"},
        {"4,L:quota/0", "stage 2 (L:quota/0): quota: found \"0\" steps, expected a whole number "
                        "from 1 to 1000000"},
        {"4,L:quota/", "stage 2 (L:quota/): quota: found \"\" steps, expected a whole number from "
                       "1 to 1000000"},
        {"4:fhs/3", "stage 1 (4:fhs/3): fhs takes no steps: it draws one token per pass"},
        {"4:threshold/0", "stage 1 (4:threshold/0): threshold: found \"0\", expected a number above "
                          "0 and at most 1"},
        {"4:threshold/0.9:order=left", "order= belongs to quota; threshold chooses its own order"},
        {"4:order=left", "stage 1 (4:order=left): order= belongs to quota; fhs chooses its own "
                         "order"},
        {"4,L:order=up", "stage 2 (L:order=up): order: found \"up\", expected random, left, "
                         "confident or drawn"},
        {"4:p=0", "stage 1 (4:p=0): p: found \"0\", expected a number above 0 and at most 1"},
        {"4:T=-1", "stage 1 (4:T=-1): T: found \"-1\", expected a number from 0 to 100"},
        {"4:p=nan", "stage 1 (4:p=nan): p: found \"nan\", expected a number above 0 and at most 1"},
        {"4:rule=both", "stage 1 (4:rule=both): rule: found \"both\", expected exclusive or "
                        "inclusive"},
        {"4:policy=random", "stage 1 (4:policy=random): the first stage drafts from nothing: it "
                            "takes no policy"},
        {"4:q=1", "stage 1 (4:q=1): unknown setting \"q\": there are p, T, order, policy, "
                  "confidence, rule, cache and model"},
        {"4:cache=2,L", "cache= belongs to a refinement of the whole document, L"},
        {"L:cache=2", "cache= belongs to a refinement of the whole document, L"},
        {"4,8:cache=2", "cache= belongs to a refinement of the whole document, L"},
        {"4,L:cache=0", "cache: found \"0\", expected a whole number of passes from 1 to"},
        {"4:quick", "stage 1 (4:quick): found \"quick\", expected"},
        {"1,2,4,8,16,32,64,128,L", "stages \"1,2,4,8,16,32,64,128,L\": more than 8 stages"},
        {"4,\nL", "stages: found a control character (0x0a)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        models m = two_models();
        stage  s[STAGES_MAX];
        int    n;
        assert_int_equal(stages_parse(s, &n, cases[i][0], &silent, &m), DID_EINVAL);
        if (!strstr(status_message(), cases[i][1]))
            assert_string_equal(status_message(), cases[i][1]);
    }
}

static status check(const char *text, int length)
{
    models m = two_models();
    stage  s[STAGES_MAX];
    int    n;
    assert_int_equal(stages_parse(s, &n, text, &silent, &m), DID_OK);
    return stages_check(s, n, length, &m);
}

static void lengths_that_work(void **state)
{
    static const struct {
        const char *stages;
        int         length;
    } good[] = {{"4,L:0.25", 256}, {"4,4:1", 256},  {"4,L,L", 256},           {"4,L", 1024},
                {"L", 7},          {"128,256", 64}, {"4,64:0.5,L:0.25", 128}, {"256,L", 256},
                {"1,3,9,L", 27}};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(check(good[i].stages, good[i].length), DID_OK);
}

static void lengths_that_do_not(void **state)
{
    static const struct {
        const char *stages;
        int         length;
        const char *sentence;
    } bad[] = {
        {"3", 256, "stage 1: block 3 does not divide the length 256; 2 or 4 would"},
        {"4,100:0.5,L", 256, "stage 2: block 100 does not divide the length 256; 64 or 128 would"},
        {"200", 256, "stage 1: block 200 does not divide the length 256; 128 or L would"},
        {"4", 257, "stage 1: block 4 does not divide the length 257; 1 or L would"},
        {"8,4:0.5", 256,
         "stage 2: block 4 is smaller than the 8 of the stage before; 8 or larger "
         "would work"},
        {"L,4:0.5", 256,
         "stage 2: block 4 is smaller than the 256 of the stage before; 256 or "
         "larger would work"},
        {"512", 1024, "stage 1: block 512 is larger than the model's length 256"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(check(bad[i].stages, bad[i].length), DID_EINVAL);
        assert_string_equal(status_message(), bad[i].sentence);
    }
}

static void lengths_are_rounded_up(void **state)
{
    models m = two_models();
    stage  s[STAGES_MAX];
    int    n;
    (void)state;
    assert_int_equal(stages_parse(s, &n, "4,6,L", &silent, &m), DID_OK);
    assert_int_equal(stages_round(s, n, 1), 12);
    assert_int_equal(stages_round(s, n, 12), 12);
    assert_int_equal(stages_round(s, n, 13), 24);
    assert_int_equal(stages_parse(s, &n, "L", &silent, &m), DID_OK);
    assert_int_equal(stages_round(s, n, 13), 13);
}

/* Written out, the stages say everything: another run's defaults change nothing. */
static void the_text_reads_back(void **state)
{
    static const char *const texts[] = {
        "4,L:0.25",
        "4:threshold/0.123456789,L:0.5:threshold",
        "4,L:0.5:cache=3",
        "4:ancestral/3:p=0.123456789:T=0.7,L:0.1:order=confident,L:1:quota/9:policy=random",
        "L:quota/5:order=left:rule=inclusive:confidence=nucleus:model=models/two",
    };
    stage_defaults other = {.sampler = SAMPLER_QUOTA,
                            .steps = 99,
                            .order = ORDER_LEFT,
                            .nucleus = 0.1,
                            .temperature = 3,
                            .policy = POLICY_POSTHOC};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        models m = two_models();
        stage  s[STAGES_MAX], again[STAGES_MAX];
        int    n, n_again;
        char   text[STAGES_TEXT_MAX], text_again[STAGES_TEXT_MAX];
        assert_int_equal(stages_parse(s, &n, texts[i], &silent, &m), DID_OK);
        stages_text(s, n, &m, text, sizeof text);
        assert_int_equal(stages_parse(again, &n_again, text, &other, &m), DID_OK);
        assert_int_equal(n, n_again);
        stages_text(again, n_again, &m, text_again, sizeof text_again);
        assert_string_equal(text, text_again);
        for (int k = 0; k < n; k++) {
            assert_true(s[k].nucleus == again[k].nucleus && s[k].remask == again[k].remask);
            assert_int_equal(s[k].steps, again[k].steps);
            assert_true(s[k].threshold == again[k].threshold && s[k].cache == again[k].cache);
            assert_int_equal(s[k].model, again[k].model);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_text),
        cmocka_unit_test(every_setting_is_understood),
        cmocka_unit_test(defaults_apply_where_a_stage_is_silent),
        cmocka_unit_test(thresholds),
        cmocka_unit_test(text_that_makes_no_sense),
        cmocka_unit_test(lengths_that_work),
        cmocka_unit_test(lengths_that_do_not),
        cmocka_unit_test(lengths_are_rounded_up),
        cmocka_unit_test(the_text_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
