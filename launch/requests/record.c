#include "record.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "rng.h"

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for a record of the output");
}

/* ---- the text ---- */

/* The text is made of the tokens [1, end). */
static int text_end(const document *d, const record_rules *rules)
{
    for (int i = 1; i < d->length; i++) {
        if (d->masked[i]) return i;
        if (d->token[i] == rules->end_id && !rules->keep_eos) return i;
    }
    return d->length;
}

/* How many of the `end` first positions were given without a gap: the prompt. */
static int prompt_end(const request *r, int end)
{
    int i = 1;
    while (i < end && r->given[i] >= 0) i++;
    return i;
}

/* The offset of the first stop string that begins at or after `from`; `size` when there is none. */
static size_t find_stop(const char *text, size_t size, size_t from, const request *r)
{
    size_t first = size;
    for (int i = 0; i < r->n_stop; i++) {
        size_t      len = strlen(r->stop[i]);
        size_t      until = len - 1 < size - first ? first + len - 1 : size;
        const char *at = memmem(text + from, until - from, r->stop[i], len);
        if (at) first = (size_t)(at - text);
    }
    return first;
}

/* The document's text, malloc'ed and well-formed; *stopped when a stop string ended it. */
static status make_text(char **out, size_t *out_size, bool *stopped, const request *r,
                        const document *d, const record_rules *rules)
{
    char  *text = NULL, *prompt = NULL;
    size_t size = 0, prompt_size = 0;
    int    end = text_end(d, rules);
    status s = tokenizer_decode(rules->words, d->token + 1, end - 1, rules->keep_eos, &text, &size);
    if (s == DID_OK && r->n_stop > 0)
        s = tokenizer_decode(rules->words, d->token + 1, prompt_end(r, end) - 1, rules->keep_eos,
                             &prompt, &prompt_size);
    if (s == DID_OK) {
        size_t cut = find_stop(text, size, prompt_size, r);
        *stopped = cut < size;
        s = tokenizer_repair(text, cut, out, out_size);
    }
    free(text);
    free(prompt);
    return s;
}

static json_t *text_value(const char *text, size_t size)
{
    return text ? json_stringn(text, size) : json_null();
}

/* ---- the rest of the line ---- */

/* Seeds are unsigned; JSON numbers as most readers take them are not. */
static json_t *seed_value(uint64_t seed)
{
    char text[24];
    if (seed <= INT64_MAX) return json_integer((json_int_t)seed);
    snprintf(text, sizeof text, "%" PRIu64, seed);
    return json_string(text);
}

static json_t *reject_value(const reject_rule *rule)
{
    if (!rule->on) return json_false();
    return json_pack("{s:i, s:f, s:i}", "window", rule->window, "nats", rule->nats, "restarts",
                     rule->restarts);
}

static json_t *settings_value(const request *r, const record_rules *rules)
{
    json_t *stages = json_array();
    int     bad = stages == NULL;
    for (int k = 0; k < r->n_stages && !bad; k++) {
        int block = stage_block(&r->stage[k], r->length);
        bad |= json_array_append_new(stages, slip_stage(&r->stage[k], block));
    }
    if (bad) {
        json_decref(stages);
        return NULL;
    }
    return json_pack("{s:i, s:o, s:i, s:i, s:b, s:o, s:o}", "length", r->length, "seed",
                     seed_value(r->seed), "window", rules->window, "refine_window",
                     rules->parcels.refine_window[0], "variable_length", r->variable_length,
                     "reject", reject_value(&r->reject), "stages", stages);
}

static json_t *cost_value(const document *d)
{
    json_t *array = json_array();
    int     bad = array == NULL;
    for (int k = 0; k < d->n_stages && !bad; k++) {
        const cost *c = &d->cost[k];
        bad |=
            json_array_append_new(array, json_pack("{s:i, s:i, s:i, s:i, s:i, s:I}", "nfe", c->nfe,
                                                   "commits", c->commits, "rescored", c->rescored,
                                                   "reopened", c->reopened, "changed", c->changed,
                                                   "rows", (json_int_t)c->rows));
    }
    if (!bad) return array;
    json_decref(array);
    return NULL;
}

/* What a measuring stage has found, summed over the tokens that were measured. E does not count:
 * it begins the next text and is no part of this one. */
static json_t *score_value(const document *d, int32_t end_id)
{
    double nll = 0;
    int    tokens = 0;
    for (int i = 1; i < d->length; i++) {
        if (isnan(d->nll[i]) || d->token[i] == end_id) continue;
        nll += (double)d->nll[i];
        tokens++;
    }
    return json_pack("{s:f, s:i}", "nll", nll, "tokens", tokens);
}

static json_t *model_value(const record_rules *rules)
{
    if (rules->parcels.ids.n_models == 1) return field_from_hex(rules->model[0]);
    json_t *array = json_array();
    int     bad = array == NULL;
    for (int i = 0; i < rules->parcels.ids.n_models && !bad; i++)
        bad |= json_array_append_new(array, field_from_hex(rules->model[i]));
    if (!bad) return array;
    json_decref(array);
    return NULL;
}

static json_t *trace_value(const request *r, const document *d, const record_rules *rules)
{
    return json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:o}", "mask_id", rules->parcels.ids.mask_id,
                     "end_id", rules->end_id, "key", field_from_hex(r->key), "given", field_from_ids(r->given, r->length), "ids",
                     field_from_ids(d->token, d->length), "left", parcel_left(d), "draws",
                     parcel_draws(d));
}

