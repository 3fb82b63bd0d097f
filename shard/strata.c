#include "strata.h"

#include <assert.h>
#include <math.h>

/* What the slowest depth costs where the last holds `n` of the layers. */
static double pace(int layers, double last, int depths, int n)
{
    int most = depths > 1 ? split_part(layers - n, 1, depths - 1, 0).len : 0;
    return fmax(most, n - 1 + last);
}

/* How many layers the last depth holds. Where several numbers are as good, the largest: the first
 * depth has the leader's work beside its layers. */
static int held_last(int layers, double last, int depths)
{
    int best = depths > 1 ? 1 : layers;
    for (int n = best + 1; n <= layers - depths + 1; n++)
        if (pace(layers, last, depths, n) <= pace(layers, last, depths, best)) best = n;
    return best;
}

span strata_part(int layers, double last, int depths, int depth)
{
    assert(depths > 0 && depths <= layers && depth >= 0 && depth < depths && last >= 0);
    int n = held_last(layers, last, depths);
    return depth + 1 == depths ? (span){layers - n, n}
                               : split_part(layers - n, 1, depths - 1, depth);
}

double strata_wait(int layers, double last, int depths, int depth)
{
    int    n = strata_part(layers, last, depths, depth).len;
    double mine = depth + 1 == depths ? n - 1 + last : n;
    return 1 - mine / pace(layers, last, depths, held_last(layers, last, depths));
}

double strata_wait_most(int layers, double last, int depths)
{
    double most = 0;
    for (int depth = 0; depth < depths; depth++)
        most = fmax(most, strata_wait(layers, last, depths, depth));
    return most;
}
