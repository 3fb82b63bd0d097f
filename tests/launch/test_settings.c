#include "settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "request.h"

static status read_line(settings *s, options **said, const char *line)
{
    static char  copy[1000];
    static char *words[64];
    int          n = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok(copy, " "); w; w = strtok(NULL, " ")) words[n++] = w;
    *said = NULL;
    return settings_read(s, said, n, words);
}

static void a_model_is_enough(void **state)
{
    settings s;
    options *said;
    (void)state;
    assert_int_equal(read_line(&s, &said, "--model DIR"), DID_OK);
    assert_string_equal(s.model, "DIR");
    assert_int_equal(s.count, 1);
    assert_int_equal(s.samples, 1);
    assert_int_equal(s.length, 0);
    assert_int_equal(s.commit, 0);
    assert_int_equal(s.weights, 0);
    assert_true(s.seed == 1);
    assert_int_equal(s.tp, 0);
    assert_int_equal(settings_refine_window(&s), 0);

    stage_defaults d = settings_stage(&s);
    assert_int_equal(d.sampler, -1);
    assert_int_equal(d.steps, 0);
    assert_int_equal(d.order, ORDER_RANDOM);
    assert_true(d.nucleus == 0.9 && d.temperature == 1);
    assert_int_equal(d.rule, NUCLEUS_EXCLUSIVE);
    assert_int_equal(d.policy, POLICY_LOWEST);
    assert_int_equal(d.confidence, CONFIDENCE_RAW);
    options_close(&said);
}

/* The words of the choices stand in the order of the engine's enums. */
static void choices_mean_what_they_say(void **state)
{
    settings s;
    options *said;
    (void)state;
    assert_int_equal(read_line(&s, &said,
                               "--model D --prompt x --sampler ancestral --order confident "
                               "--nucleus-rule inclusive --policy posthoc --confidence nucleus "
                               "--commit separate --weights unfolded --refine-window full "
                               "--steps 5"),
                     DID_OK);
    stage_defaults d = settings_stage(&s);
    assert_int_equal(d.sampler, SAMPLER_ANCESTRAL);
    assert_int_equal(d.order, ORDER_CONFIDENT);
    assert_int_equal(d.rule, NUCLEUS_INCLUSIVE);
    assert_int_equal(d.policy, POLICY_POSTHOC);
    assert_int_equal(d.confidence, CONFIDENCE_NUCLEUS);
    assert_int_equal(d.steps, 5);
    assert_int_equal(s.commit, 1);
    assert_int_equal(s.weights, 1);
    assert_int_equal(s.count, 0);
    assert_int_equal(settings_refine_window(&s), REQUEST_LENGTH_MAX);
    options_close(&said);
    assert_int_equal(read_line(&s, &said,
                               "--model D --sampler quota --order left --policy random "
                               "--refine-window 512"),
                     DID_OK);
    d = settings_stage(&s);
    assert_int_equal(d.sampler, SAMPLER_QUOTA);
    assert_int_equal(d.order, ORDER_LEFT);
    assert_int_equal(d.policy, POLICY_RANDOM);
    assert_int_equal(settings_refine_window(&s), 512);
    options_close(&said);
}

static void what_does_not_go_together(void **state)
{
    static const char *const bad[][2] = {
        {"", "--model is missing: name a checkpoint directory"},
        {"--model D --prompt x -n 3", "found 2 of --input, --prompt and -n, expected one"},
        {"--model D --prompt x --input y -n 3",
         "found 3 of --input, --prompt and -n, expected one"},
        {"--model D --precision f16", "--precision: found \"f16\", expected one of f32|bf16"},
        {"--model D --refine-window wide", "--refine-window: found \"wide\", expected full or a "
                                           "whole number of tokens from 2 to 131072"},
        {"--model D --refine-window 1", "--refine-window: found \"1\", expected full or a whole "
                                        "number of tokens from 2 to 131072"},
        {"--model D --watch --quiet", "--watch and --quiet exclude each other"},
        {"--model D --lenght 5", "unknown option --lenght: did you mean --length?"},
        {"--model D --length 1", "--length: found \"1\", expected a whole number from 2 to 131072"},
        {"--model D -n 0", "--count: found \"0\", expected a whole number from 1 to 10000000"},
        {"--model D --nucleus 1.5",
         "--nucleus: found \"1.5\", expected a number above 0 and at most 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        settings s;
        options *said;
        assert_int_equal(read_line(&s, &said, bad[i][0]), DID_EINVAL);
        assert_string_equal(status_message(), bad[i][1]);
        options_close(&said);
    }
}

/* A default that its own row refuses would be left out without a word. */
static void every_default_is_legal(void **state)
{
    (void)state;
    for (int i = 0; i < settings_table.n; i++) {
        const option *p = &settings_table.option[i];
        char          line[200];
        settings      s;
        options      *said;
        if (!p->name || !p->initial) continue;
        snprintf(line, sizeof line, "--model D --%s %s", p->name, p->initial);
        assert_int_equal(read_line(&s, &said, line), DID_OK);
        options_close(&said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_enough),
        cmocka_unit_test(choices_mean_what_they_say),
        cmocka_unit_test(what_does_not_go_together),
        cmocka_unit_test(every_default_is_legal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
