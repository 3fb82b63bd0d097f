#include "refine.h"

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

static void go_to_masks(document *d, const rules *by)
{
    window w = window_of(d, by);
    d->step = 0;
    while (w.len > 0 && fresh_masks(d, w) == 0) {
        d->region++;
        w = window_of(d, by);
    }
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

int refine_contribute(const document *d, const rules *by, batch *b, int room,
                      const segment **probe)
{
    window w = window_of(d, by);
    *probe = NULL;
    if (w.len > room) return 0;
    *probe = probe_window(d, w, b);
    denoise_ask(d, w.fresh, w.first + w.len - w.fresh, b, by);
    return w.len;
}

int refine_apply(document *d, const segment *probe, const batch *b, const rules *by)
{
    int placed = denoise_apply(d, probe, b, by);
    if (d->finish != FINISH_NONE || fresh_masks(d, window_of(d, by)) > 0) return placed;
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
    if (w.len > room) return 0;
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
        d->snapshot[batch_position(probe, &b->pass.asks[i])] = b->answers[i].raw;
    d->cost[d->at].rescored++;
    d->region++;
}
