#include "cost.h"

#include <math.h>

#include "ordinary.h"
#include "split.h"
#include "strata.h"

/* What a draw says, per row and rank (peaks, masses, cuts, tokens; and while any row's nucleus is cut
 * four histograms), in batches of so many rows; a plan's head and what it says of a segment, a row and
 * an ask. tests/engine/ranks_counted.c holds them against the bytes of a real run. */
enum { DRAW_ROW = 8 + 16 + 24 + 24, DRAW_CUT = 4 * 256 * 8, DRAW_BATCH = 32, DRAW_ROUNDS = 8 };
enum { PLAN_HEAD = 64, PLAN_SEGMENT = 40, PLAN_ROW = 8, PLAN_ASK = 48 };

/* Rows whose logits exist at one time. */
enum { HEAD_ROWS = 192 };

/* What of a sum another group's work can cover: the wire itself, never what the processor does for it
 * (measured: a quarter in memory, three quarters of a slow wire). */
static const double HIDES_MEMORY = 0.25, HIDES_LINK = 0.75;

/* psgemm against the products of 1-D, in f32, and what moving rows to the grid and back adds. */
static const double MESH_SHARE = 0.70;

int cost_team(const cost_layout *l)
{
    return l->mesh ? l->rows * l->cols : l->span * l->depth * l->cols;
}

int cost_ranks(const cost_layout *l)
{
    return l->mesh ? l->rows * l->cols : l->rows * l->depth * l->cols;
}

/* ---- curves ---- */

/* Where x lies among at[n], ascending: the interval and the way through it on a logarithmic axis;
 * outside of all of them the way is 0 or 1. */
static int interval(const int *at, int n, double x, double *way)
{
    int i = 0;
    while (i + 2 < n && x > at[i + 1]) i++;
    *way = log(x / at[i]) / log((double)at[i + 1] / at[i]);
    if (*way < 0) *way = 0;
    if (*way > 1) *way = 1;
    return i;
}

static double between(double a, double b, double way)
{
    return a > 0 && b > 0 ? exp(log(a) + way * (log(b) - log(a))) : a + way * (b - a);
}

/* Seconds per operation along a curve of seconds[n] at sizes at[n]. */
static double per_unit(const double *seconds, const int *at, int n, double x)
{
    double way;
    int    i = interval(at, n, x, &way);
    return between(seconds[i] / at[i], seconds[i + 1] / at[i + 1], way);
}

/* One number of a level, for as many ranks of a host as are at work: on the line through both levels,
 * and where processors are fewer than ranks, shared between them. */
static double loaded(const cost_place *at, double alone, double together)
{
    const calibration *c = at->machine;
    int                busy = at->layout.per_host, few = c->level[0].ranks, many = c->level[1].ranks;
    double             more = busy > c->cpus ? (double)busy / c->cpus : 1;
    if (busy > c->cpus) busy = c->cpus;
    if (many <= few || busy <= few) return more * (busy > few ? together : alone);
    double way = busy >= many ? 1 : (double)(busy - few) / (many - few);
    return more * (alone + way * (together - alone));
}

#define LOADED(at, member) loaded(at, (at)->machine->level[0].member, (at)->machine->level[1].member)

static double product_at(const cost_place *at, int level, double rows, double n, double k,
                         double far)
{
    const calibration_level *l = &at->machine->level[level];
    int                      sizes[CALIBRATION_SHAPES];
    double                   way, rate[2];
    for (int i = 0; i < CALIBRATION_SHAPES; i++) sizes[i] = CALIBRATION_N[i] * CALIBRATION_K[i];
    int s = interval(sizes, CALIBRATION_SHAPES, n * k, &way);
    for (int place = 0; place < CALIBRATION_PLACES; place++) {
        const double(*curve)[CALIBRATION_ROWS] = l->linear[at->precision][place];
        rate[place] = between(per_unit(curve[s], CALIBRATION_ROW, CALIBRATION_ROWS, rows) / sizes[s],
                              per_unit(curve[s + 1], CALIBRATION_ROW, CALIBRATION_ROWS, rows) /
                                  sizes[s + 1], way);
    }
    double read = n * k * (at->precision ? 2 : 4) / between(l->bandwidth[0], l->bandwidth[1], far);
    double took = rows * n * k * between(rate[0], rate[1], far);
    return took > read ? took : read; /* of weights beyond the curves nobody reads faster */
}

