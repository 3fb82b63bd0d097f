#include "probe.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "keywork.h"
#include "noise.h"
#include "product.h"
#include "rowwise.h"
#include "vocabulary.h"

/* Rows and widths of what goes through rows once; words and rows of a draw; and how much of keys
 * successive calls walk through. */
enum { ROWS = 512, WIDTH = 768, WORDS = 8192, DRAWN = 32, KEYS_BYTES = 8 << 20 };

/* What one rank knows of a point. */
typedef struct series {
    int    calls, samples;
    double alone[PROBE_SAMPLES], mine[PROBE_SAMPLES];
} series;

static int within(double x, int least, int most)
{
    return x < least ? least : x > most ? most : (int)x;
}

/* Seconds of one call, the mean of so many. */
static status sample(double *seconds, const probe_turn *t, int calls)
{
    if (t->set) t->set(t->task.context, t->value);
    if (t->task.reset) t->task.reset(t->task.context);
    double since = clock_work_seconds();
    for (int i = 0; i < calls; i++) TRY(t->task.run(t->task.context));
    *seconds = (clock_work_seconds() - since) / calls;
    return DID_OK;
}

/* The first call is cold; the second says how many a sample needs, and how many samples a point. */
static status warm(series *s, const probe *p, const probe_turn *t)
{
    double once;
    TRY(sample(&once, t, 1));
    TRY(sample(&once, t, 1));
    int most = t->task.calls_max > 0 ? t->task.calls_max : 1 << 20;
    s->calls = within(p->effort.sample_seconds / (once + 1e-9) + 1, 1, most);
    s->samples = within(p->effort.line_seconds / (once * s->calls + 1e-9), p->effort.samples_min,
                        p->effort.samples_max);
    return DID_OK;
}

/* Rank 0 while the others sleep. */
static status turn_alone(series *s, const probe *p, const probe_turn *turns, int n, int round)
{
    status good = DID_OK;
    for (int i = 0; i < n && good == DID_OK && comm_rank(p->world) == 0; i++)
        if (round < s[i].samples) good = sample(&s[i].alone[round], &turns[i], s[i].calls);
    TRY(comm_meet(p->world, EV_BENCH));
    return comm_agree(p->world, good);
}

static status turn_together(series *s, const probe *p, const probe_turn *turns, int n, int round)
{
    status good = DID_OK;
    for (int i = 0; i < n; i++) {
        if (round >= s[i].samples) continue;
        TRY(comm_barrier(p->world, EV_BENCH));
        if (good == DID_OK) good = sample(&s[i].mine[round], &turns[i], s[i].calls);
    }
    return comm_agree(p->world, good);
}

/* The mean over ranks of a sample, and how far the slowest is from it. */
static double of_ranks(probe *p, const series *all, int n, int point, int round)
{
    double sum = 0, most = 0;
    int    ranks = comm_size(p->world);
    for (int r = 0; r < ranks; r++) {
        double x = all[(size_t)r * (size_t)n + (size_t)point].mine[round];
        sum += x;
        if (x > most) most = x;
    }
    if (p->n_waits < PROBE_WAITS) p->waits[p->n_waits++] = most * ranks / sum - 1;
    return sum / ranks;
}

static double median(const double *x, int n)
{
    measured m;
    double   copy[PROBE_WAITS];
    memcpy(copy, x, (size_t)n * sizeof *x);
    measure_summarize(&m, copy, 1, n);
    return m.median;
}

static status bring_together(double (*seconds)[CALIBRATION_LEVELS], probe *p, const series *s, int n)
{
    int     ranks = comm_size(p->world);
    series *all = malloc((size_t)ranks * (size_t)n * sizeof *all);
    status  good = all ? DID_OK : status_fail(DID_ENOMEM, "no memory for %d ranks", ranks);
    good = comm_agree(p->world, good);
    if (good == DID_OK) good = comm_gather(p->world, all, s, (size_t)n * sizeof *s, EV_BENCH);
    for (int i = 0; i < n && good == DID_OK; i++) {
        double mean[PROBE_SAMPLES];
        seconds[i][0] = seconds[i][1] = median(all[i].alone, s[i].samples);
        if (ranks == 1) continue;
        for (int round = 0; round < s[i].samples; round++) mean[round] = of_ranks(p, all, n, i, round);
        seconds[i][1] = median(mean, s[i].samples);
    }
    free(all);
    return good;
}

status probe_turns(double (*seconds)[CALIBRATION_LEVELS], probe *p, const probe_turn *turns, int n)
{
    series s[PROBE_TURNS] = {{0}};
    status good = DID_OK;
    assert(n <= PROBE_TURNS && p->effort.samples_max <= PROBE_SAMPLES);
    for (int i = 0; i < n && good == DID_OK; i++) good = warm(&s[i], p, &turns[i]);
    TRY(comm_agree(p->world, good));
    TRY(comm_broadcast(p->world, s, (size_t)n * sizeof *s, 0, EV_BENCH));
    for (int round = 0; round < p->effort.samples_max; round++) {
        TRY(turn_alone(s, p, turns, n, round));
        if (comm_size(p->world) > 1) TRY(turn_together(s, p, turns, n, round));
    }
    return bring_together(seconds, p, s, n);
}

