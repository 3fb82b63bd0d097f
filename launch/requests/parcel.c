#include "parcel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "jsontext.h"
#include "tokenizer.h"

enum { COUNTER_MAX = 1 << 30 };
/* A probability computed in f64 and stored in f32 may round to a little more than one. */
static const float SNAPSHOT_MAX = 1.00001f;
static const float NLL_MIN = -1e-4f; /* and its logarithm to a little less than none */

static const char *const finishes[] = {"none", "length", "end", "entropy", "rejected", "failed"};

const char *parcel_finish(finish f)
{
    return finishes[f];
}

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the JSON of a document");
}

status parcel_begin(document **out, const request *r, int64_t serial, const parcel_rules *rules)
{
    TRY(document_open(out, r->length, r->given, rules->ids.mask_id));
    document *d = *out;
    d->serial = serial;
    d->key = r->key;
    d->n_stages = r->n_stages;
    memcpy(d->stage, r->stage, sizeof d->stage);
    d->variable_length = r->variable_length;
    d->reject = r->reject;
    d->traced = rules->traced;
    status s = document_reserve(d);
    if (s != DID_OK) document_close(out);
    return s;
}

/* The nine digits that give an f32 back, as the double that prints as them. */
static json_t *real9(float x)
{
    char text[32];
    snprintf(text, sizeof text, "%.9g", (double)x);
    return json_real(strtod(text, NULL));
}

static json_t *pack_flags(const bool *flag, int n)
{
    char *text = malloc((size_t)n + 1);
    if (!text) return NULL;
    for (int i = 0; i < n; i++) text[i] = flag[i] ? '1' : '0';
    text[n] = '\0';
    json_t *string = json_string(text);
    free(text);
    return string;
}

static json_t *pack_snapshots(const float *snapshot, int n)
{
    json_t *array = json_array();
    int     bad = array == NULL;
    for (int i = 0; i < n && !bad; i++)
        bad |= json_array_append_new(array, isinf(snapshot[i]) ? json_null() : real9(snapshot[i]));
    if (!bad) return array;
    json_decref(array);
    return NULL;
}

/* What was measured; null where nothing was, and as a whole where no stage measures. */
static json_t *pack_nll(const float *nll, int n)
{
    if (nll == NULL) return json_null();
    json_t *array = json_array();
    int     bad = array == NULL;
    for (int i = 0; i < n && !bad; i++)
        bad |= json_array_append_new(array, isnan(nll[i]) ? json_null() : real9(nll[i]));
    if (!bad) return array;
    json_decref(array);
    return NULL;
}

/* Apart from the other costs: it may be larger than they. */
static json_t *pack_rows(const document *d)
{
    json_t *array = json_array();
    int     bad = array == NULL;
    for (int k = 0; k < d->n_stages && !bad; k++)
        bad |= json_array_append_new(array, json_integer((json_int_t)d->cost[k].rows));
    if (!bad) return array;
    json_decref(array);
    return NULL;
}

static json_t *pack_costs(const document *d)
{
    json_t *array = json_array();
    int     bad = array == NULL;
    for (int k = 0; k < d->n_stages && !bad; k++) {
        const cost *c = &d->cost[k];
        bad |= json_array_append_new(array, json_pack("[i,i,i,i,i]", c->nfe, c->commits,
                                                      c->rescored, c->reopened, c->changed));
    }
    if (!bad) return array;
    json_decref(array);
    return NULL;
}

json_t *parcel_draws(const document *d)
{
    json_t *array = json_array();
    int     bad = array == NULL;
    for (int i = 0; i < d->n_draws && !bad; i++) {
        const draw *t = &d->draws[i];
        bad |=
            json_array_append_new(array, json_pack("[i,i,i,i,i,o]", t->stage, t->step, t->position,
                                                   t->token, t->replaced, real9(t->snapshot)));
    }
    if (!bad) return array;
    json_decref(array);
    return NULL;
}

json_t *parcel_left(const document *d)
{
    json_t *array = json_array();
    int     bad = array == NULL;
    for (int k = 0; k < d->n_stages && d->left_length[k] > 0 && !bad; k++)
        bad |= json_array_append_new(array, field_from_ids(d->left[k], d->left_length[k]));
    if (!bad) return array;
    json_decref(array);
    return NULL;
}

