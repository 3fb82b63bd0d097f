#include "tiler.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cyclic.h"
#include "fold.h"

/* Floats of a panel: enough for the wire, little beside a weight. */
enum { PANEL_FLOATS = 1 << 20 };

/* A weight's panels, as they come in. */
typedef struct tiling {
    loader       *ld;
    const weight *w;
    const source *s;
    const double *gate;
    bool          input;       /* behind a norm, with biases */
    int           rows;        /* of a panel */
    float        *panel;       /* [rows, k] */
    float        *turned;      /* [k, rows]: column-major */
    float        *bias, *all;  /* [rows], [ranks][rows] */
} tiling;

static int panel_rows(int n, int k, int ranks)
{
    int rows = PANEL_FLOATS / k, each = (n + ranks - 1) / ranks;
    if (rows < TILER_ROWS_MIN) rows = TILER_ROWS_MIN;
    return rows < each ? rows : each;
}

/* into[cols][high] = from[rows][cols], as far as there are rows. */
static void turn(float *into, int high, const float *from, int rows, int cols)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++)
            into[(size_t)j * (size_t)high + (size_t)i] = from[(size_t)i * (size_t)cols + (size_t)j];
}

static void turn_back(float *into, const float *from, int high, int rows, int cols)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++)
            into[(size_t)i * (size_t)cols + (size_t)j] = from[(size_t)j * (size_t)high + (size_t)i];
}

/* Tell the others how it went here, and hear from them. */
static status agree(loader *ld, const mosaic *t, status mine)
{
    status s = comm_agree(t->on->ranks, mine);
    ld->agreed = s != DID_OK;
    return s;
}

static status tiling_open(tiling *x, loader *ld, const weight *w, const source *s)
{
    size_t ranks = (size_t)mesh_size(w->tiles->on);
    *x = (tiling){.ld = ld, .w = w, .s = s};
    x->rows = panel_rows(s->n, s->k, (int)ranks);
    size_t rows = (size_t)x->rows, k = (size_t)s->k;
    x->panel = malloc(rows * k * sizeof *x->panel);
    x->turned = malloc(rows * k * sizeof *x->turned);
    x->bias = calloc(rows, sizeof *x->bias);
    x->all = malloc(ranks * rows * sizeof *x->all);
    bool got = x->panel && x->turned && x->bias && x->all;
    return agree(ld, w->tiles, got ? DID_OK : status_fail(DID_ENOMEM, "no memory for panels"));
}

static void tiling_close(tiling *x)
{
    free(x->panel);
    free(x->turned);
    free(x->bias);
    free(x->all);
}

/* My panel, read and folded. Local. */
static status prepare(tiling *x, int row0, int rows)
{
    if (rows == 0) return DID_OK;
    TRY(loader_matrix(x->ld, x->s, row0, rows, 0, x->s->k, x->panel));
    if (x->input) TRY(loader_fold(x->ld, x->panel, x->s, row0, rows, x->bias));
    else if (x->ld->folded && x->gate) fold_output(x->panel, x->gate + row0, rows, x->s->k);
    turn(x->turned, x->rows, x->panel, rows, x->s->k);
    return DID_OK;
}

/* My part of the biases of outputs [first, first + n), which stand in x->all. */
static void keep_biases(const tiling *x, int first, int n)
{
    const source *s = x->s;
    for (int i = 0; i < n; i++) {
        int part = (first + i) / (s->n / s->parts);
        int at = (first + i) % (s->n / s->parts) - s->mine.first;
        if (at >= 0 && at < s->mine.len)
            loader_own(x->w->bias)[part * s->mine.len + at] = x->all[i];
    }
}

static blacs_shape tiles_shape(const mosaic *t)
{
    int high = cyclic_len(t->stored, t->n_block, t->on->cols, t->on->rank % t->on->cols);
    return (blacs_shape){t->stored, t->k, t->n_block, t->k_block, 0, 0, high > 0 ? high : 1};
}

/* One panel of every rank. */
static status take_panels(tiling *x, int first)
{
    const mosaic *t = x->w->tiles;
    int           ranks = mesh_size(t->on), whole = x->rows * ranks;
    int           n = t->stored - first < whole ? t->stored - first : whole;
    int           row0 = first + t->on->rank * x->rows, left = t->stored - row0;
    TRY(agree(x->ld, t, prepare(x, row0, left <= 0 ? 0 : left < x->rows ? left : x->rows)));
    blacs_shape to = tiles_shape(t), from = {whole, t->k, x->rows, t->k, 0, 0, x->rows};
    status      s = blacs_move(n, t->k, t->on->plane, loader_own(x->w->data), &to,
                               (blacs_corner){first, 0}, t->on->column, x->turned, &from,
                               (blacs_corner){0, 0});
    if (s == DID_OK && x->input && x->w->bias) {
        s = comm_gather(t->on->ranks, x->all, x->bias, (size_t)x->rows * sizeof *x->bias, EV_SETUP);
        if (s == DID_OK) keep_biases(x, first, n);
    }
    x->ld->agreed = s != DID_OK;
    return s;
}

static status take(tiling *x)
{
    int step = x->rows * mesh_size(x->w->tiles->on);
    for (int first = 0; first < x->s->n; first += step) TRY(take_panels(x, first));
    return DID_OK;
}

status tiler_input(loader *ld, const weight *w, const source *s)
{
    tiling x;
    status done = tiling_open(&x, ld, w, s);
    x.input = true;
    if (done == DID_OK) done = take(&x);
    tiling_close(&x);
    return done;
}

