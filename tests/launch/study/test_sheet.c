#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "digest.h"
#include "harvested.h"
#include "sheet.h"
#include "tally.h"

static bool near(double x, double y)
{
    return fabs(x - y) < 1e-12;
}

/* Unigram entropy of E and seven tokens counted round and round over `distinct`. */
static double entropy_of(int distinct)
{
    int    count[8] = {0};
    double h = -1.0 / 8 * log(1.0 / 8);
    for (int i = 1; i < 8; i++) count[i % distinct]++;
    for (int i = 0; i < distinct; i++) h -= count[i] / 8.0 * log(count[i] / 8.0);
    return h;
}

static void measures_are_as_computed_by_hand(void **state)
{
    harvested h;
    sheet     s;
    (void)state;
    harvested_open(&h);
    assert_int_equal(sheet_open(&s, &h.spec, h.trial, &h.harvest), DID_OK);
    assert_int_equal(s.n, 4);
    const sheet_row *fine = &s.row[2];
    assert_int_equal(fine->documents, 4);
    assert_int_equal(fine->failed, 0);
    assert_true(near(fine->of[MEASURE_NLL].value, 2.5));
    assert_true(near(fine->of[MEASURE_PERPLEXITY].value, exp(2.5)));
    double mean = (exp(2.125) + exp(2.375) + exp(2.625) + exp(2.875)) / 4;
    assert_true(near(fine->of[MEASURE_PERPLEXITY_MEAN].value, mean));
    assert_true(isnan(fine->of[MEASURE_PERPLEXITY_TEXT].value));
    assert_true(near(fine->of[MEASURE_ENTROPY].value, entropy_of(4)));
    assert_true(near(fine->of[MEASURE_EDITS].value, 3.0 / 7));
    assert_true(fine->of[MEASURE_NFE].value == 9 && fine->of[MEASURE_ROWS].value == 56);
    assert_true(near(fine->of[MEASURE_SECONDS].value, 0.5) && near(sheet_tokens_s(fine), 16));
    assert_true(near(s.row[3].of[MEASURE_SECONDS].value, 0.5)); /* of those that are known */
    assert_true(fine->of[MEASURE_NLL].range.low < 2.5 && fine->of[MEASURE_NLL].range.high > 2.5);
    assert_true(near(log(fine->of[MEASURE_PERPLEXITY].range.low), fine->of[MEASURE_NLL].range.low));

    /* The documents differ by the same in every setting, so the change is known exactly. */
    assert_true(near(fine->of[MEASURE_CHANGE].value, -0.5));
    assert_true(near(fine->of[MEASURE_CHANGE].range.low, -0.5) && near(fine->of[MEASURE_CHANGE].range.high, -0.5));
    assert_int_equal(fine->pairs.pairs, 4);
    assert_int_equal(fine->pairs.lower, 4);
    assert_true(isnan(s.row[1].of[MEASURE_CHANGE].value));

    /* On the line between (entropy of 3, 2) and (entropy of 6, 3). */
    double share = (entropy_of(4) - entropy_of(3)) / (entropy_of(6) - entropy_of(3));
    assert_true(near(fine->of[MEASURE_GAP].value, 2.5 - (2 + share)));
    assert_true(isnan(s.row[0].of[MEASURE_GAP].value));
    sheet_close(&s);
    harvested_close(&h);
}

/* Beyond the ends of the frontier nobody knows; a measurement of nothing is no number. */
static void what_is_not_known(void **state)
{
    harvested h;
    sheet     s;
    (void)state;
    harvested_open(&h);
    for (int k = 0; k < 4; k++) {
        h.harvest.setting[2].document[k].quality.entropy = 9;
        h.harvest.setting[3].document[k].there = false;
        h.harvest.setting[1].document[k].seconds = NAN;
    }
    assert_false(tally_inside(&h.harvest, 2));
    assert_int_equal(sheet_open(&s, &h.spec, h.trial, &h.harvest), DID_OK);
    assert_true(isnan(s.row[2].of[MEASURE_GAP].value));
    assert_true(isnan(sheet_tokens_s(&s.row[1])));
    assert_int_equal(s.row[3].failed, 4);
    assert_true(isnan(s.row[3].of[MEASURE_NLL].value));
    assert_true(isnan(s.row[3].of[MEASURE_NLL].range.low));
    sheet_verdict v;
    assert_int_equal(sheet_judge(&v, &s, &h.spec.claim[2]), DID_OK);
    assert_false(v.passed);
    sheet_close(&s);
    harvested_close(&h);
}

