#include "bench_kernels.h"

#include <stdio.h>
#include <string.h>

#include "exercise.h"
#include "keywork.h"
#include "preset.h"
#include "product.h"
#include "rival.h"
#include "rowwise.h"

/* ref is the oracle, not a contender: a product this large would take it minutes to repeat. */
static const double REF_FLOPS_MAX = 1e9;

enum { NAMES_MAX = 512 }; /* characters of --geometry */

static const column columns[] = {
    {"op", "op", -12, 0},        {"shape", "shape", -17, 0},     {"rows", "rows", 5, 0},
    {"precision", "prec", -4, 0},
    {"set", "set", -10, 0},      {"code", "code", -4, 0},        {"error", "error", 8, 3},
    {"ms_min", "ms min", 11, 5}, {"ms_median", "median", 11, 5}, {"ms_max", "max", 11, 5},
    {"gflops", "GFLOP/s", 8, 1}, {"gbs", "GB/s", 7, 1},          {"percent", "% peak", 6, 1},
    {"limit", "limit", -5, 0},   {"ratio", "x f32", 6, 2},       {"slowest", "slowest", -8, 0},
};

/* Which operations, of which set, at which model's shapes. */
typedef struct tour {
    const ground  *on;
    const kernels *set;
    const char    *name; /* of the geometry */
    geometry       shape;
    int            skipped;
    rival          rival;
} tour;

static bool wanted(const tour *t, const char *op)
{
    return !t->on->knobs->only || !strcmp(t->on->knobs->only, op);
}

static size_t rotate_bytes(const tour *t)
{
    return (size_t)t->on->knobs->rotate_mb << 20;
}

static json_t *line_of(const tour *t, const exercise *x, const verdict *v)
{
    json_t *line = json_object();
    json_object_set_new(line, "kind", json_string("kernel"));
    json_object_set_new(line, "geometry", json_string(t->name));
    json_object_set_new(line, "op", json_string(x->op));
    json_object_set_new(line, "shape", json_string(x->shape));
    json_object_set_new(line, "rows", json_integer(x->rows));
    json_object_set_new(line, "precision", json_string(rival_name(t->set->precision)));
    json_object_set_new(line, "set", json_string(t->set->name));
    json_object_set_new(line, "code", json_string(x->borrowed ? "ref" : "own"));
    json_object_set_new(line, "working_set", json_integer((json_int_t)x->working_set));
    json_object_set_new(line, "valid", json_boolean(!v->wrong));
    if (v->wrong) json_object_set_new(line, "why", json_string(v->why));
    else json_object_set_new(line, "error", json_real(v->error));
    return line;
}

static void add_speed(json_t *line, const exercise *x, const measured *m, const peaks *p)
{
    standing s = peaks_standing(p, x->kernels, x->flops, x->bytes, x->working_set, m->median);
    table_times(line, m);
    if (x->flops > 0) json_object_set_new(line, "gflops", json_real(s.gflops));
    json_object_set_new(line, "gbs", json_real(s.gbs));
    json_object_set_new(line, "percent", json_real(100 * s.of_peak));
    json_object_set_new(line, "limit", json_string(s.limit));
}

/* Check, then time. */
static status time_exercise(tour *t, exercise *x)
{
    char          name[RIVAL_NAME];
    const ground *on = t->on;
    verdict       v = {0};
    measured      m = {0};
    task          work = exercise_task(x);
    x->check(x, &v);
    TRY(verdict_agree(&v, on->world));
    if (!v.wrong) TRY(measure_task(&m, &work, &on->effort, on->world));
    json_t *line = line_of(t, x, &v);
    if (!v.wrong) {
        add_speed(line, x, &m, &on->peaks);
        snprintf(name, sizeof name, "%s %s %d", x->op, x->shape, x->rows);
        rival_tell(&t->rival, line, t->set->precision, false, name, m.median);
    }
    table_line(on->table, line);
    return DID_OK;
}

/* Take on one exercise and give it back; `s` is how opening it went. */
static status take(tour *t, exercise *x, status s)
{
    s = comm_agree(t->on->world, s);
    bool slow = s == DID_OK && x->borrowed && x->flops > REF_FLOPS_MAX;
    t->skipped += slow;
    if (s == DID_OK && !slow) s = time_exercise(t, x);
    exercise_close(x);
    return s;
}

static status products(tour *t)
{
    const geometry     *g = &t->shape;
    const counts       *rows = &t->on->knobs->rows;
    const product_shape shapes[] = {{"qkv", 3 * g->d_model, g->d_model, true},
                                    {"out", g->d_model, g->d_model, false},
                                    {"up", g->d_mlp, g->d_model, true},
                                    {"down", g->d_model, g->d_mlp, false},
                                    {"head", g->vocab, g->d_model, true}};
    for (size_t i = 0; wanted(t, "linear") && i < sizeof shapes / sizeof *shapes; i++)
        for (int r = 0; r < rows->n; r++) {
            exercise x;
            TRY(take(t, &x,
                     product_open(&x, t->set, &shapes[i], rows->at[r], rotate_bytes(t),
                                  t->on->knobs->seed)));
        }
    return DID_OK;
}

