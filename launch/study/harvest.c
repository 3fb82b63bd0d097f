#include "harvest.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsontext.h"

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the documents of a sweep");
}

void harvest_name(char *name, const spec_setting *setting, uint64_t seed, int number)
{
    snprintf(name, HARVEST_NAME_MAX, "%.440s/%" PRIu64 "/%06d", setting->name, seed, number);
}

status harvest_open(harvest *h, const spec *s, int32_t end_id)
{
    *h = (harvest){.spec = s, .places = json_object(), .end_id = end_id};
    h->setting = calloc((size_t)s->n_settings, sizeof *h->setting);
    h->n_documents = s->documents * s->n_seeds;
    if (!h->places || !h->setting) return no_memory();
    for (int i = 0; i < s->n_settings; i++) {
        harvest_setting *to = &h->setting[i];
        to->document = calloc((size_t)h->n_documents, sizeof *to->document);
        for (int k = 0; to->document && k < h->n_documents; k++) to->document[k].seconds = NAN;
        if (!to->document || json_object_set_new(h->places, s->setting[i].name, json_integer(i)))
            return no_memory();
    }
    return DID_OK;
}

void harvest_close(harvest *h)
{
    for (int i = 0; h->setting && i < h->spec->n_settings; i++) {
        for (int k = 0; h->setting[i].document && k < h->n_documents; k++)
            free(h->setting[i].document[k].id);
        free(h->setting[i].document);
    }
    free(h->setting);
    json_decref(h->places);
    *h = (harvest){0};
}

/* ---- whose record it is ---- */

static int seed_place(const spec *s, const char *text)
{
    char  *end;
    size_t seed = strtoull(text, &end, 10);
    for (int i = 0; i < s->n_seeds; i++)
        if (s->seed[i] == seed && *end == '/') return i;
    return -1;
}

/* NULL: it is none of the spec's. */
static harvest_document *find(harvest *h, const char *id)
{
    char        name[HARVEST_NAME_MAX];
    const char *last = strrchr(id, '/'), *middle = last;
    while (middle && middle > id && *--middle != '/') continue;
    if (!last || middle == id || (size_t)(middle - id) >= sizeof name) return NULL;
    snprintf(name, sizeof name, "%.*s", (int)(middle - id), id);
    const json_t *place = json_object_get(h->places, name);
    int           seed = seed_place(h->spec, middle + 1), number = atoi(last + 1);
    if (!place || seed < 0) return NULL;
    const spec_setting *setting = &h->spec->setting[json_integer_value(place)];
    harvest_name(name, setting, h->spec->seed[seed], number);
    if (number < 0 || number >= h->spec->documents || strcmp(name, id)) return NULL;
    harvest_setting *to = &h->setting[json_integer_value(place)];
    return &to->document[seed * h->spec->documents + number];
}

/* ---- what it says ---- */

static status whole(const json_t *object, const char *key, int high, int *out)
{
    const json_t *value = json_object_get(object, key);
    char          shown[JSONTEXT_SHOWN];
    json_int_t    x = json_integer_value(value);
    *out = (int)x;
    if (json_is_integer(value) && x >= 0 && x <= high) return DID_OK;
    return status_fail(DID_EFORMAT, "%s: found %s, expected a whole number from 0 to %d", key,
                       jsontext_show(shown, value), high);
}

static status read_ids(harvest_document *d, const json_t *record)
{
    enum { ID_MAX = 1 << 30 };
    const json_t *ids = json_object_get(record, "ids");
    size_t        n = json_array_size(ids);
    if (n == 0) return status_fail(DID_EFORMAT, "ids: found none, expected the tokens");
    d->id = malloc(n * sizeof *d->id);
    if (!d->id) return no_memory();
    for (size_t i = 0; i < n; i++) {
        json_int_t id = json_integer_value(json_array_get(ids, i));
        if (id < 0 || id > ID_MAX) return status_fail(DID_EFORMAT, "ids: element %zu is none", i);
        d->id[i] = (int32_t)id;
    }
    d->n = (int)n;
    return DID_OK;
}

enum { COUNT_MAX = 1 << 30 };

/* How many positions one pass of a stage evaluates. */
static int pass_rows(int block, int length, int window)
{
    if (block < length) return block;
    return length < window ? length : window;
}

