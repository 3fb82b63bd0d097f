#include "scoreboard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the table of the texts");
}

static bool bounds(const reading *r)
{
    return r->how.work == WORK_BOUND;
}

static quality *measured_of(const scoreboard *b, int r)
{
    return b->measured + (size_t)r * (size_t)b->samples->n;
}

/* ---- summing up ---- */

/* Samples are evaluated `batch` at a time, all as long as the longest of them. */
static int pads_of(const scoreboard *b, const reading *r, int sample)
{
    int longest = 0, first;
    if (!r->told || bounds(r) || b->batch == 0) return 0;
    first = sample - sample % b->batch;
    for (int i = first; i < first + b->batch && i < b->samples->n; i++)
        if (r->text[i] >= 0 && b->gauge->text[r->text[i]].n > longest)
            longest = b->gauge->text[r->text[i]].n;
    return longest - b->gauge->text[r->text[sample]].n;
}

static status measure(const scoreboard *b, int which)
{
    const reading *r = &b->of[which];
    quality       *q = measured_of(b, which);
    /* A causal scorer is asked about the words; a bound is about everything the model fills. */
    int32_t        unscored = bounds(r) ? -1 : b->end_id;
    for (int i = 0; i < b->samples->n; i++) {
        if (r->text[i] < 0) continue;
        const gauge_text *t = &b->gauge->text[r->text[i]];
        TRY(quality_measure(&q[i], b->gauge->id + t->first, b->gauge->nll + t->first, t->n,
                            unscored, pads_of(b, r, i)));
    }
    return DID_OK;
}

static status sum_up(scoreboard *b, int which)
{
    const reading *r = &b->of[which];
    int            n = b->samples->n, kept = 0;
    quality       *q = malloc(((size_t)n + 1) * sizeof *q);
    double        *edited = malloc(((size_t)n + 1) * sizeof *edited);
    status         s = q && edited ? DID_OK : no_memory();
    for (int i = 0; s == DID_OK && i < n; i++) {
        if (r->text[i] < 0) continue;
        edited[kept] = b->samples->sample[i].of[r->place].edited;
        q[kept++] = measured_of(b, which)[i];
    }
    if (s == DID_OK) s = quality_summary(&b->sum[which], q, kept, b->seed);
    if (s == DID_OK) b->edited[which] = quality_mean(edited, kept);
    free(q);
    free(edited);
    return s;
}

static double mean_nll(const quality *q)
{
    return q->rows > 0 ? q->nll / q->rows : NAN;
}

/* The same reading of the first stage; -1 where this is the first. */
static int first_stage(const scoreboard *b, int which)
{
    const reading *r = &b->of[which];
    if (!b->by_stage || r->place == 0) return -1;
    for (int i = 0; i < which; i++)
        if (b->of[i].place == 0 && b->of[i].told == r->told && b->of[i].how.block == r->how.block)
            return i;
    return -1;
}

static status compare(scoreboard *b, int which)
{
    int     n = b->samples->n, first = first_stage(b, which);
    double *before = malloc(((size_t)n + 1) * sizeof *before);
    double *after = malloc(((size_t)n + 1) * sizeof *after);
    status  s = before && after ? DID_OK : no_memory();
    for (int i = 0; s == DID_OK && i < n; i++) {
        before[i] = first < 0 ? NAN : mean_nll(&measured_of(b, first)[i]);
        after[i] = mean_nll(&measured_of(b, which)[i]);
    }
    if (s == DID_OK) b->change[which] = quality_paired(before, after, n);
    free(before);
    free(after);
    return s;
}

status scoreboard_settle(scoreboard *b)
{
    size_t all = (size_t)b->n * (size_t)b->samples->n;
    b->measured = calloc(all + 1, sizeof *b->measured);
    if (!b->measured) return no_memory();
    for (int r = 0; r < b->n; r++) {
        TRY(measure(b, r));
        TRY(sum_up(b, r));
        TRY(compare(b, r));
    }
    return DID_OK;
}

void scoreboard_clear(scoreboard *b)
{
    for (int r = 0; r < b->n; r++) free(b->of[r].text);
    free(b->measured);
    b->measured = NULL;
    b->n = 0;
}

/* ---- the table ---- */

enum { COLUMNS = 12, CELL = 48 };

typedef struct line {
    char cell[COLUMNS][CELL];
} line;