static json_t *pack_reason(const char *reason)
{
    char *text;
    if (tokenizer_repair(reason, strlen(reason), &text, NULL) != DID_OK) return NULL;
    json_t *string = json_string(text);
    free(text);
    return string;
}

/* JSON has no word for what is not a number, and no document should either. */
static status check_numbers(const document *d)
{
    for (int i = 0; i < d->capacity; i++)
        if (isnan(d->snapshot[i]))
            return status_fail(DID_EINVAL, "the snapshot at position %d is not a number", i);
    for (int i = 0; d->nll && i < d->capacity; i++)
        if (isinf(d->nll[i]))
            return status_fail(DID_EINVAL, "the nll at position %d is not finite", i);
    for (int i = 0; i < d->n_draws; i++)
        if (!isfinite(d->draws[i].snapshot))
            return status_fail(DID_EINVAL, "the snapshot of draw %d is not a number", i);
    return DID_OK;
}

/* Is it in the middle of a stage that keeps keys and values? */
static bool cached(const document *d)
{
    return d->finish == FINISH_NONE && d->at < d->n_stages && d->entered &&
           d->stage[d->at].cache > 0;
}

status parcel_pack(char **text, const document *d, const request *r)
{
    *text = NULL;
    TRY(check_numbers(d));
    int     n = d->capacity, bad = 0;
    json_t *o = json_object();
    bad |= json_object_set_new(o, "content", field_from_hex(r->content));
    bad |= json_object_set_new(o, "attempt", json_integer(d->attempt));
    bad |= json_object_set_new(o, "stage", json_integer(d->at));
    bad |= json_object_set_new(o, "entered", json_boolean(d->entered));
    bad |= json_object_set_new(o, "region", json_integer(d->region));
    bad |= json_object_set_new(o, "step", json_integer(d->step));
    bad |= json_object_set_new(o, "finish", json_string(finishes[d->finish]));
    bad |= json_object_set_new(o, "reason", pack_reason(d->reason));
    bad |= json_object_set_new(o, "length", json_integer(d->length));
    bad |= json_object_set_new(o, "tokens", field_from_ids(d->token, n));
    bad |= json_object_set_new(o, "snapshots", pack_snapshots(d->snapshot, n));
    bad |= json_object_set_new(o, "masked", pack_flags(d->masked, n));
    bad |= json_object_set_new(o, "given", pack_flags(d->given, n));
    bad |= json_object_set_new(o, "before", field_from_ids(d->before, n));
    bad |= json_object_set_new(o, "cost", pack_costs(d));
    bad |= json_object_set_new(o, "rows", pack_rows(d));
    bad |= json_object_set_new(o, "rejected_nfe", json_integer(d->rejected_nfe));
    if (cached(d)) bad |= json_object_set_new(o, "loose", pack_flags(d->loose, n));
    bad |= json_object_set_new(o, "left", parcel_left(d));
    bad |= json_object_set_new(o, "draws", parcel_draws(d));
    bad |= json_object_set_new(o, "nll", pack_nll(d->nll, n));
    /* Fifteen digits print the nine of a snapshot as they are. */
    *text = bad ? NULL : json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(o);
    return *text ? DID_OK : no_memory();
}

/* ---- and back ---- */

static status unpack_flags(const json_t *o, const char *key, int n, bool *out)
{
    const char *text;
    TRY(field_text(o, key, &text));
    if (strlen(text) != (size_t)n || strspn(text, "01") != (size_t)n)
        return status_fail(DID_EFORMAT, "%s: found %zu characters, expected %d of 0 and 1", key,
                           strlen(text), n);
    for (int i = 0; i < n; i++) out[i] = text[i] == '1';
    return DID_OK;
}

/* A probability, or null for a given position. */
static status unpack_snapshot(const json_t *value, float *out)
{
    double x = json_number_value(value);
    *out = json_is_null(value) ? INFINITY : (float)x;
    if (json_is_null(value) || (json_is_number(value) && x >= 0 && *out <= SNAPSHOT_MAX))
        return DID_OK;
    char shown[JSONTEXT_SHOWN];
    return status_fail(DID_EFORMAT, "found %s, expected a probability or null",
                       jsontext_show(shown, value));
}

