#include "budget.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "log.h"
#include "report.h"

enum { DOCUMENTS_WORTHWHILE = 8 };

status budget_survey(budget *b, comm *world)
{
    int neighbours = 0, n = comm_size(world);
    TRY(comm_node_size(world, &neighbours));
    b->mine = report_resident();
    size_t limit = host_memory_limit(b->mine * (size_t)neighbours, &b->source);
    limit /= (size_t)neighbours;
    size_t  mine[2] = {b->mine, limit};
    size_t *all = calloc((size_t)n, sizeof mine);
    status  s =
        comm_agree(world, all ? DID_OK : status_fail(DID_ENOMEM, "no memory for %d ranks", n));
    if (s == DID_OK) s = comm_gather(world, all, mine, sizeof mine, EV_SETUP);
    b->held = 0;
    b->room = b->limit = SIZE_MAX;
    for (int r = 0; s == DID_OK && r < n; r++) {
        size_t held = all[2 * r], most = all[2 * r + 1], room = most > held ? most - held : 0;
        if (held > b->held) b->held = held;
        if (room < b->room) b->room = room, b->limit = most;
    }
    free(all);
    return s;
}

/* "1, 2 or 4": the widths that divide the world and have a head for every rank. */
static void widths(char *text, size_t size, int ranks, int heads, bool reproducible)
{
    int    last = 0;
    size_t used = 0;
    for (int q = 1; q <= ranks && q <= heads; q++)
        if (ranks % q == 0 && (!reproducible || engine_reproduces(q))) last = q;
    for (int q = 1; q <= last && used < size; q++) {
        if (ranks % q || (reproducible && !engine_reproduces(q))) continue;
        const char *between = q == 1 ? "" : q == last ? " or " : ", ";
        used += (size_t)snprintf(text + used, size - used, "%s%d", between, q);
    }
}

static status tp_check(int tp, int ranks, int heads, bool reproducible)
{
    char work[200];
    bool alike = !reproducible || engine_reproduces(tp);
    if (tp <= heads && ranks % tp == 0 && alike) return DID_OK;
    widths(work, sizeof work, ranks, heads, reproducible);
    if (!alike)
        return status_fail(DID_EINVAL,
                           "--reproducible --tp %d: the same bytes come from 1, 2, 4 or 8 ranks; %s "
                           "would work here", tp, work);
    if (ranks % tp)
        return status_fail(DID_EINVAL,
                           "--tp %d does not divide the %d rank%s of this run; %s would", tp, ranks,
                           ranks == 1 ? "" : "s", work);
    return status_fail(DID_EINVAL, "--tp %d is more than the model's %d heads; %s would work", tp,
                       heads, work);
}

/* The columns of a grid of all ranks: what was said, else the fewest that are no fewer than rows. */
static status grid_columns(int *cols, int said, int ranks)
{
    char work[200];
    *cols = said ? said : 1;
    while (!said && (ranks % *cols || *cols < ranks / *cols)) ++*cols;
    if (ranks % *cols == 0) return DID_OK;
    widths(work, sizeof work, ranks, ranks, false);
    return status_fail(DID_EINVAL,
                       "--layout 2d --tp %d: a grid of %d columns does not fill the %d rank%s of "
                       "this run; %s would", said, said, ranks, ranks == 1 ? "" : "s", work);
}

/* Depths take turns at the documents of all groups, and each holds its layers of their keys only. */
static int documents_wanted(const settings *s, int teams, int depth, int n)
{
    int share = (n + teams - 1) / teams;
    if (s->documents) return s->documents;
    return share < BUDGET_DOCUMENTS * depth ? share : BUDGET_DOCUMENTS * depth;
}

/* The most documents, halving from `most`, that fit in the room at this width; 0 when not even
 * `least` do. */
static status documents_fit(engine_settings *e, engine_memory *need, size_t room, int most,
                            int least, bool *fit)
{
    for (e->documents = most;; e->documents = (e->documents + 1) / 2) {
        TRY(engine_plan(need, e));
        *fit = need->total <= room;
        if (*fit || e->documents <= least) return DID_OK;
    }
}

static status too_big(const engine_settings *e, const engine_memory *need, const budget *b)
{
    return status_fail(
        DID_EINVAL,
        "not enough memory: with --tp %d --documents %d a rank needs %zu bytes beside "
        "the %zu it holds, and may have %zu (%s); fewer --documents, a larger --tp or --pp, a larger "
        "--refine-span for long windows or fewer ranks per host need less",
        e->tp, e->documents, need->total, b->held, b->limit, b->source);
}

