#include "muster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"

static const double MEMORY_S = 10; /* of the smoothed rate */

frame muster_id(const leader_entry *l)
{
    return (frame){l->id, l->id_size};
}

leader_entry *muster_find(const muster *r, const frame *id)
{
    for (int i = 0; i < r->n; i++)
        if (r->list[i].id_size == id->size && memcmp(r->list[i].id, id->data, id->size) == 0)
            return &r->list[i];
    return NULL;
}

leader_entry *muster_number(const muster *r, int64_t number)
{
    for (int i = 0; i < r->n; i++)
        if (r->list[i].number == number) return &r->list[i];
    return NULL;
}

static status add(muster *r, const frame *id, leader_entry **out)
{
    if (id->size > MUSTER_ID_MAX || r->n == MUSTER_MAX)
        return status_fail(DID_EFORMAT, "hello: no place for another leader");
    if (r->n == r->room) {
        int           more = r->room ? 2 * r->room : 16;
        leader_entry *grown = realloc(r->list, (size_t)more * sizeof *grown);
        if (!grown) return status_fail(DID_ENOMEM, "no memory for %d leaders", more);
        r->list = grown;
        r->room = more;
    }
    *out = &r->list[r->n++];
    **out = (leader_entry){.number = ++r->numbers, .id_size = id->size};
    memcpy((*out)->id, id->data, id->size);
    return DID_OK;
}

static status read_hello(leader_entry *l, const json_t *body)
{
    const char *host, *slurm, *signature;
    TRY(field_text(body, "host", &host));
    TRY(field_text(body, "slurm", &slurm));
    TRY(field_text(body, "signature", &signature));
    TRY(field_int(body, "row", 0, 1 << 20, &l->row));
    TRY(field_int(body, "rows", 1, 1 << 20, &l->rows));
    TRY(field_int(body, "pid", 0, INT32_MAX, &l->pid));
    if (strlen(signature) >= MUSTER_SIGNATURE)
        return status_fail(DID_EFORMAT, "signature: longer than %d bytes", MUSTER_SIGNATURE - 1);
    snprintf(l->host, sizeof l->host, "%.100s", host);
    snprintf(l->slurm, sizeof l->slurm, "%.100s", slurm);
    free(l->signature);
    l->signature = strdup(signature);
    return l->signature ? DID_OK : status_fail(DID_ENOMEM, "no memory for a leader");
}

static void remove_at(muster *r, int i)
{
    free(r->list[i].signature);
    r->list[i] = r->list[--r->n];
}

status muster_greet(muster *r, const frame *id, const json_t *body, double now)
{
    leader_entry *l = muster_find(r, id);
    if (!l) TRY(add(r, id, &l));
    status s = read_hello(l, body);
    l->heard = l->told = now;
    if (s != DID_OK) remove_at(r, (int)(l - r->list));
    return s;
}

status muster_note(leader_entry *l, const json_t *body, double now)
{
    leader_entry n = *l;
    TRY(field_int(body, "drafting", 0, 1 << 30, &n.drafting));
    TRY(field_int(body, "refining", 0, 1 << 30, &n.refining));
    TRY(field_number(body, "drawn", 0, INT64_MAX, &n.drawn));
    TRY(field_number(body, "passes", 0, INT64_MAX, &n.passes));
    TRY(field_number(body, "nfe", 0, INT64_MAX, &n.nfe));
    if (json_object_get(body, "share")) TRY(field_real(body, "share", 0, 1e9, &n.share));
    if (json_object_get(body, "wire_s")) TRY(field_real(body, "wire_s", 0, 1e12, &n.wire_s));
    if (json_object_get(body, "io_s")) TRY(field_real(body, "io_s", 0, 1e12, &n.io_s));
    double past = now - l->told, weight = past / (past + MEMORY_S);
    if (past > 0 && n.drawn >= l->drawn)
        n.rate += weight * ((double)(n.drawn - l->drawn) / past - n.rate);
    if (past > 0 && n.wire_s >= l->wire_s)
        n.exposed += weight * ((n.wire_s - l->wire_s) / past - n.exposed);
    if (past > 0 && n.io_s >= l->io_s) n.talk += weight * ((n.io_s - l->io_s) / past - n.talk);
    n.told = now;
    *l = n;
    return DID_OK;
}

void muster_leave(muster *r, const frame *id)
{
    leader_entry *l = muster_find(r, id);
    if (!l) return;
    r->drawn += l->drawn;
    r->passes += l->passes;
    r->nfe += l->nfe;
    remove_at(r, (int)(l - r->list));
}

void muster_expire(muster *r, double before)
{
    for (int i = r->n - 1; i >= 0; i--)
        if (r->list[i].heard < before) remove_at(r, i);
}

json_t *muster_tell(const muster *r, double now)
{
    json_t *array = json_array();
    int     bad = array == NULL;
    for (int i = 0; i < r->n && !bad; i++) {
        const leader_entry *l = &r->list[i];
        bad |= json_array_append_new(
            array,
            json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:f, s:f, s:f, s:f}", "host",
                      l->host, "slurm", l->slurm, "pid", l->pid, "row", l->row, "rows", l->rows,
                      "drafting", l->drafting, "refining", l->refining, "drawn",
                      (json_int_t)l->drawn, "passes", (json_int_t)l->passes, "nfe",
                      (json_int_t)l->nfe, "tokens_per_s", l->rate, "wire_exposed",
                      l->exposed, "talk", l->talk, "silent_s", now - l->heard));
    }
    if (!bad) return array;
    json_decref(array);
    return NULL;
}

void muster_clear(muster *r)
{
    for (int i = 0; i < r->n; i++) free(r->list[i].signature);
    free(r->list);
    *r = (muster){0};
}
