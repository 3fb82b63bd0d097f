#include "curve.h"

#include <stdio.h>
#include <stdlib.h>

#include "candidates.h"

/* Seconds of the soonest grid of so many hosts; its rows and columns. */
static status soonest(candidates *c, const plan_settings *s, int hosts, double documents,
                      double *seconds)
{
    plan_settings of = *s;
    of.ranks = s->per_host * hosts;
    of.documents = (int)documents;
    TRY(candidates_find(c, &of));
    if (!c->foresight.found)
        return status_fail(DID_EINVAL, "--curve: there is no calibration of this machine: did bench "
                           "calibrate makes one");
    if (c->best < 0) return status_fail(DID_EINVAL, "--curve: nothing fits on %d hosts", hosts);
    *seconds = c->at[c->best].forecast.seconds;
    return DID_OK;
}

static status points(candidates *c, const plan_settings *s)
{
    double one = 0;
    printf("%7s %8s %16s %12s %11s %12s %11s\n", "hosts", "ranks", "grid", "weak s", "efficiency",
           "strong s", "efficiency");
    for (int hosts = 1; hosts <= s->curve; hosts *= 2) {
        double weak = 0, strong = 0;
        char   grid[32];
        TRY(soonest(c, s, hosts, (double)s->documents * hosts, &weak));
        snprintf(grid, sizeof grid, "%d x %d", c->at[c->best].layout.rows,
                 c->at[c->best].layout.cols);
        TRY(soonest(c, s, hosts, s->documents, &strong));
        if (hosts == 1) one = strong;
        printf("%7d %8d %16s %12.1f %9.1f %% %12.1f %9.1f %%   predicted\n", hosts,
               s->per_host * hosts, grid, weak, 100 * one / weak, strong,
               100 * one / strong / hosts);
    }
    return DID_OK;
}

status curve_print(const plan_settings *s)
{
    candidates *c = malloc(sizeof *c);
    if (!c) return status_fail(DID_ENOMEM, "no memory for a plan");
    printf("A prediction, nothing of it measured: %d document%s a host (weak) and in all (strong), "
           "%d ranks a host\n\n", s->documents, s->documents == 1 ? "" : "s", s->per_host);
    status all = points(c, s);
    free(c);
    return all;
}
