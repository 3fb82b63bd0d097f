#include "places.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cyclic.h"

/* Two orders of one sum agree in their bits about one time in three; many sums do not. */
enum { SUMS_WANTED = 256, ROUNDS_MAX = 4 };

typedef struct trial {
    mosaic *t;
    float  *tiles;
    float  *b, *c;
    float  *first;   /* [ROUNDS_MAX][ranks][widest] outputs of each rank's first place, least height */
    float  *mine;    /* [widest] */
    char   *same;    /* [m] places of my row of the mesh that agree so far, here */
    char   *all;     /* [ranks][m] */
    int     widest;  /* outputs of the rank that has most */
} trial;

/* A float in [-1, 1) from a number: splitmix64. */
static float noise(uint64_t x)
{
    x = (x + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (float)((x ^ x >> 31) >> 40) * 0x1p-23f - 1;
}

static int most_rows(const mosaic *t)
{
    int m = 0;
    for (int i = 0; i < t->n_heights; i++)
        if (t->height[i].m > m) m = t->height[i].m;
    return m;
}

static status trial_open(trial *x, mosaic *t, float *tiles)
{
    size_t m = (size_t)most_rows(t), ranks = (size_t)mesh_size(t->on);
    size_t inputs = (size_t)cyclic_len(t->k, t->k_block, t->on->cols, 0);
    *x = (trial){.t = t, .tiles = tiles};
    x->widest = cyclic_len(t->n, t->n_block, t->on->cols, 0);
    size_t outputs = (size_t)x->widest;
    x->b = malloc(m * inputs * sizeof *x->b + 1);
    x->c = malloc(m * outputs * sizeof *x->c + 1);
    x->first = malloc(ROUNDS_MAX * ranks * outputs * sizeof *x->first);
    x->mine = calloc(outputs, sizeof *x->mine);
    x->same = malloc(m);
    x->all = malloc(ranks * m);
    status s = DID_OK;
    if (!x->b || !x->c || !x->first || !x->mine || !x->same || !x->all)
        s = status_fail(DID_ENOMEM, "no memory to try out the places of a product");
    return comm_agree(t->on->ranks, s);
}

static void trial_close(trial *x)
{
    free(x->b);
    free(x->c);
    free(x->first);
    free(x->mine);
    free(x->same);
    free(x->all);
}

static int here(const mosaic *t, int n, int block)
{
    return cyclic_len(n, block, t->on->cols, t->on->rank % t->on->cols);
}

/* Random weights, and in every place the same random row. */
static void lay(trial *x, int m, int round)
{
    const mosaic *t = x->t;
    int           q = t->on->rank % t->on->cols, inputs = here(t, t->k, t->k_block);
    size_t        n = (size_t)here(t, t->stored, t->n_block) *
               (size_t)cyclic_len(t->k, t->k_block, t->on->rows, t->on->rank / t->on->cols);
    for (size_t i = 0; i < n; i++)
        x->tiles[i] = noise(((uint64_t)t->on->rank << 40) + i + ((uint64_t)round << 56));
    for (int l = 0; l < inputs; l++) {
        int   global = cyclic_global(l, t->k_block, t->on->cols, q);
        float value = noise((uint64_t)global + ((uint64_t)(round + 1) << 32));
        for (int j = 0; j < m; j++) x->b[(size_t)j * (size_t)inputs + (size_t)l] = value;
    }
}

/* One product at height `h`; the first of all sets the bits that others are held to. */
static status run(trial *x, const mosaic_height *h, int round, bool sets)
{
    mosaic *t = x->t;
    size_t  outputs = (size_t)here(t, t->n, t->n_block), bytes = outputs * sizeof *x->c;
    int     q = t->on->rank % t->on->cols;
    float  *first = x->first + (size_t)(round * mesh_size(t->on)) * (size_t)x->widest;
    lay(x, h->m, round);
    TRY(mosaic_product(t, h->m, x->c, x->tiles, x->b));
    if (sets) {
        memcpy(x->mine, x->c, bytes);
        TRY(comm_gather(t->on->ranks, first, x->mine, (size_t)x->widest * sizeof *x->mine,
                        EV_SETUP));
    }
    /* Rank q stands in the first row of the mesh and has the outputs that I have. */
    const float *want = first + (size_t)q * (size_t)x->widest;
    for (int j = 0; j < h->m; j++)
        if (memcmp(x->c + (size_t)j * outputs, want, bytes) != 0) x->same[j] = 0;
    return DID_OK;
}

/* Keep the places that agree on every rank of their row of the mesh. */
static status keep(trial *x, mosaic_height *h)
{
    const mesh *on = x->t->on;
    size_t      m = (size_t)h->m;
    int         n = 0;
    TRY(comm_gather(on->ranks, x->all, x->same, m, EV_SETUP));
    for (int p = 0; p < on->rows; p++) {
        h->start[p] = n;
        for (int j = 0; j < h->m; j++) {
            bool same = true;
            for (int q = 0; q < on->cols; q++)
                same = same && x->all[(size_t)(p * on->cols + q) * m + (size_t)j];
            if (same) h->place[n++] = p * h->m + j;
        }
    }
    h->start[on->rows] = h->capacity = n;
    return DID_OK;
}

/* A smaller height that holds as many rows does the same for less. */
static void drop_useless(mosaic *t)
{
    int kept = 1;
    for (int i = 1; i < t->n_heights; i++) {
        mosaic_height h = t->height[i];
        if (h.capacity <= t->height[kept - 1].capacity) continue;
        t->height[i] = t->height[kept];
        t->height[kept++] = h;
    }
    t->n_heights = kept;
}

status places_find(mosaic *t, float *tiles)
{
    trial  x;
    status s = trial_open(&x, t, tiles);
    int    rounds = (SUMS_WANTED + t->n - 1) / t->n;
    if (rounds > ROUNDS_MAX) rounds = ROUNDS_MAX;
    for (int i = 0; s == DID_OK && i < t->n_heights; i++) {
        memset(x.same, 1, (size_t)t->height[i].m);
        for (int round = 0; s == DID_OK && round < rounds; round++)
            s = run(&x, &t->height[i], round, i == 0);
        if (s == DID_OK) s = keep(&x, &t->height[i]);
    }
    if (s == DID_OK) drop_useless(t);
    trial_close(&x);
    return s;
}
