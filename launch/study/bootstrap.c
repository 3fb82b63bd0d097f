#include "bootstrap.h"

#include <math.h>
#include <stdlib.h>

#include "rng.h"

static const double TAIL = 0.025;

static void draw_places(int *which, int n, int round, uint64_t seed)
{
    for (int i = 0; i < n; i++) {
        uint64_t bits = rng_bits(seed, round, 0, i, PURPOSE_SELECT) >> 32;
        which[i] = (int)(bits * (uint64_t)n >> 32);
    }
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The value below which `share` of the sorted x[n] lies, between neighbours on a straight line. */
static double quantile(const double *x, int n, double share)
{
    double at = share * (n - 1);
    int    below = (int)at, above = below + 1 < n ? below + 1 : below;
    return x[below] + (at - below) * (x[above] - x[below]);
}

status bootstrap_interval(interval *out, bootstrap_number *number, const void *context, int n,
                          uint64_t seed)
{
    int    *which = malloc(((size_t)n + 1) * sizeof *which), known = 0;
    double *found = malloc(QUALITY_ROUNDS * sizeof *found);
    *out = (interval){NAN, NAN};
    for (int r = 0; which && found && n > 0 && r < QUALITY_ROUNDS; r++) {
        draw_places(which, n, r, seed);
        double x = number(context, which, n);
        if (!isnan(x)) found[known++] = x;
    }
    if (known > 0) {
        qsort(found, (size_t)known, sizeof *found, compare);
        *out = (interval){quantile(found, known, TAIL), quantile(found, known, 1 - TAIL)};
    }
    status s =
        which && found ? DID_OK : status_fail(DID_ENOMEM, "no memory to draw from %d documents", n);
    free(which);
    free(found);
    return s;
}