static void name_block(char *text, size_t size, const reading *r)
{
    if (r->how.block == STAGE_BLOCK_WHOLE) snprintf(text, size, "block L");
    else snprintf(text, size, "block %d", r->how.block);
}

static void name_reading(char *text, const scoreboard *b, const reading *r)
{
    char of[24] = "", what[24];
    if (b->by_stage) snprintf(of, sizeof of, "stage %d ", r->place + 1);
    if (bounds(r)) name_block(what, sizeof what, r);
    else snprintf(what, sizeof what, "%s", r->told ? "text" : "ids");
    snprintf(text, CELL, "%s%s", of, what);
}

static void ranged(char *text, double x, interval range, int digits)
{
    if (isnan(x)) snprintf(text, CELL, "-");
    else
        snprintf(text, CELL, "%.*f [%.*f, %.*f]", digits, x, digits, range.low, digits, range.high);
}

static void real(char *text, double x, int digits)
{
    if (isnan(x)) snprintf(text, CELL, "-");
    else snprintf(text, CELL, "%.*f", digits, x);
}

static line head_of(const scoreboard *b)
{
    static const line score = {{"", "texts", "scored", "perplexity [95 %]", "mean of texts [95 %]",
                                "entropy [95 %]", "repeated 1/2/3/4", "longest", "length (max)",
                                "edited", "change of nll", "lower in"}};
    line              h = score;
    if (!bounds(&b->of[0])) return h;
    strcpy(h.cell[3], "nats per token [95 %]");
    strcpy(h.cell[4], "perplexity, at most");
    return h;
}

static line line_of(const scoreboard *b, int which)
{
    const reading *r = &b->of[which];
    const summary *s = &b->sum[which];
    const paired  *p = &b->change[which];
    line           x = {{{0}}};
    name_reading(x.cell[0], b, r);
    snprintf(x.cell[1], CELL, "%d", s->samples);
    snprintf(x.cell[2], CELL, "%ld", s->rows);
    if (bounds(r)) {
        interval nats = {log(s->perplexity_range.low), log(s->perplexity_range.high)};
        ranged(x.cell[3], s->nll, nats, 3);
        real(x.cell[4], s->perplexity, 2);
    } else {
        ranged(x.cell[3], s->perplexity, s->perplexity_range, 2);
        ranged(x.cell[4], s->perplexity_mean, s->perplexity_mean_range, 2);
    }
    ranged(x.cell[5], s->entropy, s->entropy_range, 3);
    snprintf(x.cell[6], CELL, "%.2f/%.2f/%.2f/%.2f", s->repeated[0], s->repeated[1], s->repeated[2],
             s->repeated[3]);
    snprintf(x.cell[7], CELL, "%d", s->longest);
    snprintf(x.cell[8], CELL, "%.0f (%d)", s->length_median, s->length_max);
    real(x.cell[9], b->edited[which], 3);
    if (p->pairs > 0) {
        snprintf(x.cell[10], CELL, "%+.3f +- %.3f", p->change, p->error);
        snprintf(x.cell[11], CELL, "%d of %d", p->lower, p->pairs);
    }
    return x;
}

static void print_line(const line *x, const size_t *width, FILE *out)
{
    int gap = (int)(width[0] - strlen(x->cell[0])); /* blanks due before the next word */
    fprintf(out, "%s", x->cell[0]);
    for (int c = 1; c < COLUMNS; c++) {
        if (width[c] == 0) continue;
        int len = (int)strlen(x->cell[c]);
        gap += 2 + (int)width[c] - len;
        if (len == 0) continue;
        fprintf(out, "%*s%s", gap, "", x->cell[c]);
        gap = 0;
    }
    fputc('\n', out);
}

void scoreboard_print(const scoreboard *b, FILE *out)
{
    line   head = head_of(b), at[READINGS_MAX];
    size_t width[COLUMNS] = {0};
    for (int r = 0; r < b->n; r++) at[r] = line_of(b, r);
    for (int c = 0; c < COLUMNS; c++) {
        bool told = false; /* a column in which nobody has anything to say is left out */
        for (int r = 0; r < b->n; r++) {
            size_t len = strlen(at[r].cell[c]);
            told = told || (len > 0 && strcmp(at[r].cell[c], "-") != 0);
            if (len > width[c]) width[c] = len;
        }
        if (strlen(head.cell[c]) > width[c]) width[c] = strlen(head.cell[c]);
        if (!told && c > 0) width[c] = 0;
    }
    print_line(&head, width, out);
    for (int r = 0; r < b->n; r++) print_line(&at[r], width, out);
}