status tiler_output(loader *ld, const weight *w, const source *s, const double *gate)
{
    tiling x;
    status done = tiling_open(&x, ld, w, s);
    x.gate = gate;
    if (done == DID_OK) done = take(&x);
    tiling_close(&x);
    return done;
}

/* ---- between tiles and shards in memory ---- */

/* Ranks [first, first + n) that all have spans of one length; the last may have less. */
typedef struct stretch {
    int first, n, len;
} stretch;

/* Spans are of at most two lengths, the longer ones first, but for the last that is not empty. */
static stretch stretch_at(const mosaic *t, int rank)
{
    int     ranks = mesh_size(t->on);
    stretch s = {rank, 1, t->spans[rank].len};
    while (rank + s.n < ranks && t->spans[rank + s.n].len == s.len) s.n++;
    if (rank + s.n < ranks && t->spans[rank + s.n].len < s.len &&
        (rank + s.n + 1 == ranks || t->spans[rank + s.n + 1].len == 0))
        s.n++;
    return s;
}

/* The shard of this rank, turned: column-major, its part of one side, the other side whole. */
static status move_stretch(const mosaic *t, bool outputs, float *tiles, float *turned, int part,
                           stretch s, tiler_way way)
{
    const mesh *on = t->on;
    int         each = (outputs ? t->n : t->k) / t->parts, mine = t->spans[on->rank].len;
    int         from = t->spans[s.first].first, last = s.first + s.n - 1;
    int         len = t->spans[last].first + t->spans[last].len - from;
    blacs_shape plane = tiles_shape(t), line;
    blacs_corner there = {outputs ? t->first + part * each + from : 0, outputs ? 0 : from};
    if (outputs)
        line = (blacs_shape){len, t->k, s.len, t->k, s.first, 0, mine * t->parts > 0 ? mine * t->parts : 1};
    else
        line = (blacs_shape){t->n, len, t->n, s.len, 0, s.first, t->n};
    const blacs *flat = outputs ? on->column : on->line;
    float       *at = turned + (outputs ? (size_t)part * (size_t)mine : 0);
    int          rows = outputs ? len : t->n, cols = outputs ? t->k : len;
    if (way == TILER_SPREAD)
        return blacs_move(rows, cols, on->plane, tiles, &plane, there, flat, at, &line,
                          (blacs_corner){0, 0});
    return blacs_move(rows, cols, flat, at, &line, (blacs_corner){0, 0}, on->plane, tiles, &plane,
                      there);
}

status tiler_move(const mosaic *t, bool outputs, float *tiles, float *shard, tiler_way way)
{
    int    mine = t->parts * t->spans[t->on->rank].len;
    int    rows = outputs ? mine : t->n, cols = outputs ? t->k : mine;
    float *turned = malloc(((size_t)rows * (size_t)cols + 1) * sizeof *turned);
    status s = comm_agree(t->on->ranks,
                          turned ? DID_OK : status_fail(DID_ENOMEM, "no memory to turn a weight"));
    if (s == DID_OK && way == TILER_SPREAD) turn(turned, rows, shard, rows, cols);
    for (int part = 0; s == DID_OK && part < t->parts; part++)
        for (int r = 0; s == DID_OK && r < mesh_size(t->on) && t->spans[r].len > 0;) {
            stretch all = stretch_at(t, r);
            s = move_stretch(t, outputs, tiles, turned, part, all, way);
            r += all.n;
        }
    if (s == DID_OK && way == TILER_GATHER) turn_back(shard, turned, rows, rows, cols);
    free(turned);
    return s;
}

/* One weight; what is not in tiles lies on every rank in both layouts alike. */
static status move_weight(const weight *to, const weight *from, bool outputs)
{
    const weight *tiled = to->tiles ? to : from, *flat = to->tiles ? from : to;
    assert(tiled->tiles && !flat->tiles && to->n == from->n && to->k == from->k);
    if (to->bias) memcpy(loader_own(to->bias), from->bias, (size_t)to->n * sizeof *to->bias);
    return tiler_move(tiled->tiles, outputs, loader_own(tiled->data), loader_own(flat->data),
                      to->tiles ? TILER_SPREAD : TILER_GATHER);
}

static void copy(const float *to, const float *from, size_t n)
{
    if (to) memcpy(loader_own(to), from, n * sizeof *to);
}

static void copy_norm(const affine *to, const affine *from, size_t d)
{
    copy(to->scale, from->scale, d);
    copy(to->shift, from->shift, d);
}

static status move_layer(const layer_weights *to, const layer_weights *from, size_t d)
{
    copy_norm(&to->norm1, &from->norm1, d);
    copy_norm(&to->norm2, &from->norm2, d);
    copy(to->gate1, from->gate1, d);
    copy(to->gate2, from->gate2, d);
    copy(to->down_bias, from->down_bias, d);
    copy(to->out_bias, from->out_bias, d);
    TRY(move_weight(&to->qkv, &from->qkv, true));
    TRY(move_weight(&to->out, &from->out, false));
    TRY(move_weight(&to->up, &from->up, true));
    return move_weight(&to->down, &from->down, false);
}

status tiler_move_model(model *to, const model *from)
{
    size_t d = (size_t)to->geometry.d_model;
    for (int i = 0; i < to->geometry.n_layers; i++)
        TRY(move_layer(&to->layers[i], &from->layers[i], d));
    copy_norm(&to->norm_final, &from->norm_final, d);
    copy(to->embedding, from->embedding, (size_t)to->vocab.len * d);
    copy(to->positions, from->positions, (size_t)to->geometry.length * d);
    return move_weight(&to->head, &from->head, true);
}
