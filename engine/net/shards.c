#include "shards.h"

#include <assert.h>
#include <string.h>

#include "addition.h"

span shards_part(int total, int unit, int i)
{
    long units = (total + unit - 1) / unit;
    int  from = (int)(units * i / SHARDS) * unit, to = (int)(units * (i + 1) / SHARDS) * unit;
    if (from > total) from = total;
    if (to > total) to = total;
    return (span){from, to - from};
}

span shards_of(int total, int unit, int r, int size)
{
    assert(SHARDS % size == 0);
    int  each = SHARDS / size;
    span first = shards_part(total, unit, r * each);
    span last = shards_part(total, unit, (r + 1) * each - 1);
    return (span){first.first, last.first + last.len - first.first};
}

/* Bytes of a row of the inputs of a product, in f32 or as an operand. */
static size_t row_bytes(const weight *w, int width)
{
    if (w->kernels->precision == PRECISION_BF16) return operand_bytes(w->kernels, width);
    return (size_t)width * sizeof(float);
}

size_t shards_bytes(int rows, int n, int k, int shards)
{
    size_t all = (size_t)(rows + PANEL_MAX);
    size_t bytes = arena_round(all * operand_bytes_max(k));
    for (; shards > 1; shards /= 2) bytes += arena_round(all * (size_t)n * sizeof(float));
    return bytes;
}

/* The product of one part, whose inputs lie among those of the others. */
static void apply_one(float *out, const char *in, const weight *w, const shard *s, int rows,
                      arena *scratch)
{
    size_t mark = arena_mark(scratch), from = row_bytes(w, w->k), to = row_bytes(w, s->whole.k);
    bool   narrow = w->kernels->precision == PRECISION_BF16;
    size_t each = narrow ? (size_t)w->kernels->left_bytes : sizeof(float);
    char  *mine = arena_take(scratch, (size_t)(rows + PANEL_MAX) * to);
    for (int i = 0; i < rows; i++) {
        size_t here = (size_t)s->whole.k * each;
        memcpy(mine + (size_t)i * to, in + (size_t)i * from + (size_t)s->first * each, here);
        memset(mine + (size_t)i * to + here, 0, to - here); /* an operand ends in zeros */
    }
    if (narrow) linear_apply_narrow(out, mine, &s->whole, NULL, rows, EPILOGUE_STORE);
    else linear_apply(out, (float *)mine, &s->whole, rows);
    arena_release(scratch, mark);
}

static void apply(float *out, const void *in, const weight *w, const shard *first, int n, int rows,
                  arena *scratch)
{
    if (n == 1) {
        apply_one(out, in, w, first, rows, scratch);
        return;
    }
    size_t mark = arena_mark(scratch);
    float *upper = arena_take(scratch, (size_t)(rows + PANEL_MAX) * (size_t)w->n * sizeof *upper);
    apply(out, in, w, first, n / 2, rows, scratch);
    apply(upper, in, w, first + n / 2, n / 2, rows, scratch);
    addition_two(out, upper, (size_t)rows * (size_t)w->n);
    arena_release(scratch, mark);
}

void shards_apply(float *out, const void *in, const weight *w, int rows, arena *scratch)
{
    apply(out, in, w, w->shards, w->n_shards, rows, scratch);
}
