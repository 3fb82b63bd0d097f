#include "manifest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_LEN = 96 };

typedef struct expected {
    char    name[NAME_MAX_LEN];
    int     n_dims;
    int64_t dim[2];
} expected;

/* Tensors of one layer, in the order of the table; the last two only with adaptive norms. */
enum { LAYER_TENSORS = 8, LAYER_ADALN = 2, GLOBAL_TENSORS = 4, GLOBAL_ADALN = 6 };

static expected vector(const char *name, int64_t n)
{
    expected e = {.n_dims = 1, .dim = {n}};
    snprintf(e.name, sizeof e.name, "backbone.%s", name);
    return e;
}

static expected matrix(const char *name, int64_t rows, int64_t cols)
{
    expected e = {.n_dims = 2, .dim = {rows, cols}};
    snprintf(e.name, sizeof e.name, "backbone.%s", name);
    return e;
}

static expected of_layer(const geometry *g, int layer, int i)
{
    int64_t  d = g->d_model, f = g->d_mlp, c = g->d_cond;
    expected e;
    switch (i) {
    case 0: e = vector("norm1.weight", d); break;
    case 1: e = matrix("attn_qkv.weight", 3 * d, d); break;
    case 2: e = matrix("attn_out.weight", d, d); break;
    case 3: e = vector("norm2.weight", d); break;
    case 4: e = matrix("mlp.0.weight", f, d); break;
    case 5: e = vector("mlp.0.bias", f); break;
    case 6: e = matrix("mlp.2.weight", d, f); break;
    case 7: e = vector("mlp.2.bias", d); break;
    case 8: e = matrix("adaLN_modulation.weight", 6 * d, c); break;
    default: e = vector("adaLN_modulation.bias", 6 * d); break;
    }
    char whole[NAME_MAX_LEN];
    snprintf(whole, sizeof whole, "backbone.blocks.%d.%.60s", layer,
             e.name + strlen("backbone."));
    memcpy(e.name, whole, sizeof whole);
    return e;
}

static expected of_model(const geometry *g, int i)
{
    int64_t d = g->d_model, v = g->vocab, c = g->d_cond;
    switch (i) {
    case 0: return matrix("vocab_embed.embedding", v, d);
    case 1: return vector("output_layer.norm_final.weight", d);
    case 2: return matrix("output_layer.linear.weight", v, d);
    case 3: return vector("output_layer.linear.bias", v);
    case 4: return matrix("sigma_map.mlp.0.weight", c, 256);
    case 5: return vector("sigma_map.mlp.0.bias", c);
    case 6: return matrix("sigma_map.mlp.2.weight", c, c);
    case 7: return vector("sigma_map.mlp.2.bias", c);
    case 8: return matrix("output_layer.adaLN_modulation.weight", 2 * d, c);
    default: return vector("output_layer.adaLN_modulation.bias", 2 * d);
    }
}

static int per_layer(const geometry *g)
{
    return LAYER_TENSORS + (g->adaln ? LAYER_ADALN : 0);
}

static int per_model(const geometry *g)
{
    return GLOBAL_TENSORS + (g->adaln ? GLOBAL_ADALN : 0);
}

static int count(const geometry *g)
{
    return per_model(g) + g->n_layers * per_layer(g);
}

static expected at(const geometry *g, int i)
{
    if (i < per_model(g)) return of_model(g, i);
    i -= per_model(g);
    return of_layer(g, i / per_layer(g), i % per_layer(g));
}

/* Present in some files, never needed: the angles are recomputed, the clip belongs to training. */
static bool ignored(const char *name)
{
    return strcmp(name, "backbone.rotary_emb.inv_freq") == 0 ||
           strcmp(name, "sampling_eps_min") == 0 || strcmp(name, "sampling_eps_max") == 0;
}

static void shape_text(char *out, size_t size, int n_dims, const int64_t *dim)
{
    size_t n = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < n_dims && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%lld", i ? "," : "", (long long)dim[i]);
    if (n < size) snprintf(out + n, size - n, "]");
}

static status check_one(const checkpoint *c, const expected *e)
{
    char want[64], have[64];
    shape_text(want, sizeof want, e->n_dims, e->dim);
    const tensor *t = checkpoint_find(c, e->name);
    if (!t) return status_fail(DID_EFORMAT, "tensor %s is missing, expected %s", e->name, want);
    bool same = t->n_dims == e->n_dims;
    for (int i = 0; same && i < e->n_dims; i++) same = t->dim[i] == e->dim[i];
    shape_text(have, sizeof have, t->n_dims, t->dim);
    if (!same)
        return status_fail(DID_EFORMAT, "tensor %s has shape %s, expected %s", e->name, have, want);
    if (t->type != DTYPE_F32 && t->type != DTYPE_BF16 && t->type != DTYPE_F16)
        return status_fail(DID_EFORMAT, "tensor %s is not of a floating type (F32, BF16 or F16)",
                           e->name);
    return DID_OK;
}

static bool known(const geometry *g, const char *name)
{
    int      layer, used = 0;
    bool     in_layer = sscanf(name, "backbone.blocks.%d.%n", &layer, &used) == 1 && used > 0;
    int      from = in_layer ? per_model(g) + layer * per_layer(g) : 0;
    int      n = in_layer ? per_layer(g) : per_model(g);
    if (in_layer && (layer < 0 || layer >= g->n_layers)) return false;
    for (int i = from; i < from + n; i++) {
        expected e = at(g, i);
        if (strcmp(e.name, name) == 0) return true;
    }
    return false;
}

status manifest_check(const checkpoint *c, const geometry *g)
{
    for (int i = 0; i < count(g); i++) {
        expected e = at(g, i);
        TRY(check_one(c, &e));
    }
    for (int i = 0; i < checkpoint_count(c); i++) {
        const char *name = checkpoint_tensor(c, i)->name;
        if (!ignored(name) && !known(g, name))
            return status_fail(DID_EFORMAT,
                               "tensor %s is not part of a %s model of %d layers, expected only "
                               "the tensors such a model has",
                               name, g->family, g->n_layers);
    }
    return DID_OK;
}