static status unpack_snapshots(document *d, const json_t *o)
{
    const json_t *array;
    TRY(field_array(o, "snapshots", d->capacity, &array));
    for (int i = 0; i < d->capacity; i++) {
        status s = unpack_snapshot(json_array_get(array, (size_t)i), &d->snapshot[i]);
        if (s != DID_OK) return status_at(s, "snapshots: element %d", i);
        if (isinf(d->snapshot[i]) && !d->given[i])
            return status_fail(DID_EFORMAT, "snapshots: null at position %d, which is not given",
                               i);
    }
    return DID_OK;
}

/* What is given stays given. Only a document of variable length gains a given token: its end. */
static status check_given(const document *d, const request *r)
{
    for (int i = 0; i < d->capacity; i++) {
        bool asked = r->given[i] >= 0;
        if (asked ? !d->given[i] : d->given[i] && !d->variable_length)
            return status_fail(DID_EFORMAT, "given: position %d does not agree with the request",
                               i);
        if (asked && d->token[i] != r->given[i])
            return status_fail(DID_EFORMAT,
                               "tokens: found %d at position %d, expected the given %d",
                               d->token[i], i, r->given[i]);
        if (d->given[i] && d->masked[i])
            return status_fail(DID_EFORMAT, "masked: position %d is given", i);
    }
    return DID_OK;
}

static status check_masks(const document *d, int mask_id)
{
    for (int i = 0; i < d->length; i++)
        if (d->masked[i] != (d->token[i] == mask_id))
            return status_fail(DID_EFORMAT, "tokens: found %d at position %d, which is %smasked",
                               d->token[i], i, d->masked[i] ? "" : "not ");
    return DID_OK;
}

static status unpack_positions(document *d, const json_t *o, const request *r,
                               const parcel_rules *rules)
{
    int n = d->capacity, last = rules->ids.vocab - 1;
    TRY(field_int(o, "length", d->variable_length ? 1 : n, n, &d->length));
    TRY(field_ids(o, "tokens", n, 0, last, d->token));
    TRY(field_ids(o, "before", n, 0, last, d->before));
    TRY(unpack_flags(o, "masked", n, d->masked));
    TRY(unpack_flags(o, "given", n, d->given));
    TRY(check_given(d, r));
    TRY(check_masks(d, rules->ids.mask_id));
    return unpack_snapshots(d, o);
}

/* The positions that the current step draws from: the current block, or what the current window is
 * the first to hold (windows begin at multiples of half their size; the last ends with the
 * document). */
static void current(const document *d, const parcel_rules *rules, int *first, int *end)
{
    const stage *s = &d->stage[d->at];
    int64_t size = stage_block(s, d->length), at = d->region, from = at * size, to = from + size;
    if (size == d->length) {
        size = rules->refine_window[s->model];
        int64_t half = size > 1 ? size / 2 : 1, last = size < d->length ? d->length - size : 0;
        from = at == 0 ? 0 : ((at - 1) * half < last ? (at - 1) * half : last) + size;
        to = (at * half < last ? at * half : last) + size;
    }
    *first = from < d->length ? (int)from : d->length;
    *end = to < d->length ? (int)to : d->length;
}

/* A stage that has begun always has a mask in front of it, or something left to measure. */
static status check_region(const document *d, const parcel_rules *rules)
{
    int first, end;
    if (!d->entered || d->finish != FINISH_NONE) return DID_OK;
    if (d->stage[d->at].work != WORK_DENOISE) {
        if (d->step < d->length) return DID_OK;
        return status_fail(DID_EFORMAT, "step: found %d in stage %d, which measures %d positions",
                           d->step, d->at, d->length);
    }
    current(d, rules, &first, &end);
    if (first < end && document_masked(d, first, end - first) > 0) return DID_OK;
    return status_fail(DID_EFORMAT, "region: found %d of stage %d, where nothing is masked",
                       d->region, d->at);
}

