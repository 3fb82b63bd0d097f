#include "manifest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The sizes a tensor can have, as the tables below spell them. */
typedef enum { NONE, D, D2, D3, D6, F, V, C, POSITIONS, FREQUENCIES } dimension;

typedef struct entry {
    const char *name;
    dimension   rows, cols; /* cols NONE: a vector */
    bool        adaln;      /* only with adaptive norms */
} entry;

typedef struct family {
    const char  *layer_prefix; /* with the layer's number */
    const entry *whole, *layer;
    int          n_whole, n_layer;
    const char *const *ignored; /* patterns for sscanf's %d; NULL at the end */
} family;

static const entry bd3_whole[] = {
    {"backbone.vocab_embed.embedding", V, D, false},
    {"backbone.output_layer.norm_final.weight", D, NONE, false},
    {"backbone.output_layer.linear.weight", V, D, false},
    {"backbone.output_layer.linear.bias", V, NONE, false},
    {"backbone.sigma_map.mlp.0.weight", C, FREQUENCIES, true},
    {"backbone.sigma_map.mlp.0.bias", C, NONE, true},
    {"backbone.sigma_map.mlp.2.weight", C, C, true},
    {"backbone.sigma_map.mlp.2.bias", C, NONE, true},
    {"backbone.output_layer.adaLN_modulation.weight", D2, C, true},
    {"backbone.output_layer.adaLN_modulation.bias", D2, NONE, true},
};

static const entry bd3_layer[] = {
    {"norm1.weight", D, NONE, false},
    {"attn_qkv.weight", D3, D, false},
    {"attn_out.weight", D, D, false},
    {"norm2.weight", D, NONE, false},
    {"mlp.0.weight", F, D, false},
    {"mlp.0.bias", F, NONE, false},
    {"mlp.2.weight", D, F, false},
    {"mlp.2.bias", D, NONE, false},
    {"adaLN_modulation.weight", D6, C, true},
    {"adaLN_modulation.bias", D6, NONE, true},
};

/* Angles are recomputed; the clip of the noise level belongs to training. */
static const char *const bd3_ignored[] = {"backbone.rotary_emb.inv_freq", "sampling_eps_min",
                                          "sampling_eps_max", NULL};

/* Matrices of this family are stored [in, out]. */
static const entry gpt2_whole[] = {
    {"wte.weight", V, D, false},
    {"wpe.weight", POSITIONS, D, false},
    {"ln_f.weight", D, NONE, false},
    {"ln_f.bias", D, NONE, false},
};

static const entry gpt2_layer[] = {
    {"ln_1.weight", D, NONE, false},      {"ln_1.bias", D, NONE, false},
    {"attn.c_attn.weight", D, D3, false}, {"attn.c_attn.bias", D3, NONE, false},
    {"attn.c_proj.weight", D, D, false},  {"attn.c_proj.bias", D, NONE, false},
    {"ln_2.weight", D, NONE, false},      {"ln_2.bias", D, NONE, false},
    {"mlp.c_fc.weight", D, F, false},     {"mlp.c_fc.bias", F, NONE, false},
    {"mlp.c_proj.weight", F, D, false},   {"mlp.c_proj.bias", D, NONE, false},
};

/* The causal mask, kept as a tensor by old exporters; the head, which is wte once more. */
static const char *const gpt2_ignored[] = {"h.%d.attn.bias", "h.%d.attn.masked_bias",
                                           "lm_head.weight", NULL};

#define LENGTH_OF(array) (int)(sizeof(array) / sizeof *(array))

static const family bd3 = {"backbone.blocks.%d.", bd3_whole, bd3_layer, LENGTH_OF(bd3_whole),
                           LENGTH_OF(bd3_layer), bd3_ignored};
static const family gpt2 = {"h.%d.", gpt2_whole, gpt2_layer, LENGTH_OF(gpt2_whole),
                            LENGTH_OF(gpt2_layer), gpt2_ignored};

static const family *family_of(const geometry *g)
{
    return g->causal ? &gpt2 : &bd3;
}

