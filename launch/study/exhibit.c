#include "exhibit.h"

#include <math.h>
#include <stdlib.h>

#include "page.h"
#include "trace.h"

enum { DOCUMENTS = 2 };

static const harvest_document *document_of(const sheet *s, int row, int place)
{
    return &s->harvest->setting[row].document[place];
}

/* Whether two settings draft the same tokens from the same random numbers. */
static bool same_draft(const trial *a, const trial *b)
{
    const stage *x = &a->stage[0], *y = &b->stage[0];
    return a->length == b->length && x->model == y->model && x->block == y->block &&
           x->sampler == y->sampler && x->steps == y->steps && x->threshold == y->threshold &&
           x->order == y->order && x->nucleus == y->nucleus && x->rule == y->rule &&
           x->temperature == y->temperature &&
           a->setting->reject == b->setting->reject;
}

static status spell(char ***out, const harvest_document *d, const tokenizer *words)
{
    *out = calloc((size_t)d->n + 1, sizeof **out);
    if (!*out) return status_fail(DID_ENOMEM, "no memory for a sample");
    return trace_spell(*out, d->id, d->n, words);
}

static void forget(char **text, int n)
{
    for (int i = 0; text && i < n; i++) free(text[i]);
    free(text);
}

static void element(FILE *to, const char *name, char *const *text, int first, int end)
{
    fprintf(to, "<%s>", name);
    for (int i = first; i < end; i++) page_text(to, text[i]);
    fprintf(to, "</%s>", name);
}

/* The text of `d`, with what differs from `before` (NULL: nothing is compared) as edits. */
static void edits(FILE *to, const harvest_document *d, char *const *text,
                  const harvest_document *before, char *const *old)
{
    for (int i = 1, end; i < d->n; i = end) {
        end = i + 1;
        if (!before || i >= before->n || d->id[i] == before->id[i]) {
            page_text(to, text[i]);
            continue;
        }
        while (end < d->n && end < before->n && d->id[end] != before->id[end]) end++;
        element(to, "del", old, i, end);
        element(to, "ins", text, i, end);
    }
}

static status text_of(FILE *to, const harvest_document *d, const harvest_document *before,
                      const tokenizer *words)
{
    char **text = NULL, **old = NULL;
    status s = spell(&text, d, words);
    if (s == DID_OK && before) s = spell(&old, before, words);
    if (s == DID_OK) edits(to, d, text, before, old);
    forget(text, d->n);
    if (before) forget(old, before->n);
    return s;
}

static status card(FILE *to, const sheet *s, int row, int place, const tokenizer *words)
{
    const harvest_document *d = document_of(s, row, place), *before = NULL;
    int                     baseline = s->spec->baseline;
    if (!d->there) return DID_OK;
    if (baseline >= 0 && baseline != row && same_draft(s->row[row].trial, s->row[baseline].trial) &&
        document_of(s, baseline, place)->there)
        before = document_of(s, baseline, place);
    fprintf(to, "<div><h3>%d. ", row + 1);
    page_text(to, s->row[row].trial->setting->name);
    fprintf(to,
            "</h3><p class=\"small soft\">perplexity %.1f, entropy %.3f, %.1f %% changed%s</p><p "
            "class=\"text\">",
            quality_perplexity(d->quality.nll, d->quality.rows), d->quality.entropy, 100 * d->edits,
            before || row == baseline ? "" : "; another draft, not compared");
    status good = text_of(to, d, before, words);
    fputs("</p></div>\n", to);
    return good;
}

/* The setting of a section whose texts the scorer finds most probable. */
static int best_of(const sheet *s, int section)
{
    int best = -1;
    for (int i = 0; i < s->n; i++) {
        double nll = s->row[i].of[MEASURE_NLL].value;
        if (s->row[i].trial->setting->section != section || isnan(nll)) continue;
        if (best < 0 || nll < s->row[best].of[MEASURE_NLL].value) best = i;
    }
    return best;
}

static status cards(FILE *to, const sheet *s, int place, const tokenizer *words)
{
    int baseline = s->spec->baseline;
    fprintf(to, "<h3>Document %d</h3>\n<div class=\"pair\">\n", place);
    if (baseline >= 0) TRY(card(to, s, baseline, place, words));
    for (int k = 0; k < s->spec->n_sections; k++) {
        int best = best_of(s, k);
        if (best < 0 || best == baseline || k == s->spec->frontier) continue;
        TRY(card(to, s, best, place, words));
    }
    fputs("</div>\n", to);
    return DID_OK;
}

status exhibit_write(FILE *to, const sheet *s, const tokenizer *words)
{
    fputs(
        "<h2>Samples</h2>\n<p class=\"small\">The baseline and the most probable setting of every "
        "section, on the same random numbers: <del>what the draft had</del><ins>what stands "
        "there now</ins>. They are the first documents, not chosen ones.</p>\n",
        to);
    for (int i = 0; i < DOCUMENTS && i < s->harvest->n_documents; i++) TRY(cards(to, s, i, words));
    return DID_OK;
}
