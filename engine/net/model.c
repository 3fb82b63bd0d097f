#include "model.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "fold.h"
#include "manifest.h"

/* The unit in which MLP columns are dealt out: a multiple that every vector width divides. */
enum { MLP_UNIT = 32, VOCAB_UNIT = 16 };

void model_split(model *m, const geometry *g, int r, int size)
{
    *m = (model){.geometry = *g};
    m->heads = split_part(g->n_heads, 1, size, r);
    m->mlp = split_part(g->d_mlp, MLP_UNIT, size, r);
    m->vocab = split_part(g->vocab, VOCAB_UNIT, size, r);
    m->kv = (kvshape){g->n_layers, m->heads.len, g->head_size};
}

/* Walks the same list twice: once without memory to count, once to carve. */
typedef struct carver {
    arena *from; /* NULL: count only */
    size_t bytes;
} carver;

static void *carve(carver *c, size_t bytes)
{
    c->bytes += arena_round(bytes);
    return c->from ? arena_take(c->from, bytes) : NULL;
}

static float *floats(carver *c, int rows, int cols)
{
    return carve(c, (size_t)rows * (size_t)cols * sizeof(float));
}

static void carve_weight(carver *c, weight *w, int n, int k, bool bias)
{
    *w = (weight){.data = floats(c, n, k), .n = n, .k = k};
    if (bias) w->bias = floats(c, 1, n);
}

static void carve_affine(carver *c, affine *a, int d)
{
    *a = (affine){floats(c, 1, d), floats(c, 1, d)};
}

static void carve_layer(carver *c, const model *m, layer_weights *l, bool folded)
{
    int d = m->geometry.d_model, mine = m->heads.len * m->geometry.head_size;
    *l = (layer_weights){0};
    carve_weight(c, &l->qkv, 3 * mine, d, folded);
    carve_weight(c, &l->out, d, mine, false);
    carve_weight(c, &l->up, m->mlp.len, d, true);
    carve_weight(c, &l->down, d, m->mlp.len, false);
    l->down_bias = floats(c, 1, d);
    if (folded) return;
    carve_affine(c, &l->norm1, d);
    carve_affine(c, &l->norm2, d);
    l->gate1 = floats(c, 1, d);
    l->gate2 = floats(c, 1, d);
}

static void carve_model(carver *c, model *m, bool folded)
{
    int    d = m->geometry.d_model;
    layer_weights  unused;
    layer_weights *layers = carve(c, (size_t)m->geometry.n_layers * sizeof *layers);
    m->layers = layers;
    for (int i = 0; i < m->geometry.n_layers; i++)
        carve_layer(c, m, layers ? &layers[i] : &unused, folded);
    carve_weight(c, &m->head, m->vocab.len, d, true);
    if (!folded) carve_affine(c, &m->norm_final, d);
    m->embedding = floats(c, m->vocab.len, d);
    m->inv_freq = carve(c, (size_t)m->geometry.head_size / 2 * sizeof *m->inv_freq);
}

size_t model_bytes(const model *split, bool folded, size_t *embedding)
{
    model  m = *split;
    carver count = {0};
    carve_model(&count, &m, folded);
    *embedding = arena_round((size_t)m.vocab.len * (size_t)m.geometry.d_model * sizeof(float));
    return count.bytes;
}

/* What loading needs for a while: the modulation of one layer and a bias in the making. */
typedef struct loader {
    const checkpoint *ck;
    double           *c;     /* [d_cond] */
    double           *mod;   /* [6 * d_model] */
    double           *scale; /* [d_model] */
    double           *bias;  /* [longest bias] */
    float            *row;   /* [longest bias] */
    bool              folded;
} loader;

/* The arrays were carved for us to fill; the rest of the world sees them const. */
static float *own(const float *p)
{
    return (float *)(uintptr_t)p;
}

static const tensor *find(const loader *ld, const char *prefix, const char *name)
{
    char whole[128];
    snprintf(whole, sizeof whole, "%s.%s", prefix, name);
    const tensor *t = checkpoint_find(ld->ck, whole);
    assert(t); /* the manifest was checked */
    return t;
}

static void narrow(const float *out, const double *in, int n)
{
    for (int i = 0; i < n; i++) own(out)[i] = (float)in[i];
}

