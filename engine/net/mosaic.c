#include "mosaic.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cyclic.h"

/* Rows of a product over the whole mesh, from a few blocks being drafted to a large pass. Rows per
 * row of the mesh are multiples of what OpenBLAS's cores take at a time. */
static const int HEIGHTS[MOSAIC_HEIGHTS] = {1, 96, 192, 480, 1056};
enum { GROUP = 24 };

static int height_of(const mesh *on, int i)
{
    int each = (HEIGHTS[i] + on->rows - 1) / on->rows;
    return (each + GROUP - 1) / GROUP * GROUP;
}

/* Heights beyond the first that hold all the rows of a pass are never asked for. */
static int heights_for(const mesh *on, int rows)
{
    int n = 1;
    while (n < MOSAIC_HEIGHTS && height_of(on, n - 1) * on->rows < rows) n++;
    return n;
}

static int block_of(const mesh *on, int n)
{
    return cyclic_block(n, mesh_size(on));
}

/* Outputs and inputs that live on `rank`. */
static int outputs_on(const mesh *on, int n, int block, int rank)
{
    return cyclic_len(n, block, on->cols, rank % on->cols);
}

static int inputs_on(const mesh *on, int k, int block, int rank)
{
    return cyclic_len(k, block, on->rows, rank / on->cols);
}

size_t mosaic_floats(const mesh *on, int n, int k)
{
    return (size_t)outputs_on(on, n, block_of(on, n), on->rank) *
           (size_t)inputs_on(on, k, block_of(on, k), on->rank);
}

/* ---- description ---- */

static int features_of(const mosaic *t, int rank)
{
    return t->parts * t->spans[rank].len;
}

static status take_heights(mosaic *t, int rows)
{
    int p = t->on->rows;
    t->n_heights = heights_for(t->on, rows);
    for (int i = 0; i < t->n_heights; i++) {
        mosaic_height *h = &t->height[i];
        h->m = height_of(t->on, i);
        h->place = malloc((size_t)(p * h->m) * sizeof *h->place);
        h->start = malloc((size_t)(p + 1) * sizeof *h->start);
        if (!h->place || !h->start) return status_fail(DID_ENOMEM, "no memory for the mesh");
        h->capacity = p * h->m;
        for (int j = 0; j < h->capacity; j++) h->place[j] = j;
        for (int j = 0; j <= p; j++) h->start[j] = j * h->m;
    }
    return DID_OK;
}

status mosaic_init(mosaic *t, const mesh *on, int n, int k, int parts, const span *spans, int rows)
{
    int ranks = mesh_size(on);
    *t = (mosaic){.on = on, .n = n, .k = k, .stored = n, .parts = parts};
    t->n_block = block_of(on, n);
    t->k_block = block_of(on, k);
    t->spans = malloc((size_t)ranks * sizeof *t->spans);
    if (!t->spans) return status_fail(DID_ENOMEM, "no memory for the mesh");
    memcpy(t->spans, spans, (size_t)ranks * sizeof *spans);
    for (int r = 0; r < ranks; r++)
        if (features_of(t, r) > t->most_mine) t->most_mine = features_of(t, r);
    return take_heights(t, rows);
}

status mosaic_view(mosaic *t, const mosaic *of, int first, int n, int parts, int rows)
{
    TRY(mosaic_init(t, of->on, n, of->k, parts, of->spans, rows));
    t->stored = of->stored;
    t->n_block = of->n_block;
    t->first = first;
    return DID_OK;
}

void mosaic_clear(mosaic *t)
{
    for (int i = 0; i < MOSAIC_HEIGHTS; i++) {
        free(t->height[i].place);
        free(t->height[i].start);
    }
    free(t->spans);
    *t = (mosaic){0};
}

/* ---- the product ---- */

status mosaic_product(const mosaic *t, int m, float *c, const float *tiles, const float *b)
{
    const mesh *on = t->on;
    int         all = on->rows * m, col = on->rank % on->cols;
    int         high = cyclic_len(t->stored, t->n_block, on->cols, col);
    int         n_here = cyclic_len(t->n, t->n_block, on->cols, col);
    int         k_here = cyclic_len(t->k, t->k_block, on->cols, col);
    blacs_shape as = {t->stored, t->k, t->n_block, t->k_block, 0, 0, high > 0 ? high : 1};
    blacs_shape bs = {t->k, all, t->k_block, m, 0, 0, k_here > 0 ? k_here : 1};
    blacs_shape cs = {t->n, all, t->n_block, m, 0, 0, n_here > 0 ? n_here : 1};
    return blacs_product(on->plane, c, &cs, tiles, &as, t->first, b, &bs);
}

