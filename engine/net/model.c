#include "model.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loader.h"
#include "manifest.h"

/* The unit in which MLP columns are dealt out: a multiple that every vector width divides. */
enum { MLP_UNIT = 32, VOCAB_UNIT = 16 };

void model_split(model *m, const geometry *g, int r, int size)
{
    *m = (model){.geometry = *g};
    m->heads = split_part(g->n_heads, 1, size, r);
    m->mlp = split_part(g->d_mlp, MLP_UNIT, size, r);
    m->vocab = split_part(g->vocab, VOCAB_UNIT, size, r);
    m->kv = (kvshape){g->n_layers, m->heads.len, g->head_size, 0};
    model_choose(m, PRECISION_F32);
}

void model_choose(model *m, precision p)
{
    m->precision = p;
    m->kv.tile_bytes = key_tile_bytes(p, m->kv.head_size);
}

weight *model_third(model *m, int layer, int third, int *at)
{
    int mine = m->heads.len * m->geometry.head_size;
    *at = third * mine;
    if (layer + 1 < m->geometry.n_layers) return &m->layers[layer].qkv;
    if (third == 0) return &m->last_q;
    *at -= mine;
    return &m->last_kv;
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

/* Panels have places without a number, which hold 0. */
static void *panels(carver *c, int n, int k)
{
    size_t bytes = packed_bytes(n, k);
    void  *p = carve(c, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

static void carve_weight(carver *c, precision p, weight *w, int n, int k, bool bias)
{
    *w = (weight){.n = n, .k = k};
    if (p == PRECISION_F32) w->data = floats(c, n, k);
    else w->packed = panels(c, n, k);
    if (bias) w->bias = floats(c, 1, n);
}

/* The last layer's projection: two views of the whole where that is row by row, else two weights. */
static void carve_last(carver *c, model *m, const weight *whole)
{
    int mine = whole->n / 3, d = whole->k;
    m->last_q = m->last_kv = *whole;
    m->last_q.n = mine;
    m->last_kv.n = 2 * mine;
    if (whole->bias) m->last_kv.bias = whole->bias + mine;
    if (whole->data) m->last_kv.data = whole->data + (size_t)mine * (size_t)d;
    if (m->precision == PRECISION_F32) return;
    m->last_q.packed = panels(c, mine, d);
    m->last_kv.packed = panels(c, 2 * mine, d);
}

static void carve_affine(carver *c, affine *a, int d)
{
    *a = (affine){floats(c, 1, d), floats(c, 1, d)};
}

static void carve_projection(carver *c, model *m, weight *w, bool last, bool bias)
{
    int d = m->geometry.d_model, mine = m->heads.len * m->geometry.head_size;
    if (!last || m->precision == PRECISION_F32) {
        carve_weight(c, m->precision, w, 3 * mine, d, bias);
    } else {
        *w = (weight){.n = 3 * mine, .k = d};
        if (bias) w->bias = floats(c, 1, w->n);
    }
    if (last) carve_last(c, m, w);
}

static void carve_layer(carver *c, model *m, layer_weights *l, bool last, bool folded)
{
    int d = m->geometry.d_model, mine = m->heads.len * m->geometry.head_size;
    *l = (layer_weights){0};
    carve_projection(c, m, &l->qkv, last, folded || m->geometry.biased);
    carve_weight(c, m->precision, &l->out, d, mine, false);
    carve_weight(c, m->precision, &l->up, m->mlp.len, d, true);
    carve_weight(c, m->precision, &l->down, d, m->mlp.len, false);
    l->down_bias = floats(c, 1, d);
    if (m->geometry.biased) l->out_bias = floats(c, 1, d);
    if (folded) return;
    carve_affine(c, &l->norm1, d);
    carve_affine(c, &l->norm2, d);
    if (m->geometry.causal) return;
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
        carve_layer(c, m, layers ? &layers[i] : &unused, i + 1 == m->geometry.n_layers, folded);
    carve_weight(c, m->precision, &m->head, m->vocab.len, d, true);
    if (!folded) carve_affine(c, &m->norm_final, d);
    m->embedding = floats(c, m->vocab.len, d);
    if (!m->geometry.rotary) m->positions = floats(c, m->geometry.length, d);
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

/* Read and fold everything; the loader's own memory is given back before the next model. */
static status load(model *m, const checkpoint *ck, bool folded, const kernels *k)
{
    loader ld;
    TRY(loader_open(&ld, m, ck, folded, k));
    status s = m->geometry.causal ? gpt2_load(&ld, m) : bd3_load(&ld, m);
    loader_close(&ld);
    return s;
}

/* Panels are tried out once per shape; layers share shapes. */
static status prepare(model *m, const kernels *k)
{
    int     last = m->geometry.n_layers - 1;
    weight *all[] = {&m->layers[0].qkv,  &m->layers[0].out, &m->layers[0].up,
                     &m->layers[0].down, &m->last_q,        &m->last_kv, &m->head};
    size_t scratch_floats = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        size_t need = all[i]->n && all[i]->data ? panel_scratch_floats(all[i]->n, all[i]->k) : 0;
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
            pairs[w][1]->kernels = k;
            pairs[w][1]->panel = pairs[w][0]->panel;
            pairs[w][1]->product = pairs[w][0]->product;
            pairs[w][1]->any_height = pairs[w][0]->any_height;
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
    model_choose(m, k->precision);
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
        s = load(m, ck, folded, k);
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
