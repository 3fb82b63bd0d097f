#include "sheet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tally.h"

static const char *const samplers[] = {"fhs", "ancestral", "quota", "threshold"};
static const char *const orders[] = {"random", "left", "confident", "drawn"};
static const char *const policies[] = {"lowest", "random", "posthoc"};
static const char *const confidences[] = {"raw", "nucleus"};

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the table of a sweep");
}

/* ---- the numbers ---- */

/* One seed for all, so that all numbers vary together. */
static uint64_t drawing(const sheet *s)
{
    return s->spec->seed[0];
}

static status measured(sheet_value *out, const sheet *s, measure what, int left, int right)
{
    tally_pair pair = {s->harvest, what, left, right};
    out->value = tally_number(&pair, NULL, s->harvest->n_documents);
    return bootstrap_interval(&out->range, tally_number, &pair, s->harvest->n_documents,
                              drawing(s));
}

static const sheet_value unknown = {NAN, {NAN, NAN}};

static bool has_gap(const sheet *s, int place)
{
    return s->spec->frontier >= 0 && s->spec->setting[place].section != s->spec->frontier &&
           tally_inside(s->harvest, place);
}

/* Mean and standard error of the change, and in how many documents it is a fall. */
static status compare(sheet_row *row, const sheet *s, int place)
{
    int     n = s->harvest->n_documents, baseline = s->spec->baseline;
    double *before = malloc(2 * (size_t)n * sizeof *before), *after = before + n;
    if (!before) return no_memory();
    for (int i = 0; i < n; i++) {
        before[i] = tally_mean_nll(&s->harvest->setting[baseline].document[i]);
        after[i] = tally_mean_nll(&s->harvest->setting[place].document[i]);
    }
    row->pairs = quality_paired(before, after, n);
    free(before);
    return DID_OK;
}

static void count(sheet_row *row, const sheet *s, int place)
{
    int n = s->harvest->n_documents;
    for (int i = 0; i < n; i++) {
        const harvest_document *d = &s->harvest->setting[place].document[i];
        row->documents += d->there;
        row->commits += d->commits / n;
        row->rejected += d->rejected / n;
        if (d->quality.repeats.longest > row->longest) row->longest = d->quality.repeats.longest;
    }
    row->failed = n - row->documents;
}

static status fill(sheet_row *row, const sheet *s, int place)
{
    *row = (sheet_row){.trial = &s->trial[place], .pairs = {.error = NAN}};
    count(row, s, place);
    for (int m = 0; m < MEASURES; m++) {
        row->of[m] = unknown;
        if (m != MEASURE_GAP || has_gap(s, place))
            TRY(measured(&row->of[m], s, (measure)m, place, -1));
    }
    return s->spec->baseline >= 0 && s->spec->baseline != place ? compare(row, s, place) : DID_OK;
}

status sheet_open(sheet *s, const spec *of, const trial *trials, const harvest *h)
{
    *s = (sheet){.spec = of, .trial = trials, .harvest = h};
    s->row = calloc((size_t)of->n_settings, sizeof *s->row);
    if (!s->row) return no_memory();
    for (; s->n < of->n_settings; s->n++) TRY(fill(&s->row[s->n], s, s->n));
    return DID_OK;
}

double sheet_tokens_s(const sheet_row *row)
{
    double seconds = row->of[MEASURE_SECONDS].value;
    return seconds > 0 ? row->trial->length / seconds : NAN;
}

void sheet_close(sheet *s)
{
    free(s->row);
    *s = (sheet){0};
}

/* ---- claims ---- */

static sheet_value term(const sheet *s, const claim_term *t)
{
    return t->setting < 0 ? (sheet_value){t->number, {NAN, NAN}} : s->row[t->setting].of[t->what];
}

static status difference(sheet_value *out, const sheet *s, const claim *c,
                         const sheet_verdict *sides)
{
    if (c->right.setting >= 0 && !isnan(sides->left.value) && !isnan(sides->right.value))
        return measured(out, s, c->left.what, c->left.setting, c->right.setting);
    double less = sides->right.value;
    *out = sides->left;
    out->value -= less;
    out->range.low -= less;
    out->range.high -= less;
    return DID_OK;
}

/* Where a number of so many other documents may lie (claim.h). */
static interval expected(const sheet_value *mine, int documents, int others)
{
    double wider = sqrt(1 + (double)documents / others);
    return (interval){mine->value - wider * (mine->value - mine->range.low),
                      mine->value + wider * (mine->range.high - mine->value)};
}

static bool close_enough(const sheet_verdict *v, const claim *c)
{
    if (c->reported > 0)
        return c->right.number >= v->right.range.low && c->right.number <= v->right.range.high;
    if (c->right.setting < 0) return fabs(v->difference.value) <= c->tolerance;
    return v->difference.range.low >= -c->tolerance && v->difference.range.high <= c->tolerance;
}

status sheet_judge(sheet_verdict *out, const sheet *s, const claim *c)
{
    *out = (sheet_verdict){.left = term(s, &c->left), .right = term(s, &c->right)};
    TRY(difference(&out->difference, s, c, out));
    if (c->reported > 0)
        out->right.range = expected(&out->left, s->row[c->left.setting].documents, c->reported);
    if (c->relation == '<') out->passed = out->difference.range.high < 0;
    if (c->relation == '>') out->passed = out->difference.range.low > 0;
    if (c->relation == '=') out->passed = close_enough(out, c);
    return DID_OK;
}

/* ---- as text ---- */

/* One field, quoted where it must be. */
static void field(FILE *to, const char *text)
{
    if (!strpbrk(text, ",\"\n")) {
        fputs(text, to);
        return;
    }
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"') fputc('"', to);
        fputc(*text, to);
    }
    fputc('"', to);
}

