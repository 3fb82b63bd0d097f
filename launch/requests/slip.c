#include "slip.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "jsontext.h"

enum { STEPS_MAX = 1 << 30 };

static const char *const works[] = {"denoise", "score", "bound", "found"};
static const char *const policies[] = {"lowest", "random", "posthoc"};
static const char *const samplers[] = {"fhs", "ancestral", "quota", "threshold"};
static const char *const orders[] = {"random", "left", "confident", "drawn"};
static const char *const truncations[] = {"exclusive", "inclusive"};
static const char *const confidences[] = {"raw", "nucleus"};
#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the JSON of a request");
}

/* One line, `object` taken over; `bad` when a part of it could not be made. Seventeen digits give
 * every f64 back. */
static status dump(char **text, json_t *object, int bad)
{
    *text = bad ? NULL : json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(object);
    return *text ? DID_OK : no_memory();
}

json_t *slip_stage(const stage *s, int block)
{
    if (s->work != WORK_DENOISE)
        return json_pack("{s:s, s:i, s:i, s:i}", "work", works[s->work], "model", s->model, "block",
                         block, "steps", s->steps);
    json_t *o = json_pack("{s:i, s:i, s:f, s:s, s:s, s:i, s:s, s:f, s:s, s:f, s:s}", "model",
                          s->model, "block", block, "remask", s->remask, "policy",
                          policies[s->policy], "sampler", samplers[s->sampler], "steps", s->steps,
                          "order", orders[s->order], "nucleus", s->nucleus, "rule",
                          truncations[s->rule], "temperature", s->temperature, "confidence",
                          confidences[s->confidence]);
    int     bad = 0;
    if (s->sampler == SAMPLER_THRESHOLD)
        bad |= json_object_set_new(o, "threshold", json_real(s->threshold));
    if (s->cache > 0) bad |= json_object_set_new(o, "cache", json_integer(s->cache));
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

status slip_pack(char **text, const request *r)
{
    json_t *object = json_object(), *stages = json_array(), *stops = json_array();
    int     bad = 0;
    for (int k = 0; k < r->n_stages; k++)
        bad |= json_array_append_new(stages, slip_stage(&r->stage[k], r->stage[k].block));
    for (int i = 0; i < r->n_stop; i++)
        bad |= json_array_append_new(stops, json_string(r->stop[i]));
    bad |= json_object_set_new(object, "custom_id", json_string(r->custom_id));
    bad |= json_object_set_new(object, "sample", json_integer(r->sample));
    bad |= json_object_set_new(object, "length", json_integer(r->length));
    bad |= json_object_set_new(object, "given", field_from_ids(r->given, r->length));
    bad |= json_object_set_new(object, "prompt_tokens", json_integer(r->prompt_tokens));
    bad |= json_object_set_new(object, "has_seed", json_boolean(r->has_seed));
    bad |= json_object_set_new(object, "seed", field_from_hex(r->seed));
    bad |= json_object_set_new(object, "stages", stages);
    bad |= json_object_set_new(object, "variable_length", json_boolean(r->variable_length));
    bad |= json_object_set_new(object, "reject",
                               json_pack("{s:b, s:i, s:f, s:i}", "on", r->reject.on, "window",
                                         r->reject.window, "nats", r->reject.nats, "restarts",
                                         r->reject.restarts));
    bad |= json_object_set_new(object, "stop", stops);
    if (r->found != 0) bad |= json_object_set_new(object, "found", field_from_hex(r->found));
    bad |= json_object_set_new(object, "content", field_from_hex(r->content));
    return dump(text, object, bad);
}

/* A stage that does not draw says so and has no settings of sampling. */
static status unpack_measure(stage *s, const json_t *o)
{
    int measure_at;
    TRY(field_word(o, "work", works + 1, COUNT(works) - 1, &measure_at));
    s->work = (stage_work)(measure_at + 1);
    return field_int(o, "steps", s->work == WORK_BOUND ? 1 : 0, STEPS_MAX, &s->steps);
}

status slip_read_stage(stage *s, const json_t *o, int n_models)
{
    int policy_at, sampler_at, order_at, rule_at, confidence_at;
    TRY(field_int(o, "model", 0, n_models - 1, &s->model));
    TRY(field_int(o, "block", 0, REQUEST_LENGTH_MAX, &s->block));
    if (json_object_get(o, "work")) return unpack_measure(s, o);
    TRY(field_real(o, "remask", 0, 1, &s->remask));
    TRY(field_word(o, "policy", policies, COUNT(policies), &policy_at));
    TRY(field_word(o, "sampler", samplers, COUNT(samplers), &sampler_at));
    TRY(field_int(o, "steps", 0, STEPS_MAX, &s->steps));
    TRY(field_word(o, "order", orders, COUNT(orders), &order_at));
    TRY(field_real(o, "nucleus", 0, 1, &s->nucleus));
    if (s->nucleus == 0) return status_fail(DID_EFORMAT, "nucleus: found 0, expected a share");
    TRY(field_word(o, "rule", truncations, COUNT(truncations), &rule_at));
    TRY(field_real(o, "temperature", 0, HUGE_VAL, &s->temperature));
    TRY(field_word(o, "confidence", confidences, COUNT(confidences), &confidence_at));
    if (json_object_get(o, "cache")) TRY(field_int(o, "cache", 1, STEPS_MAX, &s->cache));
    s->policy = (policy)policy_at;
    s->sampler = (sampler)sampler_at;
    s->order = (order)order_at;
    s->rule = (nucleus_rule)rule_at;
    s->confidence = (confidence)confidence_at;
    if (s->sampler == SAMPLER_THRESHOLD) {
        TRY(field_real(o, "threshold", 0, 1, &s->threshold));
        if (s->threshold == 0)
            return status_fail(DID_EFORMAT, "threshold: found 0, expected a probability");
    } else if (s->sampler != SAMPLER_FHS && s->steps < 1)
        return status_fail(DID_EFORMAT, "steps: found %d, expected at least 1", s->steps);
    return DID_OK;
}

static status unpack_stages(request *out, const json_t *o, int n_models)
{
    const json_t *array;
    TRY(field_array(o, "stages", -1, &array));
    size_t n = json_array_size(array);
    if (n < 1 || n > STAGES_MAX)
        return status_fail(DID_EFORMAT, "stages: found %zu, expected 1 to %d", n, STAGES_MAX);
    for (size_t k = 0; k < n; k++) {
        status s = slip_read_stage(&out->stage[k], json_array_get(array, k), n_models);
        if (s != DID_OK) return status_at(s, "stage %zu", k + 1);
    }
    out->n_stages = (int)n;
    return DID_OK;
}

static status unpack_given(request *out, const json_t *o, const slip_rules *rules)
{
    TRY(field_int(o, "length", 1, rules->length_max, &out->length));
    out->given = malloc((size_t)out->length * sizeof *out->given);
    if (!out->given) return no_memory();
    TRY(field_ids(o, "given", out->length, -1, rules->vocab - 1, out->given));
    for (int i = 0; i < out->length; i++)
        if (out->given[i] == rules->mask_id)
            return status_fail(DID_EFORMAT, "given: position %d holds the mask id %d", i,
                               rules->mask_id);
    if (out->given[0] < 0)
        return status_fail(DID_EFORMAT, "given: found -1 at position 0, expected a token");
    return field_int(o, "prompt_tokens", 0, out->length, &out->prompt_tokens);
}

static status unpack_stops(request *out, const json_t *o)
{
    const json_t *array;
    TRY(field_array(o, "stop", -1, &array));
    size_t n = json_array_size(array);
    out->stop = calloc(n + 1, sizeof *out->stop);
    if (!out->stop) return no_memory();
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (!text || !*text)
            return status_fail(DID_EFORMAT, "stop: element %zu is not a text of some length", i);
        out->stop[i] = strdup(text);
        if (!out->stop[i]) return no_memory();
        out->n_stop++;
    }
    return DID_OK;
}

