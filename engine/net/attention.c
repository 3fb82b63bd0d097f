#include "attention.h"

#include "hands.h"

/* Tiles that positions [from, to) touch. */
static int tiles_of(int from, int to)
{
    return (to - 1) / KEY_TILE - from / KEY_TILE + 1;
}

size_t attention_scratch_bytes(int rows, int window, size_t tile_bytes)
{
    size_t own = (size_t)(rows / KEY_TILE + 2) * tile_bytes;
    size_t lists = (size_t)((rows + window) / KEY_TILE + 3) * sizeof(void *);
    return 2 * (arena_round(own) + arena_round(lists)) * (size_t)hands_count();
}

/* A pass whose segments and heads the threads share out; whose turn it is, one head of one. */
typedef struct turns {
    float             *out;
    const pass        *p;
    const projections *in;
    int                layer;
    const kvshape     *shape;
    const kvcache     *cache;
    arena             *scratch; /* one for each thread */
    const kernels     *k;
} turns;

static void commit_one(void *context, int thread, int from, int to)
{
    const turns       *t = context;
    const projections *in = t->in;
    const segment     *s = &t->p->segments[from / t->shape->heads];
    int                head = from % t->shape->heads;
    (void)thread;
    (void)to;
    if (s->kind == SEGMENT_PROBE) return;
    for (int j = 0; j < s->len; j++) {
        int    position = pass_position(t->p, s, j);
        size_t at = (size_t)(s->row + j) * (size_t)in->kv_stride +
                    (size_t)head * (size_t)t->shape->head_size;
        t->k->key_store(kvcache_tile(t->cache, t->shape, s->slot, t->layer, head, position, 0),
                        kvcache_tile(t->cache, t->shape, s->slot, t->layer, head, position, 1),
                        in->k + at, in->v + at, position % KEY_TILE, t->shape->head_size);
    }
}

void attention_commit(const pass *p, const projections *in, int layer, const kvshape *shape,
                      const kvcache *cache, const kernels *k)
{
    turns t = {.p = p, .in = in, .layer = layer, .shape = shape, .cache = cache, .k = k};
    hands_each(p->n_segments * shape->heads, commit_one, &t);
}

/* A probe's own tiles: from the tile of its first row on, beginning with what the cache holds of
 * that tile. */
static void probe_tiles(const void **k_tile, const void **v_tile, const segment *s, int head,
                        const projections *in, int layer, const kvshape *shape,
                        const kvcache *cache, arena *scratch, const kernels *k)
{
    int    hs = shape->head_size, base = s->first / KEY_TILE;
    int    n = tiles_of(s->first, s->first + s->len);
    size_t size = shape->tile_bytes;
    char  *own_k = arena_take(scratch, (size_t)n * size);
    char  *own_v = arena_take(scratch, (size_t)n * size);
    if (s->first % KEY_TILE != 0 && s->from < s->first)
        k->key_copy(own_k, own_v, kvcache_tile(cache, shape, s->slot, layer, head, s->first, 0),
                    kvcache_tile(cache, shape, s->slot, layer, head, s->first, 1),
                    s->first % KEY_TILE, hs);
    for (int j = 0; j < s->len; j++) {
        int    position = s->first + j;
        size_t tile = (size_t)(position / KEY_TILE - base) * size;
        size_t at = (size_t)(s->row + j) * (size_t)in->kv_stride + (size_t)head * (size_t)hs;
        k->key_store(own_k + tile, own_v + tile, in->k + at, in->v + at, position % KEY_TILE, hs);
    }
    for (int t = 0; t < n; t++) {
        k_tile[t] = own_k + (size_t)t * size;
        v_tile[t] = own_v + (size_t)t * size;
    }
}

/* One segment, one head. */
static void attend(float *out, int out_stride, const float *q, int rows, const segment *s, int head,
                   const projections *in, int layer, const kvshape *shape, const kvcache *cache,
                   arena *scratch, const kernels *k)
{
    size_t       mark = arena_mark(scratch);
    int          to = s->kind == SEGMENT_PATCH ? s->to : s->first + s->len;
    int          n = tiles_of(s->from, to), first = s->from / KEY_TILE;
    const void **k_tile = arena_take(scratch, (size_t)n * sizeof *k_tile);
    const void **v_tile = arena_take(scratch, (size_t)n * sizeof *v_tile);
    int          cached = s->kind == SEGMENT_PROBE ? s->first / KEY_TILE - first : n;
    for (int t = 0; t < cached; t++) {
        int position = (first + t) * KEY_TILE;
        k_tile[t] = kvcache_tile(cache, shape, s->slot, layer, head, position, 0);
        v_tile[t] = kvcache_tile(cache, shape, s->slot, layer, head, position, 1);
    }
    if (s->kind == SEGMENT_PROBE)
        probe_tiles(k_tile + cached, v_tile + cached, s, head, in, layer, shape, cache, scratch, k);
    key_tiles keys = {k_tile, v_tile, first, n, s->from, to};
    k->attend(out, out_stride, q, in->q_stride, rows, &keys, shape->head_size);
    arena_release(scratch, mark);
}

static void attend_one(void *context, int thread, int from, int to)
{
    const turns       *t = context;
    const projections *in = t->in;
    const segment     *s = &t->p->segments[from / t->shape->heads];
    int                head = from % t->shape->heads, stride = t->shape->heads * t->shape->head_size;
    int                row = in->asked_only ? s->ask : s->row;
    int                rows = in->asked_only ? s->n_asks : s->len;
    size_t             at = (size_t)head * (size_t)t->shape->head_size;
    (void)to;
    if (rows == 0 || pass_spanned(s)) return;
    attend(t->out + (size_t)row * (size_t)stride + at, stride,
           in->q + (size_t)row * (size_t)in->q_stride + at, rows, s, head, in, t->layer, t->shape,
           t->cache, &t->scratch[thread], t->k);
}

void attention_apply(float *out, const pass *p, const projections *in, int layer,
                     const kvshape *shape, const kvcache *cache, arena *scratch, const kernels *k)
{
    int    n = hands_count();
    size_t mark = arena_mark(scratch), each = (scratch->size - scratch->used) / (size_t)n;
    arena  own[HANDS_MAX];
    each -= each % ARENA_ALIGN;
    for (int i = 0; i < n; i++)
        own[i] = (arena){.base = arena_take(scratch, each), .size = each};
    turns t = {out, p, in, layer, shape, cache, own, k};
    hands_each(p->n_segments * shape->heads, attend_one, &t);
    arena_release(scratch, mark);
}
