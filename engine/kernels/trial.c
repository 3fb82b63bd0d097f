#include "trial.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bf16.h"

/* More than one block of rows and one piece of the weight, and an end of every kind: rows and
 * columns that fill no tile, k that fills no step, keys that begin and end inside a tile. */
enum { ROWS = 51, N = 297, K = 422, HEAD = 72, FROM = 37, TO = 350, TILES = TO / KEY_TILE + 1 };

/* A term left out or taken twice changes sums of this size by tenths, honest rounding by
 * millionths; what was rounded to bf16 by a few thousandths. */
static const float SUM_OFF = 1e-4f, ROUNDED_OFF = 2e-2f;

typedef struct trial {
    float   x[ROWS * N], w[N * K], a[ROWS * K], bias[N], old[ROWS * N];
    float   key[HEAD], value[HEAD];
    uint64_t state;
    char   *why;
    size_t  size;
} trial;

static float draw(trial *t)
{
    t->state = t->state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(t->state >> 32) * 0x1p-31f;
}

static void draw_many(trial *t, float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = draw(t);
}

static bool close_to(trial *t, const char *what, float got, float want, float off, size_t i)
{
    if (fabsf(got - want) <= off * fmaxf(1, fabsf(want))) return true;
    snprintf(t->why, t->size, "element %zu of %s is %.6g where ref has %.6g", i, what, got, want);
    return false;
}

static bool no_memory(trial *t)
{
    snprintf(t->why, t->size, "no memory to try it");
    return false;
}

/* The whole product by one set, its weight packed as the set wants it, in two parts as two threads
 * would. NULL without memory; the caller frees. */
static void *multiply(const trial *t, const kernels *k, epilogue e)
{
    size_t out_row = e == EPILOGUE_GELU ? operand_bytes(k, N) : N * sizeof(float);
    void  *w = calloc(1, packed_bytes(N, K)), *a = calloc(ROWS, operand_bytes(k, K));
    void  *out = calloc(ROWS, out_row);
    if (w && a && out) {
        bf16_pack(w, t->w, 0, N, K, k->columns);
        k->operand(a, t->a, ROWS, K);
        if (e == EPILOGUE_ADD) memcpy(out, t->old, sizeof t->old);
        k->linear_packed(out, a, w, t->bias, ROWS, N, 0, COLUMNS_MAX, K, e);
        k->linear_packed(out, a, w, t->bias, ROWS, N, COLUMNS_MAX, N, K, e);
    } else {
        free(out);
        out = NULL;
    }
    free(a);
    free(w);
    return out;
}

static float element(const kernels *k, const void *out, int row, int column, epilogue e)
{
    if (e != EPILOGUE_GELU) return ((const float *)out)[row * N + column];
    const char *at = (const char *)out + (size_t)row * operand_bytes(k, N);
    if (k->left_bytes == sizeof(float)) return ((const float *)(const void *)at)[column];
    return half_widen(((const uint16_t *)(const void *)at)[column]);
}

static bool product_passes(trial *t, const kernels *k, const kernels *ref, epilogue e)
{
    static const char *const what[] = {"a product", "a product's gelu", "a product added"};
    float off = e == EPILOGUE_GELU ? ROUNDED_OFF : SUM_OFF;
    void *got = multiply(t, k, e), *want = multiply(t, ref, e);
    bool  same = got && want ? true : no_memory(t);
    for (int i = 0; same && i < ROWS * N; i++)
        same = close_to(t, what[e], element(k, got, i / N, i % N, e),
                        element(ref, want, i / N, i % N, e), off, (size_t)i);
    free(got);
    free(want);
    return same;
}

/* Attention of queries t->a over keys that are the same for every set. False without memory. */
static bool attend(trial *t, const kernels *k, float *out)
{
    size_t      size = key_tile_bytes(PRECISION_BF16, HEAD);
    char       *tiles = calloc(2 * TILES, size);
    const void *k_tile[TILES], *v_tile[TILES];
    key_tiles   keys = {k_tile, v_tile, FROM / KEY_TILE, 0, FROM, TO};
    if (!tiles) return false;
    t->state = 5;
    for (int position = FROM; position < TO; position++) {
        int   tile = position / KEY_TILE - keys.first_tile;
        char *at = tiles + 2 * (size_t)tile * size;
        draw_many(t, t->key, HEAD);
        draw_many(t, t->value, HEAD);
        k->key_store(at, at + size, t->key, t->value, position % KEY_TILE, HEAD);
        k_tile[tile] = at;
        v_tile[tile] = at + size;
        keys.n_tiles = tile + 1;
    }
    k->attend(out, HEAD, t->a, K, ROWS, &keys, HEAD);
    free(tiles);
    return true;
}

static bool attention_passes(trial *t, const kernels *k, const kernels *ref)
{
    float *got = t->x, *want = t->old;
    bool   same = attend(t, k, got) && attend(t, ref, want) ? true : no_memory(t);
    for (int i = 0; same && i < ROWS * HEAD; i++)
        same = close_to(t, "attention", got[i], want[i], ROUNDED_OFF, (size_t)i);
    return same;
}

bool trial_passes(const kernels *k, const kernels *ref, char *why, size_t size)
{
    trial *t = calloc(1, sizeof *t);
    snprintf(why, size, "no memory to try it");
    if (!t) return false;
    t->state = 1;
    t->why   = why;
    t->size  = size;
    draw_many(t, t->a, ROWS * K);
    draw_many(t, t->w, N * K);
    draw_many(t, t->bias, N);
    draw_many(t, t->old, ROWS * N);
    bool same = true;
    for (epilogue e = EPILOGUE_STORE; same && e <= EPILOGUE_ADD; e++)
        same = product_passes(t, k, ref, e);
    same = same && attention_passes(t, k, ref);
    free(t);
    return same;
}