double probe_wait(const probe *p)
{
    return p->n_waits > 0 ? median(p->waits, p->n_waits) : 0;
}

static status probe_task(double seconds[CALIBRATION_LEVELS], probe *p, const task *t)
{
    double     both[1][CALIBRATION_LEVELS];
    probe_turn one = {.task = *t};
    TRY(probe_turns(both, p, &one, 1));
    memcpy(seconds, both[0], sizeof both[0]);
    return DID_OK;
}

static status probe_exercise(double seconds[CALIBRATION_LEVELS], probe *p, exercise *x)
{
    task t = exercise_task(x);
    return probe_task(seconds, p, &t);
}

/* ---- products ---- */

static void set_rows(void *context, int rows)
{
    product_rows(context, rows);
}

/* Words are asked of so many rows at most, and so many rows read weights as often wherever these are:
 * beyond, a call costs as much per row. */
enum { ROWS_ENOUGH = 192 };

static int rows_most(const probe *p, int place, int shape)
{
    if (p->quick) return 16;
    bool enough = place > 0 || shape == CALIBRATION_SHAPES - 1;
    return enough ? ROWS_ENOUGH : CALIBRATION_ROW[CALIBRATION_ROWS - 1];
}

static int rows_of(int most, int point)
{
    int rows = CALIBRATION_ROW[point];
    return rows < most ? rows : most;
}

static status probe_rows(calibration *c, probe *p, exercise *x, int place, int shape)
{
    probe_turn turns[CALIBRATION_ROWS];
    double     seconds[CALIBRATION_ROWS][CALIBRATION_LEVELS];
    int        how = x->kernels->precision;
    for (int i = 0; i < CALIBRATION_ROWS; i++)
        turns[i] = (probe_turn){exercise_task(x), set_rows, rows_of(rows_most(p, place, shape), i)};
    TRY(probe_turns(seconds, p, turns, CALIBRATION_ROWS));
    for (int i = 0; i < CALIBRATION_ROWS; i++)
        for (int l = 0; l < CALIBRATION_LEVELS; l++)
            c->level[l].linear[how][place][shape][i] =
                seconds[i][l] * CALIBRATION_ROW[i] / turns[i].value;
    return DID_OK;
}

static status probe_product(calibration *c, probe *p, const kernels *k, int place, int shape)
{
    exercise      x;
    double        bytes = place == 0 ? CALIBRATION_NEAR : CALIBRATION_FAR;
    int           rows = rows_most(p, place, shape);
    product_shape of = {"calibrated", CALIBRATION_N[shape], CALIBRATION_K[shape], true};
    status        s = product_open(&x, k, &of, rows, (size_t)(p->quick ? bytes / 16 : bytes), p->seed);
    s = comm_agree(p->world, s);
    if (s == DID_OK) {
        product_rows(&x, CALIBRATION_ROW[2]);
        x.check(&x, &p->verdict);
        s = probe_rows(c, p, &x, place, shape);
    }
    exercise_close(&x);
    return s;
}

/* ---- attention ---- */

static status probe_keys(double seconds[CALIBRATION_LEVELS], probe *p, const kernels *k,
                         keywork_kind kind, int rows, int keys)
{
    exercise x;
    size_t   bytes = p->quick ? KEYS_BYTES / 16 : KEYS_BYTES;
    status   s = keywork_open(&x, k, kind, rows, keys, CALIBRATION_HEAD, bytes, p->seed);
    s = comm_agree(p->world, s);
    if (s == DID_OK) {
        if (rows * keys <= 4096) x.check(&x, &p->verdict); /* ref's attention is slow */
        s = probe_exercise(seconds, p, &x);
    }
    exercise_close(&x);
    return s;
}

static status probe_attention(calibration *c, probe *p, const kernels *k)
{
    double seconds[CALIBRATION_LEVELS];
    int    how = k->precision;
    for (int q = 0; q < CALIBRATION_QUERIES; q++)
        for (int i = 0; i < CALIBRATION_KEYS; i++) {
            TRY(probe_keys(seconds, p, k, KEYWORK_ATTEND, CALIBRATION_QUERY[q],
                           CALIBRATION_KEY[i]));
            for (int l = 0; l < CALIBRATION_LEVELS; l++)
                c->level[l].attend[how][q][i] = seconds[l];
        }
    TRY(probe_keys(seconds, p, k, KEYWORK_STORE, KEY_TILE, KEY_TILE));
    for (int l = 0; l < CALIBRATION_LEVELS; l++)
        c->level[l].rowwise[how][ROWWISE_STORE] = seconds[l] / (KEY_TILE * CALIBRATION_HEAD);
    TRY(probe_keys(seconds, p, k, KEYWORK_COPY, KEY_TILE - 1, KEY_TILE));
    for (int l = 0; l < CALIBRATION_LEVELS; l++)
        c->level[l].rowwise[how][ROWWISE_COPY] = seconds[l] / ((KEY_TILE - 1) * CALIBRATION_HEAD);
    return DID_OK;
}

