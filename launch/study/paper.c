#include "paper.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "charts.h"
#include "digest.h"
#include "exhibit.h"
#include "page.h"

/* ---- what was run ---- */

static void fact(FILE *to, const char *name, const char *value)
{
    fprintf(to, "<tr><th class=\"left\">%s</th><td class=\"words\">", name);
    page_text(to, value);
    fputs("</td></tr>\n", to);
}

static double tokens_of(const paper *p)
{
    double tokens = 0;
    for (int i = 0; i < p->sheet->n; i++)
        tokens += (double)p->sheet->row[i].trial->length * p->sheet->harvest->n_documents;
    return tokens;
}

static int asked(const paper *p)
{
    return p->sheet->n * p->sheet->harvest->n_documents;
}

/* Positions evaluated, had every document been made alone. */
static double rows_of(const paper *p)
{
    double rows = 0;
    for (int i = 0; i < p->sheet->n; i++)
        rows += p->sheet->row[i].of[MEASURE_ROWS].value * p->sheet->harvest->n_documents;
    return rows;
}

/* Only a run that made all documents knows what they cost. */
static bool timed(const paper *p)
{
    return p->documents == asked(p) && p->seconds > 0;
}

static void time_fact(FILE *to, const paper *p)
{
    char text[300];
    if (timed(p))
        snprintf(
            text, sizeof text,
            "%.1f seconds on %d ranks: %.0f tokens per second; %.3g row evaluations, counting what "
            "settings share in each of them",
            p->seconds, p->ranks, tokens_of(p) / p->seconds, rows_of(p));
    else
        snprintf(text, sizeof text,
                 "%d of %d documents were made by the last run, in %.1f seconds on %d ranks; the "
                 "others were there already",
                 p->documents, asked(p), p->seconds, p->ranks);
    fact(to, "Time", text);
}

static void seeds_fact(FILE *to, const spec *s)
{
    char   text[SPEC_SEEDS_MAX * 24];
    size_t used = 0;
    for (int i = 0; i < s->n_seeds; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRIu64, i ? ", " : "",
                                 s->seed[i]);
    fact(to, "Seeds", text);
}

static void facts(FILE *to, const paper *p)
{
    char many[120];
    snprintf(many, sizeof many, "%d settings of %d documents each", p->sheet->n,
             p->sheet->harvest->n_documents);
    fputs("<h2>What was run</h2>\n<div class=\"wide\"><table>\n", to);
    fact(to, "Settings", many);
    seeds_fact(to, p->sheet->spec);
    if (p->changes) fact(to, "Changes to the spec", p->changes);
    fact(to, "Model", p->model);
    fact(to, "Scorer", p->scorer);
    fact(to, "Program", p->version);
    fact(to, "Arithmetic", p->signature);
    time_fact(to, p);
    fputs("</table></div>\n<h3>The spec</h3>\n<p class=\"text small\">", to);
    page_text(to, p->sheet->spec->text);
    fputs("</p>\n", to);
}

/* ---- claims ---- */

static void verdict(FILE *to, const paper *p, int i)
{
    const claim *c = &p->sheet->spec->claim[i];
    const bool   passed = p->verdict[i].passed;
    char        *text = NULL;
    size_t       size;
    FILE        *line = open_memstream(&text, &size);
    if (!line) return;
    digest_verdict(line, p->sheet, c, &p->verdict[i]);
    fclose(line);
    fprintf(to, "<li class=\"%s\"><span class=\"badge\">%s</span> <b>", passed ? "passed" : "failed",
            passed ? "PASSED" : "FAILED");
    page_text(to, c->sentence);
    fputs("</b><br><small class=\"soft\">", to);
    page_text(to, text ? text : "");
    fputs("</small></li>\n", to);
    free(text);
}

static void claims(FILE *to, const paper *p)
{
    const spec *s = p->sheet->spec;
    if (s->n_claims == 0) return;
    fputs("<h2>Claims</h2>\n<ul class=\"claims\">\n", to);
    for (int i = 0; i < s->n_claims; i++) verdict(to, p, i);
    fputs("</ul>\n<p class=\"small soft\">A claim with &lt; or &gt; passes when the whole 95 % "
          "interval of the difference lies on that side.</p>\n",
          to);
}

/* ---- plots ---- */

static void figure(FILE *to, const chart *c, int number)
{
    char  *svg = NULL, id[16];
    size_t size;
    FILE  *line = open_memstream(&svg, &size);
    snprintf(id, sizeof id, "f%d-", number);
    status s = line ? plot_svg(line, &c->plot, id) : DID_ENOMEM;
    if (line) fclose(line);
    fprintf(to, "<figure>\n<h3>Figure %d. ", number);
    page_text(to, c->title);
    fputs("</h3>\n", to);
    if (s == DID_OK) fputs(svg, to);
    else
        fputs("<p class=\"text\">There is no picture: gnuplot could not draw it when this report "
              "was written. The numbers are in the table below and in rows.csv.</p>\n",
              to);
    fputs("<figcaption>", to);
    page_text(to, c->caption);
    fputs("</figcaption>\n</figure>\n", to);
    free(svg);
}

static status figures(FILE *to, const paper *p)
{
    charts c;
    status s = charts_open(&c, p->sheet);
    fputs("<h2>Plots</h2>\n", to);
    if (!plot_possible())
        fputs("<p>gnuplot was not found when this report was written, so there are captions and no "
              "pictures. With the Debian package gnuplot-nox installed, start the same command "
              "again: nothing is computed twice.</p>\n",
              to);
    fputs("<div class=\"plots\">\n", to);
    for (int i = 0, number = 0; s == DID_OK && i < c.n; i++)
        if (!plot_empty(&c.chart[i].plot)) figure(to, &c.chart[i], ++number);
    fputs("</div>\n", to);
    charts_close(&c);
    return s;
}

