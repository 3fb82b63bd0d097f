/* desk.h - where decisions about documents are tested without a network: rules, an empty batch, and
 * answers made up from what was asked. */
#ifndef DID_TESTS_DESK_H
#define DID_TESTS_DESK_H

#include <stdlib.h>

#include "batch.h"
#include "document.h"
#include "rules.h"

typedef struct desk desk;

/* Makes up the answer to `a` about `position`. */
typedef answer desk_teller(const ask *a, int position);

struct desk {
    arena        memory;
    batch        batch;
    kvcache      cache; /* its size; nothing is ever written to it */
    rules        rules;
    desk_teller *teller;
};

/* A token that follows from the draw's uniform number, so that other draws give other tokens; any
 * but the two special ones, which are the last ids. The probabilities follow from both. */
static inline answer desk_tell(const ask *a, int position)
{
    answer out = {.token = a->token, .kept = 1, .finite = 1};
    if (a->kind == ASK_DRAW) out.token = (int32_t)(a->uniform * 98);
    out.raw = (float)(1 + (out.token * 37 + position * 11) % 97) / 98;
    out.nucleus = 1 - out.raw / 2;
    out.peak = out.raw;
    return out;
}

enum { DESK_VOCAB = 100, DESK_MASK = 99, DESK_END = 98 };

/* For documents of up to `length` positions in a model of `window` positions, passes of up to
 * `rows` rows. */
static inline void desk_open(desk *k, int length, int window, int rows)
{
    size_t n = (size_t)length;
    *k = (desk){.teller = desk_tell};
    if (arena_open(&k->memory, batch_bytes(rows) + arena_round(n * sizeof(ranked)) +
                                   arena_round(n * sizeof(int)) +
                                   arena_round(DESK_VOCAB * sizeof(int))) != DID_OK)
        abort();
    batch_open(&k->batch, rows, &k->memory);
    k->cache = (kvcache){.slots = 1, .tiles = kvcache_tiles(length, window)};
    k->rules = (rules){.mask_id = DESK_MASK,
                       .end_id = DESK_END,
                       .vocab = DESK_VOCAB,
                       .fused_commit = true,
                       .pass_rows = rows,
                       .rows_max = rows,
                       .cache = &k->cache};
    for (int i = 0; i < ENGINE_MODELS_MAX; i++)
        k->rules.window[i] = k->rules.refine_window[i] = window;
    k->rules.ranked = arena_take(&k->memory, n * sizeof *k->rules.ranked);
    k->rules.position = arena_take(&k->memory, n * sizeof *k->rules.position);
    k->rules.counts = arena_take(&k->memory, DESK_VOCAB * sizeof *k->rules.counts);
    for (int i = 0; i < DESK_VOCAB; i++) k->rules.counts[i] = 0;
}

static inline void desk_close(desk *k)
{
    arena_close(&k->memory);
}

/* Answer everything the pass asks. */
static inline void desk_answer(desk *k)
{
    const pass *p = &k->batch.pass;
    for (int i = 0; i < p->n_segments; i++) {
        const segment *s = &p->segments[i];
        for (int j = s->ask; j < s->ask + s->n_asks; j++)
            k->batch.answers[j] = k->teller(&p->asks[j], p->asks[j].position);
    }
}

/* A document of E, `prompt` positions of token 1, and masks. */
static inline document *desk_document(int length, int prompt, uint64_t key)
{
    int32_t  *given = malloc((size_t)length * sizeof *given);
    document *d = NULL;
    for (int i = 0; i < length; i++) given[i] = i == 0 ? DESK_END : i <= prompt ? 1 : -1;
    if (document_open(&d, length, given, DESK_MASK) != DID_OK) abort();
    free(given);
    d->key = key;
    d->slot = 0;
    d->reject = (reject_rule){.window = 256, .nats = 4, .restarts = 10};
    return d;
}

/* Add a stage. */
static inline stage *desk_stage(document *d, int block, double remask, sampler how, int steps)
{
    stage *s = &d->stage[d->n_stages++];
    *s = (stage){.block = block,
                 .remask = remask,
                 .sampler = how,
                 .steps = steps,
                 .nucleus = 0.9,
                 .temperature = 1};
    return s;
}

#endif
