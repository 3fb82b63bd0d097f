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
 * from the baseline; perplexity against rows, with its Pareto front; perplexity against entropy.
 * Row i of the sheet is labelled i + 1. `seconds_per_row` (0: not known) is told with the cost.
 * Fails DID_ENOMEM. Local. */
status charts_open(charts *c, const sheet *s, double seconds_per_row);
void   charts_close(charts *c); /* Leaves it zeroed. Local. */

#endif
