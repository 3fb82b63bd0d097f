#include "pipeline.h"

#include <assert.h>
#include <stdlib.h>

#include "clock.h"
#include "schedule.h"
#include "walk.h"

enum { IDLE_WAIT_MS = 20 };
static const double IDLE_WORD_S = 0.5; /* a leader without work says so this often */

/* Documents that share passes. */
typedef struct group {
    turn  *turns;      /* [documents] of the pass under way */
    int    n_turns, n; /* of turns; of documents */
    int    start;      /* who is asked first */
    bool   under_way;
    double since;
} group;

/* The leader's state: who is in flight. */
typedef struct flight {
    pipeline          *p;
    const engine_feed *feed;
    document         **docs;   /* [documents], the first n in flight */
    document         **some;   /* [documents] those of one group */
    bool              *taken;  /* [documents] cache slots */
    int               *member; /* [documents] which group the document of a slot is in */
    turn              *turns;  /* [groups * documents] */
    group              groups[ENGINE_GROUPS_MAX];
    int                n;
    bool               over, stop;
    double             spoken; /* when the team last heard from its leader */
    double             landed; /* when a pass last came home, or the first one left */
} flight;

static void account(pipeline *p, const pass *now)
{
    p->price.model = &p->place.model->geometry;
    price_pass(&p->progress.predicted, &p->price, now);
    p->progress.passes++;
    p->progress.rows += now->n_rows;
    p->progress.segments += now->n_segments;
    for (int i = 0; i < now->n_segments; i++)
        p->progress.commits += now->segments[i].kind == SEGMENT_COMMIT;
}

/* Charge the time since then to waiting. */
static status waited(pipeline *p, double since, status s)
{
    p->progress.seconds_wait += clock_seconds() - since;
    return s;
}

static status run_pass(pipeline *p, batch *b)
{
    p->place.model = &p->models[b->pass.model];
    int    width = p->place.model->geometry.d_model;
    double since = clock_seconds();
    TRY(waited(p, since, chain_in(&p->chain, b, width, &p->place.in)));
    since = clock_seconds();
    TRY(waited(p, since, chain_room(&p->chain, b, &p->place.out)));
    double worked = clock_work_seconds();
    since = clock_seconds();
    TRY(team_forward(b->answers, &p->rows, &b->pass, &p->place));
    if (chain_ends(&p->chain)) p->progress.seconds_passes += clock_seconds() - since;
    p->progress.seconds_worked += clock_work_seconds() - worked;
    account(p, &b->pass);
    return DID_OK;
}

/* Do what the plan says, and hand on what comes of it. */
static status serve(pipeline *p, batch *b, verb word)
{
    if (word == VERB_RUN) TRY(run_pass(p, b));
    double since = clock_seconds();
    if (!chain_ends(&p->chain)) {
        int width = p->models[b->pass.model].geometry.d_model;
        return waited(p, since, chain_pass(&p->chain, b, word, width));
    }
    return word == VERB_RUN ? waited(p, since, chain_answer(&p->chain, b)) : DID_OK;
}

static status hear(pipeline *p, batch *b, verb *word)
{
    double since = clock_seconds();
    status s = chain_begins(&p->chain) ? batch_share(b, word, p->tier)
                                       : chain_hear(&p->chain, b, word);
    return waited(p, since, s);
}

