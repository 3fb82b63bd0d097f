#include "trace.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsontext.h"
#include "utf8.h"

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory to show a document");
}

/* ---- spelling ---- */

/* How many of id[n] it takes, from the first, to end in whole characters; 0 when no few do. */
static int whole_characters(const int32_t *id, int n, const tokenizer *words, char **text)
{
    enum { TOKENS_PER_CHARACTER = 4 };
    for (int i = 1; i <= n && i <= TOKENS_PER_CHARACTER; i++) {
        size_t size;
        if (tokenizer_decode(words, id, i, true, text, &size) != DID_OK) return -1;
        if (utf8_check(*text, size) == size && strlen(*text) == size) return i;
        free(*text);
        *text = NULL;
    }
    return 0;
}

static status repaired(char **out, int32_t id, const tokenizer *words)
{
    char  *raw = NULL;
    size_t size;
    TRY(tokenizer_decode(words, &id, 1, true, &raw, &size));
    status s = tokenizer_repair(raw, size, out, NULL);
    free(raw);
    return s;
}

static status numbers(char **out, const int32_t *id, int n)
{
    for (int i = 0; i < n; i++)
        if (asprintf(&out[i], i ? " %d" : "%d", id[i]) < 0) {
            out[i] = NULL;
            return no_memory();
        }
    return DID_OK;
}

status trace_spell(char **out, const int32_t *id, int n, const tokenizer *words)
{
    memset(out, 0, (size_t)n * sizeof *out);
    if (!words) return numbers(out, id, n);
    for (int i = 0, took; i < n; i += took) {
        took = whole_characters(id + i, n - i, words, &out[i]);
        if (took < 0) return no_memory();
        if (took == 0) {
            TRY(repaired(&out[i], id[i], words));
            took = 1;
        }
        for (int j = i + 1; j < i + took; j++)
            if (!(out[j] = strdup(""))) return no_memory();
    }
    return DID_OK;
}

/* ---- values of the record ---- */

static status unlike(const json_t *found, const char *key, const char *expected)
{
    char shown[JSONTEXT_SHOWN];
    return status_fail(DID_EFORMAT, "%s: found %s, expected %s", key, jsontext_show(shown, found),
                       expected);
}

static status whole(const json_t *value, const char *key, int low, int high, int *out)
{
    json_int_t x = json_integer_value(value);
    char       expected[64];
    *out = (int)x;
    if (json_is_integer(value) && x >= low && x <= high) return DID_OK;
    snprintf(expected, sizeof expected, "a whole number from %d to %d", low, high);
    return unlike(value, key, expected);
}

static int count_of(const json_t *object, const char *key)
{
    return (int)json_integer_value(json_object_get(object, key));
}

static const char *word_of(const json_t *object, const char *key)
{
    const char *word = json_string_value(json_object_get(object, key));
    return word ? word : "?";
}

static status ids_of(int32_t **out, int *n, const json_t *array, const char *key)
{
    if (!json_is_array(array)) return unlike(array, key, "an array of token ids");
    *n = (int)json_array_size(array);
    *out = malloc(((size_t)*n + 1) * sizeof **out);
    if (!*out) return no_memory();
    for (int i = 0; i < *n; i++) {
        int id = 0;
        TRY(whole(json_array_get(array, (size_t)i), key, 0, INT_MAX, &id));
        (*out)[i] = id;
    }
    return DID_OK;
}

/* ---- what is said of stages ---- */

