#include "spanned.h"

#include "clock.h"
#include "hands.h"
#include "portion.h"

/* So many queries between two looks at what travels. */
enum { QUERIES = 192, QUERIES_UNIT = 32 };

static int tiles_of(const segment *g)
{
    return (g->to - 1) / KEY_TILE - g->from / KEY_TILE + 1;
}

static int tiles_most(int len)
{
    return (len + 2 * KEY_TILE - 2) / KEY_TILE;
}

size_t spanned_gather_bytes(int len, size_t tile_bytes)
{
    return 2 * (size_t)tiles_most(len) * tile_bytes;
}

size_t spanned_scratch_bytes(int len, size_t tile_bytes)
{
    return 2 * arena_round(spanned_gather_bytes(len, tile_bytes)) +
           2 * arena_round((size_t)tiles_most(len) * sizeof(void *));
}

/* The next spanned segment from `i` on; n_segments when there is none. */
static int next_segment(const pass *p, int i)
{
    while (i < p->n_segments && !pass_spanned(&p->segments[i])) i++;
    return i;
}

static bool any_left(const spanned *s)
{
    return s->segment < s->p->n_segments;
}

/* My keys and values of one head, in their places among the tiles of the whole. */
static void store_mine(const spanned *s, const segment *g, int head, char *tiles)
{
    int    hs = s->shape->head_size;
    size_t size = s->shape->tile_bytes;
    for (int j = 0; j < g->len; j++) {
        int    position = g->first + j;
        char  *tile = tiles + (size_t)(position / KEY_TILE - g->from / KEY_TILE) * 2 * size;
        size_t at = (size_t)(g->row + j) * (size_t)s->in->kv_stride + (size_t)head * (size_t)hs;
        s->k->key_store(tile, tile + size, s->in->k + at, s->in->v + at, position % KEY_TILE, hs);
    }
}

/* Begin to gather the head and segment that s stands at. */
static status begin_one(spanned *s)
{
    const segment *g = &s->p->segments[s->segment];
    gather_part    part[PORTION_ROWS_MAX];
    size_t         tile = 2 * s->shape->tile_bytes;
    int            now = s->turn % 2, first = g->from / KEY_TILE;
    for (int r = 0; r < s->rows; r++) {
        span his = portion_part(g->from, g->to - g->from, g->home, s->rows, r);
        int  begin = his.first / KEY_TILE, end = (his.first + his.len - 1) / KEY_TILE + 1;
        part[r] = (gather_part){0, 0};
        if (his.len > 0)
            part[r] = (gather_part){(size_t)(begin - first) * tile, (size_t)(end - begin) * tile};
    }
    store_mine(s, g, s->head, s->tiles[now]);
    return gather_begin(s->under_way[now], s->tiles[now], part, EV_KEYS);
}

static void step(spanned *s)
{
    s->turn++;
    if (++s->head < s->shape->heads) return;
    s->head = 0;
    s->segment = next_segment(s->p, s->segment + 1);
}

status spanned_begin(spanned *s, const pass *p, const projections *in, const kvshape *shape,
                     arena *scratch, const kernels *k)
{
    int most = 0;
    s->p = p;
    s->in = in;
    s->shape = shape;
    s->k = k;
    s->head = s->turn = 0;
    s->segment = next_segment(p, 0);
    for (int i = s->segment; i < p->n_segments; i = next_segment(p, i + 1))
        if (tiles_of(&p->segments[i]) > most) most = tiles_of(&p->segments[i]);
    if (!any_left(s) || shape->heads == 0) return DID_OK;
    for (int i = 0; i < 2; i++)
        s->tiles[i] = arena_take(scratch, 2 * (size_t)most * shape->tile_bytes);
    s->k_tile = arena_take(scratch, (size_t)most * sizeof *s->k_tile);
    s->v_tile = arena_take(scratch, (size_t)most * sizeof *s->v_tile);
    return begin_one(s);
}

/* Queries of one head that threads share. */
typedef struct queries {
    const kernels   *k;
    const key_tiles *keys;
    float           *out;
    const float     *q;
    int              out_stride, q_stride, head_size;
} queries;

static void attend_queries(void *context, int thread, int from, int to)
{
    const queries *x = context;
    (void)thread;
    x->k->attend(x->out + (size_t)from * (size_t)x->out_stride, x->out_stride,
                 x->q + (size_t)from * (size_t)x->q_stride, x->q_stride, to - from, x->keys,
                 x->head_size);
}

/* One head of one segment, of which all tiles are here; `next` is the gather that is under way. */
static status attend(spanned *s, float *out, const segment *g, int head, char *tiles, gather *next)
{
    const projections *in = s->in;
    int    hs = s->shape->head_size, stride = s->shape->heads * hs, n = tiles_of(g);
    int    row = in->asked_only ? g->ask : g->row, rows = in->asked_only ? g->n_asks : g->len;
    size_t at = (size_t)head * (size_t)hs, size = s->shape->tile_bytes;
    for (int t = 0; t < n; t++) {
        s->k_tile[t] = tiles + (size_t)t * 2 * size;
        s->v_tile[t] = tiles + ((size_t)t * 2 + 1) * size;
    }
    key_tiles keys = {s->k_tile, s->v_tile, g->from / KEY_TILE, n, g->from, g->to};
    for (int done = 0; done < rows; done += QUERIES) {
        int     some = rows - done < QUERIES ? rows - done : QUERIES;
        size_t  first = (size_t)(row + done);
        queries q = {s->k, &keys, out + first * (size_t)stride + at,
                     in->q + first * (size_t)in->q_stride + at, stride, in->q_stride, hs};
        hands_share(some, QUERIES_UNIT, attend_queries, &q);
        TRY(gather_poll(next));
    }
    return DID_OK;
}

status spanned_end(spanned *s, float *out, double *waited)
{
    while (any_left(s) && s->shape->heads > 0) {
        const segment *g = &s->p->segments[s->segment];
        int            head = s->head, now = s->turn % 2;
        double         since = clock_seconds();
        TRY(gather_end(s->under_way[now]));
        *waited += clock_seconds() - since;
        step(s);
        if (any_left(s)) TRY(begin_one(s));
        TRY(attend(s, out, g, head, s->tiles[now], s->under_way[!now]));
    }
    return DID_OK;
}
