#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench_calibrate.h"
#include "bench_collectives.h"
#include "bench_depths.h"
#include "bench_documents.h"
#include "bench_kernels.h"
#include "bench_layouts.h"
#include "bench_passes.h"
#include "bench_plan.h"
#include "bench_scaling.h"
#include "bench_span.h"
#include "bench_sweep.h"
#include "kernels.h"
#include "log.h"
#include "version.h"

enum { EXIT_RIGHT = 0, EXIT_WRONG = 1, EXIT_USAGE = 2 };

static const struct bench {
    status (*check)(const knobs *k, int ranks);
    status (*run)(const ground *on);
    effort usual, quick;
} benches[BENCH_COUNT] = {
    [BENCH_KERNELS] = {bench_kernels_check,
                       bench_kernels,
                       {5, 25, 0.003, 0, false},
                       {3, 5, 0.0003, 0, false}},
    [BENCH_PASSES] = {bench_passes_check,
                      bench_passes,
                      {3, 15, 0.003, 0, false},
                      {3, 5, 0.0003, 0, false}},
    [BENCH_DOCUMENTS] = {bench_documents_check,
                         bench_documents,
                         {1, 5, 0, 0, true},
                         {1, 3, 0, 0, true}},
    [BENCH_SWEEP] = {bench_sweep_check, bench_sweep, {1, 1, 0, 0, true}, {1, 1, 0, 0, true}},
    [BENCH_COLLECTIVES] = {bench_collectives_check,
                           bench_collectives,
                           {7, 64, 0.002, 0, false},
                           {3, 5, 0.0003, 0, false}},
    [BENCH_LAYOUTS] = {bench_layouts_check,
                       bench_layouts,
                       {5, 25, 0.003, 0, false},
                       {3, 5, 0.0003, 0, false}},
    [BENCH_CALIBRATE] = {bench_calibrate_check,
                         bench_calibrate,
                         {3, 9, 0.0005, 0, false},
                         {1, 1, 0.00001, 0, false}},
    [BENCH_SPAN] = {bench_span_check, bench_span, {5, 5, 0, 0, true}, {2, 2, 0, 0, true}},
    [BENCH_SCALING] = {bench_scaling_check,
                       bench_scaling,
                       {1, 1, 0, 0, true},
                       {1, 1, 0, 0, true}},
    [BENCH_DEPTHS] = {bench_depths_check,
                      bench_depths,
                      {1, 1, 0, 0, true},
                      {1, 1, 0, 0, true}},
    /* As a calibration has it, which comes first; passes are timed one by one. */
    [BENCH_PLAN] = {bench_plan_check,
                    bench_plan,
                    {3, 9, 0.0005, 0, false},
                    {1, 1, 0.00001, 0, false}},
};

/* What a calibration may cost, and the most it walks through. */
static const effort PEAKS_USUAL = {7, 25, 0.002, 0.1, false};
static const effort PEAKS_QUICK = {3, 5, 0.0003, 0.005, false};
enum { PEAKS_BYTES = 512 << 20, PEAKS_BYTES_QUICK = 4 << 20 };

static effort effort_of(const knobs *k)
{
    effort e = k->quick ? benches[k->what].quick : benches[k->what].usual;
    e.line_seconds = k->line_s;
    if (k->repeats > 0 && k->what != BENCH_PLAN) e.samples_min = e.samples_max = k->repeats;
    return e;
}

/* ---- who was measured, and what it can do ---- */

static void add_command(json_t *line, int argc, char *const *argv)
{
    char   command[1024] = "did bench";
    size_t n = strlen(command);
    for (int i = 0; i < argc && n < sizeof command; i++)
        n += (size_t)snprintf(command + n, sizeof command - n, " %s", argv[i]);
    json_object_set_new(line, "command", json_string(command));
}

static void tell_run(table *t, const comm *world, int argc, char *const *argv)
{
    char      host[64] = "", when[32];
    time_t    now = time(NULL);
    struct tm utc;
    if (!t) return;
    gethostname(host, sizeof host - 1);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    table_remark(t, "did %s (%s) on %s, %d rank%s", DID_VERSION, DID_GIT, host, comm_size(world),
                 comm_size(world) > 1 ? "s" : "");
    table_remark(t, "%s\n%s\n%s", kernels_cpu(), kernels_blas(), comm_library());
    json_t *line = json_object();
    json_object_set_new(line, "kind", json_string("run"));
    json_object_set_new(line, "version", json_string(DID_VERSION));
    json_object_set_new(line, "commit", json_string(DID_GIT));
    add_command(line, argc, argv);
    json_object_set_new(line, "when", json_string(when));
    json_object_set_new(line, "host", json_string(host));
    json_object_set_new(line, "ranks", json_integer(comm_size(world)));
    json_object_set_new(line, "cpu", json_string(kernels_cpu()));
    json_object_set_new(line, "blas", json_string(kernels_blas()));
    json_object_set_new(line, "mpi", json_string(comm_library()));
    table_line(t, line);
}

