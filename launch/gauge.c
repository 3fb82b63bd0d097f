#include "gauge.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"

static const double TELL_INTERVAL_S = 10;

/* ---- the list ---- */

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the texts to be measured");
}

/* Room for `more` tokens and one more text. */
static status grow(gauge *g, int more)
{
    if (g->n == g->room) {
        int         room = g->room ? 2 * g->room : 64;
        gauge_text *text = realloc(g->text, (size_t)room * sizeof *text);
        if (!text) return no_memory();
        g->text = text;
        g->room = room;
    }
    if (g->n_ids + more > g->ids_room) {
        int64_t  room = 2 * g->ids_room + more;
        int32_t *id = realloc(g->id, (size_t)room * sizeof *id);
        if (!id) return no_memory();
        g->id = id;
        g->ids_room = room;
    }
    return DID_OK;
}

status gauge_add(gauge *g, const int32_t *id, int n, uint64_t key, const stage *how)
{
    assert(n > 0 && how->work != WORK_DENOISE);
    TRY(grow(g, n));
    memcpy(g->id + g->n_ids, id, (size_t)n * sizeof *id);
    g->text[g->n++] = (gauge_text){.first = g->n_ids, .n = n, .key = key, .how = *how};
    g->n_ids += n;
    return DID_OK;
}

int gauge_longest(const gauge *g)
{
    int longest = 0;
    for (int i = 0; i < g->n; i++)
        if (g->text[i].n > longest) longest = g->text[i].n;
    return longest;
}

int gauge_failed(const gauge *g)
{
    int failed = 0;
    for (int i = 0; i < g->n; i++) failed += g->text[i].finish == FINISH_FAILED;
    return failed;
}

void gauge_clear(gauge *g)
{
    free(g->text);
    free(g->id);
    free(g->nll);
    *g = (gauge){0};
}

/* Everybody's places for what rank 0 says there will be. */
static status make_room(gauge *g, const int64_t size[2])
{
    if (g->n > 0) return DID_OK; /* rank 0, which has it all */
    g->text = malloc(((size_t)size[0] + 1) * sizeof *g->text);
    g->id = malloc(((size_t)size[1] + 1) * sizeof *g->id);
    g->n = g->room = (int)size[0];
    g->n_ids = g->ids_room = size[1];
    return g->text && g->id ? DID_OK : no_memory();
}

status gauge_share(gauge *g, comm *world)
{
    int64_t size[2] = {g->n, g->n_ids};
    TRY(comm_broadcast(world, size, sizeof size, 0, EV_SETUP));
    TRY(comm_agree(world, make_room(g, size)));
    TRY(comm_broadcast(world, g->text, (size_t)g->n * sizeof *g->text, 0, EV_SETUP));
    return comm_broadcast(world, g->id, (size_t)g->n_ids * sizeof *g->id, 0, EV_SETUP);
}

/* ---- the feed of one row's leader ---- */

typedef struct feeder {
    gauge *g;
    int    next, rows, mine, done;
    bool (*asked)(void);
    double told;
} feeder;

static status make_document(document **out, const gauge *g, int which)
{
    const gauge_text *t = &g->text[which];
    int32_t           no_mask = -1; /* nothing is to be filled */
    TRY(document_open(out, t->n, g->id + t->first, no_mask));
    document *d = *out;
    d->serial = which;
    d->key = t->key;
    d->n_stages = 1;
    d->stage[0] = t->how;
    status s = document_reserve(d);
    if (s != DID_OK) document_close(out);
    return s;
}

static status take(void *context, document **docs, int room, int wait_ms, int *n, bool *over)
{
    feeder *f = context;
    (void)wait_ms;
    for (*n = 0; *n < room && f->next < f->g->n; f->next += f->rows, (*n)++)
        TRY(make_document(&docs[*n], f->g, f->next));
    *over = f->next >= f->g->n;
    return DID_OK;
}

static status deliver(void *context, document **doc)
{
    feeder     *f = context;
    gauge_text *t = &f->g->text[(*doc)->serial];
    f->done++;
    t->finish = (*doc)->finish;
    if (t->finish == FINISH_FAILED)
        log_warn("gauge", "text %d: %s", (int)(*doc)->serial, (*doc)->reason);
    else memcpy(f->g->nll + t->first, (*doc)->nll, (size_t)t->n * sizeof *f->g->nll);
    document_close(doc);
    return DID_OK;
}

static status passed(void *context, document *const *docs, int n, const engine_progress *p,
                     bool *stop)
{
    feeder *f = context;
    double  now = clock_seconds();
    (void)docs, (void)n;
    *stop = f->asked && f->asked();
    if (now - f->told < TELL_INTERVAL_S) return DID_OK;
    f->told = now;
    log_say("gauge", "%d of %d texts of this row, %ld passes", f->done, f->mine, p->passes);
    return DID_OK;
}

static status put_down(void *context, document **doc)
{
    (void)context;
    document_close(doc);
    return DID_OK;
}

/* ---- together ---- */

/* Every text's numbers go from the leader of the row that measured it to all. */
static status tell_all(gauge *g, comm *world, int rows)
{
    int width = comm_size(world) / rows;
    for (int i = 0; i < g->n; i++) {
        gauge_text *t = &g->text[i];
        int         leader = i % rows * width;
        TRY(comm_broadcast(world, &t->finish, sizeof t->finish, leader, EV_REPORT));
        if (t->finish == FINISH_NONE) continue;
        TRY(comm_broadcast(world, g->nll + t->first, (size_t)t->n * sizeof *g->nll, leader,
                           EV_REPORT));
    }
    return DID_OK;
}

static status make_place(gauge *g)
{
    free(g->nll);
    g->nll = malloc(((size_t)g->n_ids + 1) * sizeof *g->nll);
    if (!g->nll) return no_memory();
    for (int64_t i = 0; i < g->n_ids; i++) g->nll[i] = NAN;
    for (int i = 0; i < g->n; i++) g->text[i].finish = FINISH_NONE;
    return DID_OK;
}

status gauge_run(gauge *g, engine *e, comm *world, int rows, bool (*asked)(void), int *left)
{
    int         row = engine_row(e);
    feeder      f = {.g = g, .next = row, .rows = rows, .asked = asked, .told = clock_seconds()};
    engine_feed feed = {&f, take, deliver, passed, put_down};
    f.mine = row < g->n ? (g->n - row + rows - 1) / rows : 0;
    *left = 0;
    TRY(comm_agree(world, make_place(g)));
    TRY(engine_run(e, engine_leads(e) ? &feed : NULL));
    TRY(tell_all(g, world, rows));
    for (int i = 0; i < g->n; i++) *left += g->text[i].finish == FINISH_NONE;
    return DID_OK;
}