static status say(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static status say(char **out, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vasprintf(out, format, list);
    va_end(list);
    if (n >= 0) return DID_OK;
    *out = NULL;
    return no_memory();
}

static double real_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static status title_of(char **out, const json_t *s, int k, int length)
{
    char        where[64], reopen[80] = "", how[80], cache[48] = "";
    const char *way = word_of(s, "sampler");
    int         block = count_of(s, "block");
    if (!strcmp(word_of(s, "work"), "found")) return say(out, "stage %d: found", k + 1);
    if (block >= length) snprintf(where, sizeof where, "the whole at once");
    else snprintf(where, sizeof where, "blocks of %d", block);
    if (k > 0)
        snprintf(reopen, sizeof reopen, "%g reopened (%.20s), ", real_of(s, "remask"),
                 word_of(s, "policy"));
    if (!strcmp(way, "fhs")) snprintf(how, sizeof how, "fhs");
    else if (!strcmp(way, "threshold"))
        snprintf(how, sizeof how, "threshold/%g", real_of(s, "threshold"));
    else
        snprintf(how, sizeof how, "%.20s/%d%s%.20s", way, count_of(s, "steps"),
                 strcmp(way, "quota") ? "" : " ", strcmp(way, "quota") ? "" : word_of(s, "order"));
    if (count_of(s, "cache") > 0)
        snprintf(cache, sizeof cache, ", all evaluated every %d passes", count_of(s, "cache"));
    return say(out, "stage %d: %s, %s, %s%s, nucleus %g, temperature %g%s", k + 1,
               k ? "refine" : "draft", where, reopen, how, real_of(s, "nucleus"),
               real_of(s, "temperature"), cache);
}

static status costs_of(char **out, const json_t *c, int k)
{
    char posthoc[48] = "";
    if (count_of(c, "rescored") > 0)
        snprintf(posthoc, sizeof posthoc, ", %d more to measure confidence",
                 count_of(c, "rescored"));
    if (k == 0) return say(out, "NFE %d, commits %d", count_of(c, "nfe"), count_of(c, "commits"));
    return say(out, "NFE %d%s, commits %d, %d reopened, %d changed", count_of(c, "nfe"), posthoc,
               count_of(c, "commits"), count_of(c, "reopened"), count_of(c, "changed"));
}

/* ---- replaying the draws ---- */

/* Positions as the draws have left them so far. */
typedef struct standing {
    int32_t *ids; /* where the stage before left them; NULL before the draft */
    int      n;
    char   **spelled; /* [n] */
    float   *confidence;
    int     *stage, *step; /* [room] */
    int      room;
} standing;

static void spelled_free(char **text, int n)
{
    for (int i = 0; text && i < n; i++) free(text[i]);
    free(text);
}

static void standing_clear(standing *at)
{
    spelled_free(at->spelled, at->n);
    free(at->ids);
    free(at->confidence);
    free(at->stage);
    free(at->step);
}

static status standing_begin(standing *at, const json_t *trace)
{
    const json_t *given = json_object_get(trace, "given");
    if (!json_is_array(given) || json_array_size(given) == 0)
        return unlike(given, "trace given", "an array of token ids");
    size_t n = json_array_size(given);
    at->room = (int)n;
    at->confidence = malloc(n * sizeof *at->confidence);
    at->stage = malloc(n * sizeof *at->stage);
    at->step = malloc(n * sizeof *at->step);
    if (!at->confidence || !at->stage || !at->step) return no_memory();
    for (size_t i = 0; i < n; i++) {
        bool fixed = json_integer_value(json_array_get(given, i)) >= 0;
        at->confidence[i] = fixed ? INFINITY : NAN;
        at->stage[i] = at->step[i] = -1;
    }
    return DID_OK;
}

/* One draw: [stage, step, position, token, replaced, snapshot]. */
static status draw_take(standing *at, view *v, const json_t *row, int k)
{
    int stage_at, step, position;
    TRY(whole(json_array_get(row, 0), "trace draws stage", 0, v->n_stages - 1, &stage_at));
    TRY(whole(json_array_get(row, 1), "trace draws step", 0, INT_MAX, &step));
    TRY(whole(json_array_get(row, 2), "trace draws position", 0, at->room - 1, &position));
    if (stage_at != k) return DID_OK;
    at->confidence[position] = (float)json_number_value(json_array_get(row, 5));
    at->stage[position] = k;
    at->step[position] = step;
    if (k > 0 && position < v->stage[k - 1].n) v->stage[k - 1].token[position].reopens = true;
    return DID_OK;
}

static status stage_fill(view_stage *s, standing *at, int32_t *ids, int n, char **spelled, int k)
{
    s->token = calloc((size_t)n + 1, sizeof *s->token);
    if (!s->token) return no_memory();
    for (s->n = 0; s->n < n; s->n++) {
        int i = s->n;
        s->token[i] = (view_token){.text = strdup(spelled[i]),
                                   .confidence = at->confidence[i],
                                   .stage = at->stage[i],
                                   .step = at->step[i],
                                   .reopened = k > 0 && at->stage[i] == k};
        if (!s->token[i].text) return no_memory();
        if (k == 0 || i >= at->n || at->ids[i] == ids[i]) continue;
        s->token[i].before = strdup(at->spelled[i]);
        if (!s->token[i].before) {
            s->n++;
            return no_memory();
        }
    }
    return DID_OK;
}

/* The stage k as it left its tokens. */
static status stage_replay(view *v, standing *at, const json_t *trace, int k,
                           const tokenizer *words)
{
    const json_t *draws = json_object_get(trace, "draws"), *row;
    int32_t      *ids = NULL;
    char        **spelled = NULL;
    int           n = 0;
    size_t        i;
    if (!json_is_array(draws)) return unlike(draws, "trace draws", "an array");
    json_array_foreach((json_t *)draws, i, row) TRY(draw_take(at, v, row, k));
    status s =
        ids_of(&ids, &n, json_array_get(json_object_get(trace, "left"), (size_t)k), "trace left");
    if (s == DID_OK && n > at->room)
        s = status_fail(DID_EFORMAT, "trace left: found %d tokens, expected at most %d", n,
                        at->room);
    if (s == DID_OK && !(spelled = calloc((size_t)n + 1, sizeof *spelled))) s = no_memory();
    if (s == DID_OK) s = trace_spell(spelled, ids, n, words);
    if (s == DID_OK) s = stage_fill(&v->stage[k], at, ids, n, spelled, k);
    spelled_free(at->spelled, at->n);
    free(at->ids);
    at->ids = ids;
    at->spelled = spelled;
    at->n = n;
    return s;
}

static status replay(view *v, const json_t *trace, const tokenizer *words)
{
    standing at = {0};
    size_t   finished = json_array_size(json_object_get(trace, "left"));
    status   s = standing_begin(&at, trace);
    v->traced = true;
    for (int k = 0; s == DID_OK && k < v->n_stages && (size_t)k < finished; k++)
        s = stage_replay(v, &at, trace, k, words);
    standing_clear(&at);
    return s;
}

/* ---- the record ---- */

static status read_stages(view *v, const json_t *record)
{
    const json_t *settings = json_object_get(record, "settings");
    const json_t *stages = json_object_get(settings, "stages");
    const json_t *costs = json_object_get(record, "cost");
    int           length = count_of(settings, "length");
    size_t        n = json_array_size(stages);
    if (!json_is_array(stages) || n < 1 || n > STAGES_MAX || json_array_size(costs) != n)
        return unlike(stages, "settings stages", "one to eight stages, and a cost for each");
    for (size_t k = 0; k < n; k++) {
        const json_t *one = json_array_get(stages, k);
        const char   *work = json_string_value(json_object_get(one, "work"));
        if (work && strcmp(work, "found")) continue; /* it measured, and changed no token */
        view_stage *s = &v->stage[v->n_stages++];
        TRY(title_of(&s->title, one, (int)k, length));
        TRY(costs_of(&s->costs, json_array_get(costs, k), (int)k));
    }
    return DID_OK;
}

static status read_ending(view *v, const json_t *record)
{
    const json_t *score = json_object_get(record, "score");
    const char   *error = json_string_value(json_object_get(record, "error"));
    int           tokens = count_of(score, "tokens");
    char          scored[120] = "";
    if (tokens > 0) {
        double nll = real_of(score, "nll") / tokens;
        snprintf(scored, sizeof scored, "; perplexity %.2f (%.3f nats over %d tokens)", exp(nll),
                 nll, tokens);
    }
    return say(&v->ending, "finished: %s%s%s; %d rejected drafts%s",
               word_of(record, "finish_reason"), error ? ", " : "", error ? error : "",
               count_of(record, "rejections"), scored);
}

status trace_read(view *out, const json_t *record, const tokenizer *words)
{
    const json_t *trace = json_object_get(record, "trace");
    const char   *id = json_string_value(json_object_get(record, "custom_id"));
    const char   *text = json_string_value(json_object_get(record, "text"));
    *out = (view){0};
    if (!id) return unlike(json_object_get(record, "custom_id"), "custom_id", "a string");
    if (count_of(record, "sample") == 0) TRY(say(&out->name, "%s", id));
    else TRY(say(&out->name, "%s sample %d", id, count_of(record, "sample")));
    if (text) TRY(say(&out->text, "%s", text));
    TRY(read_ending(out, record));
    TRY(read_stages(out, record));
    return trace ? replay(out, trace, words) : DID_OK;
}
