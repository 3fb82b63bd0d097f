#include "sequel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "jsontext.h"
#include "slip.h"

enum { COUNTER_MAX = 1 << 30 };

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the texts");
}

/* ---- what the record says ---- */

static const json_t *stage_of(const excerpt *e, int k)
{
    const json_t *stages = json_object_get(json_object_get(e->line, "settings"), "stages");
    return json_array_get(stages, (size_t)k);
}

/* Did stage k only measure what the others left? */
static bool measured(const excerpt *e, int k)
{
    const char *work = json_string_value(json_object_get(stage_of(e, k), "work"));
    return work && strcmp(work, "found") != 0;
}

static status choose_stage(sequel *q, const excerpt *e, const sequel_rules *rules)
{
    const json_t *left, *stages, *settings = json_object_get(e->line, "settings");
    TRY(field_array(e->trace, "left", -1, &left));
    TRY(field_array(settings, "stages", -1, &stages));
    int n = (int)json_array_size(left);
    if (n < 1 || n > STAGES_MAX || json_array_size(stages) != (size_t)n)
        return status_fail(DID_EFORMAT, "trace left: found %d stages, expected as many as settings "
                                        "has, 1 to %d", n, STAGES_MAX);
    q->after = rules->after > 0 ? rules->after - 1 : n - 1;
    while (rules->after == 0 && q->after > 0 && measured(e, q->after)) q->after--;
    if (q->after >= n || measured(e, q->after))
        return status_fail(DID_EFORMAT, "--after %d: the record has %d stages that draw",
                           rules->after, measured(e, n - 1) ? n - 1 : n);
    return DID_OK;
}

/* Ids are of use where they mean the same words. */
static status same_words(const excerpt *e, const sequel_rules *rules)
{
    int            end_id, mask_id;
    const slip_rules *ids = &rules->parcels->ids;
    TRY(field_int(e->trace, "end_id", -1, COUNTER_MAX, &end_id));
    TRY(field_int(e->trace, "mask_id", -1, COUNTER_MAX, &mask_id));
    if (end_id == rules->end_id && mask_id == ids->mask_id) return DID_OK;
    return status_fail(DID_EFORMAT,
                       "the ids are of another tokenizer than the model's (<|endoftext|> is %d and "
                       "the mask %d there, %d and %d here)",
                       end_id, mask_id, rules->end_id, ids->mask_id);
}

/* Our weight handle for handle `theirs` of the record; -1 where this run has not that model. */
static int handle_of(const excerpt *e, int theirs, const sequel_rules *rules)
{
    const json_t *list = json_object_get(e->line, "model");
    const json_t *one = json_is_array(list) ? json_array_get(list, (size_t)theirs) : list;
    char          mine[17];
    for (int i = 0; i < rules->models->n && json_is_string(one); i++) {
        snprintf(mine, sizeof mine, "%016llx", (unsigned long long)rules->hash[i]);
        if (strcmp(mine, json_string_value(one)) == 0) return i;
    }
    return -1;
}

/* Was it computed with this run's precision? A signature is "did/1 f32 ...". */
static bool same_precision(const excerpt *e, const sequel_rules *rules)
{
    const char *signature = json_string_value(json_object_get(e->line, "signature"));
    const char *at = signature ? strchr(signature, ' ') : NULL;
    size_t      size = strlen(rules->precision);
    return at && strncmp(at + 1, rules->precision, size) == 0 && at[1 + size] == ' ';
}

/* Its stages up to `after`, as this run would tell them. */
static status read_stages(sequel *q, request *r, const excerpt *e, const sequel_rules *rules)
{
    const json_t *settings = json_object_get(e->line, "settings");
    int           window, refine_window;
    TRY(field_int(settings, "window", 1, COUNTER_MAX, &window));
    TRY(field_int(settings, "refine_window", 1, COUNTER_MAX, &refine_window));
    q->same = window == rules->models->shape[0].length &&
              refine_window == rules->parcels->refine_window[0] && same_precision(e, rules);
    for (int k = 0; k <= q->after; k++) {
        status s = slip_read_stage(&r->stage[k], stage_of(e, k), ENGINE_MODELS_MAX);
        if (s != DID_OK) return status_at(s, "settings stage %d", k + 1);
        int handle = handle_of(e, r->stage[k].model, rules);
        q->same = q->same && handle >= 0;
        r->stage[k].model = handle >= 0 ? handle : 0;
    }
    return DID_OK;
}

