#include "company.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

/* A sum of some hundred roundings through all layers, measured at the largest logit of a row. In bf16
 * the oracle sums in another order; where that tips a rounding to 8 bits, the error is 65536 times as
 * large, and a few of them may meet. */
static const double TOLERANCE = 200, TOLERANCE_NARROW = 8 * 65536;

enum { ROWS_ALL_LAYERS = 16, LAYERS_OTHERWISE = 2, STRANGER_ROWS = 3 };

typedef struct company {
    const scene *s;
    stand       *fast, *oracle;
    comm        *world;
    float       *together, *alone; /* logits [documents][asks][words], and of one document */
    uint64_t    *committed;        /* [documents] of the pass in company */
    int32_t      stranger[STRANGER_ROWS];
} company;

static size_t logits_of_one(const company *c)
{
    return (size_t)scene_asks(c->s) * (size_t)c->fast->model.vocab.len;
}

/* A document nobody asks about. */
static void put_stranger(company *c)
{
    batch_segment(&c->fast->batch, SEGMENT_PROBE, -1, c->stranger, 0, STRANGER_ROWS, 0);
}

/* The caches of all documents from position `from` on, local; then all agree. */
static status fill_all(company *c, int from)
{
    const stand *f = c->fast;
    status       s = DID_OK;
    for (int d = 0; s == DID_OK && d < c->s->documents; d++)
        s = scene_fill(c->s, d, from, &f->cache, d, &f->model, f->place.kernels);
    return comm_agree(c->world, s);
}

/* The tiles that hold what document d commits, all layers and heads. */
static uint64_t hash_committed(const company *c, int d)
{
    const stand *f = c->fast;
    const model *m = &f->model;
    int          first = c->s->context - 2 * c->s->block, last = first + c->s->block - 1;
    int          bytes = (int)m->kv.tile_bytes;
    uint64_t     h = 0;
    for (int layer = 0; layer < m->kv.layers; layer++)
        for (int head = 0; head < m->kv.heads; head++)
            for (int v = 0; v < 2; v++)
                for (int p = first / KEY_TILE; p <= last / KEY_TILE; p++)
                    h = rng_hash(
                        h, kvcache_tile(&f->cache, &m->kv, d, layer, head, p * KEY_TILE, v), bytes);
    return h;
}

static bool commits(const scene *s)
{
    return s->kind == SCENE_COMMIT || s->kind == SCENE_FUSED;
}

static status run_together(company *c)
{
    batch *b = &c->fast->batch;
    TRY(fill_all(c, 0));
    batch_begin(b, 0);
    put_stranger(c);
    for (int d = 0; d < c->s->documents; d++) scene_put(b, c->s, d);
    put_stranger(c);
    TRY(forward_logits(c->together, &b->pass, &c->fast->place));
    for (int d = 0; commits(c->s) && d < c->s->documents; d++)
        c->committed[d] = hash_committed(c, d);
    return DID_OK;
}

static status run_alone(company *c, int d, verdict *v)
{
    stand *f = c->fast;
    size_t n = logits_of_one(c);
    batch_begin(&f->batch, 0);
    scene_put(&f->batch, c->s, d);
    TRY(forward_logits(c->alone, &f->batch.pass, &f->place));
    if (memcmp(c->alone, c->together + (size_t)d * n, n * sizeof *c->alone))
        verdict_wrong(v, "document %d has other logits in company than alone", d);
    if (commits(c->s) && hash_committed(c, d) != c->committed[d])
        verdict_wrong(v, "document %d commits other keys or values in company than alone", d);
    return DID_OK;
}

/* The first document through the last layers of both. A COMMIT is looked at by the PROBE after
 * it. */
static status run_shallow(float *logits, const company *c, stand *on)
{
    model m;
    scene s = *c->s;
    int   all = on->model.geometry.n_layers;
    int   layers =
        scene_rows(&s) <= ROWS_ALL_LAYERS || all < LAYERS_OTHERWISE ? all : LAYERS_OTHERWISE;
    forward_place place = stand_shallow(&m, on, layers);
    if (s.kind == SCENE_COMMIT) s.kind = SCENE_FUSED;
    TRY(comm_agree(c->world, scene_fill(&s, 0, 0, &on->cache, 0, &on->model, place.kernels)));
    batch_begin(&on->batch, 0);
    scene_put(&on->batch, &s, 0);
    return forward_logits(logits, &on->batch.pass, &place);
}

static status compare_with_ref(company *c, verdict *v)
{
    int words = c->fast->model.vocab.len, rows = c->s->kind == SCENE_REFINE ? c->s->wanted : 1;
    TRY(run_shallow(c->alone, c, c->fast));
    TRY(run_shallow(c->together, c, c->oracle));
    for (int r = 0; r < rows; r++) {
        const float *want = c->together + (size_t)r * (size_t)words;
        double       largest = 0;
        for (int i = 0; i < words; i++) largest = fmax(largest, fabs(want[i]));
        verdict_floats(v, c->alone + (size_t)r * (size_t)words, want, (size_t)words, largest,
                       c->fast->model.precision == PRECISION_BF16 ? TOLERANCE_NARROW : TOLERANCE,
                       "a logit");
    }
    return DID_OK;
}

static status check_all(company *c, verdict *v)
{
    TRY(run_together(c));
    TRY(fill_all(c, scene_cached(c->s))); /* what it committed is to be committed again */
    for (int d = 0; d < c->s->documents; d++) TRY(run_alone(c, d, v));
    TRY(compare_with_ref(c, v));
    return verdict_agree(v, c->world);
}

status company_check(verdict *v, const scene *s, stand *fast, stand *oracle, comm *world)
{
    company c = {.s = s, .fast = fast, .oracle = oracle, .world = world};
    size_t  words = (size_t)fast->model.vocab.len, documents = (size_t)s->documents;
    size_t  one = (size_t)(scene_asks(s) + 1) * words; /* a COMMIT is compared by a row it lacks */
    c.together = malloc(documents * one * sizeof *c.together);
    c.alone = malloc(one * sizeof *c.alone);
    c.committed = calloc(documents, sizeof *c.committed);
    status all =
        c.together && c.alone && c.committed
            ? DID_OK
            : status_fail(DID_ENOMEM, "no memory for the logits of %zu documents", documents);
    all = comm_agree(world, all);
    if (all == DID_OK) all = check_all(&c, v);
    free(c.together);
    free(c.alone);
    free(c.committed);
    return all;
}
