#include "walk.h"

#include <stdio.h>
#include <string.h>

#include "draft.h"
#include "refine.h"
#include "remask.h"

static bool measures(const document *d)
{
    return stage_measures(&d->stage[d->at]);
}

static bool in_blocks(const document *d)
{
    return stage_block(&d->stage[d->at], d->length) < d->length;
}

/* The most positions of this stage that the document's home evaluates as one segment. */
static int segment_most(const document *d, const rules *by)
{
    const stage *s = &d->stage[d->at];
    if (s->work == WORK_SCORE) return 1;
    if (measures(d) || in_blocks(d)) return stage_block(s, d->length);
    int most = by->refine_window[s->model];
    return s->cache == 0 ? 0 : d->length < most ? d->length : most;
}

/* Rows that span long documents have less room each than the longest would take. False: the document
 * has failed. */
static bool fits_home(document *d, const rules *by)
{
    int most = segment_most(d, by);
    if (most <= by->rows_max) return true;
    d->finish = FINISH_FAILED;
    snprintf(d->reason, sizeof d->reason,
             "stage %d: %d positions must be evaluated by one row of ranks, which takes %d in a "
             "pass: only refinements without a cache are spanned",
             d->at, most, by->rows_max);
    return false;
}

/* False when the stage cannot be run; the document has failed. */
static bool enter(document *d, const rules *by)
{
    if (!fits_home(d, by)) return false;
    if (measures(d) ? !score_fits(d, by) : !in_blocks(d) && !refine_fits(d, by)) return false;
    memcpy(d->before, d->token, (size_t)d->length * sizeof *d->token);
    if (d->at > 0 && !measures(d)) remask_document(d, by);
    d->entered = true;
    d->region = d->step = 0;
    if (measures(d))
        score_enter(d);
    else if (in_blocks(d))
        draft_enter(d);
    else
        refine_enter(d, by);
    return true;
}

static void leave(document *d)
{
    int k = d->at;
    for (int i = 0; k > 0 && i < d->length; i++)
        d->cost[k].changed += d->token[i] != d->before[i];
    if (d->traced) {
        memcpy(d->left[k], d->token, (size_t)d->length * sizeof *d->token);
        d->left_length[k] = d->length;
    }
    d->at++;
    d->entered = false;
    d->region = d->step = d->committed = 0;
}

/* How a document that went through all stages ended; a variable length shows it in the text. */
static finish ending(const document *d, const rules *by)
{
    int last = d->length - 1;
    if (!d->variable_length) return FINISH_LENGTH;
    if (last > 0 && d->given[last] && d->token[last] == by->end_id) return FINISH_END;
    return d->length < d->capacity ? FINISH_ENTROPY : FINISH_LENGTH;
}

void walk_settle(document *d, const rules *by)
{
    while (d->finish == FINISH_NONE && d->at < d->n_stages) {
        if (!d->entered) {
            if (!measures(d) && refine_rescoring(d, by)) return;
            if (!enter(d, by)) return;
        }
        if (measures(d) ? score_pending(d, by) : document_masked(d, 0, d->length) > 0) return;
        leave(d);
    }
    if (d->finish == FINISH_NONE) d->finish = ending(d, by);
}

int walk_model(const document *d)
{
    return d->stage[d->at].model;
}

int walk_contribute(document *d, const rules *by, batch *b, int room, turn *out)
{
    *out = (turn){.doc = d, .committed = d->committed};
    if (measures(d)) return score_contribute(d, by, b, room, &out->committed, &out->part);
    if (!d->entered) return refine_rescore_contribute(d, by, b, room, &out->probe);
    if (!in_blocks(d)) return refine_contribute(d, by, b, room, &out->committed, &out->probe);
    return draft_contribute(d, by, b, room, &out->committed, &out->probe);
}

void walk_apply(turn *t, const batch *b, const rules *by)
{
    document *d = t->doc;
    d->committed = t->committed;
    if (measures(d)) {
        score_apply(d, b, &t->part, by);
    } else if (t->probe) {
        d->cost[d->at].rows += t->probe->len;
        if (!d->entered)
            refine_rescore_apply(d, t->probe, b);
        else if (in_blocks(d))
            t->placed = draft_apply(d, t->probe, b, by);
        else
            t->placed = refine_apply(d, t->probe, b, by);
    }
    walk_settle(d, by);
}