/* Where more is given than a prompt in front, its count does not say what: 1 for each such token. */
static json_t *given_value(const request *r, int n)
{
    json_t *array = json_array();
    int     bad = array == NULL;
    for (int i = 0; i < n && !bad; i++)
        bad |= json_array_append_new(array, json_integer(r->given[i] >= 0));
    if (!bad) return array;
    json_decref(array);
    return NULL;
}

static json_t *reason_value(const document *d)
{
    char  *text;
    size_t size;
    if (tokenizer_repair(d->reason, strlen(d->reason), &text, &size) != DID_OK) return NULL;
    json_t *value = json_stringn(text, size);
    free(text);
    return value;
}

static status make_line(char **line, const request *r, const document *d, const record_rules *rules,
                        const char *text, size_t size, const char *finish_reason)
{
    int     bad = 0;
    json_t *o = json_object();
    bad |= json_object_set_new(o, "custom_id", json_string(r->custom_id));
    bad |= json_object_set_new(o, "sample", json_integer(r->sample));
    bad |= json_object_set_new(o, "text", text_value(text, size));
    bad |= json_object_set_new(o, "finish_reason", json_string(finish_reason));
    if (d->reason[0]) bad |= json_object_set_new(o, "error", reason_value(d));
    bad |= json_object_set_new(o, "prompt_tokens", json_integer(r->prompt_tokens));
    if (!d->traced && prompt_end(r, r->length) < r->prompt_tokens)
        bad |= json_object_set_new(o, "given", given_value(r, d->length));
    if (rules->ids || !rules->words)
        bad |= json_object_set_new(o, "ids", field_from_ids(d->token, d->length));
    bad |= json_object_set_new(o, "rejections", json_integer(d->attempt));
    bad |= json_object_set_new(o, "rejected_nfe", json_integer(d->rejected_nfe));
    bad |= json_object_set_new(o, "settings", settings_value(r, rules));
    bad |= json_object_set_new(o, "cost", cost_value(d));
    if (d->nll) bad |= json_object_set_new(o, "score", score_value(d, rules->end_id));
    bad |= json_object_set_new(o, "model", model_value(rules));
    bad |= json_object_set_new(o, "signature", json_string(rules->signature));
    if (d->traced) bad |= json_object_set_new(o, "trace", trace_value(r, d, rules));
    *line = bad ? NULL : json_dumps(o, JSON_REAL_PRECISION(15));
    json_decref(o);
    return *line ? DID_OK : no_memory();
}

status record_line(char **line, const request *r, const document *d, const record_rules *rules)
{
    char       *text = NULL;
    size_t      size = 0;
    bool        stopped = false;
    const char *reason = parcel_finish(d->finish);
    *line = NULL;
    if (rules->words && d->finish != FINISH_FAILED)
        TRY(make_text(&text, &size, &stopped, r, d, rules));
    if (stopped && d->finish != FINISH_REJECTED) reason = "stop";
    status s = make_line(line, r, d, rules, text, size, reason);
    free(text);
    return s;
}

/* ---- what a record says of itself ---- */

static const char *yes(bool flag)
{
    return flag ? "yes" : "no";
}

/* Two tokenizers that say the same for every id make the same texts. */
static status hash_words(uint64_t *hash, const record_rules *rules)
{
    char    *text = NULL;
    size_t   size = 0;
    int      n = rules->parcels.ids.vocab;
    int32_t *id = malloc((size_t)n * sizeof *id);
    if (!id) return no_memory();
    for (int i = 0; i < n; i++) id[i] = i;
    status s = tokenizer_decode(rules->words, id, n, true, &text, &size);
    if (s == DID_OK) *hash = rng_hash(0, text, (int)size);
    free(text);
    free(id);
    return s;
}

status record_identity(char **text, const record_rules *rules)
{
    size_t   size = 0;
    uint64_t words = 0;
    *text = NULL;
    if (rules->words) TRY(hash_words(&words, rules));
    FILE *to = open_memstream(text, &size);
    if (!to) return no_memory();
    fprintf(to, "signature %s\n", rules->signature);
    for (int i = 0; i < rules->parcels.ids.n_models; i++)
        fprintf(to, "model-%d %016" PRIx64 "\n", i, rules->model[i]);
    fprintf(to, "tokenizer %016" PRIx64 "\n", words);
    fprintf(to, "vocabulary %d\nmask-id %d\nend-id %d\n", rules->parcels.ids.vocab,
            rules->parcels.ids.mask_id, rules->end_id);
    fprintf(to, "window %d\nrefine-window", rules->window);
    for (int i = 0; i < rules->parcels.ids.n_models; i++)
        fprintf(to, " %d", rules->parcels.refine_window[i]);
    fputc('\n', to);
    fprintf(to, "ids %s\nkeep-eos %s\ntrace %s\n", yes(rules->ids), yes(rules->keep_eos),
            yes(rules->parcels.traced));
    if (fclose(to) == 0) return DID_OK;
    free(*text);
    *text = NULL;
    return no_memory();
}

static status owner(const json_t *o, char **custom_id, int *sample)
{
    const char *id;
    TRY(field_text(o, "custom_id", &id));
    TRY(field_int(o, "sample", 0, REQUEST_SAMPLES_MAX, sample));
    *custom_id = strdup(id);
    return *custom_id ? DID_OK : no_memory();
}

status record_owner(const char *text, size_t size, char **custom_id, int *sample)
{
    json_error_t error;
    *custom_id = NULL;
    json_t *object = json_loadb(text, size, JSON_ALLOW_NUL, &error); /* a text may hold NUL bytes */
    if (!object)
        return status_fail(DID_EFORMAT, "record: not JSON: %s, at column %d", error.text,
                           error.column);
    status s = owner(object, custom_id, sample);
    json_decref(object);
    return s == DID_OK ? s : status_at(s, "record");
}
