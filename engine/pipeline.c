#include "pipeline.h"

#include <assert.h>
#include <stdlib.h>

#include "clock.h"
#include "schedule.h"
#include "walk.h"

enum { IDLE_WAIT_MS = 20 };
static const double IDLE_WORD_S = 0.5; /* a leader without work says so this often */

/* The leader's state: who is in flight. */
typedef struct flight {
    pipeline          *p;
    const engine_feed *feed;
    document         **docs;   /* [documents], the first n in flight */
    turn              *turns;  /* [documents] */
    bool              *taken;  /* [documents] cache slots */
    int                n, start;
    bool               over, stop;
    double             spoken; /* when the team last heard from its leader */
} flight;

static status run_pass(pipeline *p)
{
    const pass *now = &p->batch.pass;
    double      since = clock_seconds(), worked = clock_work_seconds();
    p->place.model = &p->models[now->model];
    TRY(team_forward(p->batch.answers, &p->rows, now, &p->place));
    p->progress.seconds_passes += clock_seconds() - since;
    p->progress.seconds_worked += clock_work_seconds() - worked;
    p->price.model = &p->place.model->geometry;
    if (p->price.machine) p->progress.seconds_predicted += price_pass(&p->price, now);
    p->progress.passes++;
    p->progress.rows += now->n_rows;
    p->progress.segments += now->n_segments;
    for (int i = 0; i < now->n_segments; i++)
        p->progress.commits += now->segments[i].kind == SEGMENT_COMMIT;
    return DID_OK;
}

static status follow(pipeline *p)
{
    for (;;) {
        verb   word = VERB_STOP;
        double since = clock_seconds();
        TRY(batch_share(&p->batch, &word, p->team));
        p->progress.seconds_wait += clock_seconds() - since;
        if (word == VERB_STOP) return DID_OK;
        if (word == VERB_RUN) TRY(run_pass(p));
    }
}

/* A slot on the row of the team that has the fewest documents: it is where they are drafted. */
static int free_slot(const flight *f)
{
    int rows = f->p->rows.rows, best = -1, fewest = 0;
    for (int row = 0; row < rows; row++) {
        int taken = 0, slot = -1;
        for (int i = f->p->documents - rows + row; i >= 0; i -= rows) {
            taken += f->taken[i];
            if (!f->taken[i]) slot = i;
        }
        if (slot < 0 || (best >= 0 && taken >= fewest)) continue;
        best = slot;
        fewest = taken;
    }
    assert(best >= 0);
    return best;
}

static void leave_flight(flight *f, int i)
{
    f->taken[f->docs[i]->slot] = false;
    f->docs[i]->slot = -1;
}

/* Hand over every finished document and close the ranks. */
static status deliver(flight *f)
{
    int    kept = 0;
    status s = DID_OK;
    for (int i = 0; i < f->n; i++) {
        document *d = f->docs[i];
        if (d->finish == FINISH_NONE || s != DID_OK) {
            f->docs[kept++] = d;
            continue;
        }
        leave_flight(f, i);
        s = f->feed->deliver(f->feed->context, &d);
    }
    f->n = kept;
    return s;
}

static status admit(flight *f)
{
    int    room = f->p->documents - f->n, n = 0, wait_ms = f->n == 0 ? IDLE_WAIT_MS : 0;
    double since = clock_seconds();
    if (room == 0 || f->over || f->stop) return DID_OK;
    status s = f->feed->take(f->feed->context, f->docs + f->n, room, wait_ms, &n, &f->over);
    f->p->progress.seconds_wait += clock_seconds() - since;
    for (int i = f->n; i < f->n + n; i++) {
        f->docs[i]->slot = free_slot(f);
        f->taken[f->docs[i]->slot] = true;
        f->docs[i]->committed = 0;
        walk_settle(f->docs[i], &f->p->rules);
    }
    f->n += n;
    TRY(s);
    return deliver(f);
}

static void count_flight(flight *f)
{
    engine_progress *g = &f->p->progress;
    g->drafting = g->refining = 0;
    for (int i = 0; i < f->n; i++)
        if (f->docs[i]->finish == FINISH_NONE) *(f->docs[i]->at == 0 ? &g->drafting : &g->refining) += 1;
}

/* Tell the documents what the pass brought, and what it cost. */
static void apply(flight *f, int n_turns, double seconds)
{
    pipeline *p = f->p;
    for (int i = 0; i < n_turns; i++) {
        turn *t = &f->turns[i];
        t->doc->seconds[t->doc->at] += seconds * t->rows / p->batch.pass.n_rows;
        walk_apply(t, &p->batch, &p->rules);
        p->progress.drawn += t->placed;
        p->progress.nfe += t->placed > 0;
    }
}

static status speak(flight *f, verb word)
{
    f->spoken = clock_seconds();
    return batch_share(&f->p->batch, &word, f->p->team);
}

/* A leader without work and one that is gone would look alike to the others of its team. */
static status idle(flight *f)
{
    return clock_seconds() - f->spoken < IDLE_WORD_S ? DID_OK : speak(f, VERB_WAIT);
}

/* One turn of the leader's wheel: admit, run, apply, hand over. */
static status lead_once(flight *f)
{
    pipeline *p = f->p;
    TRY(admit(f));
    if (f->n == 0 || f->stop) return idle(f);
    int n_turns = schedule_fill(&p->batch, f->turns, f->docs, f->n, &f->start, &p->rules);
    double since = clock_seconds();
    TRY(speak(f, VERB_RUN));
    TRY(run_pass(p));
    apply(f, n_turns, clock_seconds() - since);
    TRY(deliver(f));
    count_flight(f);
    bool stop = false;
    engine_progress now = p->progress;
    status s = f->feed->passed(f->feed->context, f->docs, f->n, &now, &stop);
    f->stop = f->stop || stop;
    return s == DID_OK ? deliver(f) : s; /* who looked on may have ended a document */
}

/* Whatever is still in flight goes back to where it came from. */
static status put_down_all(flight *f)
{
    status all = DID_OK;
    for (int i = 0; i < f->n; i++) {
        leave_flight(f, i);
        status s = f->feed->put_down(f->feed->context, &f->docs[i]);
        if (all == DID_OK) all = s;
    }
    f->n = 0;
    return all;
}

static status lead(pipeline *p, const engine_feed *feed)
{
    size_t n = (size_t)p->documents;
    flight f = {.p = p, .feed = feed};
    f.docs = calloc(n, sizeof *f.docs);
    f.turns = calloc(n, sizeof *f.turns);
    f.taken = calloc(n, sizeof *f.taken);
    status s = f.docs && f.turns && f.taken
                   ? DID_OK
                   : status_fail(DID_ENOMEM, "no memory for %d documents in flight", p->documents);
    while (s == DID_OK && !f.stop && !(f.over && f.n == 0)) s = lead_once(&f);
    status down = put_down_all(&f);
    verb   word = VERB_STOP;
    status told = s == DID_EPEER ? DID_OK : batch_share(&p->batch, &word, p->team);
    free(f.docs);
    free(f.turns);
    free(f.taken);
    return s != DID_OK ? s : down != DID_OK ? down : told;
}

status pipeline_run(pipeline *p, const engine_feed *feed)
{
    double since = clock_seconds();
    status s = comm_rank(p->team) == 0 ? lead(p, feed) : follow(p);
    p->progress.seconds_total += clock_seconds() - since;
    return s;
}
