#include "rival.h"

#include <stdio.h>
#include <string.h>

const char *rival_name(precision p)
{
    return p == PRECISION_BF16 ? "bf16" : "f32";
}

/* Is `p` in the list? */
static bool wanted(const knobs *k, precision p)
{
    const char *name = rival_name(p);
    size_t      len = strlen(name);
    for (const char *at = k->precision; *at; at += strcspn(at, ",")) {
        at += *at == ',';
        if (!strncmp(at, name, len) && (at[len] == '\0' || at[len] == ',')) return true;
    }
    return false;
}

const kernels *rival_set(const knobs *k, precision p)
{
    return wanted(k, p) ? kernels_of(p, k->kernels) : NULL;
}

status rival_check(const knobs *k)
{
    static const char *const lists[] = {"f32", "bf16", "f32,bf16", "bf16,f32"};
    bool                     known = false;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        known |= !strcmp(k->precision, lists[i]);
    if (!known)
        return status_fail(DID_EINVAL, "--precision: found \"%.40s\", expected f32, bf16 or f32,bf16",
                           k->precision);
    if (!rival_set(k, PRECISION_F32) && !rival_set(k, PRECISION_BF16))
        return status_fail(DID_EINVAL,
                           "--kernels: found \"%.40s\", which this CPU cannot run in %s; its best is "
                           "%s",
                           k->kernels, k->precision,
                           kernels_names(wanted(k, PRECISION_F32) ? PRECISION_F32
                                                                  : PRECISION_BF16)[0]);
    return DID_OK;
}

void rival_tell(rival *r, json_t *line, precision p, bool altered, const char *name,
                double seconds)
{
    int i = 0;
    while (i < r->n && strcmp(r->line[i].name, name)) i++;
    if (p == PRECISION_BF16 || altered) {
        if (i < r->n)
            json_object_set_new(line, "ratio", json_real(r->line[i].seconds / seconds));
        return;
    }
    if (i < r->n && r->line[i].seconds <= seconds) return;
    if (i == RIVAL_LINES) return;
    snprintf(r->line[i].name, sizeof r->line[i].name, "%s", name);
    r->line[i].seconds = seconds;
    if (i == r->n) r->n++;
}
