#include "scene.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "noise.h"

enum { POOL = 1 << 16 }; /* floats that made-up keys are cut from */

static const char *const names[] = {"draft", "draft+commit", "commit", "refine"};

const char *scene_name(scene_kind kind)
{
    return names[kind];
}

int scene_rows(const scene *s)
{
    if (s->kind == SCENE_REFINE) return s->context;
    return s->kind == SCENE_FUSED ? 2 * s->block : s->block;
}

int scene_asks(const scene *s)
{
    if (s->kind == SCENE_REFINE) return s->wanted;
    return s->kind == SCENE_COMMIT ? 0 : 1;
}

int scene_cached(const scene *s)
{
    if (s->kind == SCENE_REFINE) return 0;
    return s->context - (s->kind == SCENE_DRAFT ? 1 : 2) * s->block;
}

/* A name for something of a document, for noise. */
static uint64_t stream(const scene *s, int d, int what)
{
    return ((uint64_t)s->seed << 32 | (uint64_t)d) * 64 + (uint64_t)what;
}

static int32_t token_at(const scene *s, int d, int position)
{
    int words = s->geometry->vocab;
    int word = (int)(noise_bits(stream(s, d, 0), (uint64_t)position) % (uint64_t)words);
    return word == s->geometry->mask_id ? (word + 1) % words : word;
}

/* Every fourth token, or so, of what is being drafted or refined; and whatever is drawn. */
static bool masked(const scene *s, int d, int position)
{
    return noise_bits(stream(s, d, 1), (uint64_t)position) % 4 == 0;
}

static void ask_about(batch *b, const scene *s, int d, int position)
{
    ask *a = batch_ask(b, position);
    a->kind = ASK_DRAW;
    a->nucleus = 0.9;
    a->temperature = 1;
    a->uniform = (double)(noise_bits(stream(s, d, 2), (uint64_t)position) >> 11) * 0x1p-53;
    b->pass.token[a->row] = s->geometry->mask_id;
}

static void put_segment(batch *b, const scene *s, int d, segment_kind kind, int first, int len)
{
    int from = first + len - s->geometry->length, slot = s->kind == SCENE_REFINE ? -1 : d;
    for (int i = 0; i < len; i++)
        s->scratch[i] = kind == SEGMENT_PROBE && masked(s, d, first + i)
                            ? s->geometry->mask_id
                            : token_at(s, d, first + i);
    /* A refinement sees the whole document, however long the model's own context is. */
    if (from < 0 || s->kind == SCENE_REFINE) from = 0;
    batch_segment(b, kind, slot, s->scratch, first, len, from);
}

void scene_put(batch *b, const scene *s, int d)
{
    int end = s->context, block = s->block;
    if (s->kind == SCENE_REFINE) {
        put_segment(b, s, d, SEGMENT_PROBE, 0, end);
        for (int i = 0; i < s->wanted; i++) ask_about(b, s, d, (int)((int64_t)i * end / s->wanted));
        return;
    }
    if (s->kind != SCENE_DRAFT) put_segment(b, s, d, SEGMENT_COMMIT, end - 2 * block, block);
    if (s->kind == SCENE_COMMIT) return;
    put_segment(b, s, d, SEGMENT_PROBE, end - block, block);
    ask_about(b, s, d, end - block + d % block);
}

/* The key (v = 0) or value of a position, as one head has it. */
static const float *made_up(const float *pool, const scene *s, int d, int layer, int head,
                            int position, int v)
{
    uint64_t which = ((uint64_t)layer << 12 | (uint64_t)head) << 32 | (uint64_t)position << 1;
    uint64_t at = noise_bits(stream(s, d, 3), which | (uint64_t)v);
    return pool + at % (uint64_t)(POOL - s->geometry->head_size);
}

/* All positions from `from` on, in one head of one layer. */
static void fill_head(const scene *s, int d, int from, const kvcache *c, int slot, const model *m,
                      int layer, int head, const float *pool, const float *nothing,
                      const kernels *k)
{
    int cached = scene_cached(s), everyones = m->heads.first + head;
    for (int p = from; p < s->context; p++) {
        const float *key = nothing, *value = nothing;
        if (p < cached) {
            key = made_up(pool, s, d, layer, everyones, p, 0);
            value = made_up(pool, s, d, layer, everyones, p, 1);
        }
        k->key_store(kvcache_tile(c, &m->kv, slot, layer, head, p, 0),
                     kvcache_tile(c, &m->kv, slot, layer, head, p, 1), key, value, p % KEY_TILE,
                     m->kv.head_size);
    }
}

status scene_fill(const scene *s, int d, int from, const kvcache *c, int slot, const model *m,
                  const kernels *k)
{
    if (s->kind == SCENE_REFINE) return DID_OK;
    float nothing[HEAD_MAX], *pool = malloc(POOL * sizeof *pool);
    if (!pool) return status_fail(DID_ENOMEM, "cannot get %zu bytes", POOL * sizeof *pool);
    for (int i = 0; i < HEAD_MAX; i++) nothing[i] = NAN;
    noise_fill(pool, POOL, 12, (uint64_t)s->seed << 32, 0, 1);
    for (int layer = 0; layer < m->kv.layers; layer++)
        for (int head = 0; head < m->kv.heads; head++)
            fill_head(s, d, from, c, slot, m, layer, head, pool, nothing, k);
    free(pool);
    return DID_OK;
}

/* Bytes of a weight's or the cache's number. */
static double number_bytes(const model *m)
{
    return m->precision == PRECISION_BF16 ? 2 : 4;
}

static void add_product(scene_cost *c, const model *m, double rows, double n, double k)
{
    if (rows == 0) return;
    c->flops += 2 * rows * n * k;
    c->bytes += number_bytes(m) * n * k;
}

/* What follows the projections of a layer. */
static void add_rest(scene_cost *c, const model *m, double rows)
{
    double d = m->geometry.d_model, mine = m->heads.len * m->geometry.head_size;
    add_product(c, m, rows, d, mine);
    add_product(c, m, rows, m->mlp.len, d);
    add_product(c, m, rows, d, m->mlp.len);
}

/* Attention of `rows` query rows of each document over what each of them sees. */
static void add_attention(scene_cost *c, const scene *s, const model *m, double rows, double sees)
{
    double width = m->heads.len * m->geometry.head_size;
    c->flops += 4 * width * rows * sees * s->documents;
}

scene_cost scene_work(const scene *s, const model *m)
{
    scene_cost c = {0};
    double     d = m->geometry.d_model, mine = m->heads.len * m->geometry.head_size;
    double rows = (double)s->documents * scene_rows(s), asks = (double)s->documents * scene_asks(s);
    double block = s->block, context = s->context;
    bool   commits = s->kind == SCENE_FUSED || s->kind == SCENE_COMMIT;
    int    layers = m->geometry.n_layers;
    for (int i = 0; i + 1 < layers; i++) {
        add_product(&c, m, rows, 3 * mine, d);
        add_rest(&c, m, rows);
        if (commits) add_attention(&c, s, m, block, context - block);
        if (s->kind != SCENE_COMMIT)
            add_attention(&c, s, m, s->kind == SCENE_REFINE ? context : block, context);
    }
    add_product(&c, m, rows, 2 * mine, d);
    add_product(&c, m, asks, mine, d);
    add_rest(&c, m, asks);
    add_attention(&c, s, m, scene_asks(s), context);
    add_product(&c, m, asks, m->vocab.len, d);
    c.bytes += number_bytes(m) * 2 * mine * scene_cached(s) * s->documents * (layers - (asks == 0));
    return c;
}
