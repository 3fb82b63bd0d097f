#include "engine.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accord.h"
#include "grid.h"
#include "hands.h"
#include "log.h"
#include "pipeline.h"
#include "shards.h"

/* Changes whenever the same command may give other bytes than the version before. */
enum { ENGINE_NUMERICS = 1 };

struct engine {
    engine_settings settings;
    grid            grid;
    mesh            mesh;    /* of --layout 2d */
    model           models[ENGINE_MODELS_MAX];
    kvcache         cache;
    arena           memory;  /* cache, workspace, batch, scratch of decisions */
    pipeline        pipeline;
    engine_memory   bytes;
    char            signature[512];
};

bool engine_reproduces(int tp)
{
    return SHARDS % tp == 0;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* A mesh is one row of all its ranks. */
static grid_shape shape_of(const engine_settings *s)
{
    if (s->mesh_rows > 0) return (grid_shape){1, 1, s->mesh_rows * s->tp};
    return (grid_shape){larger(s->span, 1), larger(s->depth, 1), s->tp};
}

int engine_team(const engine_settings *s)
{
    grid_shape shape = shape_of(s);
    return grid_team(&shape);
}

static int refine_rows(const engine_settings *s, const geometry *g)
{
    return smaller(s->length_max, s->refine_window > 0 ? s->refine_window : g->length);
}

/* The longest segment any model may be given. */
static int longest_segment(const engine_settings *s, const model *models)
{
    int rows = 0;
    for (int i = 0; i < s->n_models; i++) {
        const geometry *g = &models[i].geometry;
        rows = larger(rows, larger(refine_rows(s, g), smaller(s->length_max, g->length)));
    }
    return rows;
}

/* The longest refine window. */
static int longest_window(const engine_settings *s, const model *models)
{
    int rows = 0;
    for (int i = 0; i < s->n_models; i++) rows = larger(rows, refine_rows(s, &models[i].geometry));
    return rows;
}

/* What one row of a team evaluates in a pass: where windows are spanned, a part of the longest. */
static int rows_max(const engine_settings *s, const model *models)
{
    int abreast = shape_of(s).span;
    if (abreast == 1) return larger(s->pass_rows, longest_segment(s, models));
    return larger(s->pass_rows, portion_part_max(longest_window(s, models), abreast));
}

static team_size team_size_of(const engine_settings *s, const model *models)
{
    int abreast = shape_of(s).span, rows = rows_max(s, models);
    return (team_size){rows, abreast * rows, abreast > 1 ? longest_window(s, models) : 0};
}

static int groups_of(const engine_settings *s)
{
    return s->groups > 0 ? s->groups : shape_of(s).depth;
}

/* What travels from depth to depth. */
static chain_size chain_size_of(const engine_settings *s, const model *models)
{
    chain_size size = {rows_max(s, models), 0};
    for (int i = 0; i < s->n_models; i++) size.width = larger(size.width, models[i].geometry.d_model);
    return size;
}

static int ring_tiles(const engine_settings *s, const model *models)
{
    int tiles = 1;
    for (int i = 0; i < s->n_models; i++)
        tiles = larger(tiles, kvcache_tiles(s->length_max, models[i].geometry.length));
    return tiles;
}

static size_t slot_bytes(const engine_settings *s, const model *models)
{
    size_t bytes = 0;
    for (int i = 0; i < s->n_models; i++) {
        size_t need = kvcache_slot_bytes(&models[i].kv, ring_tiles(s, models));
        if (need > bytes) bytes = need;
    }
    return bytes;
}

/* Of the largest key tiles. */
static size_t tile_bytes(const engine_settings *s, const model *models)
{
    size_t bytes = 0;
    for (int i = 0; i < s->n_models; i++)
        if (models[i].kv.tile_bytes > bytes) bytes = models[i].kv.tile_bytes;
    return bytes;
}

static size_t decision_bytes(const engine_settings *s, const model *models)
{
    size_t n = (size_t)s->length_max;
    return arena_round(n * sizeof(ranked)) + arena_round(n * sizeof(int)) +
           arena_round((size_t)models[0].geometry.vocab * sizeof(int));
}

static size_t sum_floats(const engine_settings *s, const model *models)
{
    size_t n = 0;
    for (int i = 0; i < s->n_models; i++) {
        size_t need = forward_sum_floats(&models[i], rows_max(s, models));
        if (need > n) n = need;
    }
    return n;
}

/* What one rank needs, given its split models. */
static engine_memory measure(const engine_settings *s, const model *models)
{
    engine_memory m = {0};
    grid_shape    shape = shape_of(s);
    team_size     size = team_size_of(s, models);
    size_t        workspace = 0;
    for (int i = 0; i < s->n_models; i++) {
        size_t embedding, all = model_bytes(&models[i], s->folded, &embedding);
        size_t forward = forward_workspace_bytes(
            &models[i], rows_max(s, models), longest_segment(s, models) + models[i].geometry.length,
            size.wide, shape_of(s).cols);
        m.weights += all - embedding;
        m.embedding += embedding;
        if (forward > workspace) workspace = forward;
    }
    m.cache = arena_round((size_t)s->documents * slot_bytes(s, models));
    chain_size down = chain_size_of(s, models);
    m.workspace = workspace + (size_t)groups_of(s) * batch_bytes(size.team_rows) +
                  decision_bytes(s, models) + team_bytes(&size, shape_of(s).span) +
                  chain_bytes(&down, &shape, groups_of(s));
    m.wire = comm_sum_bytes(shape_of(s).cols, sum_floats(s, models)) + model_library_bytes(models);
    m.total = m.weights + m.embedding + m.cache + m.workspace + m.wire;
    return m;
}

static precision precision_of(const engine_settings *s)
{
    return s->bf16 ? PRECISION_BF16 : PRECISION_F32;
}

/* Do both read the same tokens? A model that only scores has no mask among them. */
static bool same_tokens(const geometry *g, const geometry *first)
{
    if (g->causal && !first->causal)
        return g->vocab == first->vocab - (first->mask_id == first->vocab - 1);
    return g->vocab == first->vocab && g->mask_id == first->mask_id;
}

/* Configs of all models, split for rank `r` of a row at `depth`, which may lie on a mesh; they must
 * agree on what a document is made of. */
static status read_models(model *models, const engine_settings *s, int r, int depth, const mesh *on)
{
    int depths = shape_of(s).depth;
    for (int i = 0; i < s->n_models; i++) {
        geometry        g;
        const geometry *first = &models[0].geometry;
        TRY(geometry_read(&g, s->model[i]));
        if (s->mesh_rows > 0) model_split_mesh(&models[i], &g, on);
        else if (s->reproducible) model_split_fixed(&models[i], &g, r, s->tp);
        else model_split(&models[i], &g, r, s->tp);
        model_choose(&models[i], precision_of(s));
        if (!same_tokens(&g, first))
            return status_fail(DID_EFORMAT,
                               "%s has vocabulary %d and mask id %d, expected %d and %d as in %s: "
                               "all stages of a run share one tokenizer",
                               s->model[i], g.vocab, g.mask_id, first->vocab, first->mask_id,
                               s->model[0]);
        if (s->mesh_rows == 0 && s->tp > g.n_heads)
            return status_fail(DID_EINVAL, "%s has %d heads, too few to split over %d ranks",
                               s->model[i], g.n_heads, s->tp);
        if (depths > g.n_layers)
            return status_fail(DID_EINVAL, "%s has %d layers, too few for a depth of %d",
                               s->model[i], g.n_layers, depths);
        model_deepen(&models[i], depth, depths, s->last_layer > 0 ? s->last_layer : 1);
    }
    return DID_OK;
}

status engine_plan(engine_memory *out, const engine_settings *s)
{
    model models[ENGINE_MODELS_MAX];
    mesh  on = {.rows = s->mesh_rows, .cols = s->tp};
    *out = (engine_memory){0};
    for (int depth = 0; depth < shape_of(s).depth; depth++) {
        TRY(read_models(models, s, 0, depth, &on)); /* the first rank gets the larger parts */
        engine_memory here = measure(s, models);
        if (here.total > out->total) *out = here;
    }
    return DID_OK;
}

/* One rank reads a checkpoint whole to name it; the name travels. */
static status identify(engine *e, comm *world)
{
    uint64_t hash[ENGINE_MODELS_MAX] = {0};
    status   s = DID_OK;
    for (int i = 0; comm_rank(world) == 0 && s == DID_OK && i < e->settings.n_models; i++) {
        checkpoint *ck = NULL;
        s = checkpoint_open(&ck, e->settings.model[i]);
        if (s == DID_OK) s = checkpoint_hash(ck, &hash[i]);
        checkpoint_close(&ck);
    }
    TRY(comm_agree(world, s));
    TRY(comm_broadcast(world, hash, sizeof hash, 0, EV_SETUP));
    for (int i = 0; i < e->settings.n_models; i++) e->models[i].hash = hash[i];
    return DID_OK;
}

static void sign(engine *e, const kernels *k)
{
    char set[160];
    snprintf(set, sizeof set, "%s", k->name);
    if (strcmp(k->name, "blas") == 0)
        snprintf(set, sizeof set, "%s on %s beside %s", k->name, kernels_blas(),
                 kernels_available()[0]);
    char layout[160];
    bool narrow = e->settings.narrow_wire && e->settings.tp > 1; /* one rank sends nothing */
    snprintf(layout, sizeof layout, "tp=%d%s", e->settings.tp, narrow ? " wire=bf16" : "");
    if (e->settings.reproducible) snprintf(layout, sizeof layout, "reproducible/%d", SHARDS);
    if (e->settings.mesh_rows > 0)
        snprintf(layout, sizeof layout, "layout=2d %dx%d on %s", e->settings.mesh_rows,
                 e->settings.tp, kernels_blas());
    int n = snprintf(e->signature, sizeof e->signature, "did/%d %s %s %s kernels=%s models=",
                     ENGINE_NUMERICS, e->settings.bf16 ? "bf16" : "f32",
                     e->settings.folded ? "folded" : "unfolded", layout, set);
    for (int i = 0; i < e->settings.n_models && n < (int)sizeof e->signature; i++)
        n += snprintf(e->signature + n, sizeof e->signature - (size_t)n, "%s%016llx", i ? "," : "",
                      (unsigned long long)e->models[i].hash);
}

/* The grid as the cost model sees it. */
static cost_layout layout_of(const engine_settings *s, const comm *world)
{
    int depth = larger(s->depth, 1), rows = comm_size(world) / (s->tp * depth);
    return (cost_layout){.rows = s->mesh_rows > 0 ? s->mesh_rows : rows,
                         .cols = s->tp,
                         .depth = depth,
                         .span = larger(s->span, 1),
                         .groups = groups_of(s),
                         .mesh = s->mesh_rows > 0,
                         .bf16_wire = s->narrow_wire,
                         .per_host = larger(s->per_host, 1),
                         .last = s->last_layer};
}

/* Cache, workspace and the scratch of decisions, out of one arena. */
static status furnish(engine *e, const kernels *k)
{
    const engine_settings *s = &e->settings;
    pipeline              *p = &e->pipeline;
    const geometry        *g = &e->models[0].geometry;
    TRY(arena_open(&e->memory, e->bytes.cache + e->bytes.workspace));
    /* First touch here, by the thread that will use it; and what was planned is what is resident. */
    memset(e->memory.base, 0, e->memory.size);
    e->cache = (kvcache){.slot_bytes = slot_bytes(s, e->models),
                         .slots = s->documents,
                         .tiles = ring_tiles(s, e->models)};
    e->cache.base = arena_take(&e->memory, e->bytes.cache);
    team_size size = team_size_of(s, e->models);
    int       abreast = shape_of(s).span;
    *p = (pipeline){
        .models = e->models, .documents = abreast * s->documents, .groups = groups_of(s),
        .tier = e->grid.tier};
    /* Curves are of one thread and of the usual products. */
    bool priced = hands_count() == 1 && !s->reproducible;
    p->price = (cost_place){.machine = priced ? s->machine : NULL,
                            .link = s->machine ? s->machine->link : (calibration_link){0},
                            .layout = layout_of(s, e->grid.world),
                            .precision = s->bf16};
    p->rules = (rules){.mask_id = g->mask_id,
                         .end_id = s->end_id,
                         .vocab = g->vocab,
                         .fused_commit = s->fused_commit,
                         .pass_rows = s->pass_rows,
                         .rows_max = rows_max(s, e->models),
                         .cache = &e->cache};
    for (int i = 0; i < s->n_models; i++) {
        p->rules.window[i] = e->models[i].geometry.length;
        p->rules.refine_window[i] =
            s->refine_window > 0 ? s->refine_window : e->models[i].geometry.length;
    }
    size_t n = (size_t)s->length_max;
    p->rules.ranked = arena_take(&e->memory, n * sizeof *p->rules.ranked);
    p->rules.position = arena_take(&e->memory, n * sizeof *p->rules.position);
    p->rules.counts = arena_take(&e->memory, (size_t)g->vocab * sizeof *p->rules.counts);
    memset(p->rules.counts, 0, (size_t)g->vocab * sizeof *p->rules.counts);
    for (int i = 0; i < p->groups; i++) {
        batch_open(&p->batch[i], size.team_rows, &e->memory);
        batch_team(&p->batch[i], abreast);
    }
    chain_size down = chain_size_of(s, e->models);
    TRY(chain_open(&p->chain, &e->grid, &down, p->groups, &e->memory));
    TRY(team_open(&p->rows, &e->grid, &size, tile_bytes(s, e->models), &e->memory));
    p->place = (forward_place){.cache = &e->cache,
                               .kernels = k,
                               .workspace = &e->memory,
                               .timing = &p->timing,
                               .row = e->grid.row,
                               .spanned = abreast > 1 ? &p->rows.spanned : NULL,
                               .chain = e->grid.shape.depth > 1 ? e->grid.chain : NULL};
    return DID_OK;
}

/* The part of opening that may fail on this rank alone. On a mesh models are opened by all ranks
 * together, and that fails alike on all of them. */
static status open_here(engine *e, const kernels *k)
{
    const engine_settings *s = &e->settings;
    e->bytes = measure(s, e->models);
    for (int i = 0; i < s->n_models; i++) {
        geometry g = e->models[i].geometry;
        if (s->mesh_rows > 0)
            TRY(model_open_mesh(&e->models[i], s->model[i], &g, &e->mesh, s->folded,
                                rows_max(s, e->models)));
        else
            TRY(model_open_split(&e->models[i], s->model[i], s->folded, k));
    }
    return furnish(e, k);
}

/* What a pass costs on a mesh, which nobody can see from outside: products are made for so many
 * rows, and so many of these places gave a row the same bits. */
static void say_places(const engine *e)
{
    static const char *const names[TILES] = {"qkv", "out", "up", "down", "head", "last q", "last kv"};
    int used = 0, all = 0;
    for (int i = 0; i < e->settings.n_models; i++) {
        char   text[512] = "";
        size_t n = 0;
        for (int shape = 0; shape < TILES; shape++) {
            const mosaic *t = &e->models[i].tiles[shape];
            for (int h = 0; h < t->n_heights && n < sizeof text; h++) {
                int made = e->mesh.rows * t->height[h].m;
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%d of %d",
                                      h ? ", " : n ? "; " : "", t->height[h].capacity, made);
                used += t->height[h].capacity;
                all += made;
            }
            if (n < sizeof text)
                n += (size_t)snprintf(text + n, sizeof text - n, " (%s)", names[shape]);
        }
        log_say("layout", "model %d: rows used of those a product is made for: %s", i, text);
    }
    if (used < all)
        log_warn("layout", "%s under PBLAS sums a row differently in different places of a product;"
                 " only places that agree are used, the others are computed for nothing",
                 kernels_blas());
}