/* The arrays of one product, and what crosses the wire before and after it. */
typedef struct desk {
    float *b, *c;             /* [m, my k], [m, my n] */
    float *sent, *received;
    int   *out_count, *in_count;  /* [ranks] floats */
} desk;

/* Floats of the arrays of a desk: rows over the mesh and over one row of it. */
static void desk_floats(size_t size[4], const mesh *on, int n, int n_block, int k, int mine, int m)
{
    /* First blocks are never fewer than others, so rank 0 tells the most there is. */
    size_t outputs = (size_t)outputs_on(on, n, n_block, 0);
    size_t inputs = (size_t)cyclic_len(k, block_of(on, k), on->cols, 0);
    size_t height = (size_t)m, whole = (size_t)(on->rows * m), own = (size_t)mine;
    size_t widest = outputs > inputs ? outputs : inputs;
    size[0] = height * inputs;
    size[1] = height * outputs;
    size[2] = whole * own > height * outputs ? whole * own : height * outputs;
    size[3] = (size_t)mesh_size(on) * height * outputs;  /* gathered whole */
    if (size[3] < whole * own) size[3] = whole * own;
    if (size[3] < height * widest) size[3] = height * widest;
}

size_t mosaic_scratch_bytes(const mesh *on, int n, int k, int mine, int rows)
{
    size_t size[4], bytes = 2 * arena_round((size_t)mesh_size(on) * sizeof(int));
    desk_floats(size, on, n, block_of(on, n), k, mine,
                height_of(on, heights_for(on, rows) - 1));
    for (int i = 0; i < 4; i++) bytes += arena_round(size[i] * sizeof(float));
    return bytes;
}

static desk desk_take(const mosaic *t, int m, arena *from)
{
    size_t size[4], ranks = (size_t)mesh_size(t->on);
    desk   d;
    desk_floats(size, t->on, t->n, t->n_block, t->k, t->most_mine, m);
    d.b = arena_take(from, size[0] * sizeof *d.b);
    d.c = arena_take(from, size[1] * sizeof *d.c);
    d.sent = arena_take(from, size[2] * sizeof *d.sent);
    d.received = arena_take(from, size[3] * sizeof *d.received);
    d.out_count = arena_take(from, ranks * sizeof *d.out_count);
    d.in_count = arena_take(from, ranks * sizeof *d.in_count);
    return d;
}

/* One product of up to `height->capacity` rows. */
typedef struct turn2d {
    const mosaic        *t;
    const mosaic_height *height;
    desk                 desk;
    int                  rows;
} turn2d;

/* Rows of this turn that stand in row `p` of the mesh: [from, to) of the turn. */
static span rows_of(const turn2d *r, int p)
{
    int from = r->height->start[p], to = r->height->start[p + 1];
    if (from > r->rows) from = r->rows;
    if (to > r->rows) to = r->rows;
    return (span){from, to - from};
}

/* Where row i of the turn, which stands in my row of the mesh, lies in desk.b and desk.c. */
static size_t place_of(const turn2d *r, int i)
{
    return (size_t)(r->height->place[i] % r->height->m);
}

static int my_row(const mosaic *t)
{
    return t->on->rank / t->on->cols;
}

static int my_col(const mosaic *t)
{
    return t->on->rank % t->on->cols;
}

/* Walks the features that are both rank `owner`'s part and, as blocks, column `col` of the mesh's:
 * runs of them, in the same order wherever they are walked. */
typedef struct runs {
    const mosaic *t;
    int           n, block, owner, col;  /* features all together, their block */
    int           part, at;              /* next: of which part, which within the span */
    int           local, mine, len;      /* the run: in blocks of `col`, in owner's part */
} runs;

static runs runs_begin(const mosaic *t, bool outputs, int owner, int col)
{
    return (runs){.t = t, .n = outputs ? t->n : t->k, .block = outputs ? t->n_block : t->k_block,
                  .owner = owner, .col = col};
}

static bool runs_next(runs *r)
{
    span own = r->t->spans[r->owner];
    int  each = r->n / r->t->parts, cols = r->t->on->cols;
    for (; r->part < r->t->parts; r->part++, r->at = 0)
        while (r->at < own.len) {
            int global = r->part * each + own.first + r->at;
            int left = r->block - global % r->block;
            r->len = left < own.len - r->at ? left : own.len - r->at;
            r->local = cyclic_local(global, r->block, cols);
            r->mine = r->part * own.len + r->at;
            r->at += r->len;
            if (cyclic_owner(global, r->block, cols) == r->col) return true;
        }
    return false;
}