/* A norm's scale and shift: into ld->scale and the file's shift, or into `a` when not folded. */
static status load_norm(loader *ld, affine *a, const tensor *weight_of, const double *shift,
                        const double *scale, int d)
{
    TRY(checkpoint_read(ld->ck, weight_of, 0, 1, 0, d, ld->row));
    for (int i = 0; i < d; i++) ld->scale[i] = (double)ld->row[i] * (1 + scale[i]);
    if (!ld->folded) {
        narrow(a->scale, ld->scale, d);
        narrow(a->shift, shift, d);
    }
    return DID_OK;
}

/* Finish a weight that reads a norm: fold the norm in, and put its bias (from the file, if any) in
 * place. */
static status load_input_side(loader *ld, weight *w, const tensor *bias, int first,
                              const double *shift)
{
    for (int i = 0; i < w->n; i++) ld->bias[i] = 0;
    if (bias) {
        TRY(checkpoint_read(ld->ck, bias, 0, 1, first, w->n, ld->row));
        for (int i = 0; i < w->n; i++) ld->bias[i] = ld->row[i];
    }
    if (ld->folded) fold_input(own(w->data), ld->bias, ld->scale, shift, w->n, w->k);
    if (w->bias) narrow(w->bias, ld->bias, w->n);
    return DID_OK;
}

static status load_attention(loader *ld, model *m, layer_weights *l, const char *prefix)
{
    int           d = m->geometry.d_model, hs = m->geometry.head_size;
    int           mine = m->heads.len * hs, first = m->heads.first * hs;
    const double *shift = ld->mod, *scale = ld->mod + d, *gate = ld->mod + 2 * d;
    TRY(load_norm(ld, &l->norm1, find(ld, prefix, "norm1.weight"), shift, scale, d));
    const tensor *qkv = find(ld, prefix, "attn_qkv.weight");
    for (int third = 0; third < 3; third++)
        TRY(checkpoint_read(ld->ck, qkv, third * d + first, mine, 0, d,
                            own(l->qkv.data) + (size_t)third * (size_t)mine * (size_t)d));
    TRY(load_input_side(ld, &l->qkv, NULL, 0, shift));
    TRY(checkpoint_read(ld->ck, find(ld, prefix, "attn_out.weight"), 0, d, first, mine,
                        own(l->out.data)));
    if (ld->folded)
        fold_output(own(l->out.data), gate, d, mine);
    else
        narrow(l->gate1, gate, d);
    return DID_OK;
}

static status load_mlp(loader *ld, model *m, layer_weights *l, const char *prefix)
{
    int           d = m->geometry.d_model, mine = m->mlp.len, first = m->mlp.first;
    const double *shift = ld->mod + 3 * d, *scale = shift + d, *gate = scale + d;
    TRY(load_norm(ld, &l->norm2, find(ld, prefix, "norm2.weight"), shift, scale, d));
    TRY(checkpoint_read(ld->ck, find(ld, prefix, "mlp.0.weight"), first, mine, 0, d,
                        own(l->up.data)));
    TRY(load_input_side(ld, &l->up, find(ld, prefix, "mlp.0.bias"), first, shift));
    TRY(checkpoint_read(ld->ck, find(ld, prefix, "mlp.2.weight"), 0, d, first, mine,
                        own(l->down.data)));
    TRY(checkpoint_read(ld->ck, find(ld, prefix, "mlp.2.bias"), 0, 1, 0, d, own(l->down_bias)));
    if (!ld->folded) {
        narrow(l->gate2, gate, d);
        return DID_OK;
    }
    fold_output(own(l->down.data), gate, d, mine);
    fold_output(own(l->down_bias), gate, d, 1);
    return DID_OK;
}

static status load_head(loader *ld, model *m)
{
    int         d = m->geometry.d_model;
    const char *prefix = "backbone.output_layer";
    TRY(fold_modulation(ld->mod, ld->ck, &m->geometry, ld->c, prefix, 2));
    TRY(load_norm(ld, &m->norm_final, find(ld, prefix, "norm_final.weight"), ld->mod, ld->mod + d,
                  d));
    TRY(checkpoint_read(ld->ck, find(ld, prefix, "linear.weight"), m->vocab.first, m->vocab.len, 0,
                        d, own(m->head.data)));
    TRY(load_input_side(ld, &m->head, find(ld, prefix, "linear.bias"), m->vocab.first, ld->mod));
    return checkpoint_read(ld->ck, find(ld, "backbone", "vocab_embed.embedding"), m->vocab.first,
                           m->vocab.len, 0, d, own(m->embedding));
}

