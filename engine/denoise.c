#include "denoise.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

int denoise_quota(int remaining, int step, int steps)
{
    int left = steps - step;
    return left <= 1 ? remaining : (remaining + left - 1) / left;
}

int denoise_reveal_step(const document *d, int position, int steps)
{
    return (int)(rng_uniform(d->key, d->attempt, d->at, position, PURPOSE_REVEAL) * steps);
}

/* Masked positions of the region as ranked[], keyed by what decides their turn. */
static int rank_masked(const document *d, int first, int len, ranked *out)
{
    const stage *s = &d->stage[d->at];
    int          n = 0;
    for (int i = first; i < first + len; i++) {
        if (!d->masked[i]) continue;
        uint64_t key = 0; /* leftmost first: ties go by position */
        if (s->sampler == SAMPLER_ANCESTRAL)
            key = (uint64_t)denoise_reveal_step(d, i, s->steps);
        else if (s->sampler == SAMPLER_FHS ||
                 (s->sampler == SAMPLER_QUOTA && s->order == ORDER_RANDOM))
            key = rng_bits(d->key, d->attempt, d->at, i, PURPOSE_ORDER);
        out[n++] = (ranked){key, i};
    }
    return n;
}

/* How many of the n masked positions, in their order, this step turns into tokens. */
static int step_size(const document *d, const ranked *turns, int n)
{
    const stage *s = &d->stage[d->at];
    if (s->sampler == SAMPLER_FHS) return 1;
    if (s->sampler == SAMPLER_QUOTA) return denoise_quota(n, d->step, s->steps);
    int same = 1;
    while (same < n && turns[same].key == turns[0].key) same++;
    return same;
}

/* Do the answers decide which positions are placed? */
static bool chosen_after(const stage *s)
{
    return s->sampler == SAMPLER_THRESHOLD ||
           (s->sampler == SAMPLER_QUOTA && s->order >= ORDER_CONFIDENT);
}

static int ascending(const void *a, const void *b)
{
    const int *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* An order by what was drawn draws anew in every step for whom it passed over: with one number for
 * all steps an unlikely draw would stay with its position to the end. The step is the document's own,
 * so whoever else is in the pass changes nothing. */
static bool draws_anew(const stage *s)
{
    return s->sampler == SAMPLER_QUOTA && s->order == ORDER_DRAWN;
}

/* What the draws of this step are made with. */
static uint64_t key_of_draws(const document *d)
{
    unsigned char step[4];
    if (!draws_anew(&d->stage[d->at]) || d->step == 0) return d->key;
    for (int i = 0; i < 4; i++) step[i] = (unsigned char)((uint32_t)d->step >> 8 * i);
    return rng_hash(d->key, step, sizeof step);
}

void denoise_ask(const document *d, int first, int len, batch *b, const rules *by)
{
    const stage *s = &d->stage[d->at];
    uint64_t     key = key_of_draws(d);
    int          n = rank_masked(d, first, len, by->ranked);
    assert(n > 0);
    if (!chosen_after(s)) {
        qsort(by->ranked, (size_t)n, sizeof *by->ranked, ranked_compare);
        n = step_size(d, by->ranked, n);
    }
    for (int i = 0; i < n; i++) by->position[i] = by->ranked[i].position;
    qsort(by->position, (size_t)n, sizeof *by->position, ascending);
    for (int i = 0; i < n; i++) {
        int  position = by->position[i];
        ask *a = batch_ask(b, position);
        a->kind = ASK_DRAW;
        a->inclusive = s->rule == NUCLEUS_INCLUSIVE;
        a->nucleus = s->nucleus;
        a->temperature = s->temperature;
        a->uniform = rng_uniform(key, d->attempt, d->at, position, PURPOSE_TOKEN);
    }
}

static void place(document *d, int position, const answer *a)
{
    const stage *s = &d->stage[d->at];
    if (d->traced) {
        assert(d->n_draws < d->draws_max);
        d->draws[d->n_draws] = (draw){.stage = d->at,
                                      .step = d->cost[d->at].nfe,
                                      .position = position,
                                      .token = a->token,
                                      .replaced = d->at > 0 ? d->before[position] : -1};
    }
    d->token[position] = a->token;
    d->snapshot[position] = s->confidence == CONFIDENCE_NUCLEUS ? a->nucleus : a->raw;
    d->masked[position] = false;
    if (d->traced) d->draws[d->n_draws++].snapshot = d->snapshot[position];
}

/* Larger probabilities first; positive floats are in the order of their bits. */
static uint64_t falling(float probability)
{
    uint32_t bits;
    memcpy(&bits, &probability, sizeof bits);
    return UINT32_MAX - bits;
}

/* The answers to place, of those of all masked rows: out[0] and on, and how many. Equal ones go by
 * position. */
static int surest(const document *d, const segment *s, const batch *b, ranked *out)
{
    const stage *how = &d->stage[d->at];
    bool         threshold = how->sampler == SAMPLER_THRESHOLD;
    bool         by_draw = threshold || draws_anew(how);
    int          sure = 0;
    for (int i = s->ask; i < s->ask + s->n_asks; i++) {
        const answer *a = &b->answers[i];
        out[i - s->ask] = (ranked){falling(by_draw ? a->raw : a->peak), i};
        sure += (double)a->raw >= how->threshold;
    }
    qsort(out, (size_t)s->n_asks, sizeof *out, ranked_compare);
    if (threshold) return sure > 0 ? sure : 1;
    return denoise_quota(s->n_asks, d->step, how->steps);
}

bool denoise_sound(document *d, const segment *s, const batch *b)
{
    for (int i = s->ask; i < s->ask + s->n_asks; i++)
        if (b->answers[i].finite == 0) {
            d->finish = FINISH_FAILED;
            snprintf(d->reason, sizeof d->reason,
                     "stage %d, position %d: the model's logits are not finite", d->at,
                     b->pass.asks[i].position);
            return false;
        }
    return true;
}

int denoise_apply(document *d, const segment *s, const batch *b, const rules *by)
{
    int n = s->n_asks;
    if (!denoise_sound(d, s, b)) return 0;
    if (chosen_after(&d->stage[d->at])) {
        n = surest(d, s, b, by->ranked);
        for (int i = 0; i < n; i++) {
            int which = by->ranked[i].position;
            place(d, b->pass.asks[which].position, &b->answers[which]);
        }
    } else {
        for (int i = s->ask; i < s->ask + s->n_asks; i++)
            place(d, b->pass.asks[i].position, &b->answers[i]);
    }
    d->cost[d->at].nfe++;
    d->step++;
    return n;
}