static int runs_count(runs r)
{
    int n = 0;
    while (runs_next(&r)) n += r.len;
    return n;
}

static void copy(float *to, const float *from, int n)
{
    memcpy(to, from, (size_t)n * sizeof *to);
}

static size_t width_b(const mosaic *t)
{
    return (size_t)cyclic_len(t->k, t->k_block, t->on->cols, my_col(t));
}

static size_t width_c(const mosaic *t)
{
    return (size_t)cyclic_len(t->n, t->n_block, t->on->cols, my_col(t));
}

static void clear_b(const turn2d *r)
{
    memset(r->desk.b, 0, (size_t)r->height->m * width_b(r->t) * sizeof *r->desk.b);
}

/* My blocks of the rows that stand in my row of the mesh, from rows that I have whole. */
static void lay_whole(const turn2d *r, const float *in)
{
    const mosaic *t = r->t;
    span          rows = rows_of(r, my_row(t));
    size_t        width = width_b(t);
    clear_b(r);
    for (int i = rows.first; i < rows.first + rows.len; i++) {
        float       *to = r->desk.b + place_of(r, i) * width;
        const float *from = in + (size_t)i * (size_t)t->k;
        for (int l = 0; l < (int)width; l += t->k_block) {
            int left = (int)width - l;
            copy(to + l, from + cyclic_global(l, t->k_block, t->on->cols, my_col(t)),
                 left < t->k_block ? left : t->k_block);
        }
    }
}

/* Each rank's part of the outputs, out of my blocks of my rows' outputs. */
static void pack_outputs(const turn2d *r)
{
    const mosaic *t = r->t;
    span          rows = rows_of(r, my_row(t));
    size_t        width = width_c(t);
    float        *to = r->desk.sent;
    for (int s = 0; s < mesh_size(t->on); s++) {
        float *begin = to;
        for (runs w = runs_begin(t, true, s, my_col(t)); runs_next(&w);)
            for (int i = rows.first; i < rows.first + rows.len; i++, to += w.len)
                copy(to, r->desk.c + place_of(r, i) * width + w.local, w.len);
        r->desk.out_count[s] = (int)(to - begin);
    }
    for (int s = 0; s < mesh_size(t->on); s++)
        r->desk.in_count[s] = rows_of(r, s / t->on->cols).len *
                              runs_count(runs_begin(t, true, t->on->rank, s % t->on->cols));
}

static void unpack_outputs(const turn2d *r, float *out, const float *bias)
{
    const mosaic *t = r->t;
    int           mine = features_of(t, t->on->rank);
    const float  *from = r->desk.received;
    for (int s = 0; s < mesh_size(t->on); s++) {
        span rows = rows_of(r, s / t->on->cols);
        for (runs w = runs_begin(t, true, t->on->rank, s % t->on->cols); runs_next(&w);)
            for (int i = rows.first; i < rows.first + rows.len; i++, from += w.len)
                copy(out + (size_t)i * (size_t)mine + w.mine, from, w.len);
    }
    for (int i = 0; bias && i < r->rows; i++)
        for (int j = 0; j < mine; j++) out[(size_t)i * (size_t)mine + (size_t)j] += bias[j];
}

/* My part of the inputs, to the ranks in whose blocks they belong. */
static void pack_inputs(const turn2d *r, const float *in)
{
    const mosaic *t = r->t;
    int           mine = features_of(t, t->on->rank);
    float        *to = r->desk.sent;
    for (int s = 0; s < mesh_size(t->on); s++) {
        span   rows = rows_of(r, s / t->on->cols);
        float *begin = to;
        for (runs w = runs_begin(t, false, t->on->rank, s % t->on->cols); runs_next(&w);)
            for (int i = rows.first; i < rows.first + rows.len; i++, to += w.len)
                copy(to, in + (size_t)i * (size_t)mine + w.mine, w.len);
        r->desk.out_count[s] = (int)(to - begin);
    }
    for (int s = 0; s < mesh_size(t->on); s++)
        r->desk.in_count[s] =
            rows_of(r, my_row(t)).len * runs_count(runs_begin(t, false, s, my_col(t)));
}