static status rowwise_operations(tour *t)
{
    const counts       *rows = &t->on->knobs->rows;
    const rowwise_shape shape = {t->shape.d_model, t->shape.d_mlp, t->shape.head_size,
                                 t->shape.vocab};
    for (int i = 0; i < rowwise_count(); i++)
        for (int r = 0; wanted(t, rowwise_name(i)) && r < (rowwise_takes_rows(i) ? rows->n : 1);
             r++) {
            exercise x;
            TRY(take(t, &x, rowwise_open(&x, t->set, i, &shape, rows->at[r], t->on->knobs->seed)));
        }
    return DID_OK;
}

/* Short queries against a long cache, and a refinement's rows among themselves. */
static status attention(tour *t)
{
    static const int contexts[] = {256, 1024, 8192};
    const counts    *rows = &t->on->knobs->rows;
    int              head = t->shape.head_size, seed = t->on->knobs->seed;
    for (int kind = 0; kind < KEYWORK_COUNT; kind++)
        for (int r = 0; wanted(t, keywork_name(kind)) && r < rows->n; r++)
            for (size_t c = 0; c < sizeof contexts / sizeof *contexts; c++) {
                bool     alone = kind != KEYWORK_ATTEND; /* only attention has keys of its own */
                exercise x;
                if (alone && (c > 0 || (kind == KEYWORK_COPY && r > 0))) continue;
                if (!alone && (contexts[c] > t->shape.length || rows->at[r] > contexts[c]))
                    continue;
                TRY(take(t, &x,
                         keywork_open(&x, t->set, (keywork_kind)kind, rows->at[r], contexts[c],
                                      head, rotate_bytes(t), seed)));
            }
    return DID_OK;
}

/* What works row by row is the same in both precisions. */
static status all_operations(tour *t)
{
    TRY(products(t));
    if (t->set->precision == PRECISION_F32) TRY(rowwise_operations(t));
    return attention(t);
}

static status all_sets(tour *t, precision p)
{
    const knobs *k = t->on->knobs;
    for (const char *const *set = kernels_names(p); *set; set++) {
        if (!rival_set(k, p) || (k->kernels && strcmp(k->kernels, *set))) continue;
        t->set = kernels_of(p, *set);
        TRY(all_operations(t));
    }
    return DID_OK;
}

static status one_geometry(const ground *on, const char *name)
{
    char title[160];
    tour t = {.on = on, .name = name};
    TRY(preset_find(&t.shape, name));
    snprintf(title, sizeof title,
             "kernels at the shapes of %.40s (width %d, %d heads, MLP %d, vocabulary %d)",
             name, t.shape.d_model, t.shape.n_heads, t.shape.d_mlp, t.shape.vocab);
    table_begin(on->table, title, columns, sizeof columns / sizeof *columns);
    TRY(all_sets(&t, PRECISION_F32));
    TRY(all_sets(&t, PRECISION_BF16));
    if (t.skipped)
        table_remark(on->table, "%d products beyond %g GFLOP were left out where the code is ref's",
                     t.skipped, 1e-9 * REF_FLOPS_MAX);
    return DID_OK;
}

static status check_only(const char *only)
{
    bool found = !strcmp(only, "linear");
    for (int i = 0; i < rowwise_count(); i++) found |= !strcmp(only, rowwise_name(i));
    for (int i = 0; i < KEYWORK_COUNT; i++) found |= !strcmp(only, keywork_name((keywork_kind)i));
    if (found) return DID_OK;
    return status_fail(DID_EINVAL,
                       "--only: found \"%.40s\", expected an operation of the kernel "
                       "table, such as linear, norm or attend",
                       only);
}

/* The names in a list, one after another: NULL after the last. */
static char *next_name(char **rest)
{
    return *rest ? strsep(rest, ",") : NULL;
}

status bench_kernels_check(const knobs *k, int ranks)
{
    char     names[NAMES_MAX], *rest = names;
    geometry g;
    (void)ranks;
    if (snprintf(names, sizeof names, "%s", k->geometry) >= NAMES_MAX)
        return status_fail(DID_EINVAL, "--geometry: the list is longer than %d characters",
                           NAMES_MAX - 1);
    for (char *name; (name = next_name(&rest));) TRY(preset_find(&g, name));
    if (k->only) TRY(check_only(k->only));
    return rival_check(k);
}

status bench_kernels(const ground *on)
{
    char names[NAMES_MAX], *rest = names;
    snprintf(names, sizeof names, "%s", on->knobs->geometry);
    for (char *name; (name = next_name(&rest));) TRY(one_geometry(on, name));
    return DID_OK;
}
