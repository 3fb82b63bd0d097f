#include "keywork.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "noise.h"

/* Sets of tiles, K and V of tile t of a set at sets[(2 t + v) * size]. */
typedef struct keywork {
    keywork_kind  kind;
    int           rows, keys, head_size, tiles, copies, turn;
    size_t        tile, set;   /* words of four bytes */
    float        *sets;        /* [copies][tiles][2] tiles */
    float        *q, *out;     /* [rows][head_size] */
    float        *key, *value; /* [keys][head_size], what is in the tiles */
    const void  **k, **v;      /* [tiles] of the set whose turn it is */
} keywork;

/* In units of verdict.h: what the tests of the kernels ask of attention; and where queries and
 * weights are rounded to the 8 bits of bf16, four times that rounding. */
static const double TOLERANCE = 34, TOLERANCE_NARROW = 4 * 65536;

static const char *const names[KEYWORK_COUNT] = {"key_store", "key_copy", "attend"};

const char *keywork_name(keywork_kind kind)
{
    return names[kind];
}

static float *tile_at(const keywork *w, float *sets, int t, int v)
{
    return sets + (size_t)(2 * t + v) * w->tile;
}

static void store(const kernels *k, const keywork *w, float *sets, int from, int to)
{
    for (int p = from; p < to; p++) {
        size_t at = (size_t)p * (size_t)w->head_size;
        k->key_store(tile_at(w, sets, p / KEY_TILE, 0), tile_at(w, sets, p / KEY_TILE, 1),
                     w->key + at, w->value + at, p % KEY_TILE, w->head_size);
    }
}

/* All queries over positions [0, keys) of the set at `sets`. */
static void attend(const kernels *k, const keywork *w, float *sets, int keys, float *out)
{
    int       hs = w->head_size;
    key_tiles seen = {w->k, w->v, 0, (keys + KEY_TILE - 1) / KEY_TILE, 0, keys};
    for (int t = 0; t < seen.n_tiles; t++) {
        w->k[t] = tile_at(w, sets, t, 0);
        w->v[t] = tile_at(w, sets, t, 1);
    }
    k->attend(out, hs, w->q, hs, w->rows, &seen, hs);
}

static float *next_set(keywork *w)
{
    float *sets = w->sets + (size_t)w->turn * w->set;
    w->turn = (w->turn + 1) % w->copies;
    return sets;
}

static void run_attend(exercise *x)
{
    keywork *w = x->own;
    attend(x->kernels, w, next_set(w), w->keys, w->out);
}

static void run_store(exercise *x)
{
    keywork *w = x->own;
    store(x->kernels, w, next_set(w), 0, w->rows);
}

/* From the first tile of a set to the second. */
static void run_copy(exercise *x)
{
    keywork *w = x->own;
    float   *set = next_set(w);
    x->kernels->key_copy(tile_at(w, set, 1, 0), tile_at(w, set, 1, 1), tile_at(w, set, 0, 0),
                         tile_at(w, set, 0, 1), KEY_TILE - 1, w->head_size);
}

/* Not-a-number wherever the next call is to write. */
static void poison(keywork *w)
{
    if (w->kind == KEYWORK_STORE) memset(w->sets, 0xff, w->set * sizeof *w->sets);
    if (w->kind == KEYWORK_COPY)
        memset(tile_at(w, w->sets, 1, 0), 0xff, 2 * w->tile * sizeof(float));
}

/* A tile's order is the set's own affair; what attention makes of it is not. A copy is completed by
 * its last key, and looked at alone. */
static void check(exercise *x, verdict *v)
{
    keywork *w = x->own;
    size_t   n = (size_t)w->rows * (size_t)w->head_size;
    float   *sets = malloc(w->set * sizeof *sets), *want = malloc(n * sizeof *want);
    if (sets && want) {
        const kernels *ref = kernels_of(x->kernels->precision, "ref");
        float         *first = w->sets;
        int            keys = w->kind == KEYWORK_COPY ? KEY_TILE : w->keys;
        w->turn = 0;
        poison(w);
        x->run(x);
        if (w->kind == KEYWORK_COPY) {
            size_t last = (KEY_TILE - 1) * (size_t)w->head_size;
            first = tile_at(w, w->sets, 1, 0);
            x->kernels->key_store(first, first + w->tile, w->key + last, w->value + last,
                                  KEY_TILE - 1, w->head_size);
        }
        attend(x->kernels, w, first, keys, w->out);
        store(ref, w, sets, 0, keys);
        attend(ref, w, sets, keys, want);
        verdict_floats(v, w->out, want, n, 1,
                       x->kernels->left_bytes == 2 ? TOLERANCE_NARROW : TOLERANCE, "an element");
    } else verdict_wrong(v, "no memory to check with");
    free(sets);
    free(want);
}