static const column peak_columns[] = {
    {"what", "what", -16, 0},      {"gflops", "GFLOP/s", 9, 1},   {"gbs", "GB/s", 7, 1},
    {"ms_min", "ms min", 9, 4},    {"ms_median", "median", 9, 4}, {"ms_max", "max", 9, 4},
    {"slowest", "slowest", -8, 0},
};

static void tell_peak(table *t, const char *what, const char *unit, double value, size_t bytes,
                      const measured *time)
{
    json_t *line = json_object();
    json_object_set_new(line, "kind", json_string("peak"));
    json_object_set_new(line, "what", json_string(what));
    json_object_set_new(line, unit, json_real(value));
    if (bytes) json_object_set_new(line, "bytes", json_integer((json_int_t)bytes));
    table_times(line, time);
    table_line(t, line);
}

static void tell_peaks(table *t, const peaks *p)
{
    char what[48];
    table_begin(t, "this machine's peaks, per rank, all ranks at once", peak_columns,
                sizeof peak_columns / sizeof *peak_columns);
    for (int i = 0; i < p->n_fma; i++) {
        snprintf(what, sizeof what, "fma %s", p->fma[i].isa);
        tell_peak(t, what, "gflops", p->fma[i].gflops, 0, &p->fma[i].time);
    }
    if (p->dot.isa) {
        snprintf(what, sizeof what, "dot %s", p->dot.isa);
        tell_peak(t, what, "gflops", p->dot.gflops, 0, &p->dot.time);
    }
    for (int i = 0; i < p->n_read; i++) {
        snprintf(what, sizeof what, "read %zu KB", p->read[i].bytes >> 10);
        tell_peak(t, what, "gbs", p->read[i].gbs, p->read[i].bytes, &p->read[i].time);
    }
}

/* ---- the run ---- */

static status measure_all(ground *on, const knobs *k, int argc, char *const *argv)
{
    tell_run(on->table, on->world, argc, argv);
    /* No peak limits a message or a comparison, and a calibration measures what it needs. */
    if (k->what == BENCH_COLLECTIVES || k->what == BENCH_CALIBRATE ||
        k->what == BENCH_PLAN || k->what == BENCH_DEPTHS)
        return benches[k->what].run(on);
    log_say("bench", "measuring what this machine can do at most");
    TRY(peaks_measure(&on->peaks, (size_t)(k->quick ? PEAKS_BYTES_QUICK : PEAKS_BYTES),
                      k->quick ? &PEAKS_QUICK : &PEAKS_USUAL, on->world));
    tell_peaks(on->table, &on->peaks);
    return benches[k->what].run(on);
}

static status open_table(ground *on, const knobs *k)
{
    status s = comm_rank(on->world) == 0 ? table_open(&on->table, stdout, k->json) : DID_OK;
    return comm_agree(on->world, s);
}

/* Everything after the command line was read. *refused: nothing was measured, and it is the
 * user's to mend. */
static status run(comm *world, const knobs *k, int *invalid, bool *refused, int argc,
                  char *const *argv)
{
    ground on = {.knobs = k, .world = world, .effort = effort_of(k)};
    *refused = true;
    TRY(comm_agree(world, benches[k->what].check(k, comm_size(world))));
    TRY(open_table(&on, k));
    *refused = false;
    status s = measure_all(&on, k, argc, argv);
    *invalid = table_invalid(on.table);
    status closed = comm_agree(world, table_close(&on.table));
    if (s == DID_OK) s = closed;
    if (s == DID_OK) s = comm_broadcast(world, invalid, sizeof *invalid, 0, EV_BENCH);
    return s;
}

/* Whatever does not fit this host is the user's to mend too. */
static int exit_code(status s, bool refused, int invalid)
{
    if (s != DID_OK) return refused || s == DID_EINVAL ? EXIT_USAGE : EXIT_WRONG;
    return invalid > 0 ? EXIT_WRONG : EXIT_RIGHT;
}

static int help(int argc, char **argv)
{
    if (comm_launch_rank() == 0) knobs_help(stdout, argc, argv);
    return EXIT_RIGHT;
}

int bench_main(int argc, char **argv)
{
    comm *world = NULL;
    knobs k;
    int   invalid = 0;
    bool  refused = true;
    if (knobs_help_asked(argc, argv)) return help(argc, argv);
    status s = knobs_read(&k, argc, argv);
    status started = comm_start(&world);
    if (started != DID_OK) {
        fprintf(stderr, "did: error: %s\n", status_message());
        return EXIT_WRONG;
    }
    log_identity(comm_rank(world), comm_size(world), 0);
    s = comm_agree(world, s);
    if (s == DID_OK) s = run(world, &k, &invalid, &refused, argc, argv);
    if (s != DID_OK && comm_rank(world) == 0) fprintf(stderr, "did: error: %s\n", status_message());
    int code = exit_code(s, refused, invalid);
    comm_stop(&world);
    return code;
}

void bench_manual(FILE *to, const char *version)
{
    knobs_manual(to, version);
}
