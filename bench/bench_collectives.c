#include "bench_collectives.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "noise.h"
#include "verdict.h"
#include "yardstick.h"

static const column columns[] = {
    {"op", "op", -9, 0},          {"way", "way", -8, 0},         {"bytes", "bytes", 9, 0},
    {"us_min", "us min", 10, 2},  {"us_avg", "avg", 10, 2},      {"us_max", "max", 10, 2},
    {"mbs", "MB/s", 9, 1},        {"ratio", "x MPI", 6, 2},      {"slowest", "slowest", -8, 0},
};

/* What one rank talks with. */
typedef struct talk {
    const ground *on;
    comm         *memory, *messages; /* the world twice: how sums go */
    comm         *pair;              /* the first and the last rank; on others, the others */
    float        *x, *all;           /* [most], and of all ranks [ranks * most]; `n` in use */
    size_t        n;
} talk;

/* One way to do one thing. */
typedef struct way {
    const char *op, *name;
    status (*run)(void *context);
    void (*check)(talk *t, verdict *v);
    bool bounces; /* two ranks only, and two messages one after the other */
} way;

static int ranks_of(const talk *t)
{
    return comm_size(t->on->world);
}

static int rank_of(const talk *t)
{
    return comm_rank(t->on->world);
}

static size_t bytes_of(const talk *t)
{
    return t->n * sizeof *t->x;
}

static bool in_pair(const talk *t)
{
    return rank_of(t) == 0 || rank_of(t) == ranks_of(t) - 1;
}

/* Number i of rank r: everybody knows everybody's. */
static float number(const talk *t, int r, size_t i)
{
    return noise_number((uint64_t)t->on->knobs->seed * 4096 + (uint64_t)r, i);
}

static void fill(talk *t)
{
    for (size_t i = 0; i < t->n; i++) t->x[i] = number(t, rank_of(t), i);
}

/* Sums of zeros stay zeros, however often they are taken. */
static void reset(void *context)
{
    talk *t = context;
    memset(t->x, 0, bytes_of(t));
}

static status run_memory(void *context)
{
    talk *t = context;
    return comm_sum(t->memory, t->x, t->n, EV_BENCH);
}

static status run_messages(void *context)
{
    talk *t = context;
    return comm_sum(t->messages, t->x, t->n, EV_BENCH);
}

static status run_mpi(void *context)
{
    talk *t = context;
    return yardstick_sum(t->on->world, t->x, t->n, EV_BENCH);
}

static status run_gather(void *context)
{
    talk *t = context;
    return comm_gather(t->on->world, t->all, t->x, bytes_of(t), EV_BENCH);
}

static status run_broadcast(void *context)
{
    talk *t = context;
    return comm_broadcast(t->on->world, t->x, bytes_of(t), 0, EV_BENCH);
}

static status run_bounce(void *context)
{
    talk *t = context;
    return in_pair(t) ? yardstick_bounce(t->pair, t->x, bytes_of(t), 0, 1, EV_BENCH) : DID_OK;
}

/* The sum of number i in rank order, and of the absolute values. */
static float sum_of(const talk *t, size_t i, double *size)
{
    float sum = number(t, 0, i);
    *size = fabs(sum);
    for (int r = 1; r < ranks_of(t); r++) {
        float term = number(t, r, i);
        sum += term;
        *size += fabs(term);
    }
    return sum;
}

static void check_exact(talk *t, verdict *v)
{
    double size;
    for (size_t i = 0; i < t->n && !v->wrong; i++) {
        float want = sum_of(t, i, &size);
        if (memcmp(&t->x[i], &want, sizeof want) != 0)
            verdict_wrong(v, "number %zu is %.9g, the sum in rank order %.9g", i, t->x[i], want);
    }
}

/* MPI may add in any order. */
static void check_rounded(talk *t, verdict *v)
{
    double size;
    for (size_t i = 0; i < t->n; i++) {
        float want = sum_of(t, i, &size);
        verdict_number(v, t->x[i], want, size, 2.0 * ranks_of(t), "a sum");
    }
}

/* x holds the numbers of rank r. */
static void check_of(const talk *t, const float *x, int r, verdict *v)
{
    for (size_t i = 0; i < t->n && !v->wrong; i++)
        if (x[i] != number(t, r, i)) /* made-up numbers are no NaN */
            verdict_wrong(v, "number %zu of rank %d is %.9g, expected %.9g", i, r, x[i],
                          number(t, r, i));
}

static void check_gather(talk *t, verdict *v)
{
    for (int r = 0; r < ranks_of(t); r++) check_of(t, t->all + (size_t)r * t->n, r, v);
}

static void check_broadcast(talk *t, verdict *v)
{
    check_of(t, t->x, 0, v);
}

/* What came back is what left; the far end keeps a copy. */
static void check_bounce(talk *t, verdict *v)
{
    int far = rank_of(t) == ranks_of(t) - 1;
    check_of(t, t->x, far ? 0 : rank_of(t), v);
}

