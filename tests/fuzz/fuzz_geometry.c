/* A model's config.json. */
#include <stdbool.h>

#include "fuzz.h"
#include "geometry.h"

static void check(const geometry *g)
{
    bool causal = !strcmp(g->family, "gpt2");
    assert(causal || !strcmp(g->family, "bd3lm") || !strcmp(g->family, "mdlm"));
    assert(g->causal == causal && g->biased == causal && g->rotary == !causal);
    assert(g->d_model >= 2 && g->n_layers >= 1 && g->n_heads >= 1 && g->d_mlp >= 1);
    assert((int64_t)g->head_size * g->n_heads == g->d_model && g->head_size % 2 == 0);
    assert(g->head_size >= 2 && g->d_model <= INT32_MAX / 6);
    assert(g->d_cond >= 0 && (!g->adaln || g->d_cond >= 1));
    assert(g->vocab >= 2 && g->length >= 2 && g->block >= 1 && g->block <= g->length);
    assert(g->end_id >= -1 && g->end_id < g->vocab);
    if (causal) assert(g->mask_id == -1);
    else assert(g->mask_id >= 0 && g->mask_id < g->vocab && g->mask_id != g->end_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    geometry g, untouched;
    memset(&g, 0x55, sizeof g);
    untouched = g;
    status s = geometry_parse(&g, (const char *)data, size, "config");
    if (s == DID_OK) {
        check(&g);
    } else {
        fuzz_refused(s, DID_EFORMAT);
        assert(!memcmp(&g, &untouched, sizeof g));
    }
    return 0;
}