/* A part of a window should be a pass worth having; below that a row has its own documents. */
enum { SPAN_POSITIONS = 256 };

/* The longest window that is refined at once. */
static int longest_window(const engine_settings *e, const models *m)
{
    int most = 0;
    for (int i = 0; i < m->n; i++) {
        int window = e->refine_window > 0 ? e->refine_window : m->shape[i].length;
        if (window > e->length_max) window = e->length_max;
        if (window > most) most = window;
    }
    return most;
}

/* What auto begins with: teams no more numerous than documents, as far as parts are worthwhile. */
static int span_least(int rows, int n, int window)
{
    int span = 1;
    for (int s = 2; s <= rows && s <= SETTINGS_SPAN_MAX && window / s >= SPAN_POSITIONS; s++)
        if (rows % s == 0 && rows / span > n) span = s;
    return span;
}

/* And what it goes on with where that needs too much memory; 0: nothing would help. */
static int span_next(int span, int rows, int window)
{
    for (int s = span + 1; s <= rows && s <= SETTINGS_SPAN_MAX && window / s >= SPAN_POSITIONS; s++)
        if (rows % s == 0) return s;
    return 0;
}

static status span_check(int span, int tp, int ranks, int heads)
{
    char work[200];
    for (int q = 1; q <= ranks && q <= heads; q++)
        if (ranks % (q * span) == 0 && (tp == 0 || q == tp)) return DID_OK;
    int rows = ranks / (tp ? tp : 1);
    widths(work, sizeof work, rows, SETTINGS_SPAN_MAX, false);
    return status_fail(DID_EINVAL,
                       "--refine-span %d does not divide the %d row%s of %d rank%s of this run; %s "
                       "would", span, rows, rows == 1 ? "" : "s", tp ? tp : 1,
                       tp > 1 ? "s" : "", work);
}

/* A pipeline of layers: does it fill the world, and has every depth a layer? */
static status depth_check(int depth, int tp, int ranks, const models *m)
{
    char work[200];
    int  layers = m->shape[0].n_layers, heads = models_heads(m), rows = ranks / (tp ? tp : 1);
    for (int i = 1; i < m->n; i++)
        if (m->shape[i].n_layers < layers) layers = m->shape[i].n_layers;
    for (int q = 1; depth <= layers && q <= ranks && q <= heads; q++)
        if (ranks % (q * depth) == 0 && (tp == 0 || q == tp)) return DID_OK;
    widths(work, sizeof work, rows, layers, false);
    if (depth > layers)
        return status_fail(DID_EINVAL, "--pp %d is more than the model's %d layers; %s would work",
                           depth, layers, work);
    if (tp > 1)
        return status_fail(DID_EINVAL, "--pp %d does not divide the %d row%s of %d ranks of this run; "
                           "%s would", depth, rows, rows == 1 ? "" : "s", tp, work);
    return status_fail(DID_EINVAL, "--pp %d does not divide the %d rank%s of this run; %s would",
                       depth, ranks, ranks == 1 ? "" : "s", work);
}

/* What a pipeline of layers does not go with. */
static status depth_alone(const settings *s)
{
    int span = settings_refine_span(s);
    if (s->groups > 0 && s->depth <= 1)
        return status_fail(DID_EINVAL, "--groups %d without --pp: groups take turns at the depths of "
                           "a pipeline of layers; leave it out, or give --pp too", s->groups);
    if (s->depth <= 1) return DID_OK;
    if (s->layout == 1)
        return status_fail(DID_EINVAL, "--pp %d with --layout 2d: there every rank has its blocks of "
                           "every layer; leave one of the two out", s->depth);
    if (span > 1)
        return status_fail(DID_EINVAL, "--pp %d with --refine-span %d: rows that span a window go "
                           "through all layers side by side; leave one of the two out", s->depth,
                           span);
    return DID_OK;
}

/* All ranks are one row, so only the documents can give way. */
static status settle_grid(engine_settings *e, engine_memory *need, const budget *b,
                          const settings *s, int ranks, int n)
{
    bool fit = false;
    if (e->bf16)
        return status_fail(DID_EINVAL, "--layout 2d multiplies through PBLAS, which knows f32 only: "
                           "leave out --precision bf16, or take --layout 1d");
    if (e->reproducible)
        return status_fail(DID_EINVAL, "--reproducible with --layout 2d: PBLAS adds as its grid "
                           "wants it; leave one of the two out");
    if (settings_refine_span(s) > 1)
        return status_fail(DID_EINVAL, "--refine-span %d with --layout 2d: there all ranks are one "
                           "row, and every document lies on all of them; leave one of the two out",
                           settings_refine_span(s));
    if (s->wire == 1)
        return status_fail(DID_EINVAL, "--wire bf16 with --layout 2d: PBLAS sends f32 whatever is "
                           "asked; leave one of the two out");
    TRY(grid_columns(&e->tp, s->tp, ranks));
    e->span = 1;
    e->mesh_rows = ranks / e->tp;
    int most = documents_wanted(s, 1, 1, n);
    TRY(documents_fit(e, need, b->room, most, s->documents ? most : 1, &fit));
    return fit ? DID_OK : too_big(e, need, b);
}

