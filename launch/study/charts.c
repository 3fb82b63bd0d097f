#include "charts.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const interval nothing = {NAN, NAN};

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the plots of a sweep");
}

/* ---- words ---- */

/* What is known of a key that varies; others are told as the spec calls them. */
static const char *meaning_of(const char *key)
{
    static const char *const known[][2] = {
        {"remask", "remask share (of the free tokens)"},
        {"block", "draft block (tokens)"},
        {"draft-block", "draft block (tokens)"},
        {"refine-block", "refine block (tokens)"},
        {"steps", "denoising steps (passes per block or window)"},
        {"nucleus", "nucleus (probability mass that is kept)"},
        {"temperature", "temperature (factor on the logits)"},
        {"length", "length (tokens)"},
        {"rounds", "refinements (number)"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!strcmp(key, known[i][0])) return known[i][1];
    return NULL;
}

static bool shows(const chart *c, const char *section)
{
    size_t size = strlen(section);
    for (int i = 0; i < c->plot.panel[0].n; i++) {
        const char *name = c->plot.panel[0].series[i].name;
        if (strncmp(name, section, size) == 0 && (name[size] == '\0' || name[size] == ' '))
            return true;
    }
    return false;
}

/* What was run: the sections that are seen, in the words of the spec. */
static void name_sections(FILE *to, const chart *c, const spec *s)
{
    const char *before = " Shown: ";
    for (int i = 0; i < s->n_sections; i++) {
        const spec_section *of = &s->section[i];
        if (!shows(c, of->name)) continue;
        fprintf(to, "%s%s%s%s%s", before, of->name, *of->about ? " (" : "", of->about,
                *of->about ? ")" : "");
        before = ", ";
    }
    fputc('.', to);
}

/* A sentence about the points, which are there already, and what they were made from. */
static status caption(chart *c, const sheet *s, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static status caption(chart *c, const sheet *s, const char *format, ...)
{
    size_t  size;
    va_list list;
    FILE   *to = open_memstream(&c->caption, &size);
    if (!to) return no_memory();
    va_start(list, format);
    vfprintf(to, format, list);
    va_end(list);
    fprintf(to,
            " Bars are 95 %% intervals from drawing the %d documents of a setting anew, %d times.",
            s->harvest->n_documents, QUALITY_ROUNDS);
    name_sections(to, c, s->spec);
    return fclose(to) == 0 ? DID_OK : no_memory();
}

static status next(charts *c, chart **out, const char *title)
{
    chart *more = realloc(c->chart, ((size_t)c->n + 1) * sizeof *more);
    if (!more) return no_memory();
    c->chart = more;
    *out = &more[c->n++];
    **out = (chart){.plot = {.n_panels = 1, .panel = {{.level = NAN}, {.level = NAN}}}};
    snprintf((*out)->title, sizeof(*out)->title, "%s", title);
    return DID_OK;
}

static const spec_setting *setting_of(const sheet *s, int row)
{
    return s->row[row].trial->setting;
}

static const char *section_of(const sheet *s, int row)
{
    return s->spec->section[setting_of(s, row)->section].name;
}

static plot_point point_of(const sheet_row *row, measure x, measure y, int label)
{
    const sheet_value *a = &row->of[x], *b = &row->of[y];
    bool               exact = a->range.low == a->range.high;
    return (plot_point){a->value, b->value, exact ? nothing : a->range, b->range, label};
}

/* ---- curves over a key ---- */

/* The section, and what else varies in it: points that differ in `key` alone are one line. */
static void line_name(char *name, size_t size, const sheet *s, int row, const char *key)
{
    const spec_setting *of = setting_of(s, row);
    size_t              used = (size_t)snprintf(name, size, "%s", section_of(s, row));
    for (int i = 0; i < of->n_values && used < size; i++)
        if (strcmp(of->value[i].key, key))
            used += (size_t)snprintf(name + used, size - used, " %s=%s", of->value[i].key,
                                     of->value[i].text);
}

static status add_curve_point(chart *c, const sheet *s, int row, const spec_value *v)
{
    static const measure shown[PLOT_PANELS] = {MEASURE_PERPLEXITY, MEASURE_ENTROPY};
    char                 name[200];
    line_name(name, sizeof name, s, row, v->key);
    for (int k = 0; k < PLOT_PANELS; k++) {
        const sheet_value *y = &s->row[row].of[shown[k]];
        plot_point         p = {v->number, y->value, nothing, y->range, 0};
        if (!isnan(y->value)) TRY(plot_add(&c->plot.panel[k], name, &p));
    }
    return DID_OK;
}

static void join(plot_panel *p)
{
    for (int i = 0; i < p->n; i++) p->series[i].joined = true;
}

static status curve(charts *all, const sheet *s, const char *key)
{
    chart      *c = NULL;
    char        title[120];
    const char *meaning = meaning_of(key);
    snprintf(title, sizeof title, "Perplexity and entropy over %.80s", key);
    TRY(next(all, &c, title));
    c->plot.n_panels = 2;
    c->plot.panel[0].y_label = "perplexity (pooled over tokens)";
    c->plot.panel[1].y_label = "entropy (nats, unigram)";
    if (meaning) snprintf(c->plot.x_label, sizeof c->plot.x_label, "%s", meaning);
    else snprintf(c->plot.x_label, sizeof c->plot.x_label, "%.80s (as in the spec)", key);
    for (int i = 0; i < s->n; i++) {
        const spec_value *v = spec_value_of(setting_of(s, i), key);
        if (v && !isnan(v->number)) TRY(add_curve_point(c, s, i, v));
    }
    for (int k = 0; k < PLOT_PANELS; k++) {
        join(&c->plot.panel[k]);
        if (s->spec->baseline < 0) continue;
        const sheet_value *level =
            &s->row[s->spec->baseline].of[k == 0 ? MEASURE_PERPLEXITY : MEASURE_ENTROPY];
        c->plot.panel[k].level = level->value;
        c->plot.panel[k].level_name = setting_of(s, s->spec->baseline)->name;
    }
    return caption(c, s,
                   "Generative perplexity (above) and the entropy that it must be read with "
                   "(below) over %s; the dashed line is the baseline.",
                   c->plot.x_label);
}

/* The first setting in which `key` varies with a number. */
static bool is_first(const sheet *s, int row, const char *key)
{
    for (int i = 0; i < row; i++) {
        const spec_value *v = spec_value_of(setting_of(s, i), key);
        if (v && !isnan(v->number)) return false;
    }
    return true;
}

static status curves(charts *all, const sheet *s)
{
    for (int i = 0; i < s->n; i++) {
        const spec_setting *of = setting_of(s, i);
        for (int k = 0; k < of->n_values; k++)
            if (!isnan(of->value[k].number) && is_first(s, i, of->value[k].key))
                TRY(curve(all, s, of->value[k].key));
    }
    return DID_OK;
}

/* ---- a line for each setting ---- */

static const sheet_value *change_of(const sheet_row *row)
{
    return &row->of[MEASURE_CHANGE];
}

static const sheet_value *gap_of(const sheet_row *row)
{
    return &row->of[MEASURE_GAP];
}

/* The settings below each other, each with the number that `value` says about it. */
static status ladder(charts *all, chart **out, const sheet *s, const char *title,
                     const char *x_label, const sheet_value *(*value)(const sheet_row *))
{
    chart *c = NULL;
    TRY(next(all, &c, title));
    *out = c;
    c->plot.rows = calloc((size_t)s->n, sizeof *c->plot.rows);
    if (!c->plot.rows) return no_memory();
    snprintf(c->plot.x_label, sizeof c->plot.x_label, "%s", x_label);
    c->plot.panel[0].y_label = "setting";
    for (int i = 0; i < s->n; i++) {
        const sheet_value *v = value(&s->row[i]);
        if (isnan(v->value)) continue;
        c->plot.rows[c->plot.n_rows++] = setting_of(s, i)->name;
        plot_point p = {v->value, c->plot.n_rows, v->range, nothing, 0};
        TRY(plot_add(&c->plot.panel[0], section_of(s, i), &p));
    }
    return DID_OK;
}

static status gaps(charts *all, const sheet *s)
{
    chart *c = NULL;
    if (s->spec->frontier < 0) return DID_OK;
    TRY(ladder(all, &c, s, "At equal entropy", "gap to the frontier (nats per token)", gap_of));
    return caption(c, s,
                   "How far the nll per token lies above (right of the dashed line) or below (left) "
                   "that of drafts with the same entropy: a straight line between the two settings "
                   "of \"%s\" whose entropies lie around it. Settings whose entropy no draft "
                   "reaches are left out.",
                   s->spec->section[s->spec->frontier].name);
}

static status changes(charts *all, const sheet *s)
{
    chart *c = NULL;
    if (s->spec->baseline < 0 || s->n < 2) return DID_OK;
    TRY(ladder(all, &c, s, "Change from the baseline",
               "change of a document's mean nll (nats per token)", change_of));
    return caption(c, s,
                   "Every document against the one of \"%s\" that began with the same random "
                   "numbers. Left of the dashed line the scorer finds the text more probable. "
                   "Read it beside entropy: a text that repeats itself is more probable too.",
                   setting_of(s, s->spec->baseline)->name);
}

/* ---- cost and quality ---- */

static int compare_x(const void *a, const void *b)
{
    const plot_point *p = a, *q = b;
    return (p->x > q->x) - (p->x < q->x);
}

/* The drafts of the frontier buy perplexity with entropy, for nothing: they would hide the rest. */
static bool competes(const sheet *s, int row)
{
    return setting_of(s, row)->section != s->spec->frontier &&
           !isnan(s->row[row].of[MEASURE_PERPLEXITY].value);
}

static bool beaten(const sheet *s, measure x, const plot_point *p)
{
    for (int i = 0; i < s->n; i++) {
        plot_point q = point_of(&s->row[i], x, MEASURE_PERPLEXITY, 0);
        if (competes(s, i) && q.x <= p->x && q.y <= p->y && (q.x < p->x || q.y < p->y)) return true;
    }
    return false;
}

/* Settings that no other beats in both. */
static status pareto(plot_panel *panel, const sheet *s, measure x)
{
    const char *name = "Pareto front";
    for (int i = 0; i < s->n; i++) {
        plot_point p = point_of(&s->row[i], x, MEASURE_PERPLEXITY, 0);
        p.x_range = p.y_range = nothing;
        if (competes(s, i) && !isnan(p.x) && !beaten(s, x, &p)) TRY(plot_add(panel, name, &p));
    }
    if (panel->n == 0 || strcmp(panel->series[panel->n - 1].name, name)) return DID_OK;
    plot_series *front = &panel->series[panel->n - 1];
    front->joined = front->bare = true;
    qsort(front->point, (size_t)front->n, sizeof *front->point, compare_x);
    return DID_OK;
}

static status scatter(plot_panel *panel, const sheet *s, measure x)
{
    for (int i = 0; i < s->n; i++) {
        plot_point p = point_of(&s->row[i], x, MEASURE_PERPLEXITY, i + 1);
        if (!isnan(p.x) && !isnan(p.y)) TRY(plot_add(panel, section_of(s, i), &p));
    }
    return DID_OK;
}

static status costs(charts *all, const sheet *s, measure x, const char *title, const char *x_label,
                    const char *what)
{
    chart *c = NULL;
    TRY(next(all, &c, title));
    c->plot.x_log = c->plot.panel[0].y_log = true;
    c->plot.panel[0].y_label = "perplexity (pooled over tokens)";
    snprintf(c->plot.x_label, sizeof c->plot.x_label, "%s", x_label);
    TRY(scatter(&c->plot.panel[0], s, x));
    TRY(pareto(&c->plot.panel[0], s, x));
    return caption(c, s,
                   "What a document costs (%s) and what it is worth. Numbers are rows of the table. "
                   "On the line, nothing else is both cheaper and more probable; the drafts of the "
                   "frontier are left out of it, for they buy perplexity with entropy.",
                   what);
}

static status frontier(charts *all, const sheet *s)
{
    chart *c = NULL;
    TRY(next(all, &c, "Perplexity and entropy"));
    c->plot.panel[0].y_log = true;
    c->plot.panel[0].y_label = "perplexity (pooled over tokens)";
    snprintf(c->plot.x_label, sizeof c->plot.x_label, "entropy (nats, unigram, mean of documents)");
    TRY(scatter(&c->plot.panel[0], s, MEASURE_ENTROPY));
    for (int i = 0; s->spec->frontier >= 0 && i < c->plot.panel[0].n; i++) {
        plot_series *line = &c->plot.panel[0].series[i];
        if (strcmp(line->name, s->spec->section[s->spec->frontier].name)) continue;
        line->joined = true;
        qsort(line->point, (size_t)line->n, sizeof *line->point, compare_x);
    }
    return caption(c, s,
                   "A method that only sharpens the distribution moves along the line of drafts; "
                   "a better one lies below it, at the same entropy. Numbers are rows of the "
                   "table.");
}

status charts_open(charts *c, const sheet *s)
{
    *c = (charts){0};
    TRY(curves(c, s));
    TRY(changes(c, s));
    TRY(frontier(c, s));
    TRY(gaps(c, s));
    TRY(costs(c, s, MEASURE_ROWS, "Quality and row evaluations",
              "row evaluations (positions per document)",
              "positions evaluated, in passes of any size"));
    return costs(c, s, MEASURE_SECONDS, "Quality and seconds",
                 "seconds (per document, its share of the passes it took part in)",
                 "its share, by positions, of the time of the passes it took part in, measured while "
                 "all settings were in flight together, scoring not included");
}

void charts_close(charts *c)
{
    for (int i = 0; i < c->n; i++) {
        free(c->chart[i].plot.rows);
        plot_clear(&c->chart[i].plot);
        free(c->chart[i].caption);
    }
    free(c->chart);
    *c = (charts){0};
}
