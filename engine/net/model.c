#include "model.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loader.h"
#include "manifest.h"
#include "places.h"
#include "shards.h"
#include "strata.h"

void model_split(model *m, const geometry *g, int r, int size)
{
    *m = (model){.geometry = *g};
    m->heads = split_part(g->n_heads, 1, size, r);
    m->mlp = split_part(g->d_mlp, SPLIT_MLP, size, r);
    m->vocab = split_part(g->vocab, SPLIT_VOCAB, size, r);
    m->held = (span){0, g->n_layers};
    m->kv = (kvshape){g->n_layers, m->heads.len, g->head_size, 0};
    model_choose(m, PRECISION_F32);
}

void model_split_fixed(model *m, const geometry *g, int r, int size)
{
    *m = (model){.geometry = *g, .shards = SHARDS / size, .first_shard = SHARDS / size * r};
    m->heads = shards_of(g->n_heads, 1, r, size);
    m->mlp = shards_of(g->d_mlp, SPLIT_MLP, r, size);
    m->vocab = shards_of(g->vocab, SPLIT_VOCAB, r, size);
    m->held = (span){0, g->n_layers};
    m->kv = (kvshape){g->n_layers, m->heads.len, g->head_size, 0};
    model_choose(m, PRECISION_F32);
}

void model_deepen(model *m, int depth, int depths, double last)
{
    m->held = strata_part(m->geometry.n_layers, last, depths, depth);
    m->kv.layers = m->held.len;
}

bool model_begins(const model *m)
{
    return m->held.first == 0;
}

bool model_ends(const model *m)
{
    return m->held.first + m->held.len == m->geometry.n_layers;
}

void model_choose(model *m, precision p)
{
    m->precision = p;
    m->kv.tile_bytes = key_tile_bytes(p, m->kv.head_size);
}