static status open_all(engine *e, comm *world)
{
    const kernels *k = NULL;
    const engine_settings *s = &e->settings;
    if (s->mesh_rows > 0) TRY(mesh_open(&e->mesh, world, s->mesh_rows, s->tp));
    TRY(comm_agree(world, read_models(e->models, s, e->grid.my_col, e->grid.my_depth, &e->mesh)));
    TRY(hands_open(s->threads, world));
    TRY(accord_kernels(&k, s, world));
    if (strcmp(k->name, "blas") == 0 || s->mesh_rows > 0) TRY(accord_blas(world));
    TRY(comm_agree(world, open_here(e, k)));
    TRY(comm_agree(world, comm_reserve(e->grid.row, sum_floats(&e->settings, e->models))));
    TRY(comm_agree(world, comm_share(e->grid.row)));
    TRY(comm_agree(world, chain_slice(&e->pipeline.chain, &e->grid)));
    if (s->reproducible) comm_pair(e->grid.row);
    if (s->narrow_wire) comm_narrow(e->grid.row);
    TRY(identify(e, world));
    sign(e, k);
    log_say("engine", "%s", e->signature);
    if (s->mesh_rows > 0) say_places(e);
    return DID_OK;
}

status engine_open(engine **out, const engine_settings *settings, comm *world)
{
    assert(settings->span <= 1 || (settings->depth <= 1 && settings->mesh_rows == 0));
    assert(!settings->reproducible || (settings->mesh_rows == 0 && engine_reproduces(settings->tp)));
    assert(settings->depth <= 1 || settings->mesh_rows == 0);
    static_assert(ENGINE_GROUPS_MAX <= (int)CHAIN_GROUPS_MAX, "every group has its answers");
    assert(groups_of(settings) <= ENGINE_GROUPS_MAX);
    assert(settings->tp > 0 && comm_size(world) % engine_team(settings) == 0);
    assert(settings->n_models > 0 &&
           (settings->mesh_rows == 0 || comm_size(world) == engine_team(settings)));
    engine    *e = calloc(1, sizeof *e);
    grid_shape shape = shape_of(settings);
    *out = e;
    status     s = e ? DID_OK : status_fail(DID_ENOMEM, "no memory for the engine");
    if (e) e->settings = *settings;
    s = comm_agree(world, s);
    if (s == DID_OK) s = grid_open(&e->grid, world, &shape);
    if (s == DID_OK) s = open_all(e, world);
    if (s != DID_OK) engine_close(out);
    return s;
}

