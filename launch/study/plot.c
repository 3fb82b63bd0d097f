#include "plot.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Narrow, so that letters stay readable where a phone makes a picture smaller. */
enum { WIDTH = 520, PANEL_HEIGHT = 290, KEY_HEIGHT = 22 };
enum { ROWS_WIDTH = 620, ROW_HEIGHT = 22, ROWS_MARGIN = 70 };

status plot_add(plot_panel *p, const char *name, const plot_point *point)
{
    int i = 0;
    while (i < p->n && strcmp(p->series[i].name, name)) i++;
    if (i == PLOT_SERIES_MAX) return DID_OK;
    plot_series *s = &p->series[i];
    if (i == p->n) {
        *s = (plot_series){0};
        snprintf(s->name, sizeof s->name, "%s", name);
        p->n++;
    }
    if (s->n == s->room) {
        int         room = s->room ? 2 * s->room : 16;
        plot_point *more = realloc(s->point, (size_t)room * sizeof *more);
        if (!more) return status_fail(DID_ENOMEM, "no memory for the points of a plot");
        s->point = more;
        s->room = room;
    }
    s->point[s->n++] = *point;
    return DID_OK;
}

bool plot_empty(const plot *p)
{
    for (int k = 0; k < p->n_panels; k++)
        if (p->panel[k].n > 0) return false;
    return true;
}

void plot_clear(plot *p)
{
    for (int k = 0; k < PLOT_PANELS; k++)
        for (int i = 0; i < p->panel[k].n; i++) free(p->panel[k].series[i].point);
    *p = (plot){0};
}

/* ---- the script ---- */

/* In gnuplot's single quotes. */
static void quoted(FILE *to, const char *text)
{
    fputc('\'', to);
    for (; *text; text++) {
        if (*text == '\'') fputc('\'', to);
        if ((unsigned char)*text >= 32) fputc(*text, to);
    }
    fputc('\'', to);
}

static double or_else(double x, double otherwise)
{
    return isnan(x) ? otherwise : x;
}

static void write_data(FILE *to, const plot *p)
{
    for (int k = 0; k < p->n_panels; k++)
        for (int i = 0; i < p->panel[k].n; i++) {
            const plot_series *s = &p->panel[k].series[i];
            fprintf(to, "$d%d_%d << EOD\n", k, i);
            for (int j = 0; j < s->n; j++) {
                const plot_point *q = &s->point[j];
                fprintf(to, "%.9g %.9g %.9g %.9g %.9g %.9g %d\n", q->x, q->y,
                        or_else(q->x_range.low, q->x), or_else(q->x_range.high, q->x),
                        or_else(q->y_range.low, q->y), or_else(q->y_range.high, q->y), q->label);
            }
            fputs("EOD\n", to);
        }
}

/* Round numbers at every size: on a short logarithmic axis powers of ten alone say nothing. */
static void write_log_tics(FILE *to, char axis)
{
    static const double round[] = {1, 1.5, 2, 3, 5, 7};
    fprintf(to, "set logscale %c\nset %ctics (", axis, axis);
    for (int power = -3; power < 8; power++)
        for (size_t i = 0; i < sizeof round / sizeof round[0]; i++)
            fprintf(to, "%s%g", power == -3 && i == 0 ? "" : ", ", round[i] * pow(10, power));
    fputs(")\n", to);
}

static void write_rows(FILE *to, const plot *p)
{
    fputs("set ytics (", to);
    for (int i = 0; i < p->n_rows; i++) {
        if (i) fputs(", ", to);
        quoted(to, p->rows[i]);
        fprintf(to, " %d", i + 1);
    }
    fprintf(to,
            ")\nset yrange [%d.5:0.5]\nset arrow from 0, graph 0 to 0, graph 1 nohead "
            "dashtype 2 lc rgb '#808080'\n",
            p->n_rows);
}

/* What an axis has to show. */
typedef struct extent {
    double low, high;
} extent;

static void stretch(extent *e, double x)
{
    if (x < e->low) e->low = x;
    if (x > e->high) e->high = x;
}

static void stretch_by(extent *e, double x, const interval *range)
{
    stretch(e, x);
    if (isnan(range->low)) return;
    stretch(e, range->low);
    stretch(e, range->high);
}