slices model_slices(const model *m)
{
    slices out = {.n = 1, .at = {m->vocab}};
    for (int i = 0; i < m->shards; i++)
        out.at[i] = shards_part(m->geometry.vocab, SPLIT_VOCAB, m->first_shard + i);
    if (m->shards > 0) out.n = m->shards;
    return out;
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

void model_split_mesh(model *m, const geometry *g, const mesh *on)
{
    model_split(m, g, on->rank, mesh_size(on));
    m->mesh = on;
}

/* The whole of each shape of weight, and which of its sides is split as what. */
typedef struct whole {
    int  n, k;
    int  parts;                       /* equal parts of that side */
    span (*part)(const model *m, int rank); /* of each of them, in features */
    bool heads_out;                   /* made for the vocabulary's rows */
} whole;

static span head_part(const model *m, int r)
{
    span heads = split_part(m->geometry.n_heads, 1, mesh_size(m->mesh), r);
    return (span){heads.first * m->geometry.head_size, heads.len * m->geometry.head_size};
}

static span mlp_part(const model *m, int r)
{
    return split_part(m->geometry.d_mlp, SPLIT_MLP, mesh_size(m->mesh), r);
}

static span vocab_part(const model *m, int r)
{
    return split_part(m->geometry.vocab, SPLIT_VOCAB, mesh_size(m->mesh), r);
}

static whole whole_of(const model *m, int shape)
{
    int d = m->geometry.d_model, f = m->geometry.d_mlp;
    switch (shape) {
    case TILES_QKV: return (whole){3 * d, d, 3, head_part, false};
    case TILES_OUT: return (whole){d, d, 1, head_part, false};
    case TILES_UP: return (whole){f, d, 1, mlp_part, false};
    case TILES_DOWN: return (whole){d, f, 1, mlp_part, false};
    case TILES_HEAD: return (whole){m->geometry.vocab, d, 1, vocab_part, true};
    case TILES_LAST_Q: return (whole){d, d, 1, head_part, false};
    default: return (whole){2 * d, d, 2, head_part, false};
    }
}

static size_t scratch_shards(const model *m, int rows)
{
    int most = m->heads.len * m->geometry.head_size;
    if (m->mlp.len > most) most = m->mlp.len;
    return m->shards > 0 ? shards_bytes(rows, m->geometry.d_model, most, m->shards) : 0;
}

size_t model_scratch_bytes(const model *m, int rows)
{
    size_t most = scratch_shards(m, rows);
    for (int i = 0; m->mesh && i < TILES_LAST_Q; i++) { /* the last layer's are parts of qkv */
        whole  w = whole_of(m, i);
        int    mine = w.parts * w.part(m, 0).len; /* the first rank has the most */
        size_t need = mosaic_scratch_bytes(m->mesh, w.n, w.k, mine, w.heads_out ? HEAD_ROWS : rows);
        if (need > most) most = need;
    }
    return most;
}

size_t model_library_bytes(const model *m)
{
    /* Code and packing buffers that nobody touches before; then panels of both operands. */
    enum { ALWAYS = 6 << 20, PANEL_WIDTH = 256, PANELS = 2 };
    if (!m->mesh) return 0;
    size_t widest = (size_t)(3 * m->geometry.d_model / m->mesh->cols);
    return ALWAYS + PANELS * PANEL_WIDTH * widest * sizeof(float);
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

/* A weight that the transformer sees as [n, k] on this rank. */
static void carve_weight(carver *c, const model *m, int shape, weight *w, int n, int k, bool bias)
{
    *w = (weight){.n = n, .k = k};
    if (m->mesh) {
        whole all = whole_of(m, shape);
        w->data = carve(c, mosaic_floats(m->mesh, all.n, all.k) * sizeof *w->data);
        w->tiles = &m->tiles[shape];
    } else if (m->precision == PRECISION_F32) {
        w->data = floats(c, n, k);
    } else {
        w->packed = panels(c, n, k);
    }
    if (bias) w->bias = floats(c, 1, n);
}

/* Inputs of my part number `i`, among mine. */
static span inputs_of(const model *m, int shape, int i)
{
    int  hs = m->geometry.head_size, at = m->first_shard + i;
    span heads = shards_part(m->geometry.n_heads, 1, at);
    span mlp = shards_part(m->geometry.d_mlp, SPLIT_MLP, at);
    if (shape == TILES_DOWN) return (span){mlp.first - m->mlp.first, mlp.len};
    return (span){(heads.first - m->heads.first) * hs, heads.len * hs};
}

/* A weight whose inputs are split over the ranks. */
static void carve_output(carver *c, const model *m, int shape, weight *w, int n, int k)
{
    if (m->shards == 0) {
        carve_weight(c, m, shape, w, n, k, false);
        return;
    }
    shard *all = carve(c, (size_t)m->shards * sizeof *all), unused;
    *w = (weight){.n = n, .k = k, .shards = all, .n_shards = m->shards};
    for (int i = 0; i < m->shards; i++) {
        span   inputs = inputs_of(m, shape, i);
        shard *part = all ? &all[i] : &unused;
        part->first = inputs.first;
        carve_weight(c, m, shape, &part->whole, n, inputs.len, false);
    }
}

/* The last layer's projection: two views of the whole where that is row by row, else two weights. */
static void carve_last(carver *c, model *m, const weight *all)
{
    int mine = all->n / 3, d = all->k;
    m->last_q = m->last_kv = *all;
    m->last_q.n = mine;
    m->last_kv.n = 2 * mine;
    if (all->bias) m->last_kv.bias = all->bias + mine;
    if (m->mesh) {
        m->last_q.tiles = &m->tiles[TILES_LAST_Q];
        m->last_kv.tiles = &m->tiles[TILES_LAST_KV];
        return;
    }
    if (all->data) m->last_kv.data = all->data + (size_t)mine * (size_t)d;
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
        carve_weight(c, m, TILES_QKV, w, 3 * mine, d, bias);
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
    carve_output(c, m, TILES_OUT, &l->out, d, mine);
    carve_weight(c, m, TILES_UP, &l->up, m->mlp.len, d, true);
    carve_output(c, m, TILES_DOWN, &l->down, d, m->mlp.len);
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
    int            d = m->geometry.d_model, n = m->geometry.n_layers;
    layer_weights  unused;
    layer_weights *layers = carve(c, (size_t)n * sizeof *layers);
    m->layers = layers;
    if (layers) memset(layers, 0, (size_t)n * sizeof *layers);
    for (int i = m->held.first; i < m->held.first + m->held.len; i++)
        carve_layer(c, m, layers ? &layers[i] : &unused, i + 1 == n, folded);
    if (model_ends(m)) carve_weight(c, m, TILES_HEAD, &m->head, m->vocab.len, d, true);
    if (model_ends(m) && !folded) carve_affine(c, &m->norm_final, d);
    if (model_begins(m)) m->embedding = floats(c, m->vocab.len, d);
    if (model_begins(m) && !m->geometry.rotary) m->positions = floats(c, m->geometry.length, d);
    m->inv_freq = carve(c, (size_t)m->geometry.head_size / 2 * sizeof *m->inv_freq);
}

size_t model_bytes(const model *split, bool folded, size_t *embedding)
{
    model  m = *split;
    carver count = {0};
    carve_model(&count, &m, folded);
    *embedding = arena_round((size_t)m.vocab.len * (size_t)m.geometry.d_model * sizeof(float));
    if (!model_begins(&m)) *embedding = 0;
    return count.bytes;
}

/* Read and fold everything; the loader's own memory is given back before the next model. */
static status load(model *m, const checkpoint *ck, bool folded, const kernels *k)
{
    loader ld;
    status opened = loader_open(&ld, m, ck, folded, k);
    if (m->mesh) opened = comm_agree(m->mesh->ranks, opened);
    if (opened != DID_OK) loader_close(&ld);
    TRY(opened);
    status s = m->geometry.causal ? gpt2_load(&ld, m) : bd3_load(&ld, m);
    if (m->mesh && !ld.agreed) s = comm_agree(m->mesh->ranks, s);
    loader_close(&ld);
    return s;
}

/* Nothing is tried out for them: they are multiplied by sets that take panels of any height. */
static void prepare_shards(weight *w, const kernels *k)
{
    w->kernels = k;
    for (int i = 0; i < w->n_shards; i++)
        linear_prepare((weight *)(uintptr_t)&w->shards[i].whole, k, NULL);
}

/* Panels are tried out once per shape; layers share shapes. */
static status prepare(model *m, const kernels *k)
{
    layer_weights *from = &m->layers[m->held.first];
    weight        *all[] = {&from->qkv, &from->out,   &from->up, &from->down,
                            &m->last_q, &m->last_kv, &m->head};
    size_t scratch_floats = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        size_t need = all[i]->n && all[i]->data ? panel_scratch_floats(all[i]->n, all[i]->k) : 0;
        if (need > scratch_floats) scratch_floats = need;
    }
    float *scratch = malloc(scratch_floats * sizeof *scratch + 1);
    if (!scratch) return status_fail(DID_ENOMEM, "no memory to try out the linear kernels");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) linear_prepare(all[i], k, scratch);
    free(scratch);
    for (int i = 1; i < m->held.len; i++) {
        layer_weights *to = from + i;
        weight *pairs[][2] = {{&from->qkv, &to->qkv}, {&from->out, &to->out},
                              {&from->up, &to->up},   {&from->down, &to->down}};
        for (int w = 0; w < 4; w++) {
            pairs[w][1]->kernels = k;
            pairs[w][1]->panel = pairs[w][0]->panel;
            pairs[w][1]->product = pairs[w][0]->product;
            pairs[w][1]->any_height = pairs[w][0]->any_height;
        }
    }
    for (int i = 0; i < m->held.len && m->shards > 0; i++) {
        prepare_shards(&from[i].out, k);
        prepare_shards(&from[i].down, k);
    }
    return DID_OK;
}

