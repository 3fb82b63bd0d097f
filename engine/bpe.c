#include "bpe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A piece of the word: a doubly linked list in an array, so that a merge moves nothing. */
typedef struct bpe_link {
    int32_t id, prev, next; /* -1 ends the list */
    int32_t rank;           /* of the pair (this, next); -1 when it has none or the piece is gone */
} bpe_link;

status bpe_init(bpe *b, int n_max)
{
    uint32_t slots = 16;
    assert(n_max >= 0 && n_max < 1 << 30);
    while (slots < 2 * (uint32_t)n_max) slots *= 2;
    *b = (bpe){.n_max = n_max, .mask = slots - 1};
    b->rule = malloc(((size_t)n_max + 1) * sizeof *b->rule);
    b->slot = malloc(slots * sizeof *b->slot);
    if (!b->rule || !b->slot) {
        bpe_clear(b);
        return status_fail(DID_ENOMEM, "out of memory for %d merges", n_max);
    }
    memset(b->slot, -1, slots * sizeof *b->slot);
    return DID_OK;
}

void bpe_clear(bpe *b)
{
    free(b->rule);
    free(b->slot);
    *b = (bpe){0};
}

/* The slot that holds the pair, or the free one where it belongs. */
static uint32_t find(const bpe *b, int32_t left, int32_t right)
{
    uint64_t key = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9E3779B97F4A7C15u;
    uint32_t i = (uint32_t)(key >> 32) & b->mask;
    for (;; i = (i + 1) & b->mask) {
        int32_t rank = b->slot[i];
        if (rank < 0) return i;
        if (b->rule[rank].left == left && b->rule[rank].right == right) return i;
    }
}

status bpe_add(bpe *b, bpe_rule rule)
{
    uint32_t i = find(b, rule.left, rule.right);
    assert(b->n_rules < b->n_max);
    if (b->slot[i] >= 0)
        return status_fail(DID_EFORMAT, "the same pair as in merge %d, expected each pair once",
                           b->slot[i] + 1);
    b->slot[i] = b->n_rules;
    b->rule[b->n_rules++] = rule;
    return DID_OK;
}

int bpe_rank(const bpe *b, int32_t left, int32_t right)
{
    return b->slot[find(b, left, right)];
}

/* A binary heap of (rank, place) in one integer each, the smallest first. */
static void heap_push(uint64_t *heap, size_t *n, uint64_t key)
{
    size_t i = (*n)++;
    while (i > 0 && heap[(i - 1) / 2] > key) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = key;
}

static uint64_t heap_pop(uint64_t *heap, size_t *n)
{
    uint64_t top = heap[0], last = heap[--*n];
    size_t   i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= *n) break;
        if (child + 1 < *n && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= last) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

static status scratch_fit(bpe_scratch *s, size_t n)
{
    if (n <= s->capacity) return DID_OK;
    size_t capacity = s->capacity ? s->capacity : 256;
    while (capacity < n) capacity *= 2;
    bpe_scratch_clear(s);
    s->link = malloc(capacity * sizeof *s->link);
    /* A word of n pieces starts with fewer than n pairs, and each of its fewer than n merges takes
     * one entry and adds at most two. */
    s->heap = malloc(2 * capacity * sizeof *s->heap);
    if (!s->link || !s->heap) {
        bpe_scratch_clear(s);
        return status_fail(DID_ENOMEM, "out of memory for a word of %zu bytes", n);
    }
    s->capacity = capacity;
    return DID_OK;
}

void bpe_scratch_clear(bpe_scratch *s)
{
    free(s->link);
    free(s->heap);
    *s = (bpe_scratch){0};
}

/* Look at the pair that begins at `at` and queue it if it can merge. */
static void watch(const bpe *b, bpe_scratch *s, size_t *n_heap, int32_t at)
{
    bpe_link *l = &s->link[at];
    l->rank = l->next < 0 ? -1 : bpe_rank(b, l->id, s->link[l->next].id);
    if (l->rank >= 0) heap_push(s->heap, n_heap, (uint64_t)l->rank << 32 | (uint32_t)at);
}

status bpe_merge(const bpe *b, bpe_scratch *s, int32_t *ids, int *n)
{
    int    count = *n;
    size_t n_heap = 0;
    if (count < 2) return DID_OK;
    TRY(scratch_fit(s, (size_t)count));

    bpe_link *link = s->link;
    for (int i = 0; i < count; i++)
        link[i] = (bpe_link){ids[i], i - 1, i + 1 < count ? i + 1 : -1, -1};
    for (int i = 0; i + 1 < count; i++) watch(b, s, &n_heap, i);

    while (n_heap > 0) {
        uint64_t key = heap_pop(s->heap, &n_heap);
        int32_t  at = (int32_t)(key & 0xFFFFFFFF), rank = (int32_t)(key >> 32);
        /* Pieces only grow, so a pair that changed never has its old rank again: an entry whose
         * rank is not the place's is out of date. */
        if (link[at].rank != rank) continue;
        int32_t gone = link[at].next, next = link[gone].next;
        link[at].id = b->rule[rank].whole;
        link[at].next = next;
        if (next >= 0) link[next].prev = at;
        link[gone].rank = -1;
        watch(b, s, &n_heap, at);
        if (link[at].prev >= 0) watch(b, s, &n_heap, link[at].prev);
    }

    *n = 0;
    for (int32_t at = 0; at >= 0; at = link[at].next) ids[(*n)++] = link[at].id;
    return DID_OK;
}