static status read_reject(reject_rule *out, const json_t *settings)
{
    const json_t *reject = json_object_get(settings, "reject");
    if (!json_is_object(reject)) return DID_OK;
    out->on = true;
    TRY(field_int(reject, "window", 0, REQUEST_LENGTH_MAX, &out->window));
    TRY(field_real(reject, "nats", 0, HUGE_VAL, &out->nats));
    return field_int(reject, "restarts", 0, COUNTER_MAX, &out->restarts);
}

/* Positions as they were asked for, and those of them that stage `after` has left. */
static status read_given(sequel *q, request *r, const excerpt *e, const sequel_rules *rules)
{
    const json_t *settings = json_object_get(e->line, "settings"), *left;
    int           vocab = rules->parcels->ids.vocab;
    TRY(field_flag(settings, "variable_length", &r->variable_length));
    TRY(field_int(settings, "length", 2, REQUEST_LENGTH_MAX, &r->length));
    r->given = malloc((size_t)r->length * sizeof *r->given);
    if (!r->given) return no_memory();
    TRY(field_ids(e->trace, "given", r->length, -1, vocab - 1, r->given));
    TRY(field_array(e->trace, "left", -1, &left));
    left = json_array_get(left, (size_t)q->after);
    int n = (int)json_array_size(left);
    if (n < 1 || n > r->length || r->given[0] != rules->end_id)
        return status_fail(DID_EFORMAT, "trace left %d: found %d tokens, expected 1 to %d with "
                                        "<|endoftext|> in front", q->after + 1, n, r->length);
    TRY(manuscript_open(&q->text, n));
    TRY(field_elements(left, "trace left", n, 0, vocab - 1, q->text.token));
    for (int i = 0; i < r->length; i++) r->prompt_tokens += r->given[i] >= 0;
    for (int i = 0; i < n; i++) {
        q->text.given[i] = r->given[i] >= 0;
        if (q->text.given[i] && q->text.token[i] != r->given[i])
            return status_fail(DID_EFORMAT, "trace left %d: found %d at position %d, where %d was "
                                            "given", q->after + 1, q->text.token[i], i,
                               r->given[i]);
    }
    return DID_OK;
}

/* A drawn end of a draft of variable length is given from then on. */
static status find_end(sequel *q, const request *r, const excerpt *e, const sequel_rules *rules)
{
    const json_t *left;
    TRY(field_array(e->trace, "left", -1, &left));
    const json_t *draft = json_array_get(left, 0);
    int           last = (int)json_array_size(draft) - 1;
    if (r->variable_length && last > 0 && last == q->text.n - 1 &&
        json_integer_value(json_array_get(draft, (size_t)last)) == rules->end_id)
        q->text.given[last] = true;
    return DID_OK;
}

/* ---- confidences ---- */

static bool of_earlier_stage(const json_t *row, int after)
{
    const json_t *stage_at = json_array_get(row, 0);
    return json_is_integer(stage_at) && json_integer_value(stage_at) <= after;
}

/* Of every token the confidence of its last draw; a stage that measured them all anew has left no
 * word of those it did not reopen. */
static status read_confidences(sequel *q, const request *r, const excerpt *e)
{
    const json_t *draws;
    manuscript   *m = &q->text;
    char          shown[JSONTEXT_SHOWN];
    TRY(field_array(e->trace, "draws", -1, &draws));
    bool *drawn = calloc((size_t)m->n, sizeof *drawn);
    if (!drawn) return no_memory();
    status s = DID_OK;
    for (size_t i = 0; s == DID_OK && i < json_array_size(draws); i++) {
        const json_t *row = json_array_get(draws, i);
        json_int_t    at = json_integer_value(json_array_get(row, 2));
        double        x = json_number_value(json_array_get(row, 5));
        if (!of_earlier_stage(row, q->after) || at < 0 || at >= m->n) continue;
        if (!(x >= 0 && x <= 1.00001))
            s = status_fail(DID_EFORMAT, "trace draws: element %zu has confidence %s, expected a "
                                         "probability", i,
                            jsontext_show(shown, json_array_get(row, 5)));
        m->confidence[at] = (float)fabs(x);
        drawn[at] = true;
    }
    m->known = true;
    for (int i = 0; i < m->n; i++) m->known = m->known && (drawn[i] || m->given[i]);
    for (int k = 1; k <= q->after; k++)
        m->known = m->known && r->stage[k].policy != POLICY_POSTHOC;
    free(drawn);
    return s;
}

