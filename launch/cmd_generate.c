#include "cmd_generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "budget.h"
#include "clock.h"
#include "comm.h"
#include "depths.h"
#include "door.h"
#include "ending.h"
#include "engine.h"
#include "foresight.h"
#include "frontend.h"
#include "host.h"
#include "interrupt.h"
#include "job.h"
#include "log.h"
#include "porter.h"
#include "progress.h"
#include "record.h"
#include "report.h"
#include "settings.h"
#include "walltime.h"
#include "watch.h"
#include "watchdog.h"

/* A disk may take its time; a front-end that says nothing for so long is gone. */
static const double PATIENCE_S = 300;

/* What rank 0 decided and all ranks must know before the models are loaded. Plain bytes: it is
 * broadcast whole. */
typedef struct decision {
    int           n_models, tp, depth, span, mesh_rows, documents, length_max, refine_window, end_id;
    double        last_layer;
    engine_memory need;
    char          model[ENGINE_MODELS_MAX][MODEL_DIR_MAX];
} decision;

/* One run on this rank. Everything it owns is given back by run_close. */
typedef struct run {
    const settings          *set;
    const cmd_generate_task *task;
    comm                    *world;
    job                      job; /* rank 0 */
    decision                 plan;
    budget                   budget;
    engine_settings          wanted;
    foresight                foresight;
    engine                  *engine;
    record_rules             rules;
    FILE                    *terminal; /* rank 0; NULL where there is none */
    door                     door;
    progress                 bar;      /* rank 0 */
    frontend                *frontend; /* rank 0 */
    watch                   *watch;    /* rank 0 */
    porter                  *porter;   /* row leaders */
} run;

static bool first(const run *r)
{
    return comm_rank(r->world) == 0;
}

/* ---- before loading ---- */

static void engine_settings_fill(engine_settings *e, const settings *s, const decision *d)
{
    *e = (engine_settings){.n_models = d->n_models,
                           .tp = d->tp,
                           .depth = d->depth,
                           .last_layer = d->last_layer,
                           .groups = s->groups,
                           .span = d->span,
                           .mesh_rows = d->mesh_rows,
                           .documents = d->documents,
                           .pass_rows = s->pass_rows,
                           .length_max = d->length_max,
                           .end_id = d->end_id,
                           .refine_window = d->refine_window,
                           .fused_commit = s->commit == 0,
                           .folded = s->weights == 0,
                           .bf16 = s->precision == 1,
                           .reproducible = s->reproducible,
                           .narrow_wire = s->wire == 1,
                           .kernels = s->kernels,
                           .threads = s->threads};
    for (int i = 0; i < d->n_models; i++) e->model[i] = d->model[i];
}

/* A slot holds what a draft looks back on, and no more: windows beyond the model's length find no
 * place there. */
static status caches_check(const job *j, int refine_window)
{
    for (int i = 0; i < j->input.n; i++)
        for (int k = 0; k < j->input.request[i].n_stages; k++) {
            const stage *s = &j->input.request[i].stage[k];
            int          trained = j->models.shape[s->model].length;
            if (s->cache > 0 && refine_window > trained && j->input.length_max > trained)
                return status_fail(DID_EINVAL,
                                   "--refine-window: a stage with cache=%d keeps at most the "
                                   "model's length %d, found a window of %d",
                                   s->cache, trained, refine_window);
        }
    return DID_OK;
}

/* The most positions that a document's home row evaluates as one segment: blocks of drafts, windows
 * that are cached. */
static int home_most(const job *j, int refine_window)
{
    int most = 0, longest = j->input.length_max;
    for (int i = 0; i < j->input.n; i++)
        for (int k = 0; k < j->input.request[i].n_stages; k++) {
            const stage *s = &j->input.request[i].stage[k];
            int          window = refine_window ? refine_window : j->models.shape[s->model].length;
            int          len = s->block != STAGE_BLOCK_WHOLE ? s->block : s->cache > 0 ? window : 0;
            if (len > longest) len = longest;
            if (len > most) most = len;
        }
    return most;
}

/* Rows that span refinements have room for parts of them: what is not spanned must be small enough.
 * Nobody asked for a span: then there is none. */
static status span_settle(settings *said, const job *j, int refine_window)
{
    int most = home_most(j, refine_window);
    if (most <= said->pass_rows) return DID_OK;
    if (settings_refine_span(said) == 0) said->refine_span = "1";
    if (settings_refine_span(said) == 1) return DID_OK;
    return status_fail(DID_EINVAL,
                       "--refine-span %d: a stage works on %d positions at once that one row has to "
                       "evaluate (a draft's block, or a window with cache=), a pass there takes %d: "
                       "--pass-rows %d would do",
                       settings_refine_span(said), most, said->pass_rows, most);
}

