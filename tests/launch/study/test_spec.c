#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spec.h"

static const char whole[] = "# How much.\n"
                            "title = Remask   # not part of it\n"
                            "about = One.\n"
                            "about = Two.\n"
                            "length = 64\n"
                            "documents = 5\n"
                            "seeds = 11 18446744073709551615\n"
                            "nucleus = 0.8\n"
                            "baseline = draft\n"
                            "frontier = drafts\n"
                            "claim = it helps: nll(refined remask=0.5 policy=lowest) < nll(draft)\n"
                            "claim = as printed: perplexity(draft) = 31.8 +- 2\n"
                            "\n"
                            "[draft]\n"
                            "stages = 4\n"
                            "[drafts]\n"
                            "about = a line\n"
                            "stages = 4\n"
                            "nucleus = 0.7 1\n"
                            "[refined]\n"
                            "stages = 4,L:{remask}:policy={policy}:quota/{n}\n"
                            "remask = 0.25 0.5\n"
                            "n = 16\n"
                            "policy = lowest random\n"
                            "order = confident\n";

static void everything_is_read(void **state)
{
    spec s;
    (void)state;
    if (spec_parse(&s, whole, "file", NULL) != DID_OK) fail_msg("%s", status_message());
    assert_string_equal(s.title, "Remask");
    assert_string_equal(s.about, "One. Two.");
    assert_int_equal(s.n_seeds, 2);
    assert_true(s.seed[0] == 11 && s.seed[1] == UINT64_MAX);
    assert_int_equal(s.n_sections, 3);
    assert_int_equal(s.n_settings, 7);
    assert_int_equal(s.baseline, 0);
    assert_int_equal(s.frontier, 1);
    assert_string_equal(s.section[1].about, "a line");

    const spec_setting *draft = &s.setting[0], *open = &s.setting[2], *fine = &s.setting[5];
    assert_string_equal(draft->name, "draft");
    assert_int_equal(draft->length, 64);
    assert_int_equal(s.documents, 5);
    assert_int_equal(draft->usual.sampler, -1);
    assert_true(draft->usual.nucleus == 0.8);
    assert_int_equal(draft->line, 15);

    assert_string_equal(open->name, "drafts nucleus=1");
    assert_true(open->usual.nucleus == 1);

    assert_string_equal(fine->name, "refined remask=0.5 policy=lowest");
    assert_string_equal(fine->stages, "4,L:0.5:policy=lowest:quota/16");
    assert_int_equal(fine->usual.order, 2);
    assert_int_equal(fine->usual.policy, 0);
    assert_int_equal(s.setting[6].usual.policy, 1);
    assert_int_equal(fine->n_values, 2);
    assert_true(spec_value_of(fine, "remask")->number == 0.5);
    assert_true(isnan(spec_value_of(fine, "policy")->number));
    assert_null(spec_value_of(fine, "n"));

    assert_int_equal(s.n_claims, 2);
    assert_int_equal(s.claim[0].left.setting, 5);
    assert_int_equal(s.claim[0].right.setting, 0);
    assert_int_equal(s.claim[0].left.what, MEASURE_NLL);
    assert_int_equal(s.claim[0].relation, '<');
    assert_string_equal(s.claim[0].sentence, "it helps");
    assert_true(s.claim[1].right.number == 31.8 && s.claim[1].tolerance == 2);
    assert_int_equal(s.claim[1].reported, 0);
    spec_clear(&s);
    assert_null(s.setting);
}

/* Lists may be whole stage texts, and their names may hold what a claim is written with. */
static void stages_can_be_a_list(void **state)
{
    spec s;
    (void)state;
    assert_int_equal(spec_parse(&s,
                                "claim = x: y: nll(a stages=4,L:0.5) > 2\n[a]\n"
                                "stages = 4  4,L:0.5\n",
                                "f", NULL),
                     DID_OK);
    assert_int_equal(s.n_settings, 2);
    assert_string_equal(s.setting[1].stages, "4,L:0.5");
    assert_string_equal(s.claim[0].sentence, "x: y");
    assert_int_equal(s.claim[0].left.setting, 1);
    assert_int_equal(s.claim[0].right.setting, -1);
    spec_clear(&s);
}

