#include "roster.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

static status no_memory(const roster *r)
{
    return status_fail(DID_ENOMEM, "no memory for %d documents", r->most);
}

status roster_open(roster *r)
{
    r->known = calloc((size_t)r->most, sizeof *r->known);
    return r->known ? DID_OK : no_memory(r);
}

static void clear_documents(roster *r)
{
    for (int i = 0; r->docs && i < r->n + r->n_shared; i++) document_close(&r->docs[i]);
    free(r->docs);
    free(r->turn);
    free(r->gone);
    r->docs = NULL;
    r->turn = NULL;
    r->gone = NULL;
    r->n = r->n_shared = r->given = r->out = 0;
}

void roster_forget(roster *r)
{
    clear_documents(r);
    for (int i = 0; r->known && i < r->most; i++) {
        free(r->known[i]);
        r->known[i] = NULL;
    }
}

void roster_close(roster *r)
{
    roster_forget(r);
    free(r->known);
    r->known = NULL;
}

/* ---- who is who ---- */

/* Everybody's number of my document i. */
static int number_of(const roster *r, int i)
{
    if (!r->families) return r->row + i * r->rows;
    return (r->row + i / r->n_kinds * r->rows) * r->n_kinds + i % r->n_kinds;
}

static int nodes(const roster *r)
{
    return r->shared ? r->shared->n : 0;
}

static lineage_list stages_of(const roster *r, int kind)
{
    return (lineage_list){r->kind[kind].stage, r->kind[kind].n_stages, r->length, false};
}

/* The place of what document `place` goes on from; -1: it begins by itself. */
static int source_of(const roster *r, int place)
{
    if (!r->shared) return -1;
    bool node = place >= r->n;
    int  at = node ? place - r->n : place, members = node ? r->shared->n : r->n_kinds;
    int  from = node ? r->shared->node[at % members].parent : r->shared->from[at % members];
    return from < 0 ? -1 : r->n + at / members * r->shared->n + from;
}

/* ---- making them ---- */

static void fill_stages(const roster *r, int place, document *d)
{
    const roster_kind *kind = &r->kind[number_of(r, place < r->n ? place : 0) % r->n_kinds];
    if (place < r->n) {
        d->n_stages = kind->n_stages;
        memcpy(d->stage, kind->stage, sizeof kind->stage);
        return;
    }
    const lineage_node *node = &r->shared->node[(place - r->n) % r->shared->n];
    const lineage_list  list = stages_of(r, node->list);
    d->n_stages = node->n_stages;
    for (int k = 0; k < node->n_stages; k++) d->stage[k] = lineage_stage(&list, k);
}

static status make(roster *r, int place, const int32_t *given)
{
    int member = place < r->n ? place : (place - r->n) / r->shared->n * r->n_kinds;
    int pair = number_of(r, member) / r->n_kinds;
    TRY(document_open(&r->docs[place], r->length, given, r->mask_id));
    document *d = r->docs[place];
    d->serial = place;
    d->key = rng_hash((uint64_t)r->seed, &pair, (int)sizeof pair);
    fill_stages(r, place, d);
    return DID_OK;
}

/* What a family shares, then the family. */
static void fill_turns(roster *r)
{
    int at = 0;
    for (int first = 0; first < r->n; first += r->n_kinds) {
        int family = first / r->n_kinds;
        for (int k = 0; k < nodes(r); k++) r->turn[at++] = r->n + family * nodes(r) + k;
        for (int k = first; k < r->n && k < first + r->n_kinds; k++) r->turn[at++] = k;
    }
}

static status make_all(roster *r, int32_t *given)
{
    int all = r->n + r->n_shared;
    for (int i = 0; i < r->length; i++) given[i] = i == 0 ? r->end_id : -1;
    fill_turns(r);
    for (int i = 0; i < all; i++) TRY(make(r, i, given));
    return DID_OK;
}

status roster_begin(roster *r, int n, int in_flight)
{
    int families = n / r->n_kinds;
    clear_documents(r);
    assert(!r->shared || (r->families && n % r->n_kinds == 0));
    r->in_flight = in_flight;
    r->n = n;
    r->n_shared = families * nodes(r);
    size_t   all = (size_t)(r->n + r->n_shared) + 1;
    int32_t *given = malloc((size_t)r->length * sizeof *given);
    r->docs = calloc(all, sizeof *r->docs);
    r->turn = calloc(all, sizeof *r->turn);
    r->gone = calloc(all, sizeof *r->gone);
    status s = given && r->docs && r->turn && r->gone ? make_all(r, given) : no_memory(r);
    free(given);
    return s;
}