double cost_product(const cost_place *at, double rows, double n, double k, double bytes)
{
    double far = log(bytes / CALIBRATION_NEAR) / log(CALIBRATION_FAR / CALIBRATION_NEAR);
    far = far < 0 ? 0 : far > 1 ? 1 : far;
    if (rows <= 0 || n <= 0 || k <= 0) return 0;
    return loaded(at, product_at(at, 0, rows, n, k, far), product_at(at, 1, rows, n, k, far));
}

static double attend_at(const cost_place *at, int level, double rows, double keys)
{
    const calibration_level *l = &at->machine->level[level];
    double                   way;
    int    q = interval(CALIBRATION_QUERY, CALIBRATION_QUERIES, rows, &way);
    double a = per_unit(l->attend[at->precision][q], CALIBRATION_KEY, CALIBRATION_KEYS, keys);
    double b = per_unit(l->attend[at->precision][q + 1], CALIBRATION_KEY, CALIBRATION_KEYS, keys);
    return rows * keys * between(a / CALIBRATION_QUERY[q], b / CALIBRATION_QUERY[q + 1], way);
}

/* One head. */
static double attend(const cost_place *at, double rows, double keys)
{
    if (rows <= 0 || keys <= 0) return 0;
    return loaded(at, attend_at(at, 0, rows, keys), attend_at(at, 1, rows, keys)) *
           at->model->head_size / CALIBRATION_HEAD;
}

/* ---- the wire ---- */

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Does a row's stage lie on more than one host? Ranks fill hosts in the world's order. */
static bool crosses(const cost_place *at)
{
    const cost_layout *l = &at->layout;
    return l->cols > l->per_host || l->per_host % l->cols != 0;
}

/* What of the bytes of a rank of a row belongs to ranks of other hosts. */
static double abroad(const cost_place *at)
{
    int here = smaller(at->layout.per_host, at->layout.cols);
    int hosts = (at->layout.cols + here - 1) / here;
    return crosses(at) ? (double)(hosts > 1 ? hosts - 1 : 1) / (hosts > 1 ? hosts : 2) : 0;
}

static double curve_of(const double *seconds, double bytes)
{
    double way;
    int    i = interval(CALIBRATION_SIZE, CALIBRATION_SIZES, bytes, &way), last = CALIBRATION_SIZES - 1;
    if (bytes > CALIBRATION_SIZE[last]) return seconds[last] * bytes / CALIBRATION_SIZE[last];
    return between(seconds[i], seconds[i + 1], way);
}

/* Inside a host: every rank reads its slice of all others and then all slices of the others, so the
 * work of a sum grows with the ranks that were not measured. */
static double sum_here(const cost_place *at, double bytes, int ranks, bool messages)
{
    const calibration_sums *s = &at->machine->sums;
    static const double     RATE = 5e9, LATENCY = 1e-6;
    double                  more = (double)(ranks - 1) / (s->ranks > 1 ? s->ranks - 1 : 1);
    if (s->ranks < 2) return LATENCY * ranks + bytes * ranks / RATE;
    return curve_of(messages ? s->messages : s->memory, bytes) * (more > 1 ? more : 1);
}

double cost_sum(const cost_place *at, double bytes)
{
    const cost_layout *l = &at->layout;
    if (l->cols == 1 || bytes <= 0) return 0;
    if (!crosses(at)) return sum_here(at, bytes, l->cols, false);
    /* Slices go out to be added and come back as sums; the ranks of a host share its link. */
    double out = 2 * l->per_host * bytes * abroad(at);
    double wire = 2 * at->link.latency + out / at->link.bytes_per_s;
    double work = sum_here(at, bytes, l->cols, true);
    return wire > work ? wire : work;
}

/* What the columns of a depth send to the next of activations of `bytes`: inside a host each a part,
 * else each all of them. */
static double sent_down(const cost_place *at, double bytes)
{
    return crosses(at) ? bytes * at->layout.cols : bytes;
}

