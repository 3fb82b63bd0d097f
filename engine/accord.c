#include "accord.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

static status refuse_kernels(const char *name, precision p)
{
    const char *const *can = kernels_names(p);
    char   list[128] = "";
    size_t n = 0;
    for (; *can && n < sizeof list; can++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", *can);
    const char *why = p == PRECISION_BF16 ? kernels_refused() : "";
    return status_fail(DID_EINVAL, "kernels %s: in %s this CPU can run %s%s%s", name,
                       p == PRECISION_BF16 ? "bf16" : "f32", list, *why ? "; " : "", why);
}

/* The set somebody wants, "" when nobody does. The environment may differ from host to host: that of
 * rank 0 is heard. */
static status ask_for_kernels(char *name, size_t size, const engine_settings *s, comm *world)
{
    const char *asked = s->kernels ? s->kernels : getenv("DID_KERNELS");
    snprintf(name, size, "%s", asked ? asked : "");
    return comm_broadcast(world, name, size, 0, EV_SETUP);
}

/* Room for `each` bytes of every rank, or a failure that all of them share. */
static status room_for_all(void **all, size_t each, comm *world)
{
    *all = malloc((size_t)comm_size(world) * each);
    status s = comm_agree(world, *all ? DID_OK : status_fail(DID_ENOMEM, "no memory for %d ranks",
                                                             comm_size(world)));
    if (s != DID_OK) free(*all);
    return s;
}

/* Fixed parts of a weight are of any shape, and so are the panels that multiply them. */
static status fit_to_reproduce(const kernels *k, const engine_settings *s)
{
    if (!s->reproducible || k->precision == PRECISION_BF16 || k->any_height) return DID_OK;
    return status_fail(DID_EINVAL, "--reproducible with kernels %s: a library multiplies parts of "
                       "different shapes in different orders; leave out --kernels", k->name);
}

status accord_kernels(const kernels **out, const engine_settings *settings, comm *world)
{
    precision          p = settings->bf16 ? PRECISION_BF16 : PRECISION_F32;
    const char *const *mine = kernels_names(p);
    int                count = 0, fewest, *all;
    char               name[32] = "";
    void              *room;
    TRY(ask_for_kernels(name, sizeof name, settings, world));
    TRY(room_for_all(&room, sizeof *all, world));
    all = room;
    while (mine[count]) count++;
    if (p == PRECISION_BF16 && *kernels_refused())
        log_warn("engine", "a kernel set is wrong on this CPU and not used: %s", kernels_refused());
    status s = comm_gather(world, all, &count, sizeof count, EV_SETUP);
    fewest = count;
    for (int r = 0; s == DID_OK && r < comm_size(world); r++)
        if (all[r] < fewest) fewest = all[r];
    free(all);
    TRY(s);
    *out = kernels_of(p, *name ? name : mine[count - fewest]);
    s = *out ? fit_to_reproduce(*out, settings) : refuse_kernels(name, p);
    return comm_agree(world, s);
}

status accord_blas(comm *world)
{
    char  mine[64] = {0}, *all;
    void *room;
    TRY(room_for_all(&room, sizeof mine, world));
    all = room;
    snprintf(mine, sizeof mine, "%s", kernels_blas());
    status s = comm_gather(world, all, mine, sizeof mine, EV_SETUP);
    for (int r = 0; s == DID_OK && r < comm_size(world); r++)
        if (memcmp(all + (size_t)r * sizeof mine, all, sizeof mine) != 0)
            s = status_fail(DID_EINVAL,
                            "rank %d has BLAS %s, rank 0 has %s: their sums may differ in the last"
                            " bit; set OPENBLAS_CORETYPE to the same core on all hosts",
                            r, all + (size_t)r * sizeof mine, all);
    free(all);
    return comm_agree(world, s);
}