/* ---- what goes through rows once ---- */

static status probe_operation(calibration *c, probe *p, const kernels *k, const char *name,
                              calibration_rowwise what)
{
    static const rowwise_shape SHAPE = {WIDTH, WIDTH, CALIBRATION_HEAD, WORDS};
    exercise x;
    double   seconds[CALIBRATION_LEVELS], width = what == ROWWISE_ROTATE ? CALIBRATION_HEAD : WIDTH;
    int      i = 0;
    while (strcmp(rowwise_name(i), name)) i++;
    status s = comm_agree(p->world, rowwise_open(&x, k, i, &SHAPE, ROWS, p->seed));
    if (s == DID_OK) {
        x.check(&x, &p->verdict);
        s = probe_exercise(seconds, p, &x);
    }
    for (int l = 0; s == DID_OK && l < CALIBRATION_LEVELS; l++)
        c->level[l].rowwise[k->precision][what] = seconds[l] / (ROWS * width);
    exercise_close(&x);
    return s;
}

/* What the kernel table has no exercise for. */
typedef struct rest {
    const kernels *k;
    comm          *alone;
    float         *x, *y;
    ask            asks[DRAWN];
    answer         answers[DRAWN];
    arena          scratch;
} rest;

static status run_operand(void *context)
{
    rest *r = context;
    r->k->operand(r->y, r->x, ROWS, WIDTH);
    return DID_OK;
}

static status run_angle(void *context)
{
    rest *r = context;
    for (int i = 0; i < ROWS; i++) {
        double angle = i * 0.137;
        r->x[i] = (float)cos(angle);
        r->y[i] = (float)sin(angle);
    }
    return DID_OK;
}

static status run_draw(void *context)
{
    rest  *r = context;
    slices words = {1, {{0, WORDS}}};
    return vocabulary_answer(r->answers, r->asks, r->x, DRAWN, &words, WORDS - 1, &r->scratch, r->k,
                             r->alone);
}

static status open_rest(rest *r)
{
    size_t n = (size_t)(DRAWN * WORDS > ROWS * (WIDTH + 1) ? DRAWN * WORDS : ROWS * (WIDTH + 1));
    r->x = malloc(n * sizeof *r->x);
    r->y = malloc(n * sizeof *r->y);
    if (!r->x || !r->y) return status_fail(DID_ENOMEM, "no memory for %zu floats", n);
    noise_fill(r->x, n, 21, 0, 0, 3);
    for (int i = 0; i < DRAWN; i++)
        r->asks[i] = (ask){.row = i, .kind = ASK_DRAW, .nucleus = 0.9, .temperature = 1,
                           .uniform = (i + 0.5) / DRAWN};
    return arena_open(&r->scratch, vocabulary_scratch_bytes(WORDS, 1, 1));
}

/* A draw among numbers: every answer is a word, and its probability one. */
static void check_draw(rest *r, verdict *v)
{
    run_draw(r);
    for (int i = 0; i < DRAWN; i++)
        if (r->answers[i].finite != 1 || r->answers[i].token < 0 || r->answers[i].token >= WORDS - 1)
            verdict_wrong(v, "a draw of %d words gave word %d", WORDS, r->answers[i].token);
}

static status probe_one(calibration *c, probe *p, rest *r, status (*run)(void *context),
                        calibration_rowwise what, double units)
{
    double seconds[CALIBRATION_LEVELS];
    task   t = {.context = r, .run = run};
    TRY(probe_task(seconds, p, &t));
    for (int l = 0; l < CALIBRATION_LEVELS; l++)
        c->level[l].rowwise[r->k->precision][what] = seconds[l] / units;
    return DID_OK;
}

static status probe_rest(calibration *c, probe *p, const kernels *k)
{
    rest   r = {.k = k, .alone = p->alone};
    status s = comm_agree(p->world, open_rest(&r));
    if (s == DID_OK) check_draw(&r, &p->verdict);
    if (s == DID_OK) s = probe_one(c, p, &r, run_draw, ROWWISE_DRAW, (double)DRAWN * WORDS);
    if (s == DID_OK && k->operand)
        s = probe_one(c, p, &r, run_operand, ROWWISE_OPERAND, (double)ROWS * WIDTH);
    if (s == DID_OK) s = probe_one(c, p, &r, run_angle, ROWWISE_ANGLE, ROWS);
    free(r.x);
    free(r.y);
    arena_close(&r.scratch);
    return s;
}

status probe_precision(calibration *c, probe *p, const kernels *k)
{
    for (int place = 0; place < CALIBRATION_PLACES; place++)
        for (int shape = 0; shape < CALIBRATION_SHAPES; shape++)
            TRY(probe_product(c, p, k, place, shape));
    TRY(probe_attention(c, p, k));
    TRY(probe_operation(c, p, k, "norm", ROWWISE_NORM));
    TRY(probe_operation(c, p, k, "gelu", ROWWISE_GELU));
    TRY(probe_operation(c, p, k, "residual", ROWWISE_RESIDUAL));
    TRY(probe_operation(c, p, k, "rotate", ROWWISE_ROTATE));
    return probe_rest(c, p, k);
}