/* ---- random numbers ---- */

static status read_seed(sequel *q, const json_t *settings)
{
    const json_t *value = json_object_get(settings, "seed");
    char          shown[JSONTEXT_SHOWN], *end = NULL;
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        q->seed = (uint64_t)json_integer_value(value);
        return DID_OK;
    }
    if (json_is_string(value)) q->seed = strtoull(json_string_value(value), &end, 10);
    if (end && end > json_string_value(value) && *end == '\0') return DID_OK;
    return status_fail(DID_EFORMAT, "settings seed: found %s, expected a whole number",
                       jsontext_show(shown, value));
}

/* A seed is the run's, and the document's name makes its key, or the line's own: the key of the
 * record tells which. */
static status read_key(sequel *q, const request *r, const excerpt *e)
{
    uint64_t key;
    request  trial = {.custom_id = r->custom_id, .sample = r->sample};
    TRY(read_seed(q, json_object_get(e->line, "settings")));
    if (!json_object_get(e->trace, "key")) return DID_OK;
    TRY(field_hex(e->trace, "key", &key));
    for (int own = 0; own < 2 && !q->keyed; own++) {
        trial.has_seed = q->own_seed = own == 1;
        trial.seed = q->seed;
        request_seal(&trial);
        q->keyed = trial.key == key;
    }
    return DID_OK;
}

/* ---- where the document stands ---- */

static json_t *flags(const bool *flag, int n, int capacity)
{
    char *text = malloc((size_t)capacity + 1);
    if (!text) return NULL;
    for (int i = 0; i < capacity; i++) text[i] = flag && i < n && flag[i] ? '1' : '0';
    text[capacity] = '\0';
    json_t *string = json_string(text);
    free(text);
    return string;
}

/* Nine digits give an f32 back, as in a parcel. */
static json_t *snapshots(const manuscript *m, int capacity)
{
    json_t *array = json_array();
    int     bad = array == NULL;
    for (int i = 0; i < capacity && !bad; i++) {
        char text[32];
        snprintf(text, sizeof text, "%.9g", i < m->n ? (double)m->confidence[i] : 0.0);
        bool stays = i < m->n && m->given[i];
        bad |= json_array_append_new(array, stays ? json_null() : json_real(strtod(text, NULL)));
    }
    if (!bad) return array;
    json_decref(array);
    return NULL;
}

