#include "source.h"

#include <stdio.h>
#include <unistd.h>

#include "log.h"
#include "preset.h"

/* "1, 2 or 4": what divides the ranks. */
static void divisors(char *out, size_t size, int ranks)
{
    size_t n = (size_t)snprintf(out, size, "1");
    for (int q = 2; q <= ranks && n < size; q++)
        if (ranks % q == 0)
            n += (size_t)snprintf(out + n, size - n, "%s%d", q == ranks ? " or " : ", ", q);
}

status source_check(geometry *g, const knobs *k, int ranks)
{
    char expected[160] = "";
    if (k->model) TRY(geometry_read(g, k->model));
    else TRY(preset_find(g, k->geometry));
    if (g->mask_id < 0)
        return status_fail(DID_EINVAL, "--model %s: found a %s model, expected a diffusion model",
                           k->model, g->family);
    divisors(expected, sizeof expected, ranks);
    if (k->tp == 0) return DID_OK; /* a bench without the option: it chooses its rows itself */
    if (ranks % k->tp != 0)
        return status_fail(DID_EINVAL,
                           "--tp: found %d, which does not divide %d rank%s; expected %s", k->tp,
                           ranks, ranks > 1 ? "s" : "", expected);
    if (k->tp > g->n_heads)
        return status_fail(DID_EINVAL, "--tp: found %d, expected at most the model's %d heads",
                           k->tp, g->n_heads);
    return DID_OK;
}

status source_open(source *s, const knobs *k, comm *world)
{
    *s = (source){.name = k->model ? k->model : k->geometry};
    TRY(comm_agree(world, source_check(&s->geometry, k, comm_size(world))));
    s->dir = k->model;
    if (!k->model) {
        log_say("bench", "making up a checkpoint of %.0f MB", 1e-6 * madeup_bytes(&s->geometry));
        TRY(madeup_open(&s->madeup, &s->geometry, k->seed, world));
        s->dir = s->madeup.dir;
    }
    status found = comm_agree(world, geometry_read(&s->geometry, s->dir));
    if (found != DID_OK) source_close(s);
    return found;
}

void source_close(source *s)
{
    madeup_close(&s->madeup);
    s->dir = NULL;
}

status source_fits(double bytes, comm *world)
{
    int    together = 1;
    double here = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    status s = DID_OK;
    TRY(comm_node_size(world, &together));
    if (bytes * together > 0.9 * here)
        s = status_fail(
            DID_EINVAL,
            "%d rank%s with %.1f GB each do not fit into the %.1f GB of this host: ask for "
            "fewer --documents or shorter ones",
            together, together > 1 ? "s" : "", 1e-9 * bytes, 1e-9 * here);
    return comm_agree(world, s);
}
