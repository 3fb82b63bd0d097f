#include "stand.h"

#include <string.h>

static kvcache cache_of(const model *m, const stand_size *size)
{
    kvcache c = {.slots = size->slots, .tiles = kvcache_tiles(size->length, m->geometry.length)};
    c.slot_bytes = kvcache_slot_bytes(&m->kv, c.tiles);
    return c;
}

static size_t cache_bytes(const kvcache *c)
{
    return arena_round((size_t)c->slots * c->slot_bytes);
}

static size_t work_bytes(const model *m, const stand_size *size, int tp)
{
    return forward_workspace_bytes(m, size->rows, size->length + size->rows, 0, tp);
}

static void split_for(model *m, const geometry *g, int r, int ranks, const stand_size *size)
{
    if (size->fixed) model_split_fixed(m, g, r, ranks);
    else model_split(m, g, r, ranks);
}

size_t stand_bytes(const geometry *g, int tp, precision p, const stand_size *size)
{
    model  m;
    size_t embedding;
    split_for(&m, g, 0, tp, size);
    model_choose(&m, p);
    kvcache c = cache_of(&m, size);
    return model_bytes(&m, true, &embedding) + cache_bytes(&c) + work_bytes(&m, size, tp);
}

status stand_open(stand *s, const char *dir, const geometry *g, const grid *on, const kernels *k,
                  const stand_size *size)
{
    *s = (stand){0};
    split_for(&s->model, g, on->my_col, on->shape.cols, size);
    TRY(model_open_split(&s->model, dir, true, k));
    s->cache = cache_of(&s->model, size);
    size_t bytes = cache_bytes(&s->cache);
    status all = arena_open(&s->memory, bytes + work_bytes(&s->model, size, on->shape.cols));
    if (all == DID_OK) all = arena_open(&s->batch_memory, batch_bytes(size->rows));
    if (all != DID_OK) {
        stand_close(s);
        return all;
    }
    memset(s->memory.base, 0, s->memory.size);
    s->cache.base = arena_take(&s->memory, bytes);
    batch_open(&s->batch, size->rows, &s->batch_memory);
    s->place = (forward_place){.model = &s->model,
                               .cache = &s->cache,
                               .kernels = k,
                               .workspace = &s->memory,
                               .timing = &s->timing,
                               .row = on->row};
    return DID_OK;
}

void stand_close(stand *s)
{
    model_close(&s->model);
    arena_close(&s->memory);
    arena_close(&s->batch_memory);
}

size_t stand_sum_floats(const stand *s, const stand_size *size)
{
    return forward_sum_floats(&s->model, size->rows);
}

forward_place stand_shallow(model *m, const stand *s, int layers)
{
    forward_place at = s->place;
    *m = s->model;
    m->layers += m->geometry.n_layers - layers;
    m->geometry.n_layers = layers;
    m->held = (span){0, layers};
    at.model = m;
    return at;
}