/* The checkpoint in `dir`, found to be of geometry `g`, and the model's memory, carved. Local. */
static status begin(model *m, checkpoint **ck, const char *dir, const geometry *g, bool folded)
{
    size_t embedding;
    TRY(checkpoint_open(ck, dir));
    status s = manifest_check(*ck, g);
    if (s != DID_OK) return status_at(s, "%s", dir);
    TRY(arena_open(&m->memory, model_bytes(m, folded, &embedding)));
    carver c = {.from = &m->memory};
    carve_model(&c, m, folded);
    for (int i = 0; i < g->head_size / 2; i++)
        m->inv_freq[i] = pow(10000, -2.0 * i / g->head_size);
    return DID_OK;
}

status model_open_split(model *m, const char *dir, bool folded, const kernels *k)
{
    checkpoint *ck = NULL;
    geometry    g = m->geometry;
    model_choose(m, k->precision);
    status s = begin(m, &ck, dir, &g, folded);
    if (s == DID_OK) s = load(m, ck, folded, k);
    if (s == DID_OK) s = prepare(m, k);
    checkpoint_close(&ck);
    if (s != DID_OK) model_close(m);
    return s;
}

status model_open(model *m, const char *dir, const geometry *g, int r, int size, bool folded,
                  const kernels *k)
{
    model_split(m, g, r, size);
    return model_open_split(m, dir, folded, k);
}