static status unpack_request(request *out, const json_t *o, const slip_rules *rules)
{
    const char *id;
    TRY(field_text(o, "custom_id", &id));
    out->custom_id = strdup(id);
    if (!out->custom_id) return no_memory();
    TRY(field_int(o, "sample", 0, REQUEST_SAMPLES_MAX, &out->sample));
    TRY(unpack_given(out, o, rules));
    TRY(field_flag(o, "has_seed", &out->has_seed));
    TRY(field_hex(o, "seed", &out->seed));
    TRY(unpack_stages(out, o, rules->n_models));
    TRY(field_flag(o, "variable_length", &out->variable_length));
    const json_t *reject = json_object_get(o, "reject");
    TRY(field_flag(reject, "on", &out->reject.on));
    TRY(field_int(reject, "window", 0, REQUEST_LENGTH_MAX, &out->reject.window));
    TRY(field_real(reject, "nats", 0, HUGE_VAL, &out->reject.nats));
    TRY(field_int(reject, "restarts", 0, STEPS_MAX, &out->reject.restarts));
    TRY(unpack_stops(out, o));
    if (json_object_get(o, "found")) TRY(field_hex(o, "found", &out->found));
    uint64_t content;
    TRY(field_hex(o, "content", &content));
    request_seal(out);
    if (out->content != content)
        return status_fail(DID_EFORMAT, "content: found %016llx, expected %016llx",
                           (unsigned long long)content, (unsigned long long)out->content);
    return DID_OK;
}

status slip_unpack(request *out, const char *text, size_t size, const slip_rules *rules)
{
    json_t *object;
    *out = (request){0};
    TRY(jsontext_parse(&object, text, size, "request"));
    status s = unpack_request(out, object, rules);
    if (s != DID_OK) request_clear(out);
    json_decref(object);
    return s == DID_OK ? s : status_at(s, "request");
}
