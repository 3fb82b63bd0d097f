#include "order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "input.h"
#include "jsontext.h"
#include "stages.h"
#include "terms.h"

char *order_pack(const char *line, const char *said)
{
    json_t *o = json_pack("{s:s, s:s}", "line", line, "terms", said);
    char   *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

static status rules_of(input_rules *out, char stages[STAGES_TEXT_MAX], job *world,
                       const settings *s)
{
    const geometry *g = &world->models.shape[0];
    stages_default(g, stages, STAGES_TEXT_MAX);
    if (s->stages && strlen(s->stages) >= STAGES_TEXT_MAX)
        return status_fail(DID_EFORMAT, "stages: the text is longer than %d bytes",
                           STAGES_TEXT_MAX - 1);
    if (s->stages) strcpy(stages, s->stages);
    *out = (input_rules){
        .words = world->words,
        .models = &world->models,
        .end_id = world->end_id,
        .stages = stages,
        .defaults = settings_stage(s),
        .length = s->length ? s->length : g->length,
        .samples = s->samples,
        .seed = s->seed,
        .variable_length = s->variable_length,
        .reject = {s->reject, s->reject_window, s->reject_entropy, s->reject_restarts}};
    return DID_OK;
}

/* The document, moved out of the input. */
static status pick(request *out, input *in, int length_max)
{
    if (in->n != 1) return status_fail(DID_EFORMAT, "found %d lines, expected one", in->n);
    if (in->request[0].length > length_max)
        return status_fail(DID_EFORMAT, "length: found %d, this world takes documents up to %d",
                           in->request[0].length, length_max);
    *out = in->request[0];
    in->request[0] = (request){0};
    return DID_OK;
}

static status read_line(request *out, job *world, const settings *s, const char *line, int sample,
                        int length_max)
{
    input_rules rules;
    char        stages[STAGES_TEXT_MAX];
    input       in;
    TRY(rules_of(&rules, stages, world, s));
    rules.only = sample + 1; /* a line may ask for thousands */
    status read = input_parse(&in, line, strlen(line), "line", &rules);
    if (read == DID_OK) read = pick(out, &in, length_max);
    input_clear(&in);
    return read == DID_EINVAL ? DID_EFORMAT : read;
}

static status read_terms(terms *t, const json_t *o)
{
    const char *text;
    json_t     *said;
    TRY(field_text(o, "terms", &text));
    TRY(jsontext_parse(&said, text, strlen(text), "settings"));
    status s = terms_read(t, said);
    json_decref(said);
    return s;
}

static status read_order(request *out, record_rules *rules, job *world, const json_t *o, int sample)
{
    const char *line;
    terms       t = {0};
    TRY(field_text(o, "line", &line));
    status s = read_terms(&t, o);
    if (s == DID_OK) s = read_line(out, world, &t.set, line, sample, rules->parcels.ids.length_max);
    rules->keep_eos = t.set.keep_eos;
    rules->ids = t.set.ids;
    rules->parcels.traced = t.set.trace;
    terms_clear(&t);
    return s;
}

status order_read(request *out, record_rules *rules, job *world, const record_rules *base,
                  const char *text, size_t size, int sample)
{
    json_t *o;
    *out = (request){0};
    *rules = *base;
    TRY(jsontext_parse(&o, text, size, "order"));
    status s = read_order(out, rules, world, o, sample);
    json_decref(o);
    return s;
}