void engine_close(engine **out)
{
    engine *e = *out;
    *out = NULL;
    if (!e) return;
    for (int i = 0; i < e->settings.n_models; i++) model_close(&e->models[i]);
    team_close(&e->pipeline.rows);
    chain_close(&e->pipeline.chain);
    arena_close(&e->memory);
    mesh_close(&e->mesh);
    grid_close(&e->grid);
    free(e);
}

status engine_run(engine *e, const engine_feed *feed)
{
    assert(feed || !engine_leads(e));
    status mine = pipeline_run(&e->pipeline, feed), met = comm_meet(e->grid.world, EV_ROWS);
    return comm_agree(e->grid.world, mine == DID_OK ? met : mine);
}

bool engine_leads(const engine *e)
{
    return comm_rank(e->grid.team) == 0;
}

int engine_row(const engine *e)
{
    return e->grid.my_team;
}

const geometry *engine_geometry(const engine *e, int i)
{
    return &e->models[i].geometry;
}

uint64_t engine_model_hash(const engine *e, int i)
{
    return e->models[i].hash;
}

engine_progress engine_totals(const engine *e)
{
    return pipeline_progress(&e->pipeline);
}

engine_memory engine_bytes(const engine *e)
{
    return e->bytes;
}

const char *engine_signature(const engine *e)
{
    return e->signature;
}
