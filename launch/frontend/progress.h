/* progress.h - how far the job is: a bar on a terminal, one log line per interval elsewhere. */
#ifndef DID_PROGRESS_H
#define DID_PROGRESS_H

#include <stdbool.h>
#include <stdio.h>

typedef struct progress_now {
    int    documents;             /* asked for */
    int    done, failed, earlier; /* finished; of those without a text; of those before this run */
    int    drafting, refining;    /* in flight, all rows */
    double share;                 /* what of those in flight is finished, in documents */
    long   drawn, passes, nfe;    /* this run, all rows; drawn -1: nobody counts them */
} progress_now;

typedef struct progress {
    FILE  *out;        /* the terminal; NULL: log lines */
    double interval_s; /* between two drawings */
    double begun, shown;
    double rate;  /* tokens per second, smoothed */
    long   drawn; /* at the last drawing */
    bool   visible;
} progress;

/* `terminal` NULL: lines on the log. Local. */
void progress_init(progress *p, FILE *terminal, double interval_s);

/* Draw if the interval has passed since the last time; `seconds` is the clock. Local. */
void progress_show(progress *p, const progress_now *now, double seconds);

/* The last state, and the cursor on a line of its own. Local. */
void progress_finish(progress *p, const progress_now *now, double seconds);

#endif
