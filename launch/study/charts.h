/* charts.h - which plots the table of a sweep makes, and what their captions say. */
#ifndef DID_CHARTS_H
#define DID_CHARTS_H

#include "plot.h"
#include "sheet.h"

typedef struct chart {
    char  title[200];
    char *caption; /* what was run, and what is seen */
    plot  plot;
} chart;

typedef struct charts {
    chart *chart; /* [n] */
    int    n;
} charts;

/* Of every key whose numbers vary in a section a curve of perplexity and entropy; the change
 * from the baseline; perplexity against entropy, and the gaps to its frontier; perplexity against
 * rows and against seconds, with their Pareto fronts. Row i of the sheet is labelled i + 1. A plot
 * may be empty. Fails DID_ENOMEM. Local. */
status charts_open(charts *c, const sheet *s);
void   charts_close(charts *c); /* Leaves it zeroed. Local. */

#endif
