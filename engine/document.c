#include "document.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Every given token in place, everything else masked, nothing spent yet. */
static void begin(document *d, int32_t mask_id)
{
    d->length = d->capacity;
    for (int i = 0; i < d->capacity; i++) {
        if (!d->given[i]) d->token[i] = mask_id;
        d->masked[i] = !d->given[i];
        d->snapshot[i] = d->given[i] ? INFINITY : 0.0f;
        d->before[i] = d->token[i];
        d->loose[i] = false;
    }
    d->at = d->region = d->step = d->n_draws = d->committed = 0;
    d->entered = false;
    d->finish = FINISH_NONE;
    memset(d->cost, 0, sizeof d->cost);
    memset(d->left_length, 0, sizeof d->left_length);
}

status document_open(document **out, int capacity, const int32_t *given, int32_t mask_id)
{
    assert(capacity > 0 && given[0] >= 0);
    size_t    n = (size_t)capacity;
    document *d = calloc(1, sizeof *d);
    *out = d;
    if (d) {
        d->capacity = capacity;
        d->slot = -1;
        d->token = malloc(n * sizeof *d->token);
        d->snapshot = malloc(n * sizeof *d->snapshot);
        d->masked = malloc(n * sizeof *d->masked);
        d->given = malloc(n * sizeof *d->given);
        d->before = malloc(n * sizeof *d->before);
        d->loose = malloc(n * sizeof *d->loose);
    }
    if (!d || !d->token || !d->snapshot || !d->masked || !d->given || !d->before ||
        !d->loose) {
        document_close(out);
        return status_fail(DID_ENOMEM, "no memory for a document of %d positions", capacity);
    }
    for (int i = 0; i < capacity; i++) {
        d->given[i] = given[i] >= 0;
        d->token[i] = given[i];
    }
    begin(d, mask_id);
    return DID_OK;
}

/* Where some stage measures: a place for what it finds. */
static status reserve_nll(document *d)
{
    bool measured = false;
    for (int k = 0; k < d->n_stages; k++) measured = measured || stage_measures(&d->stage[k]);
    if (!measured) return DID_OK;
    d->nll = malloc((size_t)d->capacity * sizeof *d->nll);
    if (!d->nll)
        return status_fail(DID_ENOMEM, "no memory to score %d positions", d->capacity);
    for (int i = 0; i < d->capacity; i++) d->nll[i] = NAN;
    return DID_OK;
}

status document_reserve(document *d)
{
    TRY(reserve_nll(d));
    if (!d->traced) return DID_OK;
    int64_t free_positions = 0;
    for (int i = 0; i < d->capacity; i++) free_positions += !d->given[i];
    d->draws_max = (int)(free_positions * d->n_stages);
    d->draws = malloc((size_t)d->draws_max * sizeof *d->draws + 1);
    bool complete = d->draws != NULL;
    for (int k = 0; k < d->n_stages; k++) {
        d->left[k] = malloc((size_t)d->capacity * sizeof *d->left[k]);
        complete = complete && d->left[k];
    }
    if (!complete)
        return status_fail(DID_ENOMEM, "no memory for the trace of a document of %d positions",
                           d->capacity);
    return DID_OK;
}

void document_close(document **out)
{
    document *d = *out;
    *out = NULL;
    if (!d) return;
    free(d->token);
    free(d->snapshot);
    free(d->masked);
    free(d->given);
    free(d->before);
    free(d->loose);
    free(d->nll);
    free(d->draws);
    for (int k = 0; k < STAGES_MAX; k++) free(d->left[k]);
    free(d);
}

void document_restart(document *d, int32_t mask_id)
{
    for (int k = 0; k < d->n_stages; k++) d->rejected_nfe += d->cost[k].nfe;
    begin(d, mask_id);
    d->attempt++;
}

void document_follow(document *d, const document *source)
{
    size_t n = (size_t)d->capacity;
    assert(source->capacity == d->capacity && source->n_stages <= d->n_stages);
    assert(source->traced == d->traced);
    d->length = source->length;
    memcpy(d->token, source->token, n * sizeof *d->token);
    memcpy(d->snapshot, source->snapshot, n * sizeof *d->snapshot);
    memcpy(d->masked, source->masked, n * sizeof *d->masked);
    memcpy(d->given, source->given, n * sizeof *d->given);
    memcpy(d->before, source->before, n * sizeof *d->before);
    memcpy(d->cost, source->cost, sizeof d->cost);
    memcpy(d->seconds, source->seconds, sizeof d->seconds);
    d->attempt = source->attempt;
    d->rejected_nfe = source->rejected_nfe;
    d->at = source->n_stages;
    for (int k = 0; d->traced && k < source->n_stages; k++) {
        memcpy(d->left[k], source->left[k], n * sizeof *d->left[k]);
        d->left_length[k] = source->left_length[k];
    }
    if (d->traced) memcpy(d->draws, source->draws, (size_t)source->n_draws * sizeof *d->draws);
    d->n_draws = source->n_draws;
}

int document_masked(const document *d, int first, int len)
{
    int n = 0;
    for (int i = first; i < first + len; i++) n += d->masked[i];
    return n;
}

double document_entropy(const int32_t *token, int n, int *counts)
{
    double h = 0;
    for (int i = 0; i < n; i++) counts[token[i]]++;
    for (int i = 0; i < n; i++) {
        int c = counts[token[i]];
        if (c == 0) continue; /* this token has been added before */
        h -= (double)c / n * log((double)c / n);
        counts[token[i]] = 0;
    }
    return h;
}