/* An unknown number is an empty field. */
static void number(FILE *to, double x)
{
    fputc(',', to);
    if (!isnan(x)) fprintf(to, "%.8g", x);
}

static void value(FILE *to, const sheet_value *v)
{
    number(to, v->value);
    number(to, v->range.low);
    number(to, v->range.high);
}

static void words(FILE *to, const char *text)
{
    fputc(',', to);
    field(to, text);
}

static void header(FILE *to)
{
    fputs("setting,section,stages,length,documents,failed,draft_block,draft_nucleus,"
          "draft_temperature,refinements,refine_block,remask,policy,confidence,sampler,steps,order,"
          "nucleus,temperature",
          to);
    for (int m = 0; m < MEASURE_SECONDS; m++) {
        char name[40];
        snprintf(name, sizeof name, "%s", measure_name((measure)m));
        for (char *c = name; *c; c++) *c = *c == '-' ? '_' : *c;
        fprintf(to, ",%s,%s_low,%s_high", name, name, name);
    }
    fputs(
        ",commits,rejected_drafts,longest_repeat,change,change_low,change_high,change_error,pairs,"
        "lower,seconds,seconds_low,seconds_high,tokens_s\n",
        to);
}

/* The draft's settings, then those of the last refinement. */
static void settings(FILE *to, const trial *t)
{
    const stage *draft = &t->stage[0], *last = &t->stage[t->n_stages - 1];
    fprintf(to, ",%d,%.8g,%.8g,%d", stage_block(draft, t->length), draft->nucleus,
            draft->temperature, t->n_stages - 1);
    if (t->n_stages == 1) {
        fputs(",,,,,,,,,", to);
        return;
    }
    fprintf(to, ",%d,%.8g,%s,%s,%s,", stage_block(last, t->length), last->remask,
            policies[last->policy], confidences[last->confidence], samplers[last->sampler]);
    if (last->steps > 0) fprintf(to, "%d", last->steps);
    fprintf(to, ",%s,%.8g,%.8g", last->sampler == SAMPLER_QUOTA ? orders[last->order] : "",
            last->nucleus, last->temperature);
}

void sheet_csv(FILE *to, const sheet *s)
{
    header(to);
    for (int i = 0; i < s->n; i++) {
        const sheet_row    *row = &s->row[i];
        const spec_setting *of = row->trial->setting;
        field(to, of->name);
        words(to, s->spec->section[of->section].name);
        words(to, row->trial->stages);
        fprintf(to, ",%d,%d,%d", row->trial->length, row->documents, row->failed);
        settings(to, row->trial);
        for (int m = 0; m < MEASURE_SECONDS; m++) value(to, &row->of[m]);
        number(to, row->commits);
        number(to, row->rejected);
        fprintf(to, ",%d", row->longest);
        value(to, &row->of[MEASURE_CHANGE]);
        number(to, row->pairs.error);
        fprintf(to, ",%d,%d", row->pairs.pairs, row->pairs.lower);
        value(to, &row->of[MEASURE_SECONDS]);
        number(to, sheet_tokens_s(row));
        fputc('\n', to);
    }
}

/* ---- as JSON ---- */

/* What is no number is null. */
static json_t *real(double x)
{
    char text[40];
    if (isnan(x) || isinf(x)) return json_null();
    snprintf(text, sizeof text, "%.8g", x);
    return json_real(strtod(text, NULL));
}

static json_t *triple(const sheet_value *v)
{
    return json_pack("{s:o, s:o, s:o}", "value", real(v->value), "low", real(v->range.low), "high",
                     real(v->range.high));
}

static json_t *measures_json(const sheet_row *row)
{
    json_t *o = json_object();
    int     bad = o == NULL;
    for (int m = 0; m <= MEASURE_SECONDS; m++)
        bad |= json_object_set_new(o, measure_name((measure)m), triple(&row->of[m]));
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

static json_t *values_json(const spec_setting *of)
{
    json_t *o = json_object();
    int     bad = o == NULL;
    for (int i = 0; i < of->n_values; i++)
        bad |= json_object_set_new(o, of->value[i].key, json_string(of->value[i].text));
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

static json_t *row_json(const sheet_row *row, const sheet *s, const char *signature)
{
    const spec_setting *of = row->trial->setting;
    return json_pack("{s:s, s:s, s:o, s:s, s:i, s:i, s:i, s:o, s:o, s:o, s:i, s:o, s:o, s:i, s:i, "
                     "s:o, s:s}",
                     "setting", of->name, "section", s->spec->section[of->section].name, "values",
                     values_json(of), "stages", row->trial->stages, "length", row->trial->length,
                     "documents", row->documents, "failed", row->failed, "measures",
                     measures_json(row), "commits", real(row->commits), "rejected_drafts",
                     real(row->rejected), "longest_repeat", row->longest, "change",
                     triple(&row->of[MEASURE_CHANGE]), "change_error", real(row->pairs.error), "pairs",
                     row->pairs.pairs, "lower", row->pairs.lower, "tokens_s",
                     real(sheet_tokens_s(row)), "signature", signature);
}

status sheet_jsonl(FILE *to, const sheet *s, const char *signature)
{
    for (int i = 0; i < s->n; i++) {
        json_t *o = row_json(&s->row[i], s, signature);
        int     bad = o == NULL || json_dumpf(o, to, JSON_COMPACT | JSON_REAL_PRECISION(8));
        json_decref(o);
        if (bad) return no_memory();
        fputc('\n', to);
    }
    return DID_OK;
}
