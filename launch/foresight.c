#include "foresight.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "machine.h"
#include "version.h"

static status read_here(calibration *c, const char *path)
{
    TRY(calibration_read(c, path));
    return calibration_match(c, path, DID_VERSION, machine_cpu(), (int)sysconf(_SC_NPROCESSORS_ONLN));
}

/* Is what was measured what will run? */
static bool measured(const calibration *c, const char *kernels, bool bf16)
{
    const char *asked = kernels ? kernels : getenv("DID_KERNELS");
    return !asked || strcmp(asked, c->set[bf16]) == 0;
}

status foresight_find(foresight *f, const char *said, const char *kernels, bool bf16)
{
    char        path[4096];
    const char *named = getenv("DID_CALIBRATION");
    bool        meant = said || (named && *named);
    *f = (foresight){.per_host = 1};
    if (!said && calibration_path(path, sizeof path) != DID_OK) return DID_OK;
    if (!said) said = path;
    if (!meant && access(said, F_OK) != 0) return DID_OK;
    status s = read_here(&f->machine, said);
    if (s != DID_OK && meant) return s;
    if (s != DID_OK) log_warn("plan", "nothing is predicted: %s", status_message());
    f->found = s == DID_OK && measured(&f->machine, kernels, bf16);
    return DID_OK;
}

status foresight_share(foresight *f, const char *said, const char *kernels, bool bf16, comm *world)
{
    status s = DID_OK;
    int    here = 1;
    *f = (foresight){.per_host = 1};
    if (comm_rank(world) == 0) s = foresight_find(f, said, kernels, bf16);
    TRY(comm_agree(world, s));
    TRY(comm_broadcast(world, f, sizeof *f, 0, EV_SETUP));
    TRY(comm_node_size(world, &here));
    f->per_host = here;
    return comm_broadcast(world, &f->per_host, sizeof f->per_host, 0, EV_SETUP);
}