static void unpack_inputs(const turn2d *r)
{
    const mosaic *t = r->t;
    span          rows = rows_of(r, my_row(t));
    size_t        width = width_b(t);
    const float  *from = r->desk.received;
    clear_b(r);
    for (int s = 0; s < mesh_size(t->on); s++)
        for (runs w = runs_begin(t, false, s, my_col(t)); runs_next(&w);)
            for (int i = rows.first; i < rows.first + rows.len; i++, from += w.len)
                copy(r->desk.b + place_of(r, i) * width + w.local, from, w.len);
}

/* Everybody's blocks of everybody's rows, to everybody. */
static status gather_outputs(const turn2d *r, float *out)
{
    const mosaic *t = r->t;
    span          rows = rows_of(r, my_row(t));
    size_t        width = width_c(t), widest = (size_t)cyclic_len(t->n, t->n_block, t->on->cols, 0);
    size_t        most = 0, each;
    for (int p = 0; p < t->on->rows; p++)
        if ((size_t)rows_of(r, p).len > most) most = (size_t)rows_of(r, p).len;
    each = most * widest;
    for (int i = 0; i < rows.len; i++)
        copy(r->desk.sent + (size_t)i * width, r->desk.c + place_of(r, rows.first + i) * width,
             (int)width);
    memset(r->desk.sent + (size_t)rows.len * width, 0,
           (each - (size_t)rows.len * width) * sizeof *r->desk.sent);
    TRY(comm_gather(t->on->ranks, r->desk.received, r->desk.sent, each * sizeof *out, EV_SPREAD));
    for (int s = 0; s < mesh_size(t->on); s++) {
        span theirs = rows_of(r, s / t->on->cols);
        int  q = s % t->on->cols, wide = cyclic_len(t->n, t->n_block, t->on->cols, q);
        for (int i = 0; i < theirs.len; i++) {
            const float *from = r->desk.received + (size_t)s * each + (size_t)i * (size_t)wide;
            float       *to = out + (size_t)(theirs.first + i) * (size_t)t->n;
            for (int l = 0; l < wide; l += t->n_block)
                copy(to + cyclic_global(l, t->n_block, t->on->cols, q), from + l,
                     wide - l < t->n_block ? wide - l : t->n_block);
        }
    }
    return DID_OK;
}

/* The next turn: the largest height that will be at least half full. */
static turn2d turn_begin(const mosaic *t, int left, arena *scratch)
{
    int i = t->n_heights - 1;
    while (i > 0 && left <= t->height[i].capacity / 2) i--;
    const mosaic_height *h = &t->height[i];
    return (turn2d){.t = t, .height = h, .desk = desk_take(t, h->m, scratch),
                     .rows = left < h->capacity ? left : h->capacity};
}

static status exchange(const turn2d *r)
{
    return comm_exchange(r->t->on->ranks, r->desk.received, r->desk.in_count, r->desk.sent,
                         r->desk.out_count, EV_SPREAD);
}

status mosaic_in(float *out, const float *in, const mosaic *t, const float *tiles,
                 const float *bias, int rows, arena *scratch)
{
    size_t mark = arena_mark(scratch), mine = (size_t)features_of(t, t->on->rank);
    status s = DID_OK;
    for (int done = 0; s == DID_OK && done < rows;) {
        turn2d r = turn_begin(t, rows - done, scratch);
        lay_whole(&r, in + (size_t)done * (size_t)t->k);
        s = mosaic_product(t, r.height->m, r.desk.c, tiles, r.desk.b);
        if (s == DID_OK) {
            pack_outputs(&r);
            s = exchange(&r);
        }
        if (s == DID_OK) unpack_outputs(&r, out + (size_t)done * mine, bias);
        done += r.rows;
        arena_release(scratch, mark);
    }
    return s;
}

status mosaic_out(float *out, const float *in, const mosaic *t, const float *tiles, int rows,
                  arena *scratch)
{
    size_t mark = arena_mark(scratch), mine = (size_t)features_of(t, t->on->rank);
    status s = DID_OK;
    for (int done = 0; s == DID_OK && done < rows;) {
        turn2d r = turn_begin(t, rows - done, scratch);
        pack_inputs(&r, in + (size_t)done * mine);
        s = exchange(&r);
        if (s == DID_OK) {
            unpack_inputs(&r);
            s = mosaic_product(t, r.height->m, r.desk.c, tiles, r.desk.b);
        }
        if (s == DID_OK) s = gather_outputs(&r, out + (size_t)done * (size_t)t->n);
        done += r.rows;
        arena_release(scratch, mark);
    }
    return s;
}