/* ---- to the engine and back ---- */

/* May it be given out? What it goes on from is over then. */
static bool ready(const roster *r, int place)
{
    int source = source_of(r, place);
    return source < 0 || (r->docs[source] && r->docs[source]->finish != FINISH_NONE);
}

static document *give(roster *r, int place)
{
    document *d = r->docs[place];
    int       source = source_of(r, place);
    if (source >= 0 && r->docs[source]->finish == FINISH_LENGTH)
        document_follow(d, r->docs[source]);
    r->docs[place] = NULL;
    r->gone[place] = true;
    r->given++;
    r->out++;
    return d;
}

static status take(void *context, document **docs, int room, int wait_ms, int *n, bool *over)
{
    roster *r = context;
    int     all = r->n + r->n_shared;
    (void)wait_ms;
    *n = 0;
    for (int i = 0; i < all && *n < room && r->out < r->in_flight; i++) {
        int place = r->turn[i];
        if (!r->gone[place] && ready(r, place)) docs[(*n)++] = give(r, place);
    }
    *over = r->given == all;
    return DID_OK;
}

static status take_back(void *context, document **doc)
{
    roster *r = context;
    r->docs[(*doc)->serial] = *doc;
    r->out--;
    *doc = NULL;
    return DID_OK;
}

engine_feed roster_feed(roster *r)
{
    return (engine_feed){
        .context = r, .take = take, .deliver = take_back, .put_down = take_back};
}

static void compare(roster *r, int i, verdict *v)
{
    const document *d = r->docs[i];
    int             number = number_of(r, i);
    size_t          bytes = (size_t)r->length * sizeof *d->token;
    if (!d || d->finish != FINISH_LENGTH)
        verdict_wrong(v, "document %d was not finished: %.80s", number, d ? d->reason : "lost");
    else if (!r->known[i]) {
        r->known[i] = malloc(bytes);
        if (r->known[i]) memcpy(r->known[i], d->token, bytes);
        else verdict_wrong(v, "no memory to compare document %d", number);
    } else if (memcmp(r->known[i], d->token, bytes))
        verdict_wrong(v, "document %d is another text than the first time", number);
}

void roster_compare(roster *r, verdict *v)
{
    for (int i = 0; i < r->n; i++) compare(r, i, v);
}

uint64_t roster_digest_of(const roster *r, int i)
{
    const document *d = r->docs[i];
    uint64_t        number = (uint64_t)(r->row + i * r->rows);
    if (!d || d->finish != FINISH_LENGTH) return 0;
    return rng_hash(number, d->token, (int)((size_t)r->length * sizeof *d->token));
}

static uint64_t digest_mine(const roster *r, verdict *v)
{
    uint64_t sum = 0;
    for (int i = 0; i < r->n; i++) {
        const document *d = r->docs[i];
        sum += roster_digest_of(r, i);
        if (!d || d->finish != FINISH_LENGTH)
            verdict_wrong(v, "FAILED, a document was not finished: %.80s",
                          d ? d->reason : "lost");
    }
    return sum;
}

status roster_digest(uint64_t *digest, const roster *r, verdict *v, comm *on)
{
    int       ranks = comm_size(on);
    uint64_t  mine = digest_mine(r, v), *all = malloc((size_t)ranks * sizeof *all);
    status    s = all ? DID_OK : status_fail(DID_ENOMEM, "no memory for %d ranks", ranks);
    s = comm_agree(on, s);
    if (s == DID_OK) s = comm_gather(on, all, &mine, sizeof mine, EV_BENCH);
    *digest = 0;
    for (int i = 0; s == DID_OK && i < ranks; i++) *digest += all[i];
    free(all);
    if (s == DID_OK) s = verdict_agree(v, on);
    return s;
}

roster_kind roster_refined(int block, int steps)
{
    stage       usual = {.nucleus = 0.9, .temperature = 1};
    roster_kind kind = {.n_stages = 2, .stage = {usual, usual}};
    kind.stage[0].block = block;
    kind.stage[0].sampler = SAMPLER_FHS;
    kind.stage[1].block = STAGE_BLOCK_WHOLE;
    kind.stage[1].remask = ROSTER_REOPENED;
    kind.stage[1].sampler = SAMPLER_QUOTA;
    kind.stage[1].steps = steps;
    return kind;
}