static status unpack_standing(document *d, const json_t *o, bool finished,
                              const parcel_rules *rules)
{
    int         finish_at;
    const char *reason;
    TRY(field_int(o, "attempt", 0, COUNTER_MAX, &d->attempt));
    TRY(field_int(o, "stage", 0, d->n_stages - (finished ? 0 : 1), &d->at));
    TRY(field_flag(o, "entered", &d->entered));
    TRY(field_word(o, "finish", finishes, sizeof finishes / sizeof finishes[0], &finish_at));
    d->finish = (finish)finish_at;
    if (!finished && d->stage[d->at].work == WORK_FOUND)
        return status_fail(DID_EFORMAT, "stage: found %d, which is over: its text was there", d->at);
    if ((d->finish != FINISH_NONE) != finished)
        return status_fail(DID_EFORMAT, "finish: found \"%s\" in a document that is %s",
                           finishes[finish_at], finished ? "finished" : "on its way");
    TRY(field_text(o, "reason", &reason));
    snprintf(d->reason, sizeof d->reason, "%s", reason);
    TRY(field_int(o, "region", 0, d->capacity, &d->region));
    TRY(field_int(o, "step", 0, COUNTER_MAX, &d->step));
    return check_region(d, rules);
}

/* Every mask of the current window is among the rows that its passes evaluate. */
static status unpack_loose(document *d, const json_t *o, const parcel_rules *rules)
{
    int first, end;
    if (!cached(d)) return DID_OK;
    TRY(unpack_flags(o, "loose", d->capacity, d->loose));
    current(d, rules, &first, &end);
    for (int i = 0; i < d->length; i++)
        if (d->loose[i] ? d->given[i] : i >= first && i < end && d->masked[i])
            return status_fail(DID_EFORMAT, "loose: position %d is %s", i,
                               d->loose[i] ? "given" : "masked and not among them");
    return DID_OK;
}

static status unpack_nll(document *d, const json_t *o)
{
    const json_t *array = json_object_get(o, "nll");
    if (d->nll == NULL && (array == NULL || json_is_null(array))) return DID_OK;
    TRY(field_array(o, "nll", d->nll ? d->capacity : 0, &array));
    for (int i = 0; d->nll && i < d->capacity; i++) {
        const json_t *value = json_array_get(array, (size_t)i);
        char          shown[JSONTEXT_SHOWN];
        d->nll[i] = json_is_null(value) ? NAN : (float)json_number_value(value);
        /* What is beyond an f32 is infinite now, and no sum of it could be written. */
        if (json_is_null(value)) continue;
        if (json_is_number(value) && d->nll[i] >= NLL_MIN && isfinite(d->nll[i])) continue;
        return status_fail(DID_EFORMAT, "nll: found %s at position %d, expected nats or null",
                           jsontext_show(shown, value), i);
    }
    return DID_OK;
}

static status unpack_costs(document *d, const json_t *o)
{
    const json_t *array;
    TRY(field_array(o, "cost", d->n_stages, &array));
    for (int k = 0; k < d->n_stages; k++) {
        const json_t *row = json_array_get(array, (size_t)k);
        cost         *c = &d->cost[k];
        int *const    to[] = {&c->nfe, &c->commits, &c->rescored, &c->reopened, &c->changed};
        enum { COLUMNS = sizeof to / sizeof to[0] };
        int32_t value[COLUMNS];
        TRY(field_elements(row, "cost", COLUMNS, 0, COUNTER_MAX, value));
        for (int i = 0; i < COLUMNS; i++) *to[i] = value[i];
    }
    TRY(field_array(o, "rows", d->n_stages, &array));
    for (int k = 0; k < d->n_stages; k++) {
        const json_t *rows = json_array_get(array, (size_t)k);
        char          shown[JSONTEXT_SHOWN];
        d->cost[k].rows = json_integer_value(rows);
        if (!json_is_integer(rows) || d->cost[k].rows < 0)
            return status_fail(DID_EFORMAT, "rows: found %s, expected a whole number",
                               jsontext_show(shown, rows));
    }
    return field_int(o, "rejected_nfe", 0, COUNTER_MAX, &d->rejected_nfe);
}

