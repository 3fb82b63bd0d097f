/* sample.h - requests and documents for the tests of this room, made from a seed. */
#ifndef DID_TESTS_SAMPLE_H
#define DID_TESTS_SAMPLE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "parcel.h"
#include "request.h"

enum { SAMPLE_VOCAB = 4097, SAMPLE_MASK = 4096, SAMPLE_END = 4095, SAMPLE_WINDOW = 256 };

static inline uint64_t sample_next(uint64_t *state)
{
    uint64_t x = (*state += 0x9e3779b97f4a7c15u);
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static inline int sample_below(uint64_t *state, int n)
{
    return (int)(sample_next(state) % (uint64_t)n);
}

static inline parcel_rules sample_rules(bool traced)
{
    return (parcel_rules){
        .ids = {.vocab = SAMPLE_VOCAB, .mask_id = SAMPLE_MASK, .n_models = 1, .length_max = 1024},
        .refine_window = {SAMPLE_WINDOW},
        .traced = traced};
}

/* A draft of blocks of 4 and a global refinement; the first `prompt` positions after E are given.
 */
static inline request sample_request(const char *id, int sample, int length, int prompt)
{
    request r = {.custom_id = strdup(id),
                 .sample = sample,
                 .length = length,
                 .prompt_tokens = prompt,
                 .seed = 7,
                 .n_stages = 2,
                 .reject = {.window = 256, .nats = 4, .restarts = 10}};
    r.stage[0] = (stage){.block = 4, .nucleus = 0.9, .temperature = 1};
    r.stage[1] = (stage){.block = STAGE_BLOCK_WHOLE,
                         .remask = 0.25,
                         .sampler = SAMPLER_QUOTA,
                         .steps = 32,
                         .nucleus = 1.0 / 3,
                         .temperature = 0.7};
    r.given = malloc((size_t)length * sizeof *r.given);
    r.given[0] = SAMPLE_END;
    for (int i = 1; i < length; i++) r.given[i] = i <= prompt ? 300 + i : -1;
    r.stop = calloc(2, sizeof *r.stop);
    r.stop[0] = strdup("\xC3\xA9t\xC3\xA9");
    r.n_stop = 1;
    request_seal(&r);
    return r;
}

static inline void sample_place(document *d, int i, uint64_t *seed)
{
    int32_t token = sample_below(seed, SAMPLE_END);
    d->snapshot[i] = (float)((double)(sample_next(seed) >> 11) * 0x1p-53);
    d->masked[i] = false;
    if (d->traced)
        d->draws[d->n_draws++] = (draw){.stage = d->at,
                                        .step = d->cost[d->at].nfe,
                                        .position = i,
                                        .token = token,
                                        .replaced = d->at ? d->before[i] : -1,
                                        .snapshot = d->snapshot[i]};
    d->token[i] = token;
    d->cost[d->at].nfe++;
}

static inline void sample_leave(document *d)
{
    if (d->traced) {
        memcpy(d->left[d->at], d->token, (size_t)d->length * sizeof *d->token);
        d->left_length[d->at] = d->length;
    }
    d->at++;
    d->entered = false;
    d->region = d->step = 0;
}

/* Stand before the first mask. False when there is none. */
static inline bool sample_stand(document *d)
{
    int i = 0, block = stage_block(&d->stage[d->at], d->length);
    while (i < d->length && !d->masked[i]) i++;
    d->region = block < d->length ? i / block : 0;
    return i < d->length;
}

static inline void sample_reopen(document *d)
{
    d->entered = true;
    memcpy(d->before, d->token, (size_t)d->length * sizeof *d->token);
    for (int i = 3; i < d->length; i += 4) {
        if (d->given[i]) continue;
        d->masked[i] = true;
        d->token[i] = SAMPLE_MASK;
        d->cost[d->at].reopened++;
    }
}

/* Walk `d` some of its way: `tokens` more of them drawn, from left to right; a quarter reopened
 * between the stages. */
static inline void sample_walk(document *d, int tokens, uint64_t seed)
{
    d->entered = true;
    sample_stand(d);
    for (; tokens > 0 && d->at < d->n_stages; tokens--) {
        int i = 0;
        while (!d->masked[i]) i++;
        sample_place(d, i, &seed);
        if (sample_stand(d)) continue;
        sample_leave(d);
        if (d->at < d->n_stages) sample_reopen(d);
    }
    if (d->at == d->n_stages) d->finish = FINISH_LENGTH;
}

#endif
