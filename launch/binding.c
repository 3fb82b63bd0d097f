#include "binding.h"

#include <hwloc.h>
#include <stdio.h>

static int count(hwloc_topology_t t, hwloc_obj_type_t type)
{
    int n = hwloc_get_nbobjs_by_type(t, type);
    return n > 0 ? n : 0;
}

/* A rank is one thread, so it wants a core; ranks of a row talk most, so they want to be neighbours;
 * rows that are few want memory of their own. */
static void advise(char *text, size_t size, int per_host, int cols, int cores, int nodes)
{
    if (per_host > cores)
        snprintf(text, size,
                 "--map-by core:OVERSUBSCRIBE --bind-to none: %d ranks share %d core%s of a host, "
                 "and wait for one another", per_host, cores, cores == 1 ? "" : "s");
    else if (nodes > 1 && per_host < cores && cols == 1)
        snprintf(text, size,
                 "--map-by numa --bind-to core: %d ranks on %d cores, spread over %d NUMA nodes for "
                 "their memory", per_host, cores, nodes);
    else
        snprintf(text, size, "--map-by core --bind-to core: %d rank%s on %d core%s%s", per_host,
                 per_host == 1 ? "" : "s", cores, cores == 1 ? "" : "s",
                 nodes > 1 ? ", neighbours on one NUMA node" : "");
}

void binding_advice(char *text, size_t size, int per_host, int cols)
{
    hwloc_topology_t t;
    int              cores = 0, nodes = 0;
    if (hwloc_topology_init(&t) == 0) {
        if (hwloc_topology_load(t) == 0) {
            cores = count(t, HWLOC_OBJ_CORE);
            nodes = count(t, HWLOC_OBJ_NUMANODE);
            if (cores == 0) cores = count(t, HWLOC_OBJ_PU);
        }
        hwloc_topology_destroy(t);
    }
    if (cores > 0) advise(text, size, per_host, cols, cores, nodes);
    else snprintf(text, size, "this host does not tell its cores: no advice");
}
