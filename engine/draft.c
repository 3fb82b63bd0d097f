#include "draft.h"

#include "cut.h"
#include "denoise.h"

typedef struct block {
    int first, len;
} block;

static block block_at(const document *d, int index)
{
    int size = stage_block(&d->stage[d->at], d->length);
    int first = index * size, left = d->length - first;
    return (block){first, left < size ? left : size};
}

/* The first position a block sees: the window slides when the block would pass its end. */
static int visible_from(block x, int window)
{
    int from = x.first + x.len - window;
    return from > 0 ? from : 0;
}

/* Stand before the first block from `index` on that has a mask; blocks passed over are committed.
 * Without a mask anywhere the stage is done and nothing needs committing. */
static void go_to_masks(document *d, int index)
{
    int passed = index - d->region;
    for (block x = block_at(d, index); x.len > 0; x = block_at(d, ++index), passed++) {
        if (document_masked(d, x.first, x.len) == 0) continue;
        d->cost[d->at].commits += passed;
        d->cost[d->at].rows += (int64_t)passed * stage_block(&d->stage[d->at], d->length);
        d->region = index;
        d->step = 0;
        return;
    }
}

void draft_enter(document *d)
{
    d->region = 0;
    go_to_masks(d, 0);
}

int draft_contribute(const document *d, const rules *by, batch *b, int room, int *committed,
                     const segment **probe)
{
    int   model = d->stage[d->at].model, window = by->window[model], rows = 0;
    block now = block_at(d, d->region);
    int   size = stage_block(&d->stage[d->at], d->length), done = d->committed;
    block x = {done, size};
    int   reach = kvcache_reach(by->cache, visible_from(x, window));
    *probe = NULL;
    for (; done < now.first && rows + size <= room && done + size <= reach; done += size) {
        x.first = done;
        batch_segment(b, SEGMENT_COMMIT, d->slot, d->token + done, done, size,
                      visible_from(x, window));
        rows += size;
    }
    *committed = done;
    if (done < now.first || rows + now.len > room || (rows > 0 && !by->fused_commit)) return rows;
    *probe = batch_segment(b, SEGMENT_PROBE, d->slot, d->token + now.first, now.first, now.len,
                           visible_from(now, window));
    denoise_ask(d, now.first, now.len, b, by);
    return rows + now.len;
}

int draft_apply(document *d, const segment *probe, const batch *b, const rules *by)
{
    block x = block_at(d, d->region);
    int   placed = denoise_apply(d, probe, b, by);
    if (d->finish != FINISH_NONE || document_masked(d, x.first, x.len) > 0) return placed;
    if (d->at == 0 && !cut_draft(d, x.first + x.len, by)) return placed;
    go_to_masks(d, d->region + 1);
    return placed;
}