static int64_t size_of(dimension what, const geometry *g)
{
    switch (what) {
    case D: return g->d_model;
    case D2: return 2 * (int64_t)g->d_model;
    case D3: return 3 * (int64_t)g->d_model;
    case D6: return 6 * (int64_t)g->d_model;
    case F: return g->d_mlp;
    case V: return g->vocab;
    case C: return g->d_cond;
    case POSITIONS: return g->length;
    case FREQUENCIES: return 256;
    default: return 0;
    }
}

static void shape_text(char *out, size_t size, int n_dims, const int64_t *dim)
{
    size_t n = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < n_dims && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%lld", i ? "," : "", (long long)dim[i]);
    if (n < size) snprintf(out + n, size - n, "]");
}

static status check_one(const checkpoint *c, const char *name, const entry *e, const geometry *g)
{
    char          want[64], have[64];
    const int64_t dim[2] = {size_of(e->rows, g), size_of(e->cols, g)};
    int           n_dims = e->cols == NONE ? 1 : 2;
    shape_text(want, sizeof want, n_dims, dim);
    const tensor *t = checkpoint_find(c, name);
    if (!t) return status_fail(DID_EFORMAT, "tensor %s is missing, expected %s", name, want);
    bool same = t->n_dims == n_dims;
    for (int i = 0; same && i < n_dims; i++) same = t->dim[i] == dim[i];
    shape_text(have, sizeof have, t->n_dims, t->dim);
    if (!same)
        return status_fail(DID_EFORMAT, "tensor %s has shape %s, expected %s", name, have, want);
    if (t->type != DTYPE_F32 && t->type != DTYPE_BF16 && t->type != DTYPE_F16)
        return status_fail(DID_EFORMAT, "tensor %s is not of a floating type (F32, BF16 or F16)",
                           name);
    return DID_OK;
}

static bool applies(const entry *e, const geometry *g)
{
    return g->adaln || !e->adaln;
}

static void layer_name(char *out, size_t size, const family *f, int layer, const char *name)
{
    size_t n = (size_t)snprintf(out, size, f->layer_prefix, layer);
    if (n < size) snprintf(out + n, size - n, "%s", name);
}

static status check_all(const checkpoint *c, const family *f, const geometry *g)
{
    char name[128];
    for (int i = 0; i < f->n_whole; i++)
        if (applies(&f->whole[i], g)) TRY(check_one(c, f->whole[i].name, &f->whole[i], g));
    for (int layer = 0; layer < g->n_layers; layer++)
        for (int i = 0; i < f->n_layer; i++) {
            if (!applies(&f->layer[i], g)) continue;
            layer_name(name, sizeof name, f, layer, f->layer[i].name);
            TRY(check_one(c, name, &f->layer[i], g));
        }
    return DID_OK;
}

/* The number in `name` where it begins as the family's layers do, else -1. */
static int layer_of(const char *name, const char *pattern)
{
    int layer = -1;
    return sscanf(name, pattern, &layer) == 1 ? layer : -1;
}

static bool known(const char *name, const family *f, const geometry *g)
{
    char whole[128];
    for (int i = 0; i < f->n_whole; i++)
        if (applies(&f->whole[i], g) && strcmp(name, f->whole[i].name) == 0) return true;
    int layer = layer_of(name, f->layer_prefix);
    for (int i = 0; i < f->n_layer && layer >= 0 && layer < g->n_layers; i++) {
        layer_name(whole, sizeof whole, f, layer, f->layer[i].name);
        if (applies(&f->layer[i], g) && strcmp(name, whole) == 0) return true;
    }
    for (int i = 0; f->ignored[i]; i++) {
        snprintf(whole, sizeof whole, f->ignored[i], layer);
        if (strcmp(name, whole) == 0) return true;
    }
    return false;
}

status manifest_check(const checkpoint *c, const geometry *g)
{
    const family *f = family_of(g);
    TRY(check_all(c, f, g));
    for (int i = 0; i < checkpoint_count(c); i++) {
        const char *name = checkpoint_tensor(c, i)->name;
        if (!known(name, f, g))
            return status_fail(DID_EFORMAT,
                               "tensor %s is not part of a %s model of %d layers, expected only "
                               "the tensors such a model has",
                               name, g->family, g->n_layers);
    }
    return DID_OK;
}
