#include "refine.h"

#include <stdio.h>

#include "cut.h"
#include "denoise.h"

window refine_window(int length, int size, int index)
{
    int half = size / 2 > 0 ? size / 2 : 1, past = 0, first = 0;
    for (int i = 0;; i++) {
        if (past >= length) return (window){length, 0, length};
        first = i * half < length - size ? i * half : length > size ? length - size : 0;
        int end = first + size < length ? first + size : length;
        if (i == index) return (window){first, end - first, past};
        past = end;
    }
}

static window window_of(const document *d, const rules *by)
{
    return refine_window(d->length, by->refine_window[d->stage[d->at].model], d->region);
}

static int fresh_masks(const document *d, window w)
{
    return document_masked(d, w.fresh, w.first + w.len - w.fresh);
}

/* Does the next pass evaluate the whole window? */
static bool whole_pass(const document *d)
{
    int every = d->stage[d->at].cache;
    return every == 0 || d->step % every == 0;
}

/* The rows that passes evaluate until the next whole one: those that it will find masked. */
static void mark_loose(document *d, window w)
{
    if (d->stage[d->at].cache == 0 || !whole_pass(d)) return;
    for (int i = w.first; i < w.first + w.len; i++) d->loose[i] = d->masked[i];
}

static void go_to_masks(document *d, const rules *by)
{
    window w = window_of(d, by);
    d->step = 0;
    while (w.len > 0 && fresh_masks(d, w) == 0) {
        d->region++;
        w = window_of(d, by);
    }
    mark_loose(d, w);
}

void refine_enter(document *d, const rules *by)
{
    d->region = 0;
    go_to_masks(d, by);
}

static const segment *probe_window(const document *d, window w, batch *b)
{
    return batch_segment(b, SEGMENT_PROBE, -1, d->token + w.first, w.first, w.len, w.first);
}

bool refine_fits(document *d, const rules *by)
{
    const stage *s = &d->stage[d->at];
    int          size = by->refine_window[s->model];
    int          whole = (d->length + KEY_TILE - 1) / KEY_TILE;
    int          tiles = (size + 2 * KEY_TILE - 2) / KEY_TILE; /* it may begin inside of one */
    if (tiles > whole) tiles = whole;
    if (s->cache == 0 || tiles <= by->cache->tiles) return true;
    d->finish = FINISH_FAILED;
    snprintf(d->reason, sizeof d->reason,
             "stage %d: a window of %d positions is to be cached, the cache holds %d", d->at,
             size < d->length ? size : d->length, by->cache->tiles * KEY_TILE);
    return false;
}

/* The last whole pass of window `w` once more, for its keys and values: what has been placed since
 * is masked again. */
static void repeat_whole(const document *d, window w, const rules *by, batch *b)
{
    for (int i = w.first; i < w.first + w.len; i++)
        by->position[i] = d->loose[i] ? by->mask_id : d->token[i];
    batch_patch(b, d->slot, by->position, NULL, w.first, w.first + w.len);
}

static int count_loose(const document *d, window w)
{
    int n = 0;
    for (int i = w.first; i < w.first + w.len; i++) n += d->loose[i];
    return n;
}

static int contribute_cached(const document *d, window w, const rules *by, batch *b, int room,
                             int *committed, const segment **probe)
{
    int  end = w.first + w.len;
    bool whole = whole_pass(d), lost = !whole && d->committed != end;
    int  rows = whole || lost ? w.len : count_loose(d, w);
    if (rows > room) return 0;
    *committed = end;
    if (lost) {
        repeat_whole(d, w, by, b);
        return rows;
    }
    *probe = batch_patch(b, d->slot, d->token, whole ? NULL : d->loose, w.first, end);
    denoise_ask(d, w.fresh, end - w.fresh, b, by);
    return rows;
}

int refine_contribute(const document *d, const rules *by, batch *b, int room, int *committed,
                      const segment **probe)
{
    window w = window_of(d, by);
    *probe = NULL;
    if (d->stage[d->at].cache > 0) return contribute_cached(d, w, by, b, room, committed, probe);
    if (!batch_fits(b, d->slot, w.first, w.len, room)) return 0;
    *probe = probe_window(d, w, b);
    denoise_ask(d, w.fresh, w.first + w.len - w.fresh, b, by);
    return w.len;
}

int refine_apply(document *d, const segment *probe, const batch *b, const rules *by)
{
    window w = window_of(d, by);
    int    placed = denoise_apply(d, probe, b, by);
    if (d->finish != FINISH_NONE) return placed;
    if (fresh_masks(d, w) > 0) {
        mark_loose(d, w);
        return placed;
    }
    go_to_masks(d, by);
    if (d->at == 0 && document_masked(d, 0, d->length) == 0) cut_draft(d, d->length, by);
    return placed;
}

bool refine_rescoring(const document *d, const rules *by)
{
    return d->at > 0 && d->stage[d->at].policy == POLICY_POSTHOC && window_of(d, by).len > 0;
}

int refine_rescore_contribute(const document *d, const rules *by, batch *b, int room,
                              const segment **probe)
{
    window w = window_of(d, by);
    *probe = NULL;
    if (!batch_fits(b, d->slot, w.first, w.len, room)) return 0;
    *probe = probe_window(d, w, b);
    for (int i = w.fresh; i < w.first + w.len; i++) {
        if (d->given[i]) continue;
        ask *a = batch_ask(b, i);
        a->kind = ASK_SCORE;
        a->token = d->token[i];
    }
    return w.len;
}

void refine_rescore_apply(document *d, const segment *probe, const batch *b)
{
    if (!denoise_sound(d, probe, b)) return;
    for (int i = probe->ask; i < probe->ask + probe->n_asks; i++)
        d->snapshot[b->pass.asks[i].position] = b->answers[i].raw;
    d->cost[d->at].rescored++;
    d->region++;
}