static void a_number_that_was_reported(void **state)
{
    spec s;
    (void)state;
    assert_int_equal(spec_parse(&s, "baseline = a\nclaim = x: change(a) = -0.5 of 64\n[a]\nstages = 4\n",
                                "f", NULL),
                     DID_OK);
    assert_int_equal(s.claim[0].left.what, MEASURE_CHANGE);
    assert_int_equal(s.claim[0].reported, 64);
    assert_true(s.claim[0].right.setting == -1 && s.claim[0].right.number == -0.5);
    spec_clear(&s);
}

static void refused(const char *text, const char *says)
{
    spec s;
    assert_int_equal(spec_parse(&s, text, "f", NULL), DID_EFORMAT);
    assert_string_equal(status_message(), says);
    spec_clear(&s);
}

static void refusals_name_the_line(void **state)
{
    (void)state;
    refused("", "f:1: the spec has no section, expected [name] and stages");
    refused("\nhello\n", "f:2: line: found \"hello\", expected key = value or [section]");
    refused("lenght = 5\n", "f:1: key: found \"lenght\", expected title, about, documents, seeds, "
                            "baseline, frontier, claim, or a setting like length");
    refused("length = \n", "f:1: length: found \"\", expected a value");
    refused("length = 8 16\n[a]\nstages = 4\n",
            "f:1: length: found \"8 16\", expected one value; lists belong to a section");
    refused("seeds = 1 -2\n", "f:1: seeds: found \"-2\", expected whole numbers");
    refused("seeds = 1 1\n", "f:1: seeds: found \"1\", expected each seed once");
    refused("[a\n", "f:1: section: found \"[a\", expected [name]");
    refused("[a b]\n", "f:1: section: found \"a b\", expected letters, digits, -, _ and .");
    refused("[a]\nstages=4\n[a]\n", "f:3: section: found \"a\", expected another name");
    refused("\n[a]\nlength = 8\n", "f:2: section \"a\" has no stages");
    refused("[a]\nstages = 4,L:{x}\n", "f:2: stages: {x} is no key of section \"a\"");
    refused("[a]\nstages = 4,L:{x\nx = 1\n",
            "f:3: found \"x\", which no setting has and the section's stages do not use as {x}");
    refused("[a]\nstages = 4\n\nremask = 0.5\n",
            "f:4: found \"remask\", which no setting has and the section's stages do not use as "
            "{remask}");
    refused("[a]\nstages = 4\nlength = 1\n",
            "f:3: length: found \"1\", expected a whole number from 2 to 131072");
    refused("[a]\nstages = 4\nnucleus = 0.9 0\n",
            "f:3: nucleus: found \"0\", expected a number above 0 to 1");
    refused("policy = worst\n[a]\nstages = 4\n",
            "f:1: policy: found \"worst\", expected one of lowest, random, posthoc");
    refused("[a]\nstages = 4\ndocuments = 1 2\n",
            "f:3: documents: found \"1 2\", expected it before the first section: settings are "
            "compared in pairs");
    refused("documents = 0\n", "f:1: documents: found \"0\", expected a whole number from 1 to "
                               "100000");
    refused("[a]\nstages = 4\nreject = no yes\n",
            "f:3: reject: found \"no yes\", expected one value");
    refused("[a]\nstages = 4\nnucleus = 1 1\n", "f:2: two settings are called \"a nucleus=1\"");
    refused("[a]\nstages = 4\nstages = 8\n",
            "f:3: stages: found \"8\", expected the key once in a section");
    refused("baseline = b\n[a]\nstages = 4\n", "f:1: baseline: no setting is called \"b\"; the "
                                               "first one is called \"a\"");
    refused("frontier = b\n[a]\nstages = 4\n", "f:1: frontier: no section is called \"b\"");
}

static void claim_refused(const char *text, const char *says)
{
    char line[200], sentence[300];
    snprintf(line, sizeof line, "claim = %s\n[a]\nstages = 4\n", text);
    snprintf(sentence, sizeof sentence, "f:1: %s", says);
    refused(line, sentence);
}