static void claims_are_decided(void **state)
{
    static const bool expected[] = {true, false, true, true, false, true, false, false};
    harvested         h;
    sheet             s;
    sheet_verdict     v[HARVESTED_CLAIMS];
    (void)state;
    harvested_open(&h);
    assert_int_equal(sheet_open(&s, &h.spec, h.trial, &h.harvest), DID_OK);
    for (int i = 0; i < HARVESTED_CLAIMS; i++) {
        assert_int_equal(sheet_judge(&v[i], &s, &h.spec.claim[i]), DID_OK);
        assert_int_equal(v[i].passed, expected[i]);
    }
    assert_true(near(v[0].difference.value, -0.5) && near(v[0].difference.range.high, -0.5));

    char  *text;
    size_t size;
    FILE  *to = open_memstream(&text, &size);
    digest_print(to, &s, v);
    fclose(to);
    assert_non_null(strstr(text, "PASSED: it helps: nll(refined remask=0.25) - nll(drafts "
                                 "nucleus=0.9) = -0.5 [-0.5, -0.5]; NFE 9 against 7, entropy"));
    assert_non_null(strstr(text, "FAILED: it hurts: "));
    assert_non_null(strstr(text, "PASSED: as reported: perplexity(drafts nucleus=0.9) = 20.09 ["));
    assert_non_null(strstr(text, ", claimed 20 +- 1; NFE 7, entropy"));
    assert_non_null(strstr(text, "FAILED: the same to a tenth: "));
    assert_non_null(strstr(text, ", claimed within 0.1; NFE 9 against 9"));
    assert_non_null(strstr(text, "PASSED: as two show: perplexity(drafts nucleus=0.9) = 20.09 ["));
    assert_non_null(strstr(text, ", reported 14 of 2 documents, expected from "));
    assert_non_null(strstr(text, "FAILED: another change: change(refined remask=0.25) = -0.5 [-0.5, "
                                 "-0.5], reported -0.4 of 4 documents, expected from -0.5 to -0.5"));
    assert_non_null(strstr(text, "\n  3 refined remask=0.25    12.18 "));
    free(text);
    sheet_close(&s);
    harvested_close(&h);
}

static char *written(const sheet *s, bool csv)
{
    static char  *text;
    static size_t size;
    FILE         *to = open_memstream(&text, &size);
    if (csv) sheet_csv(to, s);
    else assert_int_equal(sheet_jsonl(to, s, "sig"), DID_OK);
    fclose(to);
    return text;
}

static int commas(const char *line)
{
    int  n = 0;
    bool quoted = false;
    for (; *line && *line != '\n'; line++) {
        if (*line == '"') quoted = !quoted;
        n += *line == ',' && !quoted;
    }
    return n;
}

static void tables_hold_every_row(void **state)
{
    harvested h;
    sheet     s;
    (void)state;
    harvested_open(&h);
    assert_int_equal(sheet_open(&s, &h.spec, h.trial, &h.harvest), DID_OK);
    char *text = written(&s, true), *rest = text, *line = strsep(&rest, "\n");
    assert_memory_equal(line, "setting,section,stages,length,", 30);
    int columns = commas(line);
    for (int i = 0; i < 4; i++) {
        line = strsep(&rest, "\n");
        assert_int_equal(commas(line), columns);
        assert_memory_equal(line, h.spec.setting[i].name, strlen(h.spec.setting[i].name));
    }
    assert_string_equal(rest, "");
    assert_non_null(strstr(line, ",refined,\"4,L:0.5:quota/2\",8,4,0,4,0.9,1,1,8,0.5,lowest,raw,"
                                 "quota,2,random,0.9,1,2.25,"));
    free(text);

    text = rest = written(&s, false);
    for (int i = 0; i < 4; i++) {
        json_t *o = json_loads(strsep(&rest, "\n"), 0, NULL);
        assert_string_equal(json_string_value(json_object_get(o, "setting")),
                            h.spec.setting[i].name);
        const json_t *nll = json_object_get(json_object_get(o, "measures"), "nll");
        assert_true(json_number_value(json_object_get(nll, "value")) ==
                    s.row[i].of[MEASURE_NLL].value);
        assert_true(json_is_null(json_object_get(
            json_object_get(json_object_get(o, "measures"), "perplexity-text"), "value")));
        json_decref(o);
    }
    free(text);
    sheet_close(&s);
    harvested_close(&h);
}

/* Computed twice, the same bytes. */
static void tables_repeat_themselves(void **state)
{
    char *text[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        harvested h;
        sheet     s;
        harvested_open(&h);
        assert_int_equal(sheet_open(&s, &h.spec, h.trial, &h.harvest), DID_OK);
        text[i] = written(&s, true);
        sheet_close(&s);
        harvested_close(&h);
    }
    assert_string_equal(text[0], text[1]);
    free(text[0]);
    free(text[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_are_as_computed_by_hand), cmocka_unit_test(what_is_not_known),
        cmocka_unit_test(claims_are_decided), cmocka_unit_test(tables_hold_every_row),
        cmocka_unit_test(tables_repeat_themselves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
