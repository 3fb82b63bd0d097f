/* forecast.h - how long a job takes on a grid of ranks: its passes, their time, what they put on the
 * wire.
 *
 * Documents of a job are alike here: one length, the same stages. A team works on so many at once;
 * they stay in step, since each needs as many passes as the others. Loading and waiting for the last
 * documents are no part of it. Arithmetic only. */
#ifndef DID_FORECAST_H
#define DID_FORECAST_H

#include "cost.h"

enum { FORECAST_STAGES_MAX = 8 };

/* One stage of one document. */
typedef struct forecast_stage {
    int    block;   /* positions; the document's length: a refinement of the whole */
    double passes;  /* evaluations of a document, in one of its blocks or windows after the other */
    double drawn;   /* tokens placed, in all of them together */
    double asked;   /* positions whose words are looked at for that, in all of them together */
} forecast_stage;

typedef struct forecast_job {
    double         documents;
    int            length, window;       /* positions of a document; most that are refined at once */
    int            in_flight, pass_rows; /* documents of a row; rows of a pass */
    int            n_stages;
    forecast_stage stage[FORECAST_STAGES_MAX];
} forecast_job;

/* Of the busiest team; bytes are of all teams. Seconds are 0 where there is no machine. */
typedef struct forecast {
    double passes, rows, pass_seconds, seconds, bytes, crossing;
    double documents; /* of that team */
} forecast;

/* What the last layer of a model costs with all that follows it, in layers before it, in the passes of
 * a job on the whole: depths share layers by it (strata.h). Where there is no machine, on an ordinary
 * one. Local. */
double forecast_last(const cost_place *at, const forecast_job *job);

/* Local. */
forecast forecast_of(const cost_place *at, const forecast_job *job);

#endif