static status read_stage_cost(harvest_document *d, const json_t *record, size_t k, int *changed)
{
    const json_t *settings = json_object_get(record, "settings");
    const json_t *one = json_array_get(json_object_get(settings, "stages"), k);
    const json_t *cost = json_array_get(json_object_get(record, "cost"), k);
    int           block, length, window, nfe, commits, rescored, edited, rejected, counted;
    double        rows;
    TRY(whole(one, "block", COUNT_MAX, &block));
    TRY(whole(settings, "length", COUNT_MAX, &length));
    TRY(whole(settings, "refine_window", COUNT_MAX, &window));
    TRY(whole(cost, "nfe", COUNT_MAX, &nfe));
    TRY(whole(cost, "commits", COUNT_MAX, &commits));
    TRY(whole(cost, "rescored", COUNT_MAX, &rescored));
    TRY(whole(cost, "changed", COUNT_MAX, &edited));
    TRY(whole(record, "rejected_nfe", COUNT_MAX, &rejected));
    if (k == 0) nfe += rejected;
    d->nfe += nfe;
    d->commits += commits;
    rows = (double)nfe * pass_rows(block, length, window) + (double)commits * block +
           (double)rescored * pass_rows(length, length, window);
    /* A stage that keeps keys and values has passes of many sizes: its record has counted. */
    if (json_object_get(one, "cache")) {
        TRY(whole(cost, "rows", COUNT_MAX, &counted));
        rows = counted;
    }
    d->rows += rows;
    if (k > 0) *changed += edited;
    return DID_OK;
}

static status read_costs(harvest_document *d, const json_t *record)
{
    const json_t *settings = json_object_get(record, "settings");
    const json_t *stages = json_object_get(settings, "stages");
    size_t        n = json_array_size(stages);
    int           length, given, changed = 0, rejected;
    if (n == 0 || json_array_size(json_object_get(record, "cost")) != n)
        return status_fail(DID_EFORMAT, "settings stages: found %zu, expected as many as costs", n);
    for (size_t k = 0; k < n; k++)
        if (!json_object_get(json_array_get(stages, k), "work"))
            TRY(read_stage_cost(d, record, k, &changed));
    TRY(whole(settings, "length", COUNT_MAX, &length));
    TRY(whole(record, "prompt_tokens", length, &given));
    TRY(whole(record, "rejections", COUNT_MAX, &rejected));
    d->rejected = rejected;
    d->edits = length > given ? (double)changed / (length - given) : 0;
    return DID_OK;
}

static status read_score(harvest_document *d, const json_t *record)
{
    const json_t *score = json_object_get(record, "score");
    const json_t *nll = json_object_get(score, "nll");
    TRY(whole(score, "tokens", COUNT_MAX, &d->quality.rows));
    if (!json_is_number(nll)) return status_fail(DID_EFORMAT, "score nll: expected a number");
    d->quality.nll = json_number_value(nll);
    return DID_OK;
}

static status read_document(harvest_document *d, const json_t *record, int32_t end_id)
{
    const char *reason = json_string_value(json_object_get(record, "finish_reason"));
    if (!reason) return status_fail(DID_EFORMAT, "finish_reason: expected a string");
    TRY(read_costs(d, record));
    if (!strcmp(reason, "failed") || !strcmp(reason, "rejected")) return DID_OK;
    TRY(read_ids(d, record));
    TRY(quality_measure(&d->quality, d->id, NULL, d->n, end_id, 0));
    TRY(read_score(d, record));
    d->there = true;
    return DID_OK;
}

status harvest_take(harvest *h, const json_t *record)
{
    const char *id = json_string_value(json_object_get(record, "custom_id"));
    if (!id) return status_fail(DID_EFORMAT, "custom_id: expected a string");
    harvest_document *d = find(h, id);
    if (!d) return DID_OK;
    if (d->there) return status_fail(DID_EFORMAT, "document \"%.200s\" is there twice", id);
    status s = read_document(d, record, h->end_id);
    return s == DID_OK ? s : status_at(s, "document \"%.200s\"", id);
}

void harvest_time(harvest *h, const char *id, double seconds)
{
    harvest_document *d = find(h, id);
    if (d) d->seconds = seconds;
}