/* Few numbers, for names take most of the width: a round step of about a fourth. */
static void write_x_tics(FILE *to, const extent *e)
{
    double rough = (e->high - e->low) / 4, power = pow(10, floor(log10(rough)));
    double step = rough > 5 * power ? 10 * power : rough > 2 * power ? 5 * power : 2 * power;
    if (isfinite(step) && step > 0) fprintf(to, "set xtics %g\n", step);
}

/* gnuplot would go on to the next round number, which is far away where tics are given. */
static void write_range(FILE *to, char axis, extent e, bool log_scale)
{
    const double margin = 0.06;
    double       low = log_scale ? log(e.low) : e.low, high = log_scale ? log(e.high) : e.high;
    double       room = high > low ? (high - low) * margin : log_scale ? 0.3 : 1;
    low -= room;
    high += room;
    fprintf(to, "set %crange [%.9g:%.9g]\n", axis, log_scale ? exp(low) : low,
            log_scale ? exp(high) : high);
}

static void write_x_range(FILE *to, const plot *p)
{
    extent e = {INFINITY, -INFINITY};
    for (int k = 0; k < p->n_panels; k++)
        for (int i = 0; i < p->panel[k].n; i++)
            for (int j = 0; j < p->panel[k].series[i].n; j++) {
                const plot_point *q = &p->panel[k].series[i].point[j];
                stretch_by(&e, q->x, &q->x_range);
            }
    if (p->rows) stretch(&e, 0); /* the line that they are told from */
    if (p->rows) write_x_tics(to, &e);
    write_range(to, 'x', e, p->x_log);
}

static extent y_extent(const plot_panel *panel)
{
    extent e = {INFINITY, -INFINITY};
    for (int i = 0; i < panel->n; i++)
        for (int j = 0; j < panel->series[i].n; j++) {
            const plot_point *q = &panel->series[i].point[j];
            stretch_by(&e, q->y, &q->y_range);
        }
    if (!isnan(panel->level)) stretch(&e, panel->level);
    return e;
}

static void write_y_range(FILE *to, const plot_panel *panel)
{
    write_range(to, 'y', y_extent(panel), panel->y_log);
}

/* Characters that numbers and words of upright axes take: where they find no room gnuplot leaves the
 * words out. Panels stand below each other, so all have the same. */
static int left_margin(const plot *p)
{
    enum { USUAL = 9, WORDS = 4 };
    int most = USUAL;
    for (int k = 0; k < p->n_panels; k++) {
        extent e = y_extent(&p->panel[k]);
        int    digits = e.high >= 10 ? (int)log10(e.high) + 1 : 1;
        if (digits + WORDS > most) most = digits + WORDS;
    }
    return most < 3 * USUAL ? most : 3 * USUAL;
}

static bool any_range(const plot_series *s)
{
    for (int j = 0; j < s->n; j++)
        if (!isnan(s->point[j].x_range.low) || !isnan(s->point[j].y_range.low)) return true;
    return false;
}

/* Bars come first: gnuplot clears a space for a point in the middle of each. */
static void write_bars(FILE *to, const plot_panel *panel, int k)
{
    for (int i = 0; i < panel->n; i++)
        if (any_range(&panel->series[i]))
            fprintf(to, "  $d%d_%d using 1:2:3:4:5:6 with xyerrorbars lt %d pt 0 notitle, \\\n", k,
                    i, i % 8 + 1);
}

static void write_series(FILE *to, const plot_panel *panel, int k, int i)
{
    const plot_series *s = &panel->series[i];
    const char        *how = s->bare ? "lines" : s->joined ? "linespoints" : "points";
    fprintf(to, "%s  $d%d_%d using 1:2 with %s lt %d", i ? ", \\\n" : "", k, i, how, i % 8 + 1);
    if (!s->bare) fprintf(to, " pt %d", i % 7 + 5);
    fputs(" lw 1.5 title ", to);
    quoted(to, k == 0 ? s->name : "");
    if (s->point[0].label)
        fprintf(to, ", \\\n  $d%d_%d using 1:2:7 with labels offset 0.9,0.6 font ',11' notitle", k,
                i);
}