/* Rank 0's part: the job is good, now its size. */
static status decide(run *r)
{
    decision *d = &r->plan;
    int       trained = r->job.models.shape[0].length;
    d->n_models = r->job.models.n;
    memcpy(d->model, r->job.models.dir, sizeof d->model);
    d->length_max = r->job.input.length_max;
    d->end_id = r->job.end_id;
    d->refine_window = settings_refine_window(r->set);
    if (d->refine_window > trained && d->length_max > trained)
        log_warn("plan",
                 "refine windows may pass the model's length %d: it was not trained for that",
                 trained);
    TRY(caches_check(&r->job, d->refine_window));
    settings said = *r->set;
    TRY(span_settle(&said, &r->job, d->refine_window));
    d->last_layer = depths_last(&r->job, r->set, &r->foresight);
    engine_settings_fill(&r->wanted, r->set, d);
    int n = r->task->carry ? INPUT_REQUESTS_MAX : r->job.input.n;
    TRY(budget_settle(&r->wanted, &d->need, &r->budget, &said, &r->job.models, comm_size(r->world),
                      n));
    d->tp = r->wanted.tp;
    d->depth = r->wanted.depth;
    d->span = r->wanted.span;
    d->mesh_rows = r->wanted.mesh_rows;
    d->documents = r->wanted.documents;
    return DID_OK;
}

static void say_job(const run *r)
{
    for (int i = 0; i < r->job.models.n; i++) {
        const geometry *g = &r->job.models.shape[i];
        log_say("model", "%d: %s, %s: %d layers, %d heads, width %d, vocabulary %d, length %d", i,
                r->job.models.dir[i], g->family, g->n_layers, g->n_heads, g->d_model, g->vocab,
                g->length);
    }
    if (r->task->carry) return;
    int n = 0;
    for (int i = 0; i < r->job.input.n; i++) n += !r->job.input.request[i].silent;
    log_say("job", "%d document%s, stages %s", n, n == 1 ? "" : "s", r->job.stages_whole);
}

/* Rank 0's part: is there a terminal to show things on, and is the job good? */
static status begin(run *r, ending *usual)
{
    *usual = END_USAGE;
    if (!r->set->quiet) r->terminal = host_terminal();
    if (r->set->watch && r->terminal == NULL)
        return status_fail(DID_EINVAL, "--watch: stderr is no terminal, and neither is the "
                                       "launcher's");
    return r->task->open(r->task->context, &r->job, r->set, usual);
}

/* Rank 0 checks the job, all agree; then rank 0 settles the plan, and all know it. */
static ending prepare(run *r)
{
    ending usual = END_USAGE, end;
    status s = DID_OK;
    if (first(r)) s = begin(r, &usual);
    if (comm_broadcast(r->world, &usual, sizeof usual, 0, EV_SETUP) != DID_OK) usual = END_PEER;
    if ((end = ending_agree(r->world, s, usual)) != END_DONE) return end;
    if (first(r)) say_job(r);

    s = foresight_share(&r->foresight, r->set->calibration, r->set->kernels, r->set->precision == 1,
                        r->world);
    if (s == DID_OK) s = budget_survey(&r->budget, r->world);
    if (s == DID_OK && first(r)) s = decide(r);
    if ((end = ending_agree(r->world, s, END_USAGE)) != END_DONE) return end;
    s = comm_broadcast(r->world, &r->plan, sizeof r->plan, 0, EV_SETUP);
    if ((end = ending_agree(r->world, s, END_PEER)) != END_DONE) return end;
    engine_settings_fill(&r->wanted, r->set, &r->plan);
    r->wanted.machine = r->foresight.found ? &r->foresight.machine : NULL;
    r->wanted.per_host = r->foresight.per_host;
    budget_say(&r->wanted, &r->plan.need, &r->budget, comm_size(r->world));
    depths_say(&r->wanted, &r->job.models);
    return END_DONE;
}

/* ---- the machine ---- */

static void rules_fill(run *r)
{
    const geometry *g = engine_geometry(r->engine, 0);
    const decision *d = &r->plan;
    r->rules = (record_rules){.parcels = {.ids = {.vocab = g->vocab,
                                                  .mask_id = g->mask_id,
                                                  .n_models = d->n_models,
                                                  .length_max = d->length_max},
                                          .traced = r->set->trace},
                              .words = r->job.words,
                              .keep_eos = r->set->keep_eos,
                              .ids = r->set->ids,
                              .end_id = d->end_id,
                              .window = g->length,
                              .signature = engine_signature(r->engine)};
    for (int i = 0; i < d->n_models; i++) {
        int trained = engine_geometry(r->engine, i)->length;
        r->rules.parcels.refine_window[i] = d->refine_window ? d->refine_window : trained;
        r->rules.model[i] = engine_model_hash(r->engine, i);
    }
}