static status unpack_left(document *d, const json_t *o, int vocab)
{
    const json_t *array;
    int           n = d->traced ? d->at : 0;
    TRY(field_array(o, "left", n, &array));
    for (int k = 0; k < n; k++) {
        const json_t *ids = json_array_get(array, (size_t)k);
        size_t        length = json_array_size(ids);
        if (length < 1 || length > (size_t)d->capacity)
            return status_fail(DID_EFORMAT, "left: found %zu tokens, expected 1 to %d", length,
                               d->capacity);
        d->left_length[k] = (int)length;
        TRY(field_elements(ids, "left", (int)length, 0, vocab - 1, d->left[k]));
    }
    return DID_OK;
}

static status unpack_draw(draw *t, const json_t *row, const document *d, int vocab)
{
    enum { COLUMNS = 5 };
    static const char *const name[COLUMNS] = {"stage", "step", "position", "token", "replaced"};
    const int high[COLUMNS] = {d->n_stages - 1, COUNTER_MAX, d->capacity - 1, vocab - 1, vocab - 1};
    int32_t   value[COLUMNS];
    if (json_array_size(row) != COLUMNS + 1)
        return status_fail(DID_EFORMAT, "found %zu elements, expected %d", json_array_size(row),
                           COLUMNS + 1);
    for (size_t i = 0; i < COLUMNS; i++)
        TRY(field_whole(json_array_get(row, i), name[i], i == 4 ? -1 : 0, high[i], &value[i]));
    *t = (draw){.stage = value[0],
                .step = value[1],
                .position = value[2],
                .token = value[3],
                .replaced = value[4]};
    TRY(unpack_snapshot(json_array_get(row, COLUMNS), &t->snapshot));
    if (isinf(t->snapshot)) return status_fail(DID_EFORMAT, "found null, expected a probability");
    return DID_OK;
}

/* How many draws there can have been, so that those to come find room. */
static int64_t draws_room(const document *d)
{
    int64_t later = d->at < d->n_stages ? d->n_stages - d->at - 1 : 0;
    int64_t unasked = d->n_stages ? d->draws_max / d->n_stages : 0;
    int64_t now = d->entered ? document_masked(d, 0, d->length) : unasked;
    int64_t room = d->draws_max - later * unasked - (d->at < d->n_stages ? now : 0);
    return room > 0 ? room : 0;
}

static status unpack_draws(document *d, const json_t *o, int vocab)
{
    const json_t *array;
    TRY(field_array(o, "draws", -1, &array));
    size_t n = json_array_size(array), room = (size_t)draws_room(d);
    if (n > room)
        return status_fail(DID_EFORMAT, "draws: found %zu, expected at most %zu", n, room);
    for (size_t i = 0; i < n; i++) {
        status s = unpack_draw(&d->draws[i], json_array_get(array, i), d, vocab);
        if (s != DID_OK) return status_at(s, "draws: element %zu", i);
    }
    d->n_draws = (int)n;
    return DID_OK;
}

static status unpack(document *d, const json_t *o, const request *r, bool finished,
                     const parcel_rules *rules)
{
    uint64_t content;
    TRY(field_hex(o, "content", &content));
    if (content != r->content)
        return status_fail(DID_EFORMAT, "content: found %016llx, the request has %016llx",
                           (unsigned long long)content, (unsigned long long)r->content);
    TRY(unpack_positions(d, o, r, rules));
    TRY(unpack_standing(d, o, finished, rules));
    TRY(unpack_loose(d, o, rules));
    TRY(unpack_costs(d, o));
    TRY(unpack_nll(d, o));
    TRY(unpack_left(d, o, rules->ids.vocab));
    return unpack_draws(d, o, rules->ids.vocab);
}

status parcel_unpack(document **out, const char *text, size_t size, const request *r,
                     int64_t serial, bool finished, const parcel_rules *rules)
{
    json_t *object;
    *out = NULL;
    TRY(jsontext_parse(&object, text, size, "document"));
    status s = parcel_begin(out, r, serial, rules);
    if (s == DID_OK) s = unpack(*out, object, r, finished, rules);
    json_decref(object);
    if (s == DID_OK) return s;
    document_close(out);
    return status_at(s, "document %s sample %d", r->custom_id, r->sample);
}
