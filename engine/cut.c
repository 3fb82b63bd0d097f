#include "cut.h"

#include <math.h>
#include <stdio.h>

static bool repeats_itself(const document *d, int end, const rules *by)
{
    int n = d->reject.window;
    return end > n && document_entropy(d->token + end - n, n, by->counts) < d->reject.nats;
}

/* What lies beyond `length` is gone. */
static void shorten(document *d, int length)
{
    for (int i = length; i < d->length; i++) d->masked[i] = false;
    d->length = length;
}

/* The drawn E becomes a given token, or refinement would delete the end. A text that repeats itself
 * loses the stretch in which it does, but never its prompt. */
static void end_if_over(document *d, int end, const rules *by)
{
    bool last = document_masked(d, end, d->length - end) == 0;
    if (end <= d->reject.window && !last) return;
    for (int i = 1; i < end; i++)
        if (d->token[i] == by->end_id && !d->given[i]) {
            d->given[i] = true;
            d->snapshot[i] = INFINITY;
            shorten(d, i + 1);
            return;
        }
    if (!repeats_itself(d, end, by)) return;
    int keep = end - d->reject.window;
    for (int i = keep; i < end; i++)
        if (d->given[i]) keep = i + 1;
    shorten(d, keep);
}

bool cut_draft(document *d, int end, const rules *by)
{
    if (d->variable_length) {
        end_if_over(d, end, by);
        return true;
    }
    if (!d->reject.on || !repeats_itself(d, end, by)) return true;
    if (d->attempt < d->reject.restarts) {
        document_restart(d, by->mask_id);
        return false;
    }
    d->finish = FINISH_REJECTED;
    snprintf(d->reason, sizeof d->reason, "%d drafts in a row had too little entropy",
             d->attempt + 1);
    return false;
}
