#include "digest.h"

#include <math.h>
#include <string.h>

static void term(FILE *to, const claim_term *t)
{
    if (t->setting < 0) fprintf(to, "%g", t->number);
    else fprintf(to, "%s(%s)", measure_name(t->what), t->name);
}

static void range(FILE *to, const sheet_value *v)
{
    if (isnan(v->value)) fputs("not known", to);
    else if (isnan(v->range.low)) fprintf(to, "%.4g", v->value);
    else fprintf(to, "%.4g [%.4g, %.4g]", v->value, v->range.low, v->range.high);
}

/* What the two sides cost and how varied they are: no perplexity is told without it. */
static void company(FILE *to, const sheet *s, const claim *c)
{
    const sheet_row *left = &s->row[c->left.setting];
    const sheet_row *right = c->right.setting >= 0 ? &s->row[c->right.setting] : NULL;
    fprintf(to, "; NFE %.4g", left->of[MEASURE_NFE].value);
    if (right) fprintf(to, " against %.4g", right->of[MEASURE_NFE].value);
    fprintf(to, ", entropy %.4g", left->of[MEASURE_ENTROPY].value);
    if (right) fprintf(to, " against %.4g", right->of[MEASURE_ENTROPY].value);
}

void digest_verdict(FILE *to, const sheet *s, const claim *c, const sheet_verdict *v)
{
    term(to, &c->left);
    if (c->right.setting >= 0) {
        fprintf(to, " - ");
        term(to, &c->right);
    }
    fprintf(to, " = ");
    range(to, c->right.setting >= 0 ? &v->difference : &v->left);
    if (c->reported > 0)
        fprintf(to, ", reported %g of %d documents, expected from %.4g to %.4g", c->right.number,
                c->reported, v->right.range.low, v->right.range.high);
    else if (c->relation != '=' && c->right.setting < 0)
        fprintf(to, ", claimed %s %g", c->relation == '<' ? "below" : "above", c->right.number);
    else if (c->right.setting < 0) fprintf(to, ", claimed %g +- %g", c->right.number, c->tolerance);
    else if (c->relation == '=') fprintf(to, ", claimed within %g", c->tolerance);
    company(to, s, c);
}

static int name_width(const sheet *s)
{
    int width = 7;
    for (int i = 0; i < s->n; i++) {
        int n = (int)strlen(s->row[i].trial->setting->name);
        if (n > width) width = n;
    }
    return width < 44 ? width : 44;
}

static void cell(FILE *to, int width, const char *format, double x)
{
    char text[40] = "-";
    if (!isnan(x)) snprintf(text, sizeof text, format, x);
    fprintf(to, " %*s", width, text);
}

static void row(FILE *to, const sheet *s, int i, int width)
{
    const sheet_row *r = &s->row[i];
    char             between[40] = "-";
    interval         p = r->of[MEASURE_PERPLEXITY].range;
    if (!isnan(p.low)) snprintf(between, sizeof between, "%.2f-%.2f", p.low, p.high);
    fprintf(to, "%3d %-*.*s", i + 1, width, width, r->trial->setting->name);
    cell(to, 8, "%.2f", r->of[MEASURE_PERPLEXITY].value);
    fprintf(to, " %13s", between);
    cell(to, 8, "%.2f", r->of[MEASURE_PERPLEXITY_MEAN].value);
    cell(to, 8, "%.2f", r->of[MEASURE_PERPLEXITY_TEXT].value);
    cell(to, 7, "%.3f", r->of[MEASURE_ENTROPY].value);
    cell(to, 6, "%.3f", r->of[MEASURE_REPEATED].value);
    cell(to, 6, "%.1f", 100 * r->of[MEASURE_EDITS].value);
    cell(to, 6, "%.0f", r->of[MEASURE_NFE].value);
    cell(to, 7, "%.0f", r->commits);
    cell(to, 8, "%.0f", r->of[MEASURE_ROWS].value);
    cell(to, 7, "%.3f", r->of[MEASURE_CHANGE].value);
    cell(to, 6, "%.3f", r->pairs.error);
    cell(to, 7, "%.3f", r->of[MEASURE_GAP].value);
    fputc('\n', to);
}

void digest_print(FILE *to, const sheet *s, const sheet_verdict *verdict)
{
    int width = name_width(s);
    for (int i = 0; i < s->spec->n_claims; i++) {
        fprintf(to, "%s: %s: ", verdict[i].passed ? "PASSED" : "FAILED", s->spec->claim[i].sentence);
        digest_verdict(to, s, &s->spec->claim[i], &verdict[i]);
        fputc('\n', to);
    }
    fprintf(to, "%s%3s %-*s %8s %13s %8s %8s %7s %6s %6s %6s %7s %8s %7s %6s %7s\n",
            s->spec->n_claims ? "\n" : "", "#", width, "setting", "ppl", "95 %", "mean", "text",
            "entropy", "repeat", "edit %", "NFE", "commits", "rows", "change", "error", "gap");
    for (int i = 0; i < s->n; i++) row(to, s, i, width);
}
