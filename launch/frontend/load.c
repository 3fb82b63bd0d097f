#include "load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "parcel.h"

load *loads_find(const loads *all, int64_t serial)
{
    load *l = all->first;
    while (l && l->serial != serial) l = l->next;
    return l;
}

status loads_add(loads *all, int64_t serial, int64_t epoch, load **out)
{
    load **at = &all->first;
    while (*at) at = &(*at)->next;
    *out = *at = calloc(1, sizeof **at);
    if (!*at) return status_fail(DID_ENOMEM, "no memory for a document");
    (*at)->serial = serial;
    (*at)->epoch = epoch;
    return DID_OK;
}

void loads_remove(loads *all, int64_t serial)
{
    load **at = &all->first;
    while (*at && (*at)->serial != serial) at = &(*at)->next;
    load *l = *at;
    if (!l) return;
    *at = l->next;
    request_clear(&l->request);
    document_close(&l->waiting);
    json_decref(l->seconds);
    free(l->text);
    free(l);
}

void loads_clear(loads *all)
{
    while (all->first) loads_remove(all, all->first->serial);
}

int loads_waiting(const loads *all)
{
    int n = 0;
    for (const load *l = all->first; l; l = l->next) n += l->waiting != NULL;
    return n;
}

int loads_sealed(const loads *all)
{
    int n = 0;
    for (const load *l = all->first; l; l = l->next) n += l->text != NULL;
    return n;
}

void loads_unsay(loads *all)
{
    for (load *l = all->first; l; l = l->next) l->said = 0;
}

/* What was done before it came here took a time that nobody tells. */
static void forget_seconds(document *d)
{
    bool begun = d->entered || d->region > 0;
    for (int k = 0; k < d->at + begun; k++) d->seconds[k] = NAN;
}

/* A checkpoint that cannot be used costs a service its passes, not the document. */
static status begin(load *l, const load_rules *how, const message *m)
{
    const parcel_rules *rules = &l->rules.parcels;
    if (m->n_parts == 2) {
        status s = parcel_unpack(&l->waiting, m->part[1].data, m->part[1].size, &l->request,
                                 l->serial, false, rules);
        if (s == DID_OK) forget_seconds(l->waiting);
        if (s != DID_EFORMAT || !how->read) return s;
        log_warn("load", "begins again: %s", status_message());
    }
    return parcel_begin(&l->waiting, &l->request, l->serial, rules);
}

static status read_order(load *l, const load_rules *how, const message *m, int sample)
{
    const frame *said = &m->part[0];
    l->rules = *how->base;
    if (!how->read)
        return slip_unpack(&l->request, said->data, said->size, &l->rules.parcels.ids);
    return how->read(how->context, &l->request, &l->rules, said->data, said->size, sample);
}

status load_open(load *l, const load_rules *rules, const message *m, int sample)
{
    status s = read_order(l, rules, m, sample);
    if (s == DID_OK) return begin(l, rules, m);
    if (s != DID_EFORMAT || !rules->read) return s;
    l->how = MESSAGE_REFUSE;
    l->text = strdup(status_message());
    return l->text ? DID_OK : status_fail(DID_ENOMEM, "no memory for a document");
}

/* null where somebody else went through a stage, or began it. */
static json_t *seconds_of(const document *d)
{
    json_t *array = json_array();
    for (int k = 0; k < d->n_stages; k++)
        json_array_append_new(array, isnan(d->seconds[k]) ? json_null() : json_real(d->seconds[k]));
    return array;
}

status load_seal(load *l, const load_rules *rules, const document *d)
{
    l->at = d->at;
    l->failed = d->finish == FINISH_FAILED || d->finish == FINISH_REJECTED;
    l->how = d->finish == FINISH_NONE ? MESSAGE_PUT_DOWN : MESSAGE_RESULT;
    if (l->how == MESSAGE_RESULT) l->seconds = seconds_of(d);
    if (l->how == MESSAGE_RESULT && rules->read)
        return record_line(&l->text, &l->request, d, &l->rules);
    return parcel_pack(&l->text, d, &l->request);
}