static status follow(pipeline *p)
{
    batch *b = &p->batch[0];
    verb   word = VERB_WAIT;
    TRY(chain_start(&p->chain));
    while (word != VERB_STOP) {
        TRY(hear(p, b, &word));
        TRY(serve(p, b, word));
    }
    return chain_finish(&p->chain);
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

static group *group_of(flight *f, const document *d)
{
    return &f->groups[f->member[d->slot]];
}

static void join(flight *f, const document *d, int which)
{
    f->member[d->slot] = which;
    f->groups[which].n++;
}

static void leave_flight(flight *f, int i)
{
    group_of(f, f->docs[i])->n--;
    f->taken[f->docs[i]->slot] = false;
    f->docs[i]->slot = -1;
}

/* Hand over every finished document and close the ranks. One whose pass is under way waits for it. */
static status deliver(flight *f)
{
    int    kept = 0;
    status s = DID_OK;
    for (int i = 0; i < f->n; i++) {
        document *d = f->docs[i];
        if (d->finish == FINISH_NONE || group_of(f, d)->under_way || s != DID_OK) {
            f->docs[kept++] = d;
            continue;
        }
        leave_flight(f, i);
        s = f->feed->deliver(f->feed->context, &d);
    }
    f->n = kept;
    return s;
}

static int smallest(const flight *f)
{
    int least = 0;
    for (int g = 1; g < f->p->groups; g++)
        if (f->groups[g].n < f->groups[least].n) least = g;
    return least;
}

/* Groups of one size keep every depth busy: who has more gives some away. */
static void even_out(flight *f, int which)
{
    for (int i = f->n - 1, to = smallest(f); i >= 0; i--) {
        if (f->groups[which].n <= f->groups[to].n + 1) return;
        if (f->member[f->docs[i]->slot] != which) continue;
        f->groups[which].n--;
        join(f, f->docs[i], to);
        to = smallest(f);
    }
}

static status admit(flight *f)
{
    int    room = f->p->documents - f->n, n = 0, wait_ms = f->n == 0 ? IDLE_WAIT_MS : 0;
    double since = clock_seconds();
    if (room == 0 || f->over || f->stop) return DID_OK;
    status s = waited(f->p, since, f->feed->take(f->feed->context, f->docs + f->n, room, wait_ms,
                                                 &n, &f->over));
    for (int i = f->n; i < f->n + n; i++) {
        f->docs[i]->slot = free_slot(f);
        f->taken[f->docs[i]->slot] = true;
        f->docs[i]->committed = 0;
        join(f, f->docs[i], smallest(f));
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

/* Tell the documents what the pass brought, and what it cost. Passes under way at once share the
 * time. One that was ended meanwhile wants to know nothing. */
static void apply(flight *f, int which)
{
    pipeline *p = f->p;
    group    *g = &f->groups[which];
    batch    *b = &p->batch[which];
    int       at_once = 0;
    for (int i = 0; i < p->groups; i++) at_once += f->groups[i].under_way;
    double seconds = (clock_seconds() - g->since) / at_once;
    for (int i = 0; i < g->n_turns; i++) {
        turn *t = &g->turns[i];
        if (t->doc->finish != FINISH_NONE) continue;
        t->doc->seconds[t->doc->at] += seconds * t->rows / b->pass.n_rows;
        walk_apply(t, b, &p->rules);
        p->progress.drawn += t->placed;
        p->progress.nfe += t->placed > 0;
    }
}

/* Where passes are under way at once, one takes as long as the next comes home after it. */
static void count_pace(flight *f)
{
    double now = clock_seconds();
    if (!chain_ends(&f->p->chain)) f->p->progress.seconds_passes += now - f->landed;
    f->landed = now;
}

static bool nothing_under_way(const flight *f)
{
    for (int i = 0; i < f->p->groups; i++)
        if (f->groups[i].under_way) return false;
    return true;
}

/* The pass of a group that is under way comes home. */
static status land(flight *f, int which)
{
    double since = clock_seconds();
    TRY(waited(f->p, since, chain_answers(&f->p->chain, &f->p->batch[which], which)));
    count_pace(f);
    apply(f, which);
    f->groups[which].under_way = false;
    return deliver(f);
}

/* A pass has run: whoever looks on may end a document, or the run. */
static status show(flight *f)
{
    bool stop = false;
    count_flight(f);
    if (!f->feed->passed) return deliver(f);
    engine_progress now = pipeline_progress(f->p);
    status s = f->feed->passed(f->feed->context, f->docs, f->n, &now, &stop);
    f->stop = f->stop || stop;
    return s == DID_OK ? deliver(f) : s;
}

/* Plans reach the ranks of this depth, and through the chain the others. */
static status speak(flight *f, batch *b, verb word)
{
    f->spoken = clock_seconds();
    TRY(batch_share(b, &word, f->p->tier));
    return serve(f->p, b, word);
}

/* A leader without work and one that is gone would look alike to the others of its team. */
static status idle(flight *f)
{
    return clock_seconds() - f->spoken < IDLE_WORD_S ? DID_OK : speak(f, f->p->batch, VERB_WAIT);
}

static status launch(flight *f, int which)
{
    group *g = &f->groups[which];
    batch *b = &f->p->batch[which];
    int    n = 0;
    for (int i = 0; i < f->n; i++)
        if (f->member[f->docs[i]->slot] == which) f->some[n++] = f->docs[i];
    if (n == 0) return DID_OK;
    g->n_turns = schedule_fill(b, g->turns, f->some, n, &g->start, &f->p->rules);
    g->since = clock_seconds();
    if (nothing_under_way(f)) f->landed = g->since;
    TRY(chain_expect(&f->p->chain, b, which));
    g->under_way = true;
    return speak(f, b, VERB_RUN);
}

/* A group's turn of the leader's wheel: its last pass comes home, the next one leaves. */
static status take_turn(flight *f, int which)
{
    if (f->groups[which].under_way) {
        TRY(land(f, which));
        TRY(show(f));
    }
    if (f->stop) return DID_OK;
    TRY(admit(f));
    if (f->n == 0) return idle(f);
    even_out(f, which);
    return launch(f, which);
}

/* Passes under way are waited for, whatever has happened: others are at them. */
static status drain(flight *f, int first, status s)
{
    if (s == DID_EPEER) return s;
    for (int i = 0; i < f->p->groups; i++) {
        int which = (first + i) % f->p->groups;
        if (!f->groups[which].under_way) continue;
        status home = land(f, which);
        if (s == DID_OK) s = home;
    }
    return s;
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

static status flight_open(flight *f, pipeline *p, const engine_feed *feed)
{
    size_t n = (size_t)p->documents;
    *f = (flight){.p = p, .feed = feed};
    f->docs = calloc(n, sizeof *f->docs);
    f->some = calloc(n, sizeof *f->some);
    f->taken = calloc(n, sizeof *f->taken);
    f->member = calloc(n, sizeof *f->member);
    f->turns = calloc((size_t)p->groups * n, sizeof *f->turns);
    if (!f->docs || !f->some || !f->taken || !f->member || !f->turns)
        return status_fail(DID_ENOMEM, "no memory for %d documents in flight", p->documents);
    for (int g = 0; g < p->groups; g++) f->groups[g].turns = f->turns + (size_t)g * n;
    return DID_OK;
}

static void flight_close(flight *f)
{
    free(f->docs);
    free(f->some);
    free(f->taken);
    free(f->member);
    free(f->turns);
}

static status lead(pipeline *p, const engine_feed *feed)
{
    flight f;
    status s = flight_open(&f, p, feed);
    int    which = 0;
    for (; s == DID_OK && !f.stop && !(f.over && f.n == 0); which = (which + 1) % p->groups)
        s = take_turn(&f, which);
    s = drain(&f, which, s);
    status down = put_down_all(&f);
    status told = s == DID_EPEER ? DID_OK : speak(&f, p->batch, VERB_STOP);
    if (told == DID_OK && s != DID_EPEER) told = chain_finish(&p->chain);
    flight_close(&f);
    return s != DID_OK ? s : down != DID_OK ? down : told;
}

status pipeline_run(pipeline *p, const engine_feed *feed)
{
    double since = clock_seconds();
    bool   leads = chain_begins(&p->chain) && comm_rank(p->tier) == 0;
    status s = leads ? lead(p, feed) : follow(p);
    p->progress.seconds_total += clock_seconds() - since;
    return s;
}

engine_progress pipeline_progress(const pipeline *p)
{
    engine_progress g = p->progress;
    const double   *t = p->timing.seconds;
    g.seconds_linear = t[SECTION_LINEAR];
    g.seconds_attention = t[SECTION_ATTENTION];
    g.seconds_rowwise = t[SECTION_ROWWISE];
    g.seconds_draw = t[SECTION_DRAW];
    g.seconds_wire = t[SECTION_WIRE];
    return g;
}
