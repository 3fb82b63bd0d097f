#include "remask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

int remask_count(double share, int eligible)
{
    return (int)nearbyint(share * eligible);
}

void remask_smallest(bool *masked, ranked *key, int n, int count)
{
    qsort(key, (size_t)n, sizeof *key, ranked_compare);
    for (int i = 0; i < count; i++) masked[key[i].position] = true;
}

/* Positive floats are in the order of their bits. */
static uint64_t key_of(const document *d, int position)
{
    if (d->stage[d->at].policy == POLICY_RANDOM)
        return rng_bits(d->key, d->attempt, d->at, position, PURPOSE_SELECT);
    uint32_t bits;
    memcpy(&bits, &d->snapshot[position], sizeof bits);
    return bits;
}

void remask_document(document *d, const rules *by)
{
    int n = 0;
    for (int i = 0; i < d->length; i++)
        if (!d->given[i]) by->ranked[n++] = (ranked){key_of(d, i), i};
    int count = remask_count(d->stage[d->at].remask, n);
    remask_smallest(d->masked, by->ranked, n, count);
    for (int i = 0; i < d->length; i++)
        if (d->masked[i]) d->token[i] = by->mask_id;
    d->cost[d->at].reopened = count;
}