static double progress_interval(const settings *s, const FILE *terminal)
{
    if (s->progress_interval_s > 0) return s->progress_interval_s;
    return terminal ? 0.5 : 10;
}

/* Rank 0: the watch and the bar want the same lines of the terminal, so only one of them is
 * shown. */
static status show_open(run *r)
{
    const settings *s = r->set;
    progress_init(&r->bar, s->watch ? NULL : r->terminal, progress_interval(s, r->terminal));
    if (!s->watch) return DID_OK;
    return watch_open(&r->watch, r->terminal, r->job.words, host_terminal_lines(r->terminal));
}

static status frontend_begin(run *r)
{
    const settings   *s = r->set;
    frontend_settings f = {.job = {.requests = r->job.input.request,
                                   .n_requests = r->job.input.n,
                                   .rules = &r->rules,
                                   .state = s->state,
                                   .output = s->output},
                           .door = &r->door,
                           .bar = s->quiet || s->watch ? NULL : &r->bar,
                           .asked = interrupt_asked,
                           .timed = r->task->timed,
                           .context = r->task->context,
                           .deadline_s = walltime_deadline(s->maxh),
                           .stall_s = comm_size(r->world) > 1 ? s->stall_s : 0};
    TRY(show_open(r));
    return frontend_open(&r->frontend, &f);
}

static int rows(const run *r)
{
    return comm_size(r->world) / engine_team(&r->wanted);
}

static status porter_begin(run *r)
{
    const door_sign *sign = &r->door.sign;
    porter_settings  p = {.road = {.context = r->door.context, .n = sign->n},
                          .loads = {.base = &r->rules},
                          .engine = r->engine,
                          .row = engine_row(r->engine),
                          .rows = rows(r),
                          .saving = r->set->state != NULL,
                          .save_interval_s = r->set->save_interval_s,
                          .patience_s = PATIENCE_S,
                          .watch = r->watch};
    for (int i = 0; i < sign->n; i++) p.road.endpoint[i] = sign->address[i];
    if (sign->encrypted) {
        p.road.server = sign->server;
        p.road.keys = &sign->leader;
    }
    return porter_open(&r->porter, &p);
}

/* The front-end on rank 0 and a porter on every row leader, or neither. */
static ending connect_all(run *r)
{
    ending end;
    status s = door_open(&r->door, r->world);
    if ((end = ending_agree(r->world, s, END_INTERNAL)) != END_DONE) return end;
    if (first(r)) s = frontend_begin(r);
    if ((end = ending_agree(r->world, s, END_USAGE)) != END_DONE) return end;
    s = door_share(&r->door, r->world, DID_OK);
    if (s == DID_OK && engine_leads(r->engine)) s = porter_begin(r);
    end = ending_agree(r->world, s, END_INTERNAL);
    if (end == END_DONE && first(r)) door_shut(&r->door);
    return end;
}

/* How the documents fared, when everything else went well. Rank 0's word. */
static ending outcome(const frontend_view *last)
{
    const progress_now *now = &last->now;
    if (now->done < now->documents) {
        log_warn("job", "stopped early: %d of %d documents are written", now->done, now->documents);
        return END_EARLY;
    }
    if (now->failed > 0) {
        log_warn("job", "%d of %d documents failed; their lines say why", now->failed,
                 now->documents);
        return END_SOME_FAILED;
    }
    return END_DONE;
}

static cmd_generate_run tell(const run *r)
{
    return (cmd_generate_run){.world = r->world,
                              .engine = r->engine,
                              .job = &r->job,
                              .set = r->set,
                              .rows = rows(r)};
}

/* The table at the end. Collective. */
static ending report_all(run *r, int documents, double begun, report *mine)
{
    *mine = (report){.totals = engine_totals(r->engine),
                     .leads = engine_leads(r->engine),
                     .predicted = r->plan.need.total + r->budget.mine,
                     .documents = documents,
                     .seconds = clock_seconds() - begun};
    status s = r->set->quiet ? DID_OK : report_print(stderr, r->world, mine);
    return ending_agree(r->world, s, END_INTERNAL);
}

/* What the command makes of the documents. */
static ending finish_with(run *r, const report *mine)
{
    cmd_generate_run about = tell(r);
    about.documents = mine->documents;
    about.seconds = mine->seconds;
    status s = r->task->finish(r->task->context, &about);
    return ending_agree(r->world, s, END_INTERNAL);
}

/* Rank 0's last word: what the front-end has heard is on disk, and the terminal is as it was. */
static void last_word(void *context)
{
    const run    *r = context;
    frontend_view view = frontend_farewell(r->frontend);
    door_abandon(&r->door);
    watch_give_back();
    log_say("job", "ended by SIGTERM: %d of %d documents are written", view.now.done,
            view.now.documents);
}

