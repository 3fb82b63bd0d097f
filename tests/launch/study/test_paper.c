#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "charts.h"
#include "harvested.h"
#include "paper.h"

static char *written(bool all_made)
{
    static char  *text;
    static size_t size;
    harvested     h;
    sheet         s;
    sheet_verdict v[HARVESTED_CLAIMS];
    harvested_open(&h);
    assert_int_equal(sheet_open(&s, &h.spec, h.trial, &h.harvest), DID_OK);
    for (int i = 0; i < HARVESTED_CLAIMS; i++)
        assert_int_equal(sheet_judge(&v[i], &s, &h.spec.claim[i]), DID_OK);
    paper p = {.sheet = &s,
               .verdict = v,
               .model = "models/m",
               .scorer = "models/s",
               .signature = "sig",
               .version = "did 0",
               .changes = "documents=2",
               .ranks = 3,
               .documents = all_made ? 16 : 5,
               .seconds = 2};
    FILE *to = open_memstream(&text, &size);
    assert_int_equal(paper_write(to, &p), DID_OK);
    fclose(to);
    sheet_close(&s);
    harvested_close(&h);
    return text;
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("the report lacks \"%s\"", part);
}

static void everything_is_told(void **state)
{
    char *text = written(true);
    (void)state;
    has(text, "<h1>A &quot;small&quot; &lt;sweep&gt;</h1>");
    has(text, "<li class=\"passed\"><span class=\"badge\">PASSED</span> <b>it helps</b><br><small "
              "class=\"soft\">nll(refined remask=0.25)");
    has(text, "<li class=\"failed\"><span class=\"badge\">FAILED</span> <b>it hurts</b>");
    has(text, "Perplexity and entropy over nucleus");
    has(text, "4 of 8 claims passed");
    has(text, "over remask share (of the free tokens)");
    has(text, "Change from the baseline");
    has(text, "Perplexity and entropy");
    has(text, "At equal entropy");
    has(text, "Quality and row evaluations");
    has(text, "Quality and seconds");
    has(text, "4 settings of 4 documents each");
    has(text, "2.0 seconds on 3 ranks: 64 tokens per second");
    has(text, "documents=2");
    has(text, "Shown: drafts (the line), refined.");
    has(text, "[refined]");
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "src="));
    assert_null(strstr(text, "<link"));
    free(text);

    text = written(false);
    has(text, "5 of 16 documents were made by the last run");
    free(text);
}

/* The refinements and the better draft are of one draft each; ids stand for texts without words. */
static void samples_show_edits(void **state)
{
    char *text = written(true);
    (void)state;
    has(text, "<h3>Document 0</h3>");
    has(text, "<h3>2. drafts nucleus=0.9</h3>");
    has(text, "<h3>4. refined remask=0.5</h3>");
    has(text, " 1 2 3<del> 4 5 0 1</del><ins> 0 1 2 3</ins></p>");
    free(text);
}

/* Where gnuplot is, pictures with axes and ids of their own; where it is not, a sentence. */
static void pictures_or_a_sentence(void **state)
{
    char *text = written(true);
    (void)state;
    if (plot_possible()) {
        has(text, "<svg");
        has(text, "perplexity (pooled over tokens)</text>");
        has(text, "entropy (nats, unigram)</text>");
        has(text, "remask share (of the free tokens)</text>");
        has(text, "row evaluations (positions per document)</text>");
        has(text, "change of a document's mean nll (nats per token)</text>");
        has(text, "id='f1-gpPt1'");
        has(text, "id='f2-gpPt1'");
        assert_null(strstr(text, "id='gpPt1'"));
        assert_null(strstr(text, "There is no picture"));
    } else {
        has(text, "gnuplot was not found");
        has(text, "There is no picture");
        assert_null(strstr(text, "<svg"));
    }
    free(text);
}

/* What the curves hold, whoever draws them. */
static void charts_hold_the_rows(void **state)
{
    harvested h;
    sheet     s;
    charts    c;
    (void)state;
    harvested_open(&h);
    assert_int_equal(sheet_open(&s, &h.spec, h.trial, &h.harvest), DID_OK);
    assert_int_equal(charts_open(&c, &s), DID_OK);
    assert_int_equal(c.n, 7);
    const plot *over = &c.chart[1].plot;
    assert_string_equal(c.chart[1].title, "Perplexity and entropy over remask");
    assert_int_equal(over->n_panels, 2);
    assert_int_equal(over->panel[0].n, 1);
    assert_string_equal(over->panel[0].series[0].name, "refined");
    assert_true(over->panel[0].series[0].joined);
    assert_int_equal(over->panel[0].series[0].n, 2);
    assert_true(over->panel[0].series[0].point[1].x == 0.5);
    assert_true(fabs(over->panel[0].series[0].point[1].y - exp(2.25)) < 1e-12);
    assert_true(fabs(over->panel[0].level - exp(3)) < 1e-12);

    const plot *changes = &c.chart[2].plot;
    assert_int_equal(changes->n_rows, 3);
    assert_string_equal(changes->rows[0], "drafts nucleus=0.5");
    const plot *frontier = &c.chart[3].plot;
    assert_true(frontier->panel[0].series[0].joined);
    assert_false(frontier->panel[0].series[1].joined);
    assert_int_equal(frontier->panel[0].series[1].point[1].label, 4);

    /* Of the two refinements, which cost the same, one is better; drafts do not compete. */
    const plot *gaps = &c.chart[4].plot;
    assert_int_equal(gaps->n_rows, 2);
    assert_string_equal(gaps->rows[1], "refined remask=0.5");
    const plot_panel *cost = &c.chart[5].plot.panel[0];
    assert_string_equal(cost->series[2].name, "Pareto front");
    assert_int_equal(cost->series[2].n, 1);
    assert_true(cost->series[2].point[0].x == 56);
    assert_true(c.chart[6].plot.panel[0].series[2].point[0].x == 0.5);
    charts_close(&c);
    sheet_close(&s);
    harvested_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_told), cmocka_unit_test(samples_show_edits),
        cmocka_unit_test(pictures_or_a_sentence), cmocka_unit_test(charts_hold_the_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