/* One message from every column of a depth to the next, where neighbours then put parts together. */
static double hop(const cost_place *at, double bytes)
{
    const cost_layout *l = &at->layout;
    bool               far = l->per_host < cost_ranks(l);
    double joined = l->cols > 1 && !crosses(at) ? sum_here(at, bytes, l->cols, true) / 2 : 0;
    if (!far) return joined + sum_here(at, bytes / l->cols, 2, true) / 2;
    return joined + at->link.latency + sent_down(at, bytes) / at->link.bytes_per_s;
}

/* ---- a pass ---- */

/* What the segments come to. */
typedef struct totals {
    double rows, asks, segments, spanned; /* spanned: rows of spanned ones */
} totals;

static totals total_of(const cost_segment *s, int n)
{
    totals t = {0};
    for (int i = 0; i < n; i++) {
        t.rows += s[i].count * s[i].rows;
        t.asks += s[i].count * s[i].asks;
        t.segments += s[i].count;
        if (s[i].spanned) t.spanned += s[i].count * s[i].rows;
    }
    return t;
}

/* The largest parts of any rank. */
typedef struct parts {
    double heads, width, mlp, vocab;
    int    layers;
} parts;

/* Of a depth. */
static int layers_of(const cost_place *at, int depth)
{
    double last = at->layout.last > 0 ? at->layout.last : 1;
    return strata_part(at->model->n_layers, last, at->layout.depth, depth).len;
}

static parts parts_of(const cost_place *at)
{
    const geometry *g = at->model;
    int             q = at->layout.mesh ? cost_team(&at->layout) : at->layout.cols;
    int             heads = split_part(g->n_heads, 1, q, 0).len;
    return (parts){.heads = heads,
                   .width = heads * g->head_size,
                   .mlp = split_part(g->d_mlp, SPLIT_MLP, q, 0).len,
                   .vocab = split_part(g->vocab, SPLIT_VOCAB, q, 0).len,
                   .layers = layers_of(at, 0)};
}

double cost_weights(const cost_place *at)
{
    parts  p = parts_of(at);
    double d = at->model->d_model, bytes = at->precision ? 2 : 4;
    return bytes * (p.layers * d * (4 * p.width + 2 * p.mlp) + p.vocab * d);
}

/* A layer's products over `rows` rows; the last layer's queries and what follows are of `asks`. */
static double layer_linear(const cost_place *at, const parts *p, double rows, double asks, bool last,
                           double bytes)
{
    double d = at->model->d_model, rest = last ? asks : rows;
    double qkv = last ? cost_product(at, rows, 2 * p->width, d, bytes) +
                            cost_product(at, asks, p->width, d, bytes)
                      : cost_product(at, rows, 3 * p->width, d, bytes);
    return qkv + cost_product(at, rest, d, p->width, bytes) +
           cost_product(at, rest, p->mlp, d, bytes) + cost_product(at, rest, d, p->mlp, bytes);
}

static double rowwise(const cost_place *at, calibration_rowwise what)
{
    return LOADED(at, rowwise[at->precision][what]);
}

/* What goes through rows once, in a layer. In bf16 gelu is part of a product, and so are the two
 * additions where nothing has to be summed. */
static double layer_rowwise(const cost_place *at, const parts *p, double rows, double asks, bool last)
{
    double d = at->model->d_model, rest = last ? asks : rows;
    bool   half = at->precision == 1, fused = half && at->layout.cols == 1;
    double norm = rowwise(at, ROWWISE_NORM) + (half ? rowwise(at, ROWWISE_OPERAND) : 0);
    double out = norm * d * (rows + rest);
    out += rowwise(at, ROWWISE_ROTATE) * p->width * (rows + rest);
    out += rowwise(at, ROWWISE_GELU) * p->mlp * rest; /* in bf16 in the product, and no cheaper */
    if (!fused) out += rowwise(at, ROWWISE_RESIDUAL) * d * 2 * rest;
    if (half) out += rowwise(at, ROWWISE_OPERAND) * p->width * rest;
    return out;
}

/* A layer's attention for one segment: its keys are put into tiles, and its rows look at all of
 * them. */
