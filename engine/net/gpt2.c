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

static status layer(loader *ld, model *m, int which, const char *prefix)
{
    layer_weights *l = &m->layers[which];
    int    d = m->geometry.d_model, f = m->geometry.d_mlp, hs = m->geometry.head_size;
    span   mine = {m->heads.first * hs, m->heads.len * hs};
    source qkv = {.matrix = loader_find(ld, prefix, "attn.c_attn.weight"),
                  .bias = loader_find(ld, prefix, "attn.c_attn.bias"),
                  .transposed = true, .n = 3 * d, .k = d, .parts = 3, .mine = mine};
    source out = {.matrix = loader_find(ld, prefix, "attn.c_proj.weight"),
                  .transposed = true, .n = d, .k = d, .parts = 1, .mine = mine};
    source up = {.matrix = loader_find(ld, prefix, "mlp.c_fc.weight"),
                 .bias = loader_find(ld, prefix, "mlp.c_fc.bias"),
                 .transposed = true, .n = f, .k = d, .parts = 1, .mine = m->mlp};
    source down = {.matrix = loader_find(ld, prefix, "mlp.c_proj.weight"),
                   .transposed = true, .n = d, .k = f, .parts = 1, .mine = m->mlp};
    TRY(norm(ld, &l->norm1, prefix, "ln_1", d));
    TRY(loader_projection(ld, m, which, &qkv));
    TRY(loader_output(ld, &l->out, &out, NULL));
    TRY(loader_array(ld, loader_find(ld, prefix, "attn.c_proj.bias"), 0, d, l->out_bias));
    TRY(norm(ld, &l->norm2, prefix, "ln_2", d));
    TRY(loader_input(ld, &l->up, &up));
    TRY(loader_output(ld, &l->down, &down, NULL));
    return loader_array(ld, loader_find(ld, prefix, "mlp.c_proj.bias"), 0, d, l->down_bias);
}

static status head(loader *ld, model *m, const tensor *wte)
{
    int d = m->geometry.d_model;
    TRY(loader_vector(ld, checkpoint_find(ld->ck, "ln_f.weight"), 0, d, ld->scale));
    TRY(loader_vector(ld, checkpoint_find(ld->ck, "ln_f.bias"), 0, d, ld->shift));
    loader_norm(ld, &m->norm_final, d);
    source words = {.matrix = wte, .n = m->geometry.vocab, .k = d, .parts = 1, .mine = m->vocab};
    return loader_input(ld, &m->head, &words);
}

status gpt2_load(loader *ld, model *m)
{
    int           d = m->geometry.d_model;
    const tensor *wte = checkpoint_find(ld->ck, "wte.weight");
    for (int i = m->held.first; i < m->held.first + m->held.len; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "h.%d", i);
        TRY(layer(ld, m, i, prefix));
    }
    if (model_ends(m)) TRY(head(ld, m, wte));
    if (!model_begins(m)) return DID_OK;
    TRY(loader_rows(ld, wte, m->vocab, d, m->embedding));
    return loader_rows(ld, checkpoint_find(ld->ck, "wpe.weight"), (span){0, m->geometry.length}, d,
                       m->positions);
}
