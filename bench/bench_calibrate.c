#include "bench_calibrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "probe.h"
#include "rival.h"
#include "version.h"
#include "yardstick.h"

static const column columns[] = {
    {"precision", "", -4, 0},    {"op", "op", -8, 0},          {"shape", "shape", -11, 0},
    {"rows", "rows", 5, 0},      {"alone", "GFLOP/s alone", 13, 1}, {"together", "together", 9, 1},
    {"far", "from memory", 11, 1},
};

static const column sum_columns[] = {
    {"op", "op", -8, 0},
    {"bytes", "bytes", 9, 0},
    {"memory", "us memory", 10, 2},
    {"messages", "messages", 10, 2},
};

typedef struct calibrate {
    const ground *on;
    probe         probe;
    comm         *host;       /* ranks of my host */
    comm         *messages;   /* the same, without shared memory */
    float        *x;
    size_t        n;          /* floats of the sum at hand */
    int           far;        /* a rank of another host than rank 0; 0: none */
    calibration   result;
} calibrate;

status bench_calibrate_check(const knobs *k, int ranks)
{
    char path[4096];
    (void)ranks;
    if (k->output) return DID_OK;
    return calibration_path(path, sizeof path);
}

/* ---- who is measured ---- */

static size_t resident(void)
{
    long  pages = 0, unused = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%ld %ld", &unused, &pages) != 2) pages = 0;
    if (f) fclose(f);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Ranks of one name are on one host: the first of them names it. */
static status find_hosts(calibrate *c)
{
    enum { NAME = 64 };
    comm  *world = c->on->world;
    int    ranks = comm_size(world), mine = 0, hosts = 0;
    char   name[NAME] = "", *all = malloc((size_t)ranks * NAME);
    status s = all ? DID_OK : status_fail(DID_ENOMEM, "no memory for %d ranks", ranks);
    gethostname(name, sizeof name - 1);
    s = comm_agree(world, s);
    if (s == DID_OK) s = comm_gather(world, all, name, NAME, EV_BENCH);
    for (int r = 0; s == DID_OK && r < ranks; r++) {
        int first = 0;
        while (strncmp(all + (size_t)first * NAME, all + (size_t)r * NAME, NAME)) first++;
        hosts += first == r;
        if (r == comm_rank(world)) mine = first;
        if (first > 0 && c->far == 0) c->far = r;
    }
    free(all);
    c->result.hosts = hosts;
    if (s == DID_OK) s = comm_split(&c->host, world, mine, comm_rank(world));
    if (s == DID_OK) s = comm_split(&c->messages, world, mine, comm_rank(world));
    return s;
}

static void describe(calibrate *c)
{
    calibration *r = &c->result;
    snprintf(r->engine, sizeof r->engine, "%s", DID_VERSION);
    snprintf(r->machine, sizeof r->machine, "%s", kernels_cpu());
    r->cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    r->level[0].ranks = 1;
    r->level[1].ranks = comm_size(c->host);
    r->sums.ranks = comm_size(c->host);
    r->held = (double)resident();
}

/* ---- memory and wire ---- */

static status bandwidth(calibrate *c)
{
    peaks p;
    comm *on[CALIBRATION_LEVELS] = {c->probe.alone, c->on->world};
    for (int l = 0; l < CALIBRATION_LEVELS; l++) {
        status s = DID_OK;
        size_t most = c->probe.quick ? 4 << 20 : (size_t)CALIBRATION_FAR;
        if (l == 1 || comm_rank(c->on->world) == 0) s = peaks_measure(&p, most, &c->probe.effort, on[l]);
        TRY(comm_meet(c->on->world, EV_BENCH));
        TRY(comm_agree(c->on->world, s));
        for (int i = 0; i < CALIBRATION_PLACES && comm_rank(c->on->world) == 0; i++)
            c->result.level[l].bandwidth[i] =
                1e9 * peaks_gbs(&p, (size_t)(i ? CALIBRATION_FAR : CALIBRATION_NEAR));
    }
    return DID_OK;
}

static status run_memory(void *context)
{
    calibrate *c = context;
    return comm_sum(c->host, c->x, c->n, EV_BENCH);
}

static status run_messages(void *context)
{
    calibrate *c = context;
    return comm_sum(c->messages, c->x, c->n, EV_BENCH);
}

/* Zeros stay zeros, so calls may follow one another; whether sums are right is asked of ones. */
static status check_sum(calibrate *c, status (*run)(void *context))
{
    for (size_t i = 0; i < c->n; i++) c->x[i] = 1;
    TRY(run(c));
    for (size_t i = 0; i < c->n; i++)
        if (c->x[i] != (float)comm_size(c->host))
            verdict_wrong(&c->probe.verdict, "a sum of ones over %d ranks", comm_size(c->host));
    memset(c->x, 0, c->n * sizeof *c->x);
    return DID_OK;
}

/* Numbers that this rank has just written, as those of a product are: seconds from when the last rank
 * comes until the first one leaves, the median of several samples of both ways in turn. */
static status time_sum(double *seconds, calibrate *c, status (*run)(void *context), double *all)
{
    int ranks = comm_size(c->host);
    memset(c->x, 0, c->n * sizeof *c->x);
    TRY(comm_barrier(c->host, EV_BENCH));
    double since = clock_seconds();
    TRY(run(c));
    double mine = clock_seconds() - since;
    TRY(comm_gather(c->host, all, &mine, sizeof mine, EV_BENCH));
    *seconds = mine;
    for (int r = 0; r < ranks; r++)
        if (all[r] < *seconds) *seconds = all[r];
    return DID_OK;
}

static double median(double *seconds, int n)
{
    measured m;
    measure_summarize(&m, seconds, 1, n);
    return m.median;
}

enum { SUM_SAMPLES = 31 };

static status time_sums(calibrate *c, int size, double *all)
{
    double memory[SUM_SAMPLES], messages[SUM_SAMPLES];
    int    n = c->probe.quick ? 1 : SUM_SAMPLES;
    c->n = (size_t)CALIBRATION_SIZE[size] / sizeof *c->x;
    TRY(check_sum(c, run_memory));
    TRY(check_sum(c, run_messages));
    for (int i = 0; i < n; i++) {
        TRY(time_sum(&memory[i], c, run_memory, all));
        TRY(time_sum(&messages[i], c, run_messages, all));
    }
    c->result.sums.memory[size] = median(memory, n);
    c->result.sums.messages[size] = median(messages, n);
    return DID_OK;
}

static status sums(calibrate *c)
{
    if (comm_size(c->host) == 1) return DID_OK;
    double *all = calloc((size_t)comm_size(c->host), sizeof *all);
    status  s = all ? DID_OK : status_fail(DID_ENOMEM, "no memory for %d ranks", comm_size(c->host));
    s = comm_agree(c->host, s);
    for (int i = 0; i < CALIBRATION_SIZES && s == DID_OK; i++) s = time_sums(c, i, all);
    free(all);
    c->result.sums.wait = probe_wait(&c->probe);
    return s;
}

static status run_bounce(void *context)
{
    calibrate *c = context;
    return yardstick_bounce(c->on->world, c->x, c->n * sizeof *c->x, 0, c->far, EV_BENCH);
}

/* Without a second host a usual network is written down, as one nobody measured. */
static status link_between(calibrate *c)
{
    enum { FEW = 2, MANY = 1 << 20 };
    measured m;
    task     t = {.context = c, .run = run_bounce};
    c->result.link = (calibration_link){false, 50e-6, 1.25e9};
    if (c->far == 0) return DID_OK;
    c->n = FEW;
    TRY(measure_task(&m, &t, &c->probe.effort, c->on->world));
    c->result.link.latency = m.min / 2;
    c->n = MANY;
    TRY(measure_task(&m, &t, &c->probe.effort, c->on->world));
    double way = m.min / 2 - c->result.link.latency;
    c->result.link.bytes_per_s = MANY * sizeof *c->x / (way > 1e-9 ? way : 1e-9);
    c->result.link.measured = true;
    return DID_OK;
}

/* ---- what is told ---- */

static void tell_products(const calibrate *c, table *t, int p)
{
    char shape[32];
    for (int s = 0; s < CALIBRATION_SHAPES; s++)
        for (int i = 0; i < CALIBRATION_ROWS; i++) {
            double  flops = 2e-9 * CALIBRATION_N[s] * CALIBRATION_K[s] * CALIBRATION_ROW[i];
            json_t *line = json_object();
            snprintf(shape, sizeof shape, "%dx%d", CALIBRATION_N[s], CALIBRATION_K[s]);
            json_object_set_new(line, "kind", json_string("calibration"));
            json_object_set_new(line, "precision", json_string(rival_name((precision)p)));
            json_object_set_new(line, "op", json_string("linear"));
            json_object_set_new(line, "shape", json_string(shape));
            json_object_set_new(line, "rows", json_integer(CALIBRATION_ROW[i]));
            json_object_set_new(line, "alone",
                                json_real(flops / c->result.level[0].linear[p][0][s][i]));
            json_object_set_new(line, "together",
                                json_real(flops / c->result.level[1].linear[p][0][s][i]));
            json_object_set_new(line, "far",
                                json_real(flops / c->result.level[1].linear[p][1][s][i]));
            table_line(t, line);
        }
}

static void tell_sums(const calibrate *c, table *t)
{
    char title[96];
    if (c->result.sums.ranks < 2) {
        table_remark(t, "\none rank: sums are not measured; start it under mpirun for them");
        return;
    }
    snprintf(title, sizeof title, "sums of %d ranks of a host", c->result.sums.ranks);
    table_begin(t, title, sum_columns, sizeof sum_columns / sizeof *sum_columns);
    for (int i = 0; i < CALIBRATION_SIZES; i++) {
        json_t *line = json_object();
        json_object_set_new(line, "kind", json_string("calibration"));
        json_object_set_new(line, "op", json_string("sum"));
        json_object_set_new(line, "bytes", json_integer(CALIBRATION_SIZE[i]));
        json_object_set_new(line, "memory", json_real(1e6 * c->result.sums.memory[i]));
        json_object_set_new(line, "messages", json_real(1e6 * c->result.sums.messages[i]));
        table_line(t, line);
    }
    table_remark(t, "\nranks wait for the slowest of them %.1f %% of the work between two sums",
                 100 * c->result.sums.wait);
}

static void tell(const calibrate *c)
{
    table                  *t = c->on->table;
    const calibration_link *l = &c->result.link;
    if (!t) return;
    table_begin(t, "products, per rank: alone, and with all ranks at work", columns,
                sizeof columns / sizeof *columns);
    for (int p = 0; p < CALIBRATION_PRECISIONS; p++) tell_products(c, t, p);
    tell_sums(c, t);
    table_remark(t, "\nmemory: %.1f GB/s near, %.1f far, per rank with all at work",
                 1e-9 * c->result.level[1].bandwidth[0], 1e-9 * c->result.level[1].bandwidth[1]);
    table_remark(t, "link between hosts: %.3g Gbit/s, %.3g us, %s", 8e-9 * l->bytes_per_s,
                 1e6 * l->latency, l->measured ? "measured" : "assumed: there was one host");
}

/* ---- the run ---- */

static status open_all(calibrate *c)
{
    comm  *world = c->on->world;
    size_t most = (size_t)CALIBRATION_SIZE[CALIBRATION_SIZES - 1] / sizeof *c->x;
    TRY(find_hosts(c));
    TRY(comm_split(&c->probe.alone, world, comm_rank(world), 0));
    c->x = calloc(most, sizeof *c->x);
    status s = c->x ? DID_OK : status_fail(DID_ENOMEM, "no memory for %zu floats", most);
    TRY(comm_agree(world, s));
    TRY(comm_agree(world, comm_reserve(c->host, most)));
    TRY(comm_agree(world, comm_reserve(c->messages, most)));
    return comm_agree(world, comm_share(c->host));
}

static status measure_all(calibrate *c)
{
    describe(c);
    for (precision p = PRECISION_F32; p <= PRECISION_BF16; p++) {
        const kernels *k = kernels_of(p, NULL);
        snprintf(c->result.set[p], sizeof c->result.set[p], "%s", k->name);
        log_say("calibrate", "%s, kernels %s", rival_name(p), k->name);
        TRY(probe_precision(&c->result, &c->probe, k));
    }
    log_say("calibrate", "memory and sums");
    TRY(bandwidth(c));
    TRY(sums(c));
    return link_between(c);
}

static void close_all(calibrate *c)
{
    comm_close(&c->host);
    comm_close(&c->messages);
    comm_close(&c->probe.alone);
    free(c->x);
}

/* Everything measured; what rank 0 found is what all know. */
static status take(calibrate *c, const ground *on)
{
    *c = (calibrate){.on = on, .probe = {.world = on->world, .effort = on->effort,
                                         .quick = on->knobs->quick, .seed = on->knobs->seed}};
    status s = open_all(c);
    if (s == DID_OK) s = measure_all(c);
    if (s == DID_OK) s = verdict_agree(&c->probe.verdict, on->world);
    if (s == DID_OK) s = comm_broadcast(on->world, &c->result, sizeof c->result, 0, EV_BENCH);
    close_all(c);
    return s;
}

status bench_calibrate_take(calibration *out, verdict *v, const ground *on)
{
    calibrate c;
    status    s = take(&c, on);
    *out = c.result;
    *v = c.probe.verdict;
    return s;
}

static status write_file(calibrate *c, double since)
{
    char path[4096];
    if (c->probe.verdict.wrong) {
        json_t *line = json_pack("{s:s, s:b, s:s}", "kind", "calibration", "valid", 0, "why",
                                 c->probe.verdict.why);
        table_line(c->on->table, line);
        return DID_OK;
    }
    tell(c);
    if (comm_rank(c->on->world) > 0) return DID_OK;
    if (c->on->knobs->output) snprintf(path, sizeof path, "%s", c->on->knobs->output);
    else TRY(calibration_path(path, sizeof path));
    TRY(calibration_write(&c->result, path));
    table_remark(c->on->table, "written to %s after %.1f s", path, clock_seconds() - since);
    return DID_OK;
}

status bench_calibrate(const ground *on)
{
    double    since = clock_seconds();
    calibrate c;
    TRY(take(&c, on));
    return comm_agree(on->world, write_file(&c, since));
}