/* ---- the table ---- */

static void cell(FILE *to, const char *format, double x)
{
    fputs("<td>", to);
    if (isnan(x)) fputs("&ndash;", to);
    else fprintf(to, format, x);
    fputs("</td>", to);
}

static void ranged(FILE *to, const char *format, const sheet_value *v)
{
    fputs("<td>", to);
    if (isnan(v->value)) fputs("&ndash;", to);
    else fprintf(to, format, v->value);
    if (!isnan(v->range.low) && v->range.low < v->range.high) {
        fputs("<br><small class=\"soft\">", to);
        fprintf(to, format, v->range.low);
        fputs(" to ", to);
        fprintf(to, format, v->range.high);
        fputs("</small>", to);
    }
    fputs("</td>", to);
}

static void row(FILE *to, const sheet_row *r, int number)
{
    static const struct {
        measure     what;
        const char *format;
    } column[] = {{MEASURE_PERPLEXITY, "%.2f"},
                  {MEASURE_PERPLEXITY_MEAN, "%.2f"},
                  {MEASURE_PERPLEXITY_TEXT, "%.2f"},
                  {MEASURE_ENTROPY, "%.3f"},
                  {MEASURE_REPEATED, "%.4f"},
                  {MEASURE_EDITS, "%.3f"},
                  {MEASURE_GAP, "%.3f"},
                  {MEASURE_NFE, "%.0f"}};
    fprintf(to, "<tr><td>%d</td><td class=\"left\" title=\"", number);
    page_text(to, r->trial->stages);
    fputs("\">", to);
    page_text(to, r->trial->setting->name);
    if (r->failed) fprintf(to, " <small class=\"failed\">(%d failed)</small>", r->failed);
    fputs("</td>", to);
    for (size_t i = 0; i < sizeof column / sizeof column[0]; i++)
        ranged(to, column[i].format, &r->of[column[i].what]);
    cell(to, "%.0f", r->commits);
    cell(to, "%.0f", r->of[MEASURE_ROWS].value);
    ranged(to, "%.3f", &r->of[MEASURE_SECONDS]);
    cell(to, "%.0f", sheet_tokens_s(r));
    ranged(to, "%.3f", &r->of[MEASURE_CHANGE]);
    if (r->pairs.pairs) fprintf(to, "<td>%d of %d</td>", r->pairs.lower, r->pairs.pairs);
    else fputs("<td>&ndash;</td>", to);
    fputs("</tr>\n", to);
}

static void table(FILE *to, const sheet *s)
{
    fputs("<h2>Table</h2>\n<div class=\"wide rows\"><table>\n<thead><tr><th>#</th><th "
          "class=\"left\">setting</th><th>perplexity<br>pooled</th><th>perplexity<br>mean</th>"
          "<th>perplexity<br>of the text</th><th>entropy<br>nats</th><th>repeated<br>4-grams</th>"
          "<th>edit<br>share</th><th>gap<br>nats</th><th>NFE</th><th>commits</th><th>row<br>"
          "evaluations</th><th>seconds</th><th>tokens<br>per second</th><th>change<br>nats per token</th><th>lower in</th></tr></thead>\n"
          "<tbody>\n",
          to);
    for (int i = 0; i < s->n; i++) row(to, &s->row[i], i + 1);
    fputs(
        "</tbody></table></div>\n<p class=\"small soft\">Perplexity is that of the ids as they "
        "were drawn: exp of the nll per token over all tokens of all documents (pooled), and the "
        "mean of the documents' perplexities. &ldquo;Of the text&rdquo; is that mean after the "
        "text was encoded again, as papers report it. &lt;|endoftext|&gt; is not scored. Below a "
        "number stands its 95 % interval. Gap: nats per token above the frontier at the same "
        "entropy, below it where negative; unknown where the frontier does not reach. NFE: passes "
        "that placed a token, per document; commits: segments that stored a finished block; row "
        "evaluations: positions, over all passes. Seconds: a document's share, by positions, of the "
        "time of the passes it took part in, scoring not included; unknown of documents that were "
        "in flight when a run was stopped. Tokens per second: of one row of ranks, all its passes "
        "spent like this. Change: mean over documents of the change of "
        "their mean nll from the baseline's.</p>\n",
        to);
}

/* What was run, in one line; the end of the page says the rest. */
static void headline(FILE *to, const paper *p)
{
    const spec *s = p->sheet->spec;
    int         passed = 0;
    for (int i = 0; i < s->n_claims; i++) passed += p->verdict[i].passed;
    fprintf(to, "<p class=\"line\"><span>%d settings</span><span>%d documents each</span>",
            p->sheet->n, p->sheet->harvest->n_documents);
    if (s->n_claims > 0) fprintf(to, "<span>%d of %d claims passed</span>", passed, s->n_claims);
    fputs("<span>model ", to);
    page_text(to, p->model);
    fputs("</span><span>scorer ", to);
    page_text(to, p->scorer);
    fputs("</span></p>\n", to);
}

status paper_write(FILE *to, const paper *p)
{
    page_begin(to, p->sheet->spec->title);
    fputs("<p>", to);
    page_text(to, p->sheet->spec->about);
    fputs("</p>\n", to);
    headline(to, p);
    claims(to, p);
    status s = figures(to, p);
    table(to, p->sheet);
    if (s == DID_OK) s = exhibit_write(to, p->sheet, p->words);
    facts(to, p);
    page_end(to);
    return s;
}