static void write_panel(FILE *to, const plot *p, int k)
{
    const plot_panel *panel = &p->panel[k];
    bool              last = k == p->n_panels - 1;
    fputs("set ylabel ", to);
    quoted(to, panel->y_label);
    fputs("\nset xlabel ", to);
    quoted(to, last ? p->x_label : "");
    bool key = k == 0 && !p->rows; /* rows have their names */
    fputs(key ? "\nset key outside top center horizontal\n" : "\nunset key\n", to);
    write_x_range(to, p);
    write_y_range(to, panel);
    if (p->x_log) write_log_tics(to, 'x');
    if (panel->y_log) write_log_tics(to, 'y');
    if (p->rows) write_rows(to, p);
    fputs("plot \\\n", to);
    write_bars(to, panel, k);
    for (int i = 0; i < panel->n; i++) write_series(to, panel, k, i);
    if (!isnan(panel->level)) {
        fprintf(to, ", \\\n  %.9g with lines dashtype 2 lc rgb '#606060' title ", panel->level);
        quoted(to, k == 0 ? panel->level_name : "");
    }
    fputc('\n', to);
}

static void write_script(FILE *to, const plot *p)
{
    /* Colours that people with any colour vision can tell apart (Okabe and Ito). */
    static const char *const colour[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                         "#e69f00", "#56b4e9", "#000000", "#7a6a00"};
    int width = p->rows ? ROWS_WIDTH : WIDTH;
    int height = p->rows ? ROWS_MARGIN + ROW_HEIGHT * p->n_rows
                         : PANEL_HEIGHT * p->n_panels + KEY_HEIGHT * ((p->panel[0].n + 2) / 2);
    fprintf(to, "set terminal svg size %d,%d dynamic noenhanced font 'sans-serif,13'\n", width,
            height);
    if (!p->rows) fprintf(to, "set lmargin %d\nset rmargin 3\n", left_margin(p));
    for (int i = 0; i < 8; i++)
        fprintf(to, "set linetype %d lc rgb '%s' pointsize 0.8\n", i + 1, colour[i]);
    fputs("set grid lc rgb '#d8d8d8'\nset border 3\nset tics nomirror\n", to);
    write_data(to, p);
    if (p->n_panels > 1) fprintf(to, "set multiplot layout %d,1\n", p->n_panels);
    for (int k = 0; k < p->n_panels; k++) write_panel(to, p, k);
    if (p->n_panels > 1) fputs("unset multiplot\n", to);
}

/* ---- gnuplot ---- */

bool plot_possible(void)
{
    static int known = -1;
    if (known < 0) known = system("command -v gnuplot >/dev/null 2>&1") == 0;
    return known;
}

/* Ids of several pictures on one page must differ: whatever defines one or points at one gets
 * `id` in front. */
static void copy_line(FILE *to, const char *line, const char *id)
{
    static const char *const mark[] = {"id=\"", "id='", "url(#", "href='#", "href=\"#"};
    while (*line) {
        size_t used = 1;
        for (size_t i = 0; i < sizeof mark / sizeof mark[0]; i++)
            if (!strncmp(line, mark[i], strlen(mark[i]))) used = strlen(mark[i]);
        fwrite(line, 1, used, to);
        if (used > 1) fputs(id, to);
        line += used;
    }
}

/* The <svg> element without the lines that make it a file of its own. */
static status copy_svg(FILE *to, FILE *from, const char *id)
{
    char  *line = NULL;
    size_t room = 0;
    bool   began = false;
    while (getline(&line, &room, from) >= 0) {
        began = began || strncmp(line, "<svg", 4) == 0;
        if (began) copy_line(to, line, id);
    }
    free(line);
    return began ? DID_OK : status_fail(DID_EIO, "gnuplot drew nothing");
}

static status run_gnuplot(FILE *to, const char *script, const char *id)
{
    char command[200];
    snprintf(command, sizeof command, "gnuplot %s 2>/dev/null", script);
    FILE *from = popen(command, "re");
    if (!from) return status_fail(DID_EIO, "cannot call gnuplot: %s", strerror(errno));
    status s = copy_svg(to, from, id);
    int    ended = pclose(from);
    return s == DID_OK && ended != 0 ? status_fail(DID_EIO, "gnuplot failed") : s;
}

status plot_svg(FILE *to, const plot *p, const char *id)
{
    char  script[] = "/tmp/did-plot-XXXXXX";
    int   file = mkostemp(script, 0);
    FILE *write = file < 0 ? NULL : fdopen(file, "w");
    if (!write) {
        status s = status_fail(DID_EIO, "cannot write %s: %s", script, strerror(errno));
        if (file >= 0) close(file);
        return s;
    }
    write_script(write, p);
    status s = fclose(write) == 0
                   ? run_gnuplot(to, script, id)
                   : status_fail(DID_EIO, "cannot write %s: %s", script, strerror(errno));
    unlink(script);
    return s;
}
