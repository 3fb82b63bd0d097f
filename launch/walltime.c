#include "walltime.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"

static const double MARGIN_S = 60, MARGIN_SHARE = 0.1, MAXH_SHARE = 0.99;

/* Seconds since 1970, as Slurm sets it for every task of a job that has a limit. */
static double end_of_job(void)
{
    const char *text = getenv("SLURM_JOB_END_TIME");
    char       *end;
    double      at = text ? strtod(text, &end) : 0;
    return text && *text && !*end && isfinite(at) && at > 0 ? at : HUGE_VAL;
}

double walltime_deadline(double maxh)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    double left = end_of_job() - ((double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
    double own = maxh > 0 ? maxh * 3600 * MAXH_SHARE : HUGE_VAL;
    double job = clock_seconds() + left - fmin(MARGIN_S, MARGIN_SHARE * left);
    if (job < own) own = job > 0 ? job : 1e-9;
    return isfinite(own) ? own : 0;
}
