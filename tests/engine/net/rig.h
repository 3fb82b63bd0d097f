/* rig.h - a model, its cache and its workspace on a row of ranks, for tests of the network.
 *
 * Passes are put together by hand here, segment by segment, without documents or schedules. */
#ifndef DID_TESTS_RIG_H
#define DID_TESTS_RIG_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "forward.h"
#include "grid.h"

typedef struct rig {
    grid          grid;
    mesh          mesh;
    model         model;
    kvcache       cache;
    arena         memory, batch_memory;
    batch         batch;
    timing        timing;
    forward_place place;
} rig;

enum { RIG_SLOTS = 4 };

/* Are the sanitizers watching? They make every pass several times slower: what has been shown without
 * them is repeated in part. */
static inline bool rig_slow(void)
{
    const char *said = getenv("DID_TEST_SANITIZED");
    return said && strcmp(said, "1") == 0;
}

/* Open `dir` on rows of `tp` ranks of `world`, for passes of `rows` rows and documents of `length`
 * positions; or, with `high` rows, in two dimensions on a mesh of high x tp ranks, all of `world`. */
static inline status rig_open_on(rig *r, const char *dir, comm *world, int high, int tp, int rows,
                                 int length, bool folded, const kernels *k)
{
    int team = high > 0 ? high * tp : tp;
    *r = (rig){0};
    geometry g;
    if (!k) return status_fail(DID_EINVAL, "no such kernels");
    grid_shape shape = {1, 1, team};
    TRY(grid_open(&r->grid, world, &shape));
    TRY(geometry_read(&g, dir));
    if (high > 0) {
        TRY(mesh_open(&r->mesh, r->grid.row, high, tp));
        TRY(model_open_mesh(&r->model, dir, &g, &r->mesh, folded, rows));
    } else {
        TRY(model_open(&r->model, dir, &g, r->grid.my_col, tp, folded, k));
    }
    r->cache = (kvcache){.slots = RIG_SLOTS, .tiles = kvcache_tiles(length, g.length)};
    r->cache.slot_bytes = kvcache_slot_bytes(&r->model.kv, r->cache.tiles);
    size_t cache = arena_round(RIG_SLOTS * r->cache.slot_bytes);
    size_t work = forward_workspace_bytes(&r->model, rows, length + rows, rows, team);
    TRY(arena_open(&r->memory, cache + work + 64));
    /* Not-a-number everywhere: whoever reads what nobody wrote shows it. */
    memset(r->memory.base, 0xff, r->memory.size);
    r->cache.base = arena_take(&r->memory, cache);
    TRY(arena_open(&r->batch_memory, batch_bytes(rows)));
    batch_open(&r->batch, rows, &r->batch_memory);
    batch_begin(&r->batch, 0);
    TRY(comm_reserve(r->grid.row, forward_sum_floats(&r->model, rows)));
    r->place = (forward_place){.model = &r->model,
                               .cache = &r->cache,
                               .kernels = k,
                               .workspace = &r->memory,
                               .timing = &r->timing,
                               .row = r->grid.row};
    return DID_OK;
}

/* In one dimension, with the kernels `k`. */
static inline status rig_open_with(rig *r, const char *dir, comm *world, int tp, int rows,
                                   int length, bool folded, const kernels *k)
{
    return rig_open_on(r, dir, world, 0, tp, rows, length, folded, k);
}

/* The same in f32, with the set of that name. */
static inline status rig_open(rig *r, const char *dir, comm *world, int tp, int rows, int length,
                              bool folded, const char *kernel_set)
{
    return rig_open_with(r, dir, world, tp, rows, length, folded, kernels_find(kernel_set));
}

static inline void rig_close(rig *r)
{
    model_close(&r->model);
    mesh_close(&r->mesh);
    arena_close(&r->memory);
    arena_close(&r->batch_memory);
    grid_close(&r->grid);
}

/* Run the pass put together in r->batch; logits [n_asks, vocab] of the whole vocabulary on every
 * rank. */
static inline status rig_logits(rig *r, float *logits)
{
    int    asks = r->batch.pass.n_asks, vocab = r->model.geometry.vocab, size = comm_size(r->grid.row);
    size_t slice = (size_t)asks * (size_t)vocab + 1;
    float *mine = calloc(slice, sizeof *mine), *all = calloc(slice * (size_t)size, sizeof *all);
    status s = forward_logits(mine, &r->batch.pass, &r->place);
    if (s == DID_OK) s = comm_gather(r->grid.row, all, mine, slice * sizeof *mine, EV_BENCH);
    for (int q = 0; s == DID_OK && q < size; q++) {
        model part;
        model_split(&part, &r->model.geometry, q, size);
        for (int i = 0; i < asks; i++)
            memcpy(logits + (size_t)i * (size_t)vocab + part.vocab.first,
                   all + (size_t)q * slice + (size_t)i * (size_t)part.vocab.len,
                   (size_t)part.vocab.len * sizeof *logits);
    }
    free(mine);
    free(all);
    batch_begin(&r->batch, 0);
    return s;
}

/* A probe all of whose rows are asked about. */
static inline void rig_probe(rig *r, int slot, const int32_t *token, int first, int len, int from)
{
    batch_segment(&r->batch, SEGMENT_PROBE, slot, token, first, len, from);
    for (int i = 0; i < len; i++) batch_ask(&r->batch, first + i);
}

static inline void rig_commit(rig *r, int slot, const int32_t *token, int first, int len, int from)
{
    batch_segment(&r->batch, SEGMENT_COMMIT, slot, token, first, len, from);
}

#endif