/* MPI's sum comes first: the others of its size are compared with it. */
static const way ways[] = {
    {"sum", "MPI", run_mpi, check_rounded, false},
    {"sum", "memory", run_memory, check_exact, false},
    {"sum", "messages", run_messages, check_exact, false},
    {"gather", "MPI", run_gather, check_gather, false},
    {"broadcast", "MPI", run_broadcast, check_broadcast, false},
    {"bounce", "MPI", run_bounce, check_bounce, true},
};

static void add_speed(json_t *line, const talk *t, const way *w, const measured *m, double mpi)
{
    double messages = w->bounces ? 2 : 1, one = m->avg / messages;
    table_times(line, m);
    json_object_set_new(line, "us_min", json_real(1e6 * m->min / messages));
    json_object_set_new(line, "us_avg", json_real(1e6 * one));
    json_object_set_new(line, "us_max", json_real(1e6 * m->max / messages));
    json_object_set_new(line, "mbs", json_real(1e-6 * (double)bytes_of(t) / one));
    if (strcmp(w->op, "sum") == 0) json_object_set_new(line, "ratio", json_real(mpi / m->median));
}

/* Check, then time. *mpi is the median of MPI's way, set by it. */
static status one_line(talk *t, const way *w, double *mpi)
{
    verdict  v = {0};
    measured m = {0};
    task     work = {.context = t, .run = w->run, .reset = reset};
    fill(t);
    TRY(w->run(t));
    w->check(t, &v);
    TRY(verdict_agree(&v, t->on->world));
    comm *among = w->bounces ? t->pair : t->on->world;
    if (!v.wrong && (!w->bounces || in_pair(t)))
        TRY(measure_task(&m, &work, &t->on->effort, among));
    if (strcmp(w->name, "MPI") == 0) *mpi = m.median;

    json_t *line = json_object();
    json_object_set_new(line, "kind", json_string("collective"));
    json_object_set_new(line, "op", json_string(w->op));
    json_object_set_new(line, "way", json_string(w->name));
    json_object_set_new(line, "bytes", json_integer((json_int_t)bytes_of(t)));
    json_object_set_new(line, "ranks", json_integer(ranks_of(t)));
    json_object_set_new(line, "valid", json_boolean(!v.wrong));
    if (v.wrong) json_object_set_new(line, "why", json_string(v.why));
    else add_speed(line, t, w, &m, *mpi);
    table_line(t->on->table, line);
    return DID_OK;
}

static status all_lines(talk *t)
{
    const counts *sizes = &t->on->knobs->bytes;
    char          title[160];
    double        mpi = 0;
    snprintf(title, sizeof title,
             "collectives of %d ranks, microseconds per call; bounce: one way, first to last rank",
             ranks_of(t));
    table_begin(t->on->table, title, columns, sizeof columns / sizeof *columns);
    for (int b = 0; b < sizes->n; b++) {
        t->n = (size_t)sizes->at[b] / sizeof *t->x;
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
            if (ways[i].run != run_memory || comm_shares(t->memory))
                TRY(one_line(t, &ways[i], &mpi));
    }
    if (!comm_shares(t->memory))
        table_remark(t->on->table, "the ranks are on several hosts and share no memory");
    return DID_OK;
}

static status open_talk(talk *t)
{
    size_t most = 0;
    for (int i = 0; i < t->on->knobs->bytes.n; i++) {
        size_t n = (size_t)t->on->knobs->bytes.at[i] / sizeof *t->x;
        if (n > most) most = n;
    }
    t->x = malloc(most * sizeof *t->x);
    t->all = malloc(most * (size_t)ranks_of(t) * sizeof *t->all);
    status s = t->x && t->all ? DID_OK : status_fail(DID_ENOMEM, "no memory for %zu floats", most);
    TRY(comm_agree(t->on->world, s));
    TRY(comm_split(&t->memory, t->on->world, 0, rank_of(t)));
    TRY(comm_split(&t->messages, t->on->world, 0, rank_of(t)));
    TRY(comm_split(&t->pair, t->on->world, in_pair(t), rank_of(t)));
    TRY(comm_agree(t->on->world, comm_reserve(t->memory, most)));
    TRY(comm_agree(t->on->world, comm_reserve(t->messages, most)));
    return comm_agree(t->on->world, comm_share(t->memory));
}

status bench_collectives_check(const knobs *k, int ranks)
{
    for (int i = 0; i < k->bytes.n; i++)
        if (k->bytes.at[i] % (int)sizeof(float))
            return status_fail(DID_EINVAL, "--bytes: found %d, expected multiples of %zu",
                               k->bytes.at[i], sizeof(float));
    if (ranks > 1) return DID_OK;
    return status_fail(DID_EINVAL, "did bench collectives: found 1 rank, expected 2 or more: start "
                                   "it under mpirun or srun");
}

status bench_collectives(const ground *on)
{
    talk   t = {.on = on};
    status s = open_talk(&t);
    if (s == DID_OK) s = all_lines(&t);
    comm_close(&t.memory);
    comm_close(&t.messages);
    comm_close(&t.pair);
    free(t.x);
    free(t.all);
    return s;
}