static double layer_attention(const cost_place *at, const parts *p, const cost_segment *s, bool last)
{
    double hs = at->model->head_size, wide = p->heads * hs;
    double rows = s->rows / at->layout.span; /* of this row's part; its keys are everybody's */
    double copied = s->cached ? CALIBRATION_HEAD / 2.0 : 0;
    double out = wide * (rowwise(at, ROWWISE_STORE) * s->rows + rowwise(at, ROWWISE_COPY) * copied);
    double asks = s->asks / at->layout.span;
    return s->count * (out + p->heads * attend(at, last ? asks : rows, s->keys));
}

/* Keys and values of a layer that the rows of a span bring together, per column. */
static double gather_bytes(const cost_place *at, const parts *p, double rows)
{
    return at->layout.span > 1 ? 2 * p->width * rows * (at->precision ? 2 : 4) : 0;
}

static double gather_seconds(const cost_place *at, const parts *p, double rows)
{
    const cost_layout *l = &at->layout;
    /* What the others have of it comes to me. */
    double bytes = gather_bytes(at, p, rows) * (l->span - 1) / l->span;
    if (bytes <= 0) return 0;
    if (cost_team(l) <= l->per_host) return sum_here(at, bytes, l->span, true) / 2;
    return at->link.latency + bytes * smaller(l->per_host, l->cols) / at->link.bytes_per_s;
}

/* Small collectives of a draw: mostly waiting for one another. */
static double draw_wire(const cost_place *at, double asks)
{
    double batches = ceil(asks / DRAW_BATCH), rows = asks < DRAW_BATCH ? asks : DRAW_BATCH;
    if (at->layout.cols == 1 || asks <= 0) return 0;
    return batches * (DRAW_ROUNDS - 4) * cost_sum(at, 24 * rows) +
           batches * 4 * cost_sum(at, DRAW_CUT / 4 * rows);
}

/* Everything one group does on one depth of a pass, were there no other: `layers` of them, and where
 * it is the last depth what follows the layers. */
static cost_time stage(const cost_place *at, const cost_segment *s, int n, double share, int layers,
                       bool last)
{
    const geometry *g = at->model;
    parts           p = parts_of(at);
    totals          t = total_of(s, n);
    double          rows = t.rows * share / at->layout.span, asks = t.asks * share / at->layout.span;
    double          bytes = cost_weights(at), d = g->d_model, number = at->layout.bf16_wire ? 2 : 4;
    int             whole = layers - last;
    cost_time       c = {0};
    c.linear = whole * layer_linear(at, &p, rows, asks, false, bytes);
    c.rowwise = whole * layer_rowwise(at, &p, rows, asks, false) +
                rowwise(at, ROWWISE_ANGLE) * g->head_size / 2 * rows;
    c.wire = (2 * whole + 1) * cost_sum(at, rows * d * number) +
             layers * gather_seconds(at, &p, t.spanned * share);
    for (int i = 0; i < n; i++) {
        c.attention += share * whole * layer_attention(at, &p, &s[i], false);
        if (last) c.attention += share * layer_attention(at, &p, &s[i], true);
    }
    if (at->layout.depth > 1) c.wire += hop(at, rows * d * 4);
    if (last) {
        c.linear += layer_linear(at, &p, rows, asks, true, bytes);
        for (double left = asks; left > 0; left -= HEAD_ROWS)
            c.linear += cost_product(at, left < HEAD_ROWS ? left : HEAD_ROWS, p.vocab, d, bytes);
        c.rowwise += layer_rowwise(at, &p, rows, asks, true) + rowwise(at, ROWWISE_NORM) * d * asks;
        c.draw = rowwise(at, ROWWISE_DRAW) * p.vocab * asks + draw_wire(at, asks);
        c.wire += 2 * cost_sum(at, asks * d * number);
    }
    if (at->layout.cols > 1) c.wire += at->machine->sums.wait * (c.linear + c.attention + c.rowwise);
    c.seconds = c.linear + c.attention + c.rowwise + c.draw + c.wire;
    return c;
}

/* The slowest depth: of all but the last none has more layers than the first. */
static cost_time slowest(const cost_place *at, const cost_segment *s, int n, double share)
{
    int       depth = at->layout.depth;
    cost_time last = stage(at, s, n, share, layers_of(at, depth - 1), true);
    if (depth == 1) return last;
    cost_time first = stage(at, s, n, share, layers_of(at, 0), false);
    return first.seconds > last.seconds ? first : last;
}

