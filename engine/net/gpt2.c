/* gpt2.c - where the tensors of a GPT-2 checkpoint go.
 *
 * Source: the published safetensors of gpt2 to gpt2-xl. Matrices are stored [in, out]; the head is
 * the embedding table; positions are learned. */
#include <stdio.h>

#include "fold.h"
#include "loader.h"

static status norm(loader *ld, const affine *a, const char *prefix, const char *name, int d)
{
    char of[32];
    snprintf(of, sizeof of, "%s.weight", name);
    TRY(loader_vector(ld, loader_find(ld, prefix, of), 0, d, ld->scale));
    snprintf(of, sizeof of, "%s.bias", name);
    TRY(loader_vector(ld, loader_find(ld, prefix, of), 0, d, ld->shift));
    loader_norm(ld, a, d);
    return DID_OK;
}

/* Q, K and V are three ranges of one bias; the weight's own is filled range by range. */
static status qkv(loader *ld, model *m, int layer, const char *prefix)
{
    int           d = m->geometry.d_model, mine = m->heads.len * m->geometry.head_size;
    int           first = m->heads.first * m->geometry.head_size;
    const tensor *w = loader_find(ld, prefix, "attn.c_attn.weight");
    const tensor *b = loader_find(ld, prefix, "attn.c_attn.bias");
    for (int third = 0; third < 3; third++) {
        int     at, row = third * d + first;
        weight *to = model_third(m, layer, third, &at);
        TRY(loader_input_side(ld, to, at, (slab){w, row, mine, 0, d, true}, b, row));
    }
    return DID_OK;
}

static status layer(loader *ld, model *m, int which, const char *prefix)
{
    layer_weights *l = &m->layers[which];
    int d = m->geometry.d_model, hs = m->geometry.head_size;
    TRY(norm(ld, &l->norm1, prefix, "ln_1", d));
    TRY(qkv(ld, m, which, prefix));
    TRY(loader_output_side(ld, &l->out,
                           (slab){loader_find(ld, prefix, "attn.c_proj.weight"), 0, d,
                                  m->heads.first * hs, m->heads.len * hs, true},
                           NULL));
    TRY(loader_array(ld, loader_find(ld, prefix, "attn.c_proj.bias"), 0, d, l->out_bias));
    TRY(norm(ld, &l->norm2, prefix, "ln_2", d));
    TRY(loader_input_side(
        ld, &l->up, 0,
        (slab){loader_find(ld, prefix, "mlp.c_fc.weight"), m->mlp.first, m->mlp.len, 0, d, true},
        loader_find(ld, prefix, "mlp.c_fc.bias"), m->mlp.first));
    TRY(loader_output_side(
        ld, &l->down,
        (slab){loader_find(ld, prefix, "mlp.c_proj.weight"), 0, d, m->mlp.first, m->mlp.len, true},
        NULL));
    return loader_array(ld, loader_find(ld, prefix, "mlp.c_proj.bias"), 0, d, l->down_bias);
}

status gpt2_load(loader *ld, model *m)
{
    int           d = m->geometry.d_model;
    const tensor *wte = checkpoint_find(ld->ck, "wte.weight");
    for (int i = 0; i < m->geometry.n_layers; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "h.%d", i);
        TRY(layer(ld, m, i, prefix));
    }
    TRY(loader_vector(ld, checkpoint_find(ld->ck, "ln_f.weight"), 0, d, ld->scale));
    TRY(loader_vector(ld, checkpoint_find(ld->ck, "ln_f.bias"), 0, d, ld->shift));
    loader_norm(ld, &m->norm_final, d);
    TRY(loader_matrix(ld, wte, m->vocab.first, m->vocab.len, 0, d, m->embedding));
    TRY(loader_input_side(ld, &m->head, 0,
                          (slab){wte, m->vocab.first, m->vocab.len, 0, d, false}, NULL, 0));
    return loader_matrix(ld, checkpoint_find(ld->ck, "wpe.weight"), 0, m->geometry.length, 0, d,
                         m->positions);
}
