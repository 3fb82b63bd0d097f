#include "retold.h"

#include <stdlib.h>
#include <string.h>

#include "gauge.h"

/* The ids of a document's text; malloc'ed. */
static status encode_again(int32_t **id, int *n, const harvest_document *d, const tokenizer *words)
{
    char  *raw = NULL, *text = NULL;
    size_t size = 0;
    TRY(tokenizer_decode(words, d->id, d->n, true, &raw, &size));
    status s = tokenizer_repair(raw, size, &text, &size);
    if (s == DID_OK) s = tokenizer_encode(words, text, size, true, id, n);
    free(raw);
    free(text);
    return s;
}

/* The same ids have their score; others get a text in the gauge. */
static status tell(harvest_document *d, gauge *g, const tokenizer *words, int scorer)
{
    const stage how = {.work = WORK_SCORE, .model = scorer};
    int32_t    *id = NULL;
    int         n = 0;
    status      s = encode_again(&id, &n, d, words);
    if (s == DID_OK && n > d->n) n = d->n; /* the evaluation cuts at the length */
    if (s == DID_OK && n == d->n && memcmp(id, d->id, (size_t)n * sizeof *id) == 0) {
        d->told = d->quality;
    } else if (s == DID_OK) {
        d->retold = g->n;
        s = gauge_add(g, id, n, 0, &how);
    }
    free(id);
    return s;
}

static status make_list(harvest *h, gauge *g, const tokenizer *words, int scorer)
{
    for (int i = 0; i < h->spec->n_settings; i++)
        for (int k = 0; k < h->n_documents; k++) {
            harvest_document *d = &h->setting[i].document[k];
            d->retold = -1;
            if (d->there) TRY(tell(d, g, words, scorer));
        }
    return DID_OK;
}

static status take_scores(harvest *h, const gauge *g)
{
    for (int i = 0; i < h->spec->n_settings; i++)
        for (int k = 0; k < h->n_documents; k++) {
            harvest_document *d = &h->setting[i].document[k];
            if (!d->there || d->retold < 0) continue;
            const gauge_text *t = &g->text[d->retold];
            if (t->finish == FINISH_FAILED) continue;
            TRY(quality_measure(&d->told, g->id + t->first, g->nll + t->first, t->n, h->end_id, 0));
        }
    return DID_OK;
}

static status run_gauge(gauge *g, const cmd_generate_run *run)
{
    int left; /* none: nobody may ask for an early end of so little */
    TRY(gauge_share(g, run->world));
    return g->n > 0 ? gauge_run(g, run->engine, run->world, run->rows, NULL, &left) : DID_OK;
}

status retold_score(harvest *h, const cmd_generate_run *run, int scorer)
{
    gauge  g = {0};
    status s = DID_OK;
    if (h && run->job->words) s = make_list(h, &g, run->job->words, scorer);
    s = comm_agree(run->world, s);
    if (s == DID_OK) s = run_gauge(&g, run);
    if (s == DID_OK && h) s = take_scores(h, &g);
    gauge_clear(&g);
    return comm_agree(run->world, s);
}