static void bad_claims_are_refused(void **state)
{
    (void)state;
    claim_refused("nll(a) < 2",
                  "claim: found \"nll(a) < 2\", expected a sentence, a colon and a condition");
    claim_refused("x: nll(a)", "claim: found \" nll(a)\", expected a condition with <, > or =");
    claim_refused("x: 2 < nll(a)", "claim: found the number 2 in front, expected measure(setting)");
    claim_refused("x: ppl(a) < 2",
                  "claim: found \"ppl\", expected nll, perplexity, "
                  "perplexity-mean, perplexity-text, entropy, repeated, edits, nfe, rows, gap, "
                  "seconds or change");
    claim_refused("x: nll a < 2", "claim: found \"nll a\", expected a number or measure(setting)");
    claim_refused("x: nll(a) < entropy(a)",
                  "claim: found nll and entropy, expected one measure on both sides");
    claim_refused("x: nll(a) = 2", "claim: found \"= 2\", expected = ... +- number, "
                                    "or = number of documents");
    claim_refused("x: nll(a) = 2 +- -1", "claim: found \"= 2 +- -1\", expected = ... +- number, "
                                    "or = number of documents");
    claim_refused("x: nll(a) = b +- 1", "claim: found \"b\", expected a number or "
                                        "measure(setting)");
    claim_refused("x: nll(b) < 2",
                  "claim: no setting is called \"b\"; the first one is called \"a\"");
    claim_refused("x: gap(a) < 0", "claim: gap needs a frontier");
    claim_refused("x: change(a) < 0", "claim: change needs a baseline");
    claim_refused("x: nll(a) = 2 of 0", "claim: found \"= 2 of 0\", expected = ... +- number, or = "
                                        "number of documents");
}

/* What is said beside the file holds in place of what it says, and nowhere else. */
static void changes_win(void **state)
{
    spec s;
    (void)state;
    assert_int_equal(spec_parse(&s, whole, "f", " documents=9 ;seeds = 3 4 5;nucleus=0.75; "),
                     DID_OK);
    assert_int_equal(s.documents, 9);
    assert_int_equal(s.n_seeds, 3);
    assert_true(s.seed[2] == 5);
    assert_int_equal(s.setting[0].length, 64);
    assert_true(s.setting[0].usual.nucleus == 0.75);
    assert_true(s.setting[2].usual.nucleus == 1);
    spec_clear(&s);

    assert_int_equal(spec_parse(&s, whole, "f", "length"), DID_EFORMAT);
    assert_string_equal(status_message(), "f with its changes: change: found \"length\", expected "
                                          "key=value");
    spec_clear(&s);
    assert_int_equal(spec_parse(&s, whole, "f", "title=x"), DID_EFORMAT);
    assert_string_equal(status_message(), "f with its changes: change: found \"title\", expected "
                                          "documents, seeds, or a setting like length");
    spec_clear(&s);
    assert_int_equal(spec_parse(&s, whole, "f", "length=1"), DID_EFORMAT);
    assert_string_equal(status_message(), "f with its changes: length: found \"1\", expected a "
                                          "whole number from 2 to 131072");
    spec_clear(&s);
}

/* Whatever a byte is turned into: a refusal or a spec, never a crash or a leak. */
static void mutations(void **state)
{
    unsigned seed = 7;
    char     bad[sizeof whole];
    (void)state;
    for (int i = 0; i < 3000; i++) {
        spec s;
        memcpy(bad, whole, sizeof whole);
        for (int k = 0; k < 3; k++) {
            seed = seed * 1103515245u + 12345u;
            size_t at = (seed >> 8) % (sizeof whole - 1);
            bad[at] = "=[]{}# \n\t1a,:()<"[(seed >> 4) % 16];
        }
        status got = spec_parse(&s, bad, "f", NULL);
        assert_true(got == DID_OK || got == DID_EFORMAT);
        spec_clear(&s);
    }
}

static void files_are_read(void **state)
{
    char path[] = "/tmp/did-spec-XXXXXX";
    int  fd = mkstemp(path);
    spec s;
    (void)state;
    assert_int_equal(write(fd, whole, sizeof whole - 1), sizeof whole - 1);
    assert_int_equal(spec_read(&s, path, NULL), DID_OK);
    assert_string_equal(s.path, path);
    assert_string_equal(s.text, whole);
    spec_clear(&s);
    assert_int_equal(write(fd, "", 1), 1);
    assert_int_equal(spec_read(&s, path, NULL), DID_EFORMAT);
    assert_non_null(strstr(status_message(), "is not a text file"));
    spec_clear(&s);
    close(fd);
    unlink(path);
    assert_int_equal(spec_read(&s, path, NULL), DID_EIO);
    spec_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything_is_read),
                                       cmocka_unit_test(stages_can_be_a_list),
        cmocka_unit_test(a_number_that_was_reported),
                                       cmocka_unit_test(refusals_name_the_line),
                                       cmocka_unit_test(bad_claims_are_refused),
                                       cmocka_unit_test(changes_win),
                                       cmocka_unit_test(mutations),
                                       cmocka_unit_test(files_are_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