static void describe(exercise *x, const keywork *w)
{
    double one = (double)w->head_size * sizeof(float), floats = 0, key = one;
    if (x->kernels->precision == PRECISION_BF16) key /= 2;
    x->op = names[w->kind];
    x->rows = w->kind == KEYWORK_COPY ? KEY_TILE - 1 : w->rows;
    x->check = check;
    x->working_set = (size_t)w->copies * w->set * sizeof(float);
    switch (w->kind) {
    case KEYWORK_STORE:
        x->run = run_store;
        floats = 2.0 * w->rows * key / one;
        break;
    case KEYWORK_COPY:
        x->run = run_copy;
        floats = 2.0 * (KEY_TILE - 1) * key / one;
        break;
    default:
        x->run = run_attend;
        x->flops = 4.0 * w->rows * w->keys * w->head_size;
        floats = 2.0 * w->keys * key / one + w->rows;
    }
    x->bytes = floats * one;
    if (w->kind == KEYWORK_ATTEND)
        snprintf(x->shape, sizeof x->shape, "%d keys of %d", w->keys, w->head_size);
    else snprintf(x->shape, sizeof x->shape, "keys of %d", w->head_size);
}

static bool borrowed(const kernels *k, keywork_kind kind)
{
    const kernels *ref = kernels_of(k->precision, "ref");
    if (kind == KEYWORK_STORE) return k->key_store == ref->key_store;
    return kind == KEYWORK_COPY ? k->key_copy == ref->key_copy : k->attend == ref->attend;
}

/* Every set holds the same keys: where they lie is what differs. */
static void fill(keywork *w, const kernels *k, int seed)
{
    size_t   n = (size_t)w->tiles * KEY_TILE * (size_t)w->head_size;
    uint64_t first = (uint64_t)seed << 32;
    noise_fill(w->key, n, 9, first, 0, 1);
    noise_fill(w->value, n, 10, first, 0, 1);
    noise_fill(w->q, (size_t)w->rows * (size_t)w->head_size, 11, first, 0, 1);
    store(k, w, w->sets, 0, w->tiles * KEY_TILE);
    for (int i = 1; i < w->copies; i++)
        memcpy(w->sets + (size_t)i * w->set, w->sets, w->set * sizeof *w->sets);
}

status keywork_open(exercise *x, const kernels *k, keywork_kind kind, int rows, int keys,
                    int head_size, size_t rotate_bytes, int seed)
{
    keywork w = {.kind = kind, .rows = rows, .head_size = head_size};
    w.keys = kind == KEYWORK_ATTEND ? keys : kind == KEYWORK_STORE ? rows : 2 * KEY_TILE;
    w.tiles = (w.keys + KEY_TILE - 1) / KEY_TILE;
    w.tile = key_tile_bytes(k->precision, head_size) / sizeof(float);
    w.set = 2 * (size_t)w.tiles * w.tile;
    w.copies = (int)(rotate_bytes / (w.set * sizeof(float))) + 1;
    size_t n = (size_t)w.tiles * KEY_TILE * (size_t)head_size, q = (size_t)rows * (size_t)head_size;
    size_t lists = 2 * (size_t)w.tiles * sizeof(float *) / sizeof(float);
    *x = (exercise){.kernels = k, .borrowed = borrowed(k, kind)};
    TRY(exercise_open(x, sizeof w, (size_t)w.copies * w.set + 2 * n + 2 * q + lists));
    w.sets = exercise_floats(x, (size_t)w.copies * w.set);
    w.key = exercise_floats(x, n);
    w.value = exercise_floats(x, n);
    w.q = exercise_floats(x, q);
    w.out = exercise_floats(x, q);
    w.k = arena_take(&x->memory, (size_t)w.tiles * sizeof *w.k);
    w.v = arena_take(&x->memory, (size_t)w.tiles * sizeof *w.v);
    fill(&w, k, seed);
    *(keywork *)x->own = w;
    describe(x, x->own);
    return DID_OK;
}