static ending work(run *r, double begun)
{
    ending        end, result = END_DONE;
    frontend_view last = {0};
    engine_feed   hooks = {0};
    report        mine;
    if (r->porter) hooks = porter_hooks(r->porter);

    status s = interrupt_farewell(first(r) ? last_word : NULL, r, END_EARLY);
    if ((end = ending_agree(r->world, s, END_INTERNAL)) != END_DONE) return end;
    s = engine_run(r->engine, r->porter ? &hooks : NULL);
    interrupt_farewell_end();
    if ((end = ending_agree(r->world, s, END_INTERNAL)) != END_DONE) return end;
    if ((end = ending_agree(r->world, porter_close(&r->porter, NULL), END_INTERNAL)) != END_DONE) return end;
    watch_close(&r->watch);
    s = first(r) ? frontend_close(&r->frontend, &last) : DID_OK;
    if ((end = ending_agree(r->world, s, END_INTERNAL)) != END_DONE) return end;
    watchdog_stop(); /* what the first rank makes of the documents now may take its time */

    end = report_all(r, last.now.done - last.now.earlier, begun, &mine);
    if (end != END_DONE) return end;

    if (first(r)) result = outcome(&last);
    if (comm_broadcast(r->world, &result, sizeof result, 0, EV_REPORT) != DID_OK) return END_PEER;
    if (result == END_EARLY || r->task->finish == NULL) return result;
    end = finish_with(r, &mine);
    return end == END_DONE ? result : end;
}

/* Documents from elsewhere. */
static ending carry(run *r, double begun)
{
    int              documents = 0;
    report           mine;
    cmd_generate_run about = tell(r);
    ending           result = r->task->carry(r->task->context, &about, &r->rules, &documents);
    if (result != END_DONE && result != END_EARLY) return result;
    ending end = report_all(r, documents, begun, &mine);
    return end == END_DONE ? result : end;
}

/* Safe at any point of the run. The front-end answers until the last leader has said goodbye. */
static void run_close(run *r)
{
    interrupt_farewell_end();
    porter_close(&r->porter, NULL);
    comm_barrier(r->world, EV_SETUP);
    watch_close(&r->watch);
    frontend_close(&r->frontend, NULL);
    door_close(&r->door);
    engine_close(&r->engine);
    if (r->terminal && r->terminal != stderr) fclose(r->terminal);
    job_close(&r->job);
}

static ending run_all(run *r, const options *said)
{
    if (first(r)) options_say(said);
    ending end = prepare(r);
    if (end != END_DONE) return end;

    double begun = clock_seconds();
    status s = engine_open(&r->engine, &r->wanted, r->world);
    ending usual = s == DID_EINVAL ? END_USAGE : END_MODEL; /* the same on all ranks, as s is */
    if ((end = ending_agree(r->world, s, usual)) != END_DONE) return end;
    log_say("engine", "loaded in %.1f s", clock_seconds() - begun);
    rules_fill(r);
    if (r->task->carry) return carry(r, clock_seconds());

    /* The threads of the sockets are started here and must not take the signals. */
    interrupt_block();
    end = connect_all(r);
    interrupt_unblock();
    return end == END_DONE ? work(r, clock_seconds()) : end;
}

int cmd_generate_with(const cmd_generate_task *task, int argc, char *const *argv)
{
    settings set;
    options *said = NULL;
    run      r = {.set = &set, .task = task};
    interrupt_install();
    interrupt_block();
    status parsed = task->read(task->context, &set, &said, argc, argv);
    status started = comm_start(&r.world);
    interrupt_unblock();
    if (started != DID_OK) {
        ending_explain();
        options_close(&said);
        return END_PEER;
    }
    log_identity(comm_rank(r.world), comm_size(r.world), set.quiet);
    if (parsed == DID_OK) parsed = watchdog_start(r.world, set.stall_s);
    ending end = ending_agree(r.world, parsed, END_USAGE);
    if (end == END_DONE) end = run_all(&r, said);
    watchdog_stop();
    run_close(&r);
    options_close(&said);
    comm_stop(&r.world);
    return (int)end;
}

static status read_words(void *context, settings *out, options **said, int argc, char *const *argv)
{
    (void)context;
    return settings_read(out, said, argc, argv);
}

static status open_job(void *context, job *j, const settings *s, ending *usual)
{
    (void)context;
    return job_open(j, s, usual);
}

int cmd_generate(int argc, char *const *argv)
{
    const cmd_generate_task task = {.read = read_words, .open = open_job};
    return cmd_generate_with(&task, argc, argv);
}
