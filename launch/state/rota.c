#include "rota.h"

#include <stdlib.h>
#include <string.h>

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the list of jobs");
}

static bool is_open(store_state state)
{
    return state < STORE_DONE;
}

/* ---- owners and jobs ---- */

static int place_of(const rota *r, const char *owner)
{
    int i = 0;
    while (i < r->n_owners && strcmp(r->owner[i].key, owner) != 0) i++;
    return i;
}

static status add_owner(rota *r, const char *owner, int *place)
{
    *place = place_of(r, owner);
    if (*place < r->n_owners) return DID_OK;
    rota_owner *grown = realloc(r->owner, ((size_t)r->n_owners + 1) * sizeof *grown);
    if (!grown) return no_memory();
    r->owner = grown;
    grown[r->n_owners] = (rota_owner){.key = strdup(owner)};
    if (!grown[r->n_owners].key) return no_memory();
    r->n_owners++;
    return DID_OK;
}

static status add_job(rota_owner *o, int64_t job)
{
    if (o->n == o->room) {
        int      room = o->room ? 2 * o->room : 4;
        int64_t *grown = realloc(o->job, (size_t)room * sizeof *grown);
        if (!grown) return no_memory();
        o->job = grown;
        o->room = room;
    }
    o->job[o->n++] = job;
    return DID_OK;
}

static status reach(rota *r, int64_t job)
{
    if (job < r->n_jobs) return DID_OK;
    int64_t   n = 2 * job + 16;
    rota_job *grown = realloc(r->job, (size_t)n * sizeof *grown);
    if (!grown) return no_memory();
    for (int64_t i = r->n_jobs; i < n; i++) grown[i] = (rota_job){.owner = -1};
    r->job = grown;
    r->n_jobs = n;
    return DID_OK;
}

status rota_begin(rota *r, const char *owner, int64_t job, int length)
{
    int place;
    TRY(reach(r, job));
    TRY(add_owner(r, owner, &place));
    TRY(add_job(&r->owner[place], job));
    r->job[job] = (rota_job){.owner = place, .length = length};
    return DID_OK;
}

void rota_end(rota *r, int64_t job)
{
    rota_owner *o = &r->owner[r->job[job].owner];
    int         at = 0;
    while (o->job[at] != job) at++;
    memmove(&o->job[at], &o->job[at + 1], (size_t)(o->n - at - 1) * sizeof *o->job);
    o->n--;
    o->turn = 0;
    r->job[job].owner = -1;
}

const rota_owner *rota_find(const rota *r, const char *owner)
{
    int place = place_of(r, owner);
    return place < r->n_owners ? &r->owner[place] : NULL;
}

const rota_job *rota_look(const rota *r, int64_t job)
{
    return job > 0 && job < r->n_jobs && r->job[job].owner >= 0 ? &r->job[job] : NULL;
}

/* ---- counts ---- */

void rota_move(rota *r, int64_t job, store_state from, store_state to, int64_t bytes)
{
    if (from == to || !rota_look(r, job)) return;
    rota_job   *j = &r->job[job];
    rota_owner *o = &r->owner[j->owner];
    bool        was = from < STORE_STATES && is_open(from), is = is_open(to);
    if (from < STORE_STATES) j->count.n[from]--, r->all.n[from]--;
    j->count.n[to]++, r->all.n[to]++;
    j->bytes += (is - was) * bytes;
    o->bytes += (is - was) * bytes;
    o->open += is - was;
}

rota_mark rota_remember(const rota *r, int64_t job)
{
    const rota_owner *o = &r->owner[r->job[job].owner];
    return (rota_mark){job, r->job[job], r->all, o->open, o->bytes};
}

void rota_restore(rota *r, const rota_mark *m)
{
    rota_owner *o = &r->owner[m->was.owner];
    r->job[m->job] = m->was;
    r->all = m->all;
    o->open = m->open;
    o->bytes = m->bytes;
}

/* ---- turns ---- */

/* The next job of an owner with something in `state`; 0: there is none. */
static int64_t next_job(const rota *r, rota_owner *o, store_state state)
{
    for (int i = 0; i < o->n; i++) {
        int at = (o->turn + i) % o->n;
        if (r->job[o->job[at]].count.n[state] == 0) continue;
        o->turn = (at + 1) % o->n;
        return o->job[at];
    }
    return 0;
}

int64_t rota_next(rota *r, store_state state)
{
    for (int i = 0; i < r->n_owners && r->all.n[state] > 0; i++) {
        int     at = (r->turn + i) % r->n_owners;
        int64_t job = next_job(r, &r->owner[at], state);
        if (!job) continue;
        r->turn = (at + 1) % r->n_owners;
        return job;
    }
    return 0;
}

void rota_clear(rota *r)
{
    for (int i = 0; i < r->n_owners; i++) {
        free(r->owner[i].key);
        free(r->owner[i].job);
    }
    free(r->owner);
    free(r->job);
    *r = (rota){0};
}
