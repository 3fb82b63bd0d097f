/* measure.h - how long something takes, on all ranks at once.
 *
 * Warm up, repeat, and keep the whole distribution: the smallest, the mean, the median and the
 * largest time of one call over all samples of all ranks, and the rank that was slowest. Ranks begin
 * every sample together, so what they share (memory, wire) is shared while the clock runs. */
#ifndef DID_MEASURE_H
#define DID_MEASURE_H

#include <stdbool.h>

#include "comm.h"
#include "status.h"

enum { MEASURE_SAMPLES_MAX = 64, MEASURE_HOST = 48 };

/* How much time a line may cost. */
typedef struct effort {
    int    samples_min, samples_max; /* per rank, 1 .. MEASURE_SAMPLES_MAX */
    double sample_seconds;           /* short calls are repeated until a sample lasts this long */
    double line_seconds;             /* no more than samples_min once this is spent */
    bool   warm;                     /* the caller has warmed up: the first call counts */
} effort;

/* What is timed. Every rank brings the same task. */
typedef struct task {
    void *context;

    /* One call. A failure is the same on all ranks and ends the measurement. */
    status (*run)(void *context);

    /* Put the data back before each sample, outside the clock; NULL: nothing to do. */
    void (*reset)(void *context);
    int calls_max; /* between two resets; 0: as many as you like */
} task;

typedef struct measured {
    double min, avg, median, max; /* seconds of one call */
    int    slowest;            /* the rank whose median was largest */
    char   host[MEASURE_HOST]; /* and where it runs */
    int    samples, calls;     /* per rank; calls in each sample */
} measured;

/* Collective over world. */
status measure_task(measured *out, const task *t, const effort *e, comm *world);

/* The distribution of seconds[ranks][samples]; reorders them. Fills min, avg, median, max and
 * slowest.
 * Local. */
void measure_summarize(measured *out, double *seconds, int ranks, int samples);

#endif