static status load(loader *ld, model *m)
{
    TRY(fold_condition(ld->c, ld->ck, &m->geometry));
    for (int i = 0; i < m->geometry.n_layers; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "backbone.blocks.%d", i);
        TRY(fold_modulation(ld->mod, ld->ck, &m->geometry, ld->c, prefix, 6));
        TRY(load_attention(ld, m, &m->layers[i], prefix));
        TRY(load_mlp(ld, m, &m->layers[i], prefix));
    }
    return load_head(ld, m);
}

static int longest_bias(const model *m)
{
    int n = 3 * m->geometry.d_model;
    if (m->mlp.len > n) n = m->mlp.len;
    if (m->vocab.len > n) n = m->vocab.len;
    return n;
}

/* Read and fold everything; the loader's own memory is given back before the next model. */
static status load_all(model *m, const checkpoint *ck, bool folded)
{
    size_t d = (size_t)m->geometry.d_model, n = (size_t)longest_bias(m);
    loader ld = {.ck = ck, .folded = folded};
    ld.c = malloc((size_t)(m->geometry.d_cond + 1) * sizeof *ld.c);
    ld.mod = malloc(6 * d * sizeof *ld.mod);
    ld.scale = malloc(d * sizeof *ld.scale);
    ld.bias = malloc(n * sizeof *ld.bias);
    ld.row = malloc(n * sizeof *ld.row);
    bool   complete = ld.c && ld.mod && ld.scale && ld.bias && ld.row;
    status s = complete ? load(&ld, m) : status_fail(DID_ENOMEM, "no memory for loading");
    free(ld.c);
    free(ld.mod);
    free(ld.scale);
    free(ld.bias);
    free(ld.row);
    return s;
}

/* Panels are tried out once per shape; layers share shapes. */
static status prepare(model *m, const kernels *k)
{
    int     d = m->geometry.d_model, last = m->geometry.n_layers - 1;
    weight *whole = &m->layers[last].qkv;
    int     mine = whole->n / 3;
    m->last_q = m->last_kv = *whole;
    m->last_q.n = mine;
    m->last_kv.n = 2 * mine;
    m->last_kv.data = whole->data + (size_t)mine * (size_t)d;
    if (whole->bias) m->last_kv.bias = whole->bias + mine;

    weight *all[] = {&m->layers[0].qkv,  &m->layers[0].out, &m->layers[0].up,
                     &m->layers[0].down, &m->last_q,        &m->last_kv, &m->head};
    size_t scratch_floats = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        size_t need = all[i]->n ? panel_scratch_floats(all[i]->n, all[i]->k) : 0;
        if (need > scratch_floats) scratch_floats = need;
    }
    float *scratch = malloc(scratch_floats * sizeof *scratch + 1);
    if (!scratch) return status_fail(DID_ENOMEM, "no memory to try out the linear kernels");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) linear_prepare(all[i], k, scratch);
    free(scratch);
    for (int i = 1; i <= last; i++) {
        layer_weights *from = &m->layers[0], *to = &m->layers[i];
        weight *pairs[][2] = {{&from->qkv, &to->qkv}, {&from->out, &to->out},
                              {&from->up, &to->up},   {&from->down, &to->down}};
        for (int w = 0; w < 4; w++) {
            pairs[w][1]->panel = pairs[w][0]->panel;
            pairs[w][1]->product = pairs[w][0]->product;
        }
    }
    return DID_OK;
}

status model_open(model *m, const char *dir, const geometry *g, int r, int size, bool folded,
                  const kernels *k)
{
    checkpoint *ck = NULL;
    size_t      embedding;
    model_split(m, g, r, size);
    status s = checkpoint_open(&ck, dir);
    if (s == DID_OK) {
        s = manifest_check(ck, g);
        if (s != DID_OK) status_at(s, "%s", dir);
    }
    if (s == DID_OK) s = arena_open(&m->memory, model_bytes(m, folded, &embedding));
    if (s == DID_OK) {
        carver c = {.from = &m->memory};
        carve_model(&c, m, folded);
        for (int i = 0; i < g->head_size / 2; i++)
            m->inv_freq[i] = pow(10000, -2.0 * i / g->head_size);
        s = load_all(m, ck, folded);
    }
    if (s == DID_OK) s = prepare(m, k);
    checkpoint_close(&ck);
    if (s != DID_OK) model_close(m);
    return s;
}

void model_close(model *m)
{
    arena_close(&m->memory);
    m->layers = NULL;
}
