#include "measure.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

/* What a rank brings home. */
typedef struct share {
    char   host[MEASURE_HOST];
    double seconds[MEASURE_SAMPLES_MAX];
} share;

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, ascending);
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

void measure_summarize(measured *out, double *seconds, int ranks, int samples)
{
    double slowest = -1;
    for (int r = 0; r < ranks; r++) {
        double mine = median(seconds + (size_t)r * (size_t)samples, samples);
        if (mine > slowest) {
            slowest = mine;
            out->slowest = r;
        }
    }
    int n = ranks * samples;
    out->median = median(seconds, n);
    out->avg = 0;
    for (int i = 0; i < n; i++) out->avg += seconds[i] / n;
    out->min = seconds[0];
    out->max = seconds[n - 1];
}

/* The largest `mine` of all ranks. Ranks must agree on how often they call what communicates. */
static status largest(double *x, double mine, comm *world)
{
    int     ranks = comm_size(world);
    double *all = malloc((size_t)ranks * sizeof *all);
    status  s = all ? DID_OK : status_fail(DID_ENOMEM, "no memory for %d ranks", ranks);
    s = comm_agree(world, s);
    if (s == DID_OK) s = comm_gather(world, all, &mine, sizeof mine, EV_BENCH);
    *x = mine;
    for (int r = 0; s == DID_OK && r < ranks; r++)
        if (all[r] > *x) *x = all[r];
    free(all);
    return s;
}

/* One sample: seconds of one call, the mean of `calls`. */
static status sample(double *seconds, const task *t, int calls, comm *world)
{
    if (t->reset) t->reset(t->context);
    TRY(comm_barrier(world, EV_BENCH));
    double since = clock_seconds();
    for (int i = 0; i < calls; i++) TRY(t->run(t->context));
    *seconds = (clock_seconds() - since) / calls;
    return DID_OK;
}

static int within(double x, int least, int most)
{
    return x < least ? least : x > most ? most : (int)x;
}

/* How long a call takes, roughly. The first one is cold and tells nothing but whether a second one
 * can be afforded. */
static status try_out(double *seconds, double *first, const task *t, const effort *e, comm *world)
{
    TRY(sample(first, t, 1, world));
    TRY(largest(seconds, *first, world));
    if (e->warm || *seconds > e->line_seconds / 4) return DID_OK;
    double second;
    TRY(sample(&second, t, 1, world));
    return largest(seconds, second, world);
}

static status bring_home(measured *out, const share *mine, comm *world)
{
    int     ranks = comm_size(world), n = out->samples;
    share  *all = malloc((size_t)ranks * sizeof *all);
    double *seconds = malloc((size_t)ranks * (size_t)n * sizeof *seconds);
    status  s = all && seconds ? DID_OK : status_fail(DID_ENOMEM, "no memory for %d ranks", ranks);
    s = comm_agree(world, s);
    if (s == DID_OK) s = comm_gather(world, all, mine, sizeof *mine, EV_BENCH);
    if (s == DID_OK) {
        for (int r = 0; r < ranks; r++)
            memcpy(seconds + (size_t)r * (size_t)n, all[r].seconds, (size_t)n * sizeof *seconds);
        measure_summarize(out, seconds, ranks, n);
        memcpy(out->host, all[out->slowest].host, sizeof out->host);
    }
    free(all);
    free(seconds);
    return s;
}

status measure_task(measured *out, const task *t, const effort *e, comm *world)
{
    share  mine = {0};
    double once;
    int    most = t->calls_max > 0 ? t->calls_max : 1 << 24;
    *out = (measured){0};
    gethostname(mine.host, sizeof mine.host - 1);
    TRY(try_out(&once, &mine.seconds[0], t, e, world));
    out->calls = e->warm ? 1 : within(e->sample_seconds / (once + 1e-9), 1, most);
    out->samples =
        within(e->line_seconds / (once * out->calls + 1e-9), e->samples_min, e->samples_max);
    for (int i = e->warm; i < out->samples; i++)
        TRY(sample(&mine.seconds[i], t, out->calls, world));
    return bring_home(out, &mine, world);
}
