/* bd3.c - where the tensors of a BD3-LM or MDLM checkpoint go.
 *
 * Source: the published safetensors of bd3lm-owt-* and mdlm-owt. */
#include <stdio.h>

#include "fold.h"
#include "loader.h"

/* A norm without a bias of its own, shifted and scaled by the conditioning. */
static status norm(loader *ld, const affine *a, const tensor *weight_of, const double *shift,
                   const double *scale, int d)
{
    TRY(loader_vector(ld, weight_of, 0, d, ld->scale));
    for (int i = 0; i < d; i++) {
        ld->scale[i] *= 1 + scale[i];
        ld->shift[i] = shift[i];
    }
    loader_norm(ld, a, d);
    return DID_OK;
}

static status attention(loader *ld, model *m, int layer, const char *prefix)
{
    layer_weights *l = &m->layers[layer];
    int d = m->geometry.d_model, hs = m->geometry.head_size;
    span mine = {m->heads.first * hs, m->heads.len * hs};
    const double *shift = ld->mod, *scale = ld->mod + d, *gate = ld->mod + 2 * d;
    TRY(norm(ld, &l->norm1, loader_find(ld, prefix, "norm1.weight"), shift, scale, d));
    source qkv = {.matrix = loader_find(ld, prefix, "attn_qkv.weight"),
                  .n = 3 * d, .k = d, .parts = 3, .mine = mine};
    source out = {.matrix = loader_find(ld, prefix, "attn_out.weight"),
                  .n = d, .k = d, .parts = 1, .mine = mine};
    TRY(loader_projection(ld, m, layer, &qkv));
    TRY(loader_output(ld, &l->out, &out, gate));
    if (!ld->folded) loader_narrow(l->gate1, gate, d);
    return DID_OK;
}

static status mlp(loader *ld, const model *m, layer_weights *l, const char *prefix)
{
    int           d = m->geometry.d_model, f = m->geometry.d_mlp;
    const double *shift = ld->mod + 3 * d, *scale = shift + d, *gate = scale + d;
    TRY(norm(ld, &l->norm2, loader_find(ld, prefix, "norm2.weight"), shift, scale, d));
    source up = {.matrix = loader_find(ld, prefix, "mlp.0.weight"),
                 .bias = loader_find(ld, prefix, "mlp.0.bias"),
                 .n = f, .k = d, .parts = 1, .mine = m->mlp};
    source down = {.matrix = loader_find(ld, prefix, "mlp.2.weight"),
                   .n = d, .k = f, .parts = 1, .mine = m->mlp};
    TRY(loader_input(ld, &l->up, &up));
    TRY(loader_output(ld, &l->down, &down, gate));
    TRY(loader_array(ld, loader_find(ld, prefix, "mlp.2.bias"), 0, d, l->down_bias));
    if (ld->folded)
        fold_output(loader_own(l->down_bias), gate, d, 1);
    else
        loader_narrow(l->gate2, gate, d);
    return DID_OK;
}

static status head(loader *ld, model *m)
{
    int         d = m->geometry.d_model;
    const char *prefix = "backbone.output_layer";
    TRY(fold_modulation(ld->mod, ld->ck, &m->geometry, ld->c, prefix, 2));
    TRY(norm(ld, &m->norm_final, loader_find(ld, prefix, "norm_final.weight"), ld->mod,
             ld->mod + d, d));
    source words = {.matrix = loader_find(ld, prefix, "linear.weight"),
                    .bias = loader_find(ld, prefix, "linear.bias"),
                    .n = m->geometry.vocab, .k = d, .parts = 1, .mine = m->vocab};
    return loader_input(ld, &m->head, &words);
}

status bd3_load(loader *ld, model *m)
{
    TRY(fold_condition(ld->c, ld->ck, &m->geometry));
    for (int i = m->held.first; i < m->held.first + m->held.len; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "backbone.blocks.%d", i);
        TRY(fold_modulation(ld->mod, ld->ck, &m->geometry, ld->c, prefix, 6));
        TRY(attention(ld, m, i, prefix));
        TRY(mlp(ld, m, &m->layers[i], prefix));
    }
    if (model_ends(m)) TRY(head(ld, m));
    if (!model_begins(m)) return DID_OK;
    return loader_rows(ld, loader_find(ld, "backbone", "vocab_embed.embedding"), m->vocab,
                       m->geometry.d_model, m->embedding);
}
