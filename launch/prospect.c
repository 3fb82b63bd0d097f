#include "prospect.h"

#include <math.h>

/* Thresholds place about so many tokens a pass. */
enum { THRESHOLD_TOKENS = 2 };

/* Does a pass look at all positions that are open, to choose those it fills, or only at these? */
static bool looks_at_all(const stage *s)
{
    return s->sampler == SAMPLER_THRESHOLD ||
           (s->sampler == SAMPLER_QUOTA && s->order >= ORDER_CONFIDENT);
}

/* How many passes a document takes, and how many tokens they place. */
static forecast_stage stage_of(const stage *s, int k, int length, int window)
{
    double open = k == 0 ? length - 1 : floor(s->remask * (length - 1));
    int    block = stage_block(s, length);
    double regions = ceil((double)length / block), passes = open;
    if (s->work == WORK_FOUND) return (forecast_stage){.block = block};
    if (block == length && length > window) regions = 1 + ceil((length - window) / (window / 2.0));
    if (s->sampler == SAMPLER_QUOTA || s->sampler == SAMPLER_ANCESTRAL)
        passes = fmin(open, regions * fmin(s->steps, ceil(open / regions)));
    if (s->sampler == SAMPLER_THRESHOLD) passes = open / THRESHOLD_TOKENS;
    /* On the way from all of a region's open positions to none it is half of them on average. */
    double asked = looks_at_all(s) ? fmax(open, passes * open / regions / 2) : open;
    return (forecast_stage){.block = block, .passes = passes, .drawn = open, .asked = asked};
}

forecast_job prospect_job(const stage *stages, int n, int length, int window)
{
    forecast_job job = {.length = length, .window = window < length ? window : length, .n_stages = n};
    for (int k = 0; k < n; k++) job.stage[k] = stage_of(&stages[k], k, length, job.window);
    return job;
}
