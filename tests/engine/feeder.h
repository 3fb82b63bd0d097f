/* feeder.h - documents for the engine out of an array, and back into it: a feed without files.
 *
 * Row r of P takes documents r, r + P, ... in the order given. Finished documents come home to
 * their place; `finished` lists the order in which they came. */
#ifndef DID_TESTS_FEEDER_H
#define DID_TESTS_FEEDER_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

enum { FEEDER_MAX = 256 };

typedef struct feeder {
    document *docs[FEEDER_MAX];  /* NULL while the engine has it */
    bool      done[FEEDER_MAX];
    int       n, next, stride;
    int       stop_after;        /* passes, 0: never */
    long      passes;
    int       in_flight_most;
} feeder;

static inline status feeder_take(void *context, document **docs, int room, int wait_ms, int *n,
                                 bool *over)
{
    feeder *f = context;
    (void)wait_ms;
    *n = 0;
    while (*n < room && f->next < f->n) {
        document **place = &f->docs[f->next];
        if (!f->done[f->next] && *place) {
            docs[(*n)++] = *place;
            *place = NULL;
        }
        f->next += f->stride;
    }
    *over = f->next >= f->n;
    return DID_OK;
}

static inline status feeder_home(void *context, document **doc)
{
    feeder *f = context;
    int     i = (int)(*doc)->serial;
    if (f->docs[i]) return status_fail(DID_EINVAL, "document %d came home twice", i);
    f->docs[i] = *doc;
    f->done[i] = (*doc)->finish != FINISH_NONE;
    *doc = NULL;
    return DID_OK;
}

static inline status feeder_passed(void *context, document *const *docs, int n,
                                   const engine_progress *p, bool *stop)
{
    feeder *f = context;
    (void)docs;
    (void)p;
    f->passes++;
    if (n > f->in_flight_most) f->in_flight_most = n;
    *stop = f->stop_after > 0 && f->passes >= f->stop_after;
    return DID_OK;
}

static inline engine_feed feeder_feed(feeder *f)
{
    return (engine_feed){f, feeder_take, feeder_home, feeder_passed, feeder_home};
}

/* Run what is in the feeder on an open engine. Collective. */
static inline status feeder_run(feeder *f, engine *e, int rows)
{
    engine_feed feed = feeder_feed(f);
    f->next = engine_row(e);
    f->stride = rows;
    return engine_run(e, &feed);
}

/* Add a document of `length` positions: E, then `prompt`, then masks, under a key of its own. */
static inline document *feeder_add(feeder *f, int length, const int32_t *prompt, int n_prompt,
                                   int32_t end_id, int32_t mask_id, uint64_t key)
{
    int32_t  *given = malloc((size_t)length * sizeof *given);
    document *d = NULL;
    for (int i = 0; i < length; i++)
        given[i] = i == 0 ? end_id : i <= n_prompt ? prompt[i - 1] : -1;
    status s = document_open(&d, length, given, mask_id);
    free(given);
    if (s != DID_OK) return NULL;
    d->serial = f->n;
    d->key = key;
    d->reject = (reject_rule){.window = 256, .nats = 4, .restarts = 10};
    f->docs[f->n++] = d;
    return d;
}

static inline void feeder_clear(feeder *f)
{
    for (int i = 0; i < f->n; i++) document_close(&f->docs[i]);
    memset(f, 0, sizeof *f);
}

/* Are the sanitizers watching? They make every pass several times slower: what has been shown without
 * them is repeated in part. */
static inline bool feeder_slow(void)
{
    const char *said = getenv("DID_TEST_SANITIZED");
    return said && strcmp(said, "1") == 0;
}

/* The bundled model, or under the sanitizers one of the same words that is thirty times smaller: for
 * whoever cares what happens to a document and not what it says. */
static inline const char *feeder_model(void)
{
    return feeder_slow() ? DID_TEST_MODELS "/did-narrow" : DID_TEST_MODELS "/did-tiny";
}

/* The usual draft and refinement, small enough for a test. */
static inline stage feeder_stage(int block, double remask, sampler how, int steps)
{
    return (stage){.block = block,
                   .remask = remask,
                   .sampler = how,
                   .steps = steps,
                   .nucleus = 0.9,
                   .temperature = 1};
}

/* Settings of an engine over one model on rows of `tp` ranks. */
static inline engine_settings feeder_settings(const char *model, int tp, int documents, int length)
{
    return (engine_settings){.model = {model},
                             .n_models = 1,
                             .tp = tp,
                             .documents = documents,
                             .pass_rows = 512,
                             .length_max = length,
                             .end_id = 4095,
                             .fused_commit = true,
                             .folded = true};
}

#endif
