#include "score.h"

#include <math.h>
#include <stdio.h>

#include "rng.h"

/* The noise levels that are drawn: from nearly none to all. */
static const double level_min = 1e-3;

score_window score_window_at(int n, int size, int index)
{
    int stride = size / 2 > 0 ? size / 2 : 1;
    int first = index * stride, end = first + size < n ? first + size : n;
    int before = index == 0 ? 0 : first - stride + size;
    if (index > 0 && before >= n) return (score_window){n, 0, n};
    return (score_window){first, end - first, before};
}

void score_enter(document *d)
{
    for (int i = 0; i < d->length; i++)
        d->nll[i] = d->stage[d->at].work == WORK_BOUND && i > 0 ? 0 : NAN;
    d->region = d->step = d->committed = 0;
}

static score_window window_of(const document *d, const rules *by)
{
    return score_window_at(d->length, by->window[d->stage[d->at].model], d->region);
}

bool score_fits(document *d, const rules *by)
{
    const stage *s = &d->stage[d->at];
    int          window = by->window[s->model], ring = by->cache->tiles * KEY_TILE;
    int          room = window < ring ? window : ring, most = d->length;
    if (s->work == WORK_SCORE && most > window) most = window; /* the rest in further windows */
    if (most <= room) return true;
    d->finish = FINISH_FAILED;
    snprintf(d->reason, sizeof d->reason,
             "stage %d: %d positions are to be measured at once, %d can be", d->at, most, room);
    return false;
}

bool score_pending(const document *d, const rules *by)
{
    if (d->stage[d->at].work == WORK_BOUND) return d->region < d->stage[d->at].steps;
    return window_of(d, by).len > 1;
}

/* ---- a causal model: every token is a commit of its own, asked about the token after it ---- */

static int contribute_tokens(const document *d, const rules *by, batch *b, int room, int *committed,
                             score_part *part)
{
    score_window w = window_of(d, by);
    int          done = d->committed, rows = 0;
    for (; done < w.len - 1 && rows < room; done++, rows++) {
        int at = w.first + done;
        batch_segment(b, SEGMENT_COMMIT, d->slot, d->token + at, done, 1, 0);
        if (at + 1 < w.fresh || done < d->step) continue;
        ask *a = batch_ask(b, done);
        a->kind = ASK_SCORE;
        a->token = d->token[at + 1];
        part->n_asks++;
    }
    *committed = part->next = done;
    return rows;
}

static void apply_tokens(document *d, const batch *b, const score_part *part, const rules *by)
{
    score_window w = window_of(d, by);
    int          target = w.first + part->next + 1 - part->n_asks;
    for (int i = 0; i < part->n_asks; i++, target++)
        d->nll[target] = -logf(b->answers[part->first_ask + i].raw);
    d->step = part->next;
    if (d->step < w.len - 1) return;
    d->region++;
    d->cost[d->at].rescored++; /* once for each window, however many passes it was spread over */
    d->step = d->committed = 0;
}

/* ---- a diffusion model: noisy blocks beside their clean past ---- */

/* The noise level of a block in one draw; levels of the draws are spread evenly. */
static double level_of(const document *d, int first)
{
    double u = rng_uniform(d->key, d->region, d->at, first, PURPOSE_ORDER);
    double spread = fmod(u + (double)d->region / d->stage[d->at].steps, 1);
    return level_min + (1 - level_min) * spread;
}

static bool noisy(const document *d, int position, double level)
{
    if (position == 0) return false; /* E is never masked: the model was trained with it in sight */
    return rng_uniform(d->key, d->region, d->at, position, PURPOSE_REVEAL) < level;
}

static int block_size(const document *d)
{
    return stage_block(&d->stage[d->at], d->length);
}

/* One block with noise on it, asked about every token the noise took. */
static void probe_noisy(const document *d, const rules *by, batch *b, int first, int len,
                        score_part *part)
{
    double level = level_of(d, first);
    for (int i = 0; i < len; i++)
        by->position[i] = noisy(d, first + i, level) ? by->mask_id : d->token[first + i];
    batch_segment(b, SEGMENT_PROBE, d->slot, by->position, first, len, 0);
    for (int i = first; i < first + len; i++) {
        if (!noisy(d, i, level)) continue;
        ask *a = batch_ask(b, i);
        a->kind = ASK_SCORE;
        a->token = d->token[i];
        part->n_asks++;
    }
}

static int contribute_blocks(const document *d, const rules *by, batch *b, int room, int *committed,
                             score_part *part)
{
    int size = block_size(d), rows = 0, first = d->step, done = d->committed;
    while (first < d->length) {
        int len = size < d->length - first ? size : d->length - first;
        if (rows + size > room) break;
        /* Clean blocks up to this one, for those behind it; nothing is behind the last. */
        if (done <= first && done + size < d->length) {
            batch_segment(b, SEGMENT_COMMIT, d->slot, d->token + done, done, size, 0);
            done += size;
            rows += size;
        } else {
            probe_noisy(d, by, b, first, len, part);
            first += len;
            rows += len;
        }
    }
    *committed = done;
    part->next = first;
    return rows;
}

static void apply_blocks(document *d, const batch *b, const score_part *part)
{
    int size = block_size(d), draws = d->stage[d->at].steps, used = 0;
    for (int first = d->step; first < part->next; first += size) {
        double level = level_of(d, first);
        for (int i = first; i < first + size && i < part->next; i++)
            if (noisy(d, i, level)) {
                double nll = -log(b->answers[part->first_ask + used++].raw);
                d->nll[i] += (float)(nll / level / draws);
            }
    }
    d->step = part->next;
    if (d->step < d->length) return;
    d->region++;
    d->cost[d->at].rescored++; /* once for each draw, however many passes it was spread over */
    d->step = 0;
}

/* ---- both ---- */

int score_contribute(const document *d, const rules *by, batch *b, int room, int *committed,
                     score_part *part)
{
    *part = (score_part){.first_ask = b->pass.n_asks};
    return d->stage[d->at].work == WORK_BOUND
               ? contribute_blocks(d, by, b, room, committed, part)
               : contribute_tokens(d, by, b, room, committed, part);
}

void score_apply(document *d, const batch *b, const score_part *part, const rules *by)
{
    for (int i = 0; i < part->n_asks; i++)
        if (b->answers[part->first_ask + i].finite == 0) {
            d->finish = FINISH_FAILED;
            snprintf(d->reason, sizeof d->reason, "stage %d: the scorer's logits are not finite",
                     d->at);
            return;
        }
    if (d->stage[d->at].work == WORK_BOUND)
        apply_blocks(d, b, part);
    else
        apply_tokens(d, b, part, by);
}