/* Describe every shape of weight. Local. */
static status describe(model *m, int rows)
{
    int   ranks = mesh_size(m->mesh), d = m->geometry.d_model;
    span *spans = malloc((size_t)ranks * sizeof *spans);
    if (!spans) return status_fail(DID_ENOMEM, "no memory for %d ranks", ranks);
    status s = DID_OK;
    for (int i = 0; s == DID_OK && i < TILES; i++) {
        whole w = whole_of(m, i);
        for (int r = 0; r < ranks; r++) spans[r] = w.part(m, r);
        if (i < TILES_LAST_Q)
            s = mosaic_init(&m->tiles[i], m->mesh, w.n, w.k, w.parts, spans,
                            w.heads_out ? HEAD_ROWS : rows);
        else
            s = mosaic_view(&m->tiles[i], &m->tiles[TILES_QKV], i == TILES_LAST_Q ? 0 : d, w.n,
                            w.parts, rows);
    }
    free(spans);
    return s;
}

/* Once per shape, in memory that loading will fill. Collective over the mesh. */
static status find_places(model *m)
{
    const layer_weights *l = &m->layers[0];
    const weight        *all[TILES] = {&l->qkv,  &l->out,    &l->up,     &l->down,
                                       &m->head, &m->last_q, &m->last_kv};
    for (int i = 0; i < TILES; i++)
        TRY(places_find(&m->tiles[i], loader_own(all[i]->data)));
    return DID_OK;
}

status model_open_mesh(model *m, const char *dir, const geometry *g, const mesh *on, bool folded,
                       int rows)
{
    checkpoint *ck = NULL;
    model_split_mesh(m, g, on);
    status s = describe(m, rows);
    if (s == DID_OK) s = begin(m, &ck, dir, g, folded);
    s = comm_agree(on->ranks, s);
    if (s == DID_OK) s = find_places(m);
    if (s == DID_OK) s = load(m, ck, folded, kernels_find(NULL));
    checkpoint_close(&ck);
    if (s != DID_OK) model_close(m);
    return s;
}

void model_close(model *m)
{
    for (int i = 0; i < TILES; i++) mosaic_clear(&m->tiles[i]);
    arena_close(&m->memory);
    m->layers = NULL;
}
