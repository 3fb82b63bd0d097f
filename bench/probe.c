#include "probe.h"

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

/* The least of several samples on this rank. A long call is its own sample. */
static status least(double *seconds, const probe *p, const task *t)
{
    double since = clock_work_seconds(), spent = 0;
    TRY(t->run(t->context)); /* cold */
    double once = clock_work_seconds() - since;
    int    calls = once < p->effort.sample_seconds ? (int)(p->effort.sample_seconds / once) + 1 : 1;
    if (t->calls_max > 0 && calls > t->calls_max) calls = t->calls_max;
    *seconds = once;
    for (int i = 0; i < p->effort.samples_max; i++) {
        if (i >= p->effort.samples_min && spent > p->effort.line_seconds) break;
        if (t->reset) t->reset(t->context);
        since = clock_work_seconds();
        for (int j = 0; j < calls; j++) TRY(t->run(t->context));
        double now = clock_work_seconds() - since;
        if (now / calls < *seconds) *seconds = now / calls;
        spent += now;
    }
    return DID_OK;
}

status probe_task(double seconds[CALIBRATION_LEVELS], const probe *p, const task *t)
{
    status s = DID_OK;
    double mine = 0, *all = p->all;
    int    ranks = comm_size(p->world);
    if (comm_rank(p->world) == 0) s = least(&seconds[0], p, t);
    TRY(comm_meet(p->world, EV_BENCH)); /* the others sleep meanwhile */
    TRY(comm_agree(p->world, s));
    seconds[1] = seconds[0];
    if (ranks == 1) return DID_OK;
    TRY(comm_broadcast(p->world, seconds, sizeof *seconds, 0, EV_BENCH));
    TRY(comm_agree(p->world, least(&mine, p, t)));
    TRY(comm_gather(p->world, all, &mine, sizeof mine, EV_BENCH));
    seconds[1] = 0;
    for (int r = 0; r < ranks; r++)
        if (all[r] > seconds[1]) seconds[1] = all[r];
    return DID_OK;
}

static status probe_exercise(double seconds[CALIBRATION_LEVELS], const probe *p, exercise *x)
{
    task t = exercise_task(x);
    return probe_task(seconds, p, &t);
}

/* ---- products ---- */

static status probe_rows(calibration *c, const probe *p, exercise *x, int place, int shape)
{
    int how = x->kernels->precision;
    for (int i = 0; i < CALIBRATION_ROWS; i++) {
        double seconds[CALIBRATION_LEVELS], scale = 1;
        int    rows = CALIBRATION_ROW[i];
        if (rows > x->rows) { /* a quick look: what it did not see costs as much per row */
            scale = (double)rows / x->rows;
            rows = x->rows;
        }
        product_rows(x, rows);
        TRY(probe_exercise(seconds, p, x));
        for (int l = 0; l < CALIBRATION_LEVELS; l++)
            c->level[l].linear[how][place][shape][i] = seconds[l] * scale;
    }
    return DID_OK;
}

static status probe_product(calibration *c, probe *p, const kernels *k, int place, int shape)
{
    exercise      x;
    double        bytes = place == 0 ? CALIBRATION_NEAR : CALIBRATION_FAR;
    int           rows = p->quick ? 16 : CALIBRATION_ROW[CALIBRATION_ROWS - 1];
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

static status probe_one(calibration *c, const probe *p, rest *r, status (*run)(void *context),
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