cost_layer cost_layers(const cost_place *at, const cost_segment *s, int n)
{
    cost_place  on = *at;
    calibration ordinary;
    if (!on.machine) {
        ordinary_machine(&ordinary);
        on.machine = &ordinary;
    }
    double share = 1.0 / (at->layout.groups > 1 ? at->layout.groups : 1);
    double one = stage(&on, s, n, share, 1, false).seconds;
    double usual = stage(&on, s, n, share, 2, false).seconds - one;
    return (cost_layer){usual, stage(&on, s, n, share, 1, true).seconds - (one - usual)};
}

/* On a mesh every rank has its part of all rows, as in one dimension over all ranks; products go
 * through psgemm, and rows go to the grid and come back, as long as a sum each way. */
static cost_time mesh_pass(const cost_place *at, const cost_segment *s, int n)
{
    cost_place flat = *at;
    flat.layout = (cost_layout){.rows = 1, .cols = cost_team(&at->layout), .depth = 1, .span = 1,
                                .groups = 1, .per_host = at->layout.per_host};
    cost_time c = stage(&flat, s, n, 1, at->model->n_layers, true);
    c.linear /= MESH_SHARE;
    c.wire *= 2;
    c.seconds = c.linear + c.attention + c.rowwise + c.draw + c.wire;
    return c;
}

static void scale(cost_time *c, double by)
{
    c->linear *= by;
    c->attention *= by;
    c->rowwise *= by;
    c->draw *= by;
    c->wire *= by;
}

/* Groups take turns: while one is on the wire another computes. Through a depth they follow one
 * another, and the slowest sets the pace once the pipeline is full. */
cost_time cost_pass(const cost_place *at, const cost_segment *s, int n)
{
    int  groups = at->layout.groups > 1 ? at->layout.groups : 1, depth = at->layout.depth;
    bool slow = crosses(at) || (depth > 1 && at->layout.per_host < cost_ranks(&at->layout));
    if (at->layout.mesh) return mesh_pass(at, s, n);
    cost_time c = slowest(at, s, n, 1.0 / groups);
    double    one = c.seconds;
    scale(&c, groups);
    double work = c.linear + c.attention + c.rowwise + c.draw;
    if (groups > 1)
        c.hidden = (work < c.wire ? work : c.wire) * (groups - 1) / groups *
                   (slow ? HIDES_LINK : HIDES_MEMORY);
    c.seconds = work + c.wire - c.hidden;
    if (one * depth > c.seconds) c.seconds = one * depth; /* too few groups to fill it */
    return c;
}

cost_bytes cost_wire(const cost_place *at, const cost_segment *s, int n)
{
    const geometry    *g = at->model;
    const cost_layout *l = &at->layout;
    totals             t = total_of(s, n);
    parts              p = parts_of(at);
    double             ranks = l->mesh ? cost_team(l) : l->cols, d = g->d_model;
    double             sums = ranks > 1 ? ranks * d * (l->bf16_wire ? 2 : 4) : 0;
    cost_bytes         b = {0};
    b.embedding = sums * t.rows;
    b.attention = b.mlp = sums * ((g->n_layers - 1) * t.rows + t.asks);
    if (ranks > 1) b.draw = ranks * t.asks * (DRAW_ROW + DRAW_CUT);
    if (cost_team(l) > 1)
        b.plan = cost_team(l) * (PLAN_HEAD + PLAN_SEGMENT * t.segments + PLAN_ROW * t.rows +
                                 PLAN_ASK * t.asks);
    b.activations = (l->depth - 1) * sent_down(at, t.rows * d * 4);
    b.gather = g->n_layers * l->cols * gather_bytes(at, &p, t.spanned);
    b.total = b.embedding + b.attention + b.mlp + b.draw + b.plan + b.activations + b.gather;
    b.crossing = 2 * abroad(at) * (b.embedding + b.attention + b.mlp);
    if (l->per_host < cost_ranks(l)) b.crossing += b.activations + b.gather;
    return b;
}
