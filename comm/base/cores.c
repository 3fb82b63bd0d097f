#include "cores.h"

#include <hwloc.h>

#include <sched.h>
#include <string.h>

static bool has(const cores *c, int unit)
{
    return c->unit[unit / 64] >> (unit % 64) & 1;
}

/* What the process may use, one unit per core. */
static void read_cores(cores *out, hwloc_topology_t t)
{
    hwloc_bitmap_t bound = hwloc_bitmap_alloc();
    if (bound && hwloc_get_cpubind(t, bound, HWLOC_CPUBIND_PROCESS) == 0 &&
        hwloc_bitmap_singlify_per_core(t, bound, 0) == 0)
        for (int unit = hwloc_bitmap_first(bound); unit >= 0 && unit < CORES_UNITS;
             unit = hwloc_bitmap_next(bound, unit)) {
            out->unit[unit / 64] |= (uint64_t)1 << (unit % 64);
            out->n++;
        }
    hwloc_bitmap_free(bound);
}

void cores_mine(cores *out)
{
    hwloc_topology_t t;
    memset(out, 0, sizeof *out);
    if (hwloc_topology_init(&t) != 0) return;
    if (hwloc_topology_load(t) == 0) read_cores(out, t);
    hwloc_topology_destroy(t);
}

bool cores_meet(const cores *a, const cores *b)
{
    for (int i = 0; i < CORES_UNITS / 64; i++)
        if (a->unit[i] & b->unit[i]) return true;
    return false;
}

void cores_keep(const cores *of, int i, pthread_t who)
{
    cpu_set_t one;
    int       unit = 0;
    while (unit < CORES_UNITS && (!has(of, unit) || i-- > 0)) unit++;
    if (unit == CORES_UNITS) return;
    CPU_ZERO(&one);
    CPU_SET(unit, &one);
    pthread_setaffinity_np(who, sizeof one, &one);
}
