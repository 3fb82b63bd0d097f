#include "roster.h"

#include <stdlib.h>
#include <string.h>

#include "rng.h"

status roster_open(roster *r)
{
    r->docs = calloc((size_t)r->most, sizeof *r->docs);
    r->known = calloc((size_t)r->most, sizeof *r->known);
    if (r->docs && r->known) return DID_OK;
    return status_fail(DID_ENOMEM, "no memory for %d documents", r->most);
}

static void clear_documents(roster *r)
{
    for (int i = 0; r->docs && i < r->n; i++) document_close(&r->docs[i]);
    r->n = 0;
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
    free(r->docs);
    free(r->known);
    r->docs = NULL;
    r->known = NULL;
}

static status make(roster *r, int i, const int32_t *given)
{
    document *d;
    int       number = r->row + i * r->rows, pair = number / r->n_kinds;
    TRY(document_open(&r->docs[i], r->length, given, r->mask_id));
    d = r->docs[i];
    d->serial = i;
    d->key = rng_hash((uint64_t)r->seed, &pair, (int)sizeof pair);
    const roster_kind *kind = &r->kind[number % r->n_kinds];
    d->n_stages = kind->n_stages;
    memcpy(d->stage, kind->stage, sizeof kind->stage);
    return DID_OK;
}

status roster_begin(roster *r, int n, int in_flight)
{
    clear_documents(r);
    int32_t *given = malloc((size_t)r->length * sizeof *given);
    if (!given) return status_fail(DID_ENOMEM, "no memory for %d positions", r->length);
    for (int i = 0; i < r->length; i++) given[i] = i == 0 ? r->end_id : -1;
    status s = DID_OK;
    r->next = r->out = 0;
    r->in_flight = in_flight;
    while (s == DID_OK && r->n < n) {
        s = make(r, r->n, given);
        r->n += s == DID_OK;
    }
    free(given);
    return s;
}

static status take(void *context, document **docs, int room, int wait_ms, int *n, bool *over)
{
    roster *r = context;
    (void)wait_ms;
    for (*n = 0; *n < room && r->out < r->in_flight && r->next < r->n; r->out++, r->next++) {
        docs[(*n)++] = r->docs[r->next];
        r->docs[r->next] = NULL;
    }
    *over = r->next == r->n;
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
    int             number = r->row + i * r->rows;
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