/* ---- JSON ---- */

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *pair(interval i)
{
    return json_pack("[o, o]", number(i.low), number(i.high));
}

static json_t *shares(const double *x)
{
    return json_pack("[o, o, o, o]", number(x[0]), number(x[1]), number(x[2]), number(x[3]));
}

/* What names a reading, in the whole and in a line alike. */
static int name_in(json_t *o, const scoreboard *b, const reading *r, int at)
{
    char block[24];
    int  bad = json_object_set_new(o, "of", json_string(r->told ? "text" : "ids"));
    if (b->by_stage) bad |= json_object_set_new(o, "stage", json_integer(at + 1));
    if (!bounds(r)) return bad;
    name_block(block, sizeof block, r);
    bad |= json_object_set_new(o, "block", json_string(block + strlen("block ")));
    return bad | json_object_set_new(o, "draws", json_integer(r->how.steps));
}

static json_t *json_reading(const scoreboard *b, int which)
{
    const summary *s = &b->sum[which];
    const paired  *p = &b->change[which];
    json_t        *o = json_object();
    int            bad = o ? name_in(o, b, &b->of[which], b->of[which].place) : -1;
    bad |= json_object_update_new(
        o, json_pack("{s:i, s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:i}",
                     "texts", s->samples, "scored_texts", s->scored, "tokens", (json_int_t)s->rows,
                     "nll", number(s->nll), "perplexity", number(s->perplexity), "perplexity_95",
                     pair(s->perplexity_range), "perplexity_mean", number(s->perplexity_mean),
                     "perplexity_mean_95", pair(s->perplexity_mean_range), "entropy",
                     number(s->entropy), "entropy_95", pair(s->entropy_range), "repeated",
                     shares(s->repeated), "longest_repeat", s->longest, "length_median",
                     number(s->length_median), "length_max", s->length_max));
    if (!isnan(b->edited[which])) bad |= json_object_set_new(o, "edited", number(b->edited[which]));
    if (p->pairs > 0)
        bad |= json_object_set_new(o, "change",
                                   json_pack("{s:i, s:o, s:o, s:i}", "pairs", p->pairs, "nll",
                                             number(p->change), "error", number(p->error), "lower",
                                             p->lower));
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

json_t *scoreboard_json(const scoreboard *b)
{
    json_t *array = json_array();
    int     bad = array == NULL;
    for (int r = 0; r < b->n && !bad; r++) bad |= json_array_append_new(array, json_reading(b, r));
    if (!bad) return array;
    json_decref(array);
    return NULL;
}

static json_t *json_text(const scoreboard *b, int which, int i)
{
    const reading          *r = &b->of[which];
    const specimens_sample *name = &b->samples->sample[i];
    const quality          *q = &measured_of(b, which)[i];
    json_t *o = json_pack("{s:s, s:i}", "custom_id", name->custom_id, "sample", name->sample);
    int     bad = o ? name_in(o, b, r, name->of[r->place].stage) : -1;
    bad |= json_object_update_new(
        o, json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:i}", "tokens", q->tokens, "scored", q->rows,
                     "nll", number(q->nll), "perplexity",
                     number(quality_perplexity(q->nll, q->rows)), "entropy", number(q->entropy),
                     "repeated", shares(q->repeats.share), "longest_repeat", q->repeats.longest));
    if (!isnan(name->of[r->place].edited))
        bad |= json_object_set_new(o, "edited", number(name->of[r->place].edited));
    if (b->gauge->text[r->text[i]].finish == FINISH_FAILED)
        bad |= json_object_set_new(o, "failed", json_true());
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

status scoreboard_lines(const scoreboard *b, FILE *out)
{
    for (int i = 0; i < b->samples->n; i++)
        for (int r = 0; r < b->n; r++) {
            if (b->of[r].text[i] < 0) continue;
            json_t *o = json_text(b, r, i);
            char   *text = o ? json_dumps(o, JSON_REAL_PRECISION(15)) : NULL;
            json_decref(o);
            if (!text) return no_memory();
            fprintf(out, "%s\n", text);
            free(text);
        }
    return DID_OK;
}
