#include "cmd_score.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "budget.h"
#include "clock.h"
#include "comm.h"
#include "ending.h"
#include "engine.h"
#include "exam.h"
#include "interrupt.h"
#include "log.h"
#include "score_settings.h"
#include "version.h"

/* What all ranks must know before the model is loaded. Plain bytes: it is broadcast whole. */
typedef struct decision {
    int           tp, mesh_rows, documents;
    engine_memory need;
} decision;

/* One run on this rank. Everything it owns is given back by run_close. */
typedef struct run {
    const score_settings *set;
    const options        *said;
    comm                 *world;
    exam                  exam; /* rank 0; others have its gauge */
    budget                budget;
    decision              plan;
    engine_settings       wanted;
    engine               *engine;
} run;

static bool first(const run *r)
{
    return comm_rank(r->world) == 0;
}

/* ---- all ranks ---- */

static void engine_settings_fill(run *r)
{
    const score_settings *s = r->set;
    r->wanted = (engine_settings){.model = {s->model},
                                  .n_models = 1,
                                  .tp = r->plan.tp,
                                  .mesh_rows = r->plan.mesh_rows,
                                  .documents = r->plan.documents,
                                  .pass_rows = s->pass_rows,
                                  .length_max = gauge_longest(&r->exam.gauge),
                                  .end_id = -1, /* of no use to texts that are there already */
                                  .fused_commit = true,
                                  .folded = true,
                                  .bf16 = s->precision == 1,
                                  .kernels = s->kernels,
                                  .threads = s->threads};
}

static status settle(run *r)
{
    settings asked = {.tp = r->set->tp, .layout = r->set->layout, .documents = r->set->documents};
    engine_settings_fill(r);
    TRY(budget_settle(&r->wanted, &r->plan.need, &r->budget, &asked, &r->exam.models,
                      comm_size(r->world), r->exam.gauge.n));
    r->plan.tp = r->wanted.tp;
    r->plan.mesh_rows = r->wanted.mesh_rows;
    r->plan.documents = r->wanted.documents;
    return DID_OK;
}

static void say_job(const run *r)
{
    const geometry *g = &r->exam.models.shape[0];
    options_say(r->said);
    log_say("model", "%s, %s: %d layers, %d heads, width %d, vocabulary %d, length %d",
            r->set->model, g->family, g->n_layers, g->n_heads, g->d_model, g->vocab, g->length);
    log_say("job", "%d texts of %d samples, %" PRId64 " tokens", r->exam.gauge.n, r->exam.samples.n,
            r->exam.gauge.n_ids);
}

/* Rank 0 checks the job, all agree; then it is shared and the plan settled. */
static ending prepare(run *r)
{
    ending usual = END_USAGE, end;
    status s = first(r) ? exam_open(&r->exam, r->set, r->said, &usual) : DID_OK;
    if (comm_broadcast(r->world, &usual, sizeof usual, 0, EV_SETUP) != DID_OK) usual = END_PEER;
    if ((end = ending_agree(r->world, s, usual)) != END_DONE) return end;
    if (first(r)) say_job(r);

    s = gauge_share(&r->exam.gauge, r->world);
    if ((end = ending_agree(r->world, s, END_INTERNAL)) != END_DONE) return end;
    s = budget_survey(&r->budget, r->world);
    if (s == DID_OK && first(r)) s = settle(r);
    if ((end = ending_agree(r->world, s, END_USAGE)) != END_DONE) return end;
    s = comm_broadcast(r->world, &r->plan, sizeof r->plan, 0, EV_SETUP);
    if ((end = ending_agree(r->world, s, END_PEER)) != END_DONE) return end;
    engine_settings_fill(r);
    budget_say(&r->wanted, &r->plan.need, &r->budget, comm_size(r->world));
    return END_DONE;
}

/* ---- what came of it: rank 0 ---- */