/* What parcels hold of a document whose stages before `at` are done. */
static json_t *standing(const manuscript *m, const int32_t *token, const bool *given, int capacity,
                        int at)
{
    json_t *o = json_object();
    int     bad = 0;
    bad |= json_object_set_new(o, "attempt", json_integer(0));
    bad |= json_object_set_new(o, "stage", json_integer(at));
    bad |= json_object_set_new(o, "entered", json_false());
    bad |= json_object_set_new(o, "region", json_integer(0));
    bad |= json_object_set_new(o, "step", json_integer(0));
    bad |= json_object_set_new(o, "finish", json_string("none"));
    bad |= json_object_set_new(o, "reason", json_string(""));
    bad |= json_object_set_new(o, "length", json_integer(m->n));
    bad |= json_object_set_new(o, "tokens", field_from_ids(token, capacity));
    bad |= json_object_set_new(o, "snapshots", snapshots(m, capacity));
    bad |= json_object_set_new(o, "masked", flags(NULL, 0, capacity));
    bad |= json_object_set_new(o, "given", flags(given, capacity, capacity));
    bad |= json_object_set_new(o, "before", field_from_ids(token, capacity));
    bad |= json_object_set_new(o, "rejected_nfe", json_integer(0));
    bad |= json_object_set_new(o, "nll", json_null());
    bad |= json_object_set_new(o, "left", json_array());
    bad |= json_object_set_new(o, "draws", json_array());
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

/* The costs of stage `from`'s record, or none. */
static json_t *cost_row(const json_t *from)
{
    static const char *const key[] = {"nfe", "commits", "rescored", "reopened", "changed"};
    json_t *row = json_array();
    for (size_t i = 0; i < sizeof key / sizeof key[0]; i++) {
        json_t *value = json_object_get(from, key[i]);
        json_array_append_new(row, value ? json_incref(value) : json_integer(0));
    }
    return row;
}

static int add_costs(json_t *o, const json_t *costs, int done, int n_stages)
{
    json_t *array = json_array(), *all = json_array();
    int     bad = 0;
    for (int k = 0; k < n_stages && !bad; k++) {
        const json_t *from = k < done ? json_array_get(costs, (size_t)k) : NULL;
        json_t       *rows = json_object_get(from, "rows");
        bad |= json_array_append_new(array, cost_row(from));
        bad |= json_array_append_new(all, rows ? json_incref(rows) : json_integer(0));
    }
    bad |= json_object_set_new(o, "cost", array);
    return json_object_set_new(o, "rows", all) | bad;
}

json_t *sequel_found(const manuscript *m, int n_stages, bool traced)
{
    json_t *o = standing(m, m->token, m->given, m->n, 1);
    int     bad = o == NULL || add_costs(o, NULL, 0, n_stages);
    json_t *left = json_object_get(o, "left"), *draws = json_object_get(o, "draws");
    if (traced) bad |= json_array_append_new(left, field_from_ids(m->token, m->n));
    for (int i = 0; traced && m->known && i < m->n && !bad; i++) {
        char text[32];
        if (m->given[i]) continue;
        snprintf(text, sizeof text, "%.9g", (double)m->confidence[i]);
        bad |= json_array_append_new(draws, json_pack("[i,i,i,i,i,f]", 0, 0, i, m->token[i], -1,
                                                      strtod(text, NULL)));
    }
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

static int add_trace(json_t *o, const sequel *q, const json_t *trace)
{
    const json_t *left = json_object_get(trace, "left"), *draws = json_object_get(trace, "draws");
    int           bad = 0;
    for (int k = 0; k <= q->after && !bad; k++)
        bad |= json_array_append(json_object_get(o, "left"), json_array_get(left, (size_t)k));
    for (size_t i = 0; i < json_array_size(draws) && !bad; i++)
        if (of_earlier_stage(json_array_get(draws, i), q->after))
            bad |= json_array_append(json_object_get(o, "draws"), json_array_get(draws, i));
    return bad;
}

/* Positions that a variable length has cut off hold what was given there, or nothing. */
static status spread(const sequel *q, const request *r, int mask_id, int32_t **token, bool **given)
{
    size_t n = (size_t)r->length;
    *token = malloc(n * sizeof **token);
    *given = malloc(n * sizeof **given);
    if (!*token || !*given) return no_memory();
    for (int i = 0; i < r->length; i++) {
        bool asked = r->given[i] >= 0;
        (*given)[i] = i < q->text.n ? q->text.given[i] : asked;
        (*token)[i] = i < q->text.n ? q->text.token[i] : asked ? r->given[i] : mask_id;
    }
    return DID_OK;
}

/* The document as the record's stages left it. */
static status open_same(sequel *q, const request *r, const excerpt *e, const sequel_rules *rules)
{
    int32_t *token = NULL;
    bool    *given = NULL;
    status   s = spread(q, r, rules->parcels->ids.mask_id, &token, &given);
    if (s == DID_OK) {
        q->opening = standing(&q->text, token, given, r->length, q->after + 1);
        json_t *rejections = json_object_get(e->line, "rejections");
        json_t *nfe = json_object_get(e->line, "rejected_nfe");
        int     bad = q->opening == NULL;
        if (rejections) bad |= json_object_set(q->opening, "attempt", rejections);
        if (nfe) bad |= json_object_set(q->opening, "rejected_nfe", nfe);
        bad |= add_costs(q->opening, json_object_get(e->line, "cost"), q->after + 1,
                         q->after + 1 + rules->more);
        if (rules->parcels->traced) bad |= add_trace(q->opening, q, e->trace);
        if (bad) s = no_memory();
    }
    free(token);
    free(given);
    return s;
}

status sequel_read(sequel *q, request *r, const excerpt *e, const sequel_rules *rules)
{
    *q = (sequel){0};
    TRY(same_words(e, rules));
    TRY(choose_stage(q, e, rules));
    TRY(read_stages(q, r, e, rules));
    TRY(read_reject(&r->reject, json_object_get(e->line, "settings")));
    TRY(read_given(q, r, e, rules));
    TRY(find_end(q, r, e, rules));
    TRY(read_confidences(q, r, e));
    TRY(read_key(q, r, e));
    return q->same ? open_same(q, r, e, rules) : DID_OK;
}

void sequel_clear(sequel *q)
{
    manuscript_clear(&q->text);
    json_decref(q->opening);
    *q = (sequel){0};
}
