/* plot.h - pictures for a page: gnuplot, called as a program where the machine has it, draws SVG
 * that is written into the page itself.
 *
 * A plot has one panel or two above each other on one x axis; a panel has series of points with
 * intervals. */
#ifndef DID_PLOT_H
#define DID_PLOT_H

#include <stdbool.h>
#include <stdio.h>

#include "quality.h"
#include "status.h"

enum { PLOT_SERIES_MAX = 24, PLOT_PANELS = 2 };

typedef struct plot_point {
    double   x, y;
    interval x_range, y_range; /* NAN: no bar */
    int      label;            /* a number beside the point; 0: none */
} plot_point;

typedef struct plot_series {
    char        name[200];
    plot_point *point;
    int         n, room;
    bool        joined; /* by straight lines */
    bool        bare;   /* the line alone */
} plot_series;

typedef struct plot_panel {
    const char *y_label; /* with its unit */
    plot_series series[PLOT_SERIES_MAX];
    int         n;
    bool        y_log;
    double      level; /* a dashed line at this height; NAN: none */
    const char *level_name;
} plot_panel;

typedef struct plot {
    char         x_label[200]; /* with its unit */
    bool         x_log;
    const char **rows; /* names of y = 1, 2, ... in place of numbers; NULL: numbers */
    int          n_rows;
    plot_panel   panel[PLOT_PANELS];
    int          n_panels;
} plot;

/* Append a point; *s is made when no series of that name is there. Points of series that find no
 * place any more are left out. Fails DID_ENOMEM. Local. */
status plot_add(plot_panel *p, const char *name, const plot_point *point);

/* Is there anything to see? Local. */
bool plot_empty(const plot *p);

/* Can gnuplot be called? Asks once. Local. */
bool plot_possible(void);

/* Draw `p` into `to` as an <svg> element whose ids begin with `id`. Fails DID_EIO when gnuplot
 * cannot be called or draws nothing. Local. */
status plot_svg(FILE *to, const plot *p, const char *id);

void plot_clear(plot *p); /* Leaves it zeroed. Local. */

#endif