static json_t *whole_json(const run *r)
{
    char model[24], seed[24]; /* a seed is unsigned, JSON numbers as most take them are not */
    snprintf(seed, sizeof seed, "%" PRIu64, r->set->seed);
    snprintf(model, sizeof model, "%016" PRIx64, engine_model_hash(r->engine, 0));
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:i, s:i, s:o, s:i, s:i, s:o}", "model", model,
                     "family", r->exam.models.shape[0].family, "signature",
                     engine_signature(r->engine), "engine", DID_VERSION, "cleanup", r->set->cleanup,
                     "length", r->set->length, "batch", r->set->batch, "seed", json_string(seed),
                     "samples", r->exam.samples.n, "left_out", r->exam.samples.left_out, "readings",
                     scoreboard_json(&r->exam.board));
}

static status write_json(const run *r, FILE *to)
{
    json_t *o = whole_json(r);
    if (!o) return status_fail(DID_ENOMEM, "no memory for the table");
    int bad = json_dumpf(o, to, JSON_REAL_PRECISION(15) | JSON_INDENT(1));
    fputc('\n', to);
    json_decref(o);
    return bad ? status_fail(DID_EIO, "the table is no JSON") : DID_OK;
}

static status write_lines(const run *r, FILE *to)
{
    return scoreboard_lines(&r->exam.board, to);
}

static status write_file(const run *r, const char *path, status (*write)(const run *, FILE *))
{
    if (path == NULL) return DID_OK;
    FILE *to = fopen(path, "we");
    if (to == NULL) return status_fail(DID_EIO, "cannot write %s: %s", path, strerror(errno));
    status s = write(r, to);
    bool   torn = ferror(to) != 0;
    if ((fclose(to) != 0 || torn) && s == DID_OK)
        s = status_fail(DID_EIO, "cannot write %s: %s", path, strerror(errno));
    return s;
}

static status tell(run *r)
{
    TRY(scoreboard_settle(&r->exam.board));
    TRY(write_file(r, r->set->json, write_json));
    TRY(write_file(r, r->set->output, write_lines));
    scoreboard_print(&r->exam.board, stdout);
    if (fflush(stdout) == 0) return DID_OK;
    return status_fail(DID_EIO, "cannot write to stdout: %s", strerror(errno));
}

/* ---- the run ---- */

static ending work(run *r)
{
    int    left = 0;
    double begun = clock_seconds();
    status s = gauge_run(&r->exam.gauge, r->engine, r->world, comm_size(r->world) / engine_team(&r->wanted),
                         interrupt_asked, &left);
    ending end = ending_agree(r->world, s, END_INTERNAL);
    if (end != END_DONE) return end;
    log_say("score", "measured in %.1f s", clock_seconds() - begun);
    if (left > 0) {
        if (first(r)) log_warn("score", "stopped early: %d texts were not measured", left);
        return END_EARLY;
    }
    s = first(r) ? tell(r) : DID_OK;
    if ((end = ending_agree(r->world, s, END_INTERNAL)) != END_DONE) return end;
    if (gauge_failed(&r->exam.gauge) == 0) return END_DONE;
    if (first(r)) log_warn("score", "%d texts could not be scored", gauge_failed(&r->exam.gauge));
    return END_SOME_FAILED;
}

static ending run_all(run *r)
{
    ending end = prepare(r);
    if (end != END_DONE) return end;
    double begun = clock_seconds();
    status s = engine_open(&r->engine, &r->wanted, r->world);
    ending usual = s == DID_EINVAL ? END_USAGE : END_MODEL; /* the same on all ranks, as s is */
    if ((end = ending_agree(r->world, s, usual)) != END_DONE) return end;
    log_say("engine", "loaded in %.1f s", clock_seconds() - begun);
    return work(r);
}

static void run_close(run *r)
{
    engine_close(&r->engine);
    exam_close(&r->exam);
}

int cmd_score(int argc, char *const *argv)
{
    score_settings set = {0};
    options       *said = NULL;
    run            r = {.set = &set};
    interrupt_install();
    interrupt_block();
    status parsed = score_settings_read(&set, &said, argc, argv);
    status started = comm_start(&r.world);
    interrupt_unblock();
    r.said = said;
    if (started != DID_OK) {
        ending_explain();
        options_close(&said);
        return END_PEER;
    }
    log_identity(comm_rank(r.world), comm_size(r.world), set.quiet);
    ending end = ending_agree(r.world, parsed, END_USAGE);
    if (end == END_DONE) end = run_all(&r);
    run_close(&r);
    options_close(&said);
    comm_stop(&r.world);
    return (int)end;
}
