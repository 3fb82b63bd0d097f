#include "repeats.h"

#include <stdlib.h>

/* One suffix while they are being sorted: its first `reach` tokens have rank `first`, the `reach`
 * after those `second` (-1: the text is over). */
typedef struct suffix {
    int64_t first, second;
    int     start;
} suffix;

/* The sorted suffixes of a text and what neighbours share. */
typedef struct order {
    suffix *sorted; /* [n] */
    int    *rank;   /* [n] the place of the suffix that begins here */
    int    *common; /* [n] tokens that sorted[i] shares with sorted[i - 1]; 0 for the first */
} order;

static int compare(const void *a, const void *b)
{
    const suffix *x = a, *y = b;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    if (x->second != y->second) return x->second < y->second ? -1 : 1;
    return 0;
}

/* Sort by both halves and give equal ones the same rank; how many ranks there are. */
static int rank_pairs(order *o, int n)
{
    int ranks = 0;
    qsort(o->sorted, (size_t)n, sizeof *o->sorted, compare);
    for (int i = 0; i < n; i++) {
        if (i > 0 && compare(&o->sorted[i - 1], &o->sorted[i]) != 0) ranks++;
        o->rank[o->sorted[i].start] = ranks;
    }
    return ranks + 1;
}

static void sort_suffixes(order *o, const int32_t *id, int n)
{
    for (int i = 0; i < n; i++) o->sorted[i] = (suffix){id[i], -1, i};
    int ranks = rank_pairs(o, n);
    for (int reach = 1; ranks < n; reach *= 2) {
        for (int i = 0; i < n; i++) {
            int after = o->sorted[i].start + reach;
            o->sorted[i].first = o->rank[o->sorted[i].start];
            o->sorted[i].second = after < n ? o->rank[after] : -1;
        }
        ranks = rank_pairs(o, n);
    }
}

/* Dropping the first token of a suffix drops at most one of what it shares with its neighbour. */
static void find_common(order *o, const int32_t *id, int n)
{
    int same = 0;
    for (int i = 0; i < n; i++) {
        if (o->rank[i] == 0) {
            o->common[0] = same = 0;
            continue;
        }
        int j = o->sorted[o->rank[i] - 1].start;
        while (i + same < n && j + same < n && id[i + same] == id[j + same]) same++;
        o->common[o->rank[i]] = same;
        if (same > 0) same--;
    }
}

/* A suffix that shares n tokens with the one before it begins with an n-gram seen already. */
static void read_off(repeats *out, const order *o, int n)
{
    *out = (repeats){0};
    for (int i = 0; i < n; i++) {
        if (o->common[i] > out->longest) out->longest = o->common[i];
        for (int k = 1; k <= REPEATS_NGRAMS; k++) out->share[k - 1] += o->common[i] >= k;
    }
    for (int k = 1; k <= REPEATS_NGRAMS; k++)
        if (n >= k) out->share[k - 1] /= n - k + 1;
}

status repeats_count(repeats *out, const int32_t *id, int n)
{
    size_t room = (size_t)n + 1;
    order  o = {.sorted = malloc(room * sizeof *o.sorted),
                .rank = malloc(room * sizeof *o.rank),
                .common = malloc(room * sizeof *o.common)};
    status s = DID_OK;
    if (o.sorted && o.rank && o.common) {
        if (n > 0) sort_suffixes(&o, id, n);
        find_common(&o, id, n);
        read_off(out, &o, n);
    } else {
        s = status_fail(DID_ENOMEM, "no memory to count what repeats in %d tokens", n);
    }
    free(o.sorted);
    free(o.rank);
    free(o.common);
    return s;
}
