/* crew.h - a door of one process and an engine that draws tokens out of a hat, for the tests of the
 * front-end and the porter. */
#ifndef DID_TESTS_CREW_H
#define DID_TESTS_CREW_H

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "clock.h"
#include "door.h"
#include "engine.h"
#include "porter.h"
#include "sample.h"

/* A door into a fresh directory, as door_open makes it where all ranks share a host. */
static inline status crew_door(door *d)
{
    *d = (door){0};
    TRY(socket_context_open(&d->context));
    strcpy(d->directory, "/tmp/did-crew-XXXXXX");
    if (!mkdtemp(d->directory)) return status_fail(DID_EIO, "no directory");
    snprintf(d->endpoint, sizeof d->endpoint, "ipc://%.60s/front", d->directory);
    return DID_OK;
}

/* One token, a function of the document and the position alone. */
static inline void crew_step(document *d)
{
    int i = 0;
    while (!d->masked[i]) i++;
    sample_walk(d, 1, d->key * 31 + (uint64_t)(d->at * 1000 + i));
}

/* What one leader is told. */
typedef struct crew_settings {
    const door         *door;
    int                 row;
    const record_rules *rules;
    bool                saving; /* after every pass */
    watch              *watch;
} crew_settings;

/* What one leader does and how it fared. */
typedef struct crew {
    crew_settings settings;
    int           room;    /* documents in flight */
    int           pass_us; /* how long a pass takes */
    long          drawn;
    int           delivered, put_down;
    status        outcome;
    char          why[1024];
    pthread_t     thread;
} crew;

static inline int crew_deliver(crew *c, const engine_feed *f, document **docs, int n, status *s)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        if (docs[i]->finish == FINISH_NONE || *s != DID_OK) {
            docs[kept++] = docs[i];
            continue;
        }
        *s = f->deliver(f->context, &docs[i]);
        c->delivered++;
    }
    return kept;
}

/* The engine's loop without an engine. */
static inline status crew_run(crew *c, const engine_feed *f)
{
    document       *docs[64];
    int             n = 0;
    bool            over = false, stop = false;
    status          s = DID_OK;
    engine_progress p = {0};
    while (s == DID_OK && !stop && !(over && n == 0)) {
        int got = 0;
        if (!over && n < c->room)
            s = f->take(f->context, docs + n, c->room - n, n ? 0 : 20, &got, &over);
        n += got;
        for (int i = 0; i < n && s == DID_OK; i++) {
            if (document_masked(docs[i], 0, docs[i]->length) > 0 || docs[i]->at == 0)
                crew_step(docs[i]);
            c->drawn++;
            p.drawn++;
        }
        p.passes++;
        if (c->pass_us) usleep((unsigned)c->pass_us);
        if (s == DID_OK) n = crew_deliver(c, f, docs, n, &s);
        p.drafting = n;
        if (s == DID_OK && n > 0) s = f->passed(f->context, docs, n, &p, &stop);
    }
    for (int i = 0; i < n; i++) {
        status down = f->put_down(f->context, &docs[i]);
        c->put_down++;
        if (s == DID_OK) s = down;
    }
    return s;
}

static inline porter_settings crew_porter(const crew_settings *c)
{
    const door_sign *sign = &c->door->sign;
    porter_settings  p = {.road = {.context = c->door->context, .n = sign->n},
                          .loads = {.base = c->rules},
                          .row = c->row,
                          .rows = c->row + 1,
                          .saving = c->saving,
                          .patience_s = 300,
                          .watch = c->watch};
    for (int i = 0; i < sign->n; i++) p.road.endpoint[i] = sign->address[i];
    if (sign->encrypted) p.road.server = sign->server, p.road.keys = &sign->leader;
    return p;
}

static inline void *crew_work(void *context)
{
    crew           *c = context;
    porter         *p = NULL;
    porter_settings how = crew_porter(&c->settings);
    c->outcome = porter_open(&p, &how);
    if (c->outcome == DID_OK) {
        engine_feed hooks = porter_hooks(p);
        c->outcome = crew_run(c, &hooks);
        status closed = porter_close(&p, NULL);
        if (c->outcome == DID_OK) c->outcome = closed;
    }
    snprintf(c->why, sizeof c->why, "%s", status_message());
    return NULL;
}

static inline void crew_start(crew *c)
{
    if (pthread_create(&c->thread, NULL, crew_work, c) != 0) abort();
}

static inline void crew_join(crew *c)
{
    pthread_join(c->thread, NULL);
}

#endif