/* Documents and span at this width: the first that fit. */
static status width_fits(engine_settings *e, engine_memory *need, const budget *b,
                         const settings *s, const models *m, int rows, int n, int worthwhile,
                         bool *fit)
{
    int said = e->depth > 1 ? 1 : settings_refine_span(s);
    int most = documents_wanted(s, rows, e->depth, n);
    int least = s->documents ? s->documents : worthwhile, window = longest_window(e, m);
    *fit = false;
    if (said > 0 && rows % said) return DID_OK;
    e->span = said > 0 ? said : span_least(rows, n, window);
    while (e->span > 0) {
        TRY(documents_fit(e, need, b->room, most, least < most ? least : most, fit));
        if (*fit || said > 0) return DID_OK;
        e->span = span_next(e->span, rows, window);
    }
    e->span = 1;
    return DID_OK;
}

status budget_settle(engine_settings *e, engine_memory *need, const budget *b, const settings *s,
                     const models *m, int ranks, int n)
{
    TRY(depth_alone(s));
    e->depth = s->depth > 1 ? s->depth : 1;
    if (s->layout == 1) return settle_grid(e, need, b, s, ranks, n);
    int heads = models_heads(m), span = settings_refine_span(s);
    if (s->reproducible && s->wire == 1)
        return status_fail(DID_EINVAL, "--reproducible with --wire bf16: what crosses the wire is "
                           "another number at every width; leave one of the two out");
    if (s->tp) TRY(tp_check(s->tp, ranks, heads, s->reproducible));
    if (e->depth > 1) TRY(depth_check(e->depth, s->tp, ranks, m));
    else if (span > 0) TRY(span_check(span, s->tp, ranks, heads));
    for (int round = 0; round < 2; round++) {
        for (int q = 1; q <= ranks && q <= heads; q++) {
            if (ranks % (q * e->depth) || (s->tp && q != s->tp)) continue;
            if (s->reproducible && !engine_reproduces(q)) continue;
            bool fit = false;
            e->tp = q;
            TRY(width_fits(e, need, b, s, m, ranks / (q * e->depth), n,
                           round == 0 ? DOCUMENTS_WORTHWHILE : 1, &fit));
            if (fit) return DID_OK;
        }
    }
    return too_big(e, need, b);
}

void budget_say(const engine_settings *e, const engine_memory *need, const budget *b, int ranks)
{
    double mb = 1e-6;
    if (e->mesh_rows > 0)
        log_say("plan", "%d rank%s: one grid of %d x %d, every weight over all of it; %d document%s "
                "in flight", ranks, ranks == 1 ? "" : "s", e->mesh_rows, e->tp, e->documents,
                e->documents == 1 ? "" : "s");
    else if (e->depth > 1)
        log_say("plan", "%d ranks: %d pipeline%s of %d depths of %d, the layers shared out over them; "
                "%d documents in flight per pipeline, in %d groups", ranks,
                ranks / (e->tp * e->depth), ranks == e->tp * e->depth ? "" : "s", e->depth, e->tp,
                e->documents, e->groups > 0 ? e->groups : e->depth);
    else
        log_say("plan", "%d rank%s: %d row%s of %d, %d document%s in flight per row", ranks,
                ranks == 1 ? "" : "s", ranks / e->tp, ranks / e->tp == 1 ? "" : "s", e->tp,
                e->documents, e->documents == 1 ? "" : "s");
    if (e->span > 1)
        log_say("plan", "%d rows span every refinement of the whole: %d team%s", e->span,
                ranks / e->tp / e->span, ranks / e->tp / e->span == 1 ? "" : "s");
    log_say("plan",
            "memory per rank, MB: held now %.1f, weights %.1f, embedding %.1f, cache %.1f, "
            "workspace %.1f, wire %.1f; together %.1f of %.0f (%s)",
            (double)b->held * mb, (double)need->weights * mb, (double)need->embedding * mb,
            (double)need->cache * mb, (double)need->workspace * mb, (double)need->wire * mb,
            (double)(b->held + need->total) * mb, (double)b->limit * mb, b->source);
}
