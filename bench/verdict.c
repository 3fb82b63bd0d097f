#include "verdict.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Half the distance between 1 and the next f32. */
static const double ROUNDING = 0x1p-24;

void verdict_wrong(verdict *v, const char *fmt, ...)
{
    if (v->wrong) return;
    v->wrong = true;
    va_list args;
    va_start(args, fmt);
    vsnprintf(v->why, sizeof v->why, fmt, args);
    va_end(args);
}

void verdict_number(verdict *v, double got, double want, double size, double tolerance,
                    const char *what)
{
    if (got == want) return;
    double error = fabs(got - want) / (ROUNDING * size);
    if (!(error <= tolerance))
        verdict_wrong(v, "%s is %.9g, expected %.9g: error %.3g, at most %.3g", what, got, want,
                      error, tolerance);
    if (error > v->error) v->error = error;
}

void verdict_floats(verdict *v, const float *got, const float *want, size_t n, double size,
                    double tolerance, const char *what)
{
    for (size_t i = 0; i < n; i++)
        verdict_number(v, got[i], want[i], fmax(size, fabs(want[i])), tolerance, what);
}

status verdict_agree(verdict *v, comm *world)
{
    int      ranks = comm_size(world);
    verdict *all = malloc((size_t)ranks * sizeof *all);
    status   s = all ? DID_OK : status_fail(DID_ENOMEM, "no memory for %d ranks", ranks);
    s = comm_agree(world, s);
    if (s == DID_OK) s = comm_gather(world, all, v, sizeof *v, EV_BENCH);
    for (int r = 0; s == DID_OK && r < ranks; r++) {
        if (all[r].wrong && !v->wrong) {
            v->wrong = true;
            snprintf(v->why, sizeof v->why, "rank %d: %.140s", r, all[r].why);
        }
        if (all[r].error > v->error) v->error = all[r].error;
    }
    free(all);
    return s;
}
