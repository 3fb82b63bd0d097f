/* kernels.h - arithmetic on plain arrays, chosen once for the CPU at hand.
 *
 * A kernel sees arrays and integers. It cannot fail, allocate, log, lock or communicate. `ref` is C
 * plain enough to read aloud and is the oracle of the tests; every other set overrides what it does
 * better, in its own file with its own compiler flags.
 *
 * The law of this room: the bits of a row never depend on how many rows came with it, on where it
 * stands among them, or on what the others hold. A BLAS does not know this law: OpenBLAS adds the
 * rows of a group in different orders on its Haswell and Zen cores, and no panel height helps there.
 * So the wide sets bring a product of their own, and the set "blas", which is held to the law by
 * trying heights, is the yardstick beside them. All matrices are row-major f32, but for what bf16.h
 * describes: in bf16 a set multiplies packed weights by operands, and keeps keys and values in half
 * the bytes; sums, and whatever works row by row, are f32 there too. */
#ifndef DID_KERNELS_H
#define DID_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    KEY_TILE  = 64,  /* positions per key tile; tiles are cut at absolute multiples of it */
    KEY_LANES = 16,  /* a value of bf16 is padded to a multiple of it */
    HEAD_MAX  = 256, /* the widest head `attend` takes; any even width up to it will do */
    COLUMNS_MAX = 64 /* no panel of a packed weight is wider, and each width divides it */
};

/* Of what is multiplied; what is added up is f32 or better. */
typedef enum precision { PRECISION_F32, PRECISION_BF16 } precision;

/* What becomes of a product: out = it + bias; an operand, gelu(it + bias); or out += it + bias. */
typedef enum epilogue { EPILOGUE_STORE, EPILOGUE_GELU, EPILOGUE_ADD } epilogue;

/* How the rows of a query see their keys: one list of consecutive key tiles of one head. Tile i
 * holds the absolute positions first_tile * KEY_TILE + i * KEY_TILE ... ; of all of them the
 * queries see positions [from, to) and nothing else. A tile holds key_tile_bytes() for K and as many
 * for V, in the kernel set's own order, written by key_store. */
typedef struct key_tiles {
    const void *const *k;
    const void *const *v;
    int first_tile, n_tiles;
    int from, to;  /* absolute positions; every tile overlaps [from, to) */
} key_tiles;

typedef struct kernels {
    const char *name;       /* printed at start-up */
    precision   precision;
    bool        any_height; /* linear is right at any number of rows, and for any slice of w */

    /* c[rows, n] = a[rows, k] * w[n, k]^T (+ bias[n] unless NULL). Leading dimensions are n and k;
     * w is as stored. Without any_height, `rows` is a panel height that linear_panel() approved for
     * this n, k. */
    void (*linear)(float *c, const float *a, const float *w, const float *bias, int rows, int n,
                   int k);

    /* out[rows, d] = (x - mean) / sqrt(var + 1e-5), then * scale[d] + shift[d] where not NULL.
     * Biased variance; out may be x. */
    void (*norm)(float *out, const float *x, const float *scale, const float *shift, int rows,
                 int d);

    /* x[rows, d] = gelu(x), the tanh approximation. */
    void (*gelu)(float *x, int rows, int d);

    /* x[rows, d] += gate[d] * (part[rows, d] + bias[d]); gate and bias may be NULL (1 and 0). */
    void (*residual)(float *x, const float *part, const float *gate, const float *bias, int rows,
                     int d);

    /* Rotate one head in place, half-split form: x[rows, stride], the first `head_size` of each
     * row. cosine and sine are [rows, head_size / 2]: one angle row per x row. */
    void (*rotate)(float *x, int stride, const float *cosine, const float *sine, int rows,
                   int head_size);

    /* Put one key (already rotated) and one value into place 0 <= slot < KEY_TILE of a tile. */
    void (*key_store)(void *k_tile, void *v_tile, const float *k, const float *v, int slot,
                      int head_size);

    /* Copy places [0, slots) of a tile from another: the cached part of a tile that a probe
     * continues in its own scratch. */
    void (*key_copy)(void *k_tile, void *v_tile, const void *k_from, const void *v_from, int slots,
                     int head_size);

    /* out[rows, out_stride] = softmax(q k^T / sqrt(head_size)) v for one head; q[rows, q_stride].
     * All rows see the same keys. Online softmax over tiles, f32 accumulators (f64 in ref); the
     * L x L matrix never exists. Places outside [from, to) may hold anything, NaN included. */
    void (*attend)(float *out, int out_stride, const float *q, int q_stride, int rows,
                   const key_tiles *keys, int head_size);

    /* max over x[n], skipping index `skip` (-1: none) and any NaN; n may be 0 (-INFINITY). */
    float (*max)(const float *x, int n, int skip);

    /* weight[i] = exp(scale * ((double)x[i] - peak)), 0 at index `skip` (-1: none); returns their
     * sum, taken in chunks of 1024 in ascending order: the same data, the same bits. In f64. */
    double (*exponentials)(double *weight, const float *x, float peak, double scale, int n,
                           int skip);

    /* What follows is there in sets of bf16 alone. A row of an operand is k numbers, and one more
     * where k is odd, each of left_bytes; with left_lines, rows begin an odd number of cache lines
     * apart. `columns` is the width of a panel of a packed weight. */
    int  columns, left_bytes;
    bool left_lines;

    /* out[rows] = x[rows, k] rounded to bf16, as an operand. Nothing overlaps. */
    void (*operand)(void *out, const float *x, int rows, int k);

    /* Columns [from, to) of the product of a[rows], an operand of k, with w[n, k], packed with this
     * set's columns. In `out`, as `e` says, f32 [rows, n] or an operand of n. Any number of rows;
     * `from` begins a panel, `to` ends one or is n; bias may be NULL. */
    void (*linear_packed)(void *out, const void *a, const void *w, const float *bias, int rows,
                          int n, int from, int to, int k, epilogue e);

    /* The multiplications of linear_packed with everything in registers, `rounds` times over: how
     * many operations that was. sink has room for PAIRS_SINK floats. It is what a bench takes for
     * the limit; NULL where that is the multiply-add of f32. */
    double (*pairs_only)(float *sink, int rounds);
} kernels;

enum { PAIRS_SINK = 192 };

/* Bytes of one K tile (and of one V tile), in every set of a precision. Local. */
size_t key_tile_bytes(precision p, int head_size);

/* Bytes of a packed weight, in every set; of a row of an operand, in this one and in any. Local. */
size_t packed_bytes(int n, int k);
size_t operand_bytes(const kernels *k, int width);
size_t operand_bytes_max(int width);

/* The set of a precision named `name`, or the best for this CPU when NULL. NULL when this CPU lacks
 * it or nobody knows it. Local. */
const kernels *kernels_of(precision p, const char *name);

/* The names this CPU can run, best first, NULL-terminated: in f32 of "avx512", "avx2", "blas" (the
 * best of the others with the linear of the BLAS) and "ref" the ones it has; in bf16 of "amx",
 * "avx512bf16", "avx512", "avx2" and "ref". Local. */
const char *const *kernels_names(precision p);

/* Why a set that this CPU has is not among them, in one sentence, or "". Before "amx" is offered it
 * multiplies and attends a little, and has to agree with ref (trial.h). Local. */
const char *kernels_refused(void);

/* The same in f32. Local. */
const kernels     *kernels_find(const char *name);
const char *const *kernels_available(void);

/* Heights of the row panels that `linear` may be given for a weight [n, k]: `small` for few rows,
 * `large` for many (a multiple of small). A BLAS picks its code by shape, so both heights were
 * tried out here and gave every row the same bits wherever it stood. `verified` is false when no
 * height passed and `linear` must not be used: take ref's. A set with any_height needs no trial;
 * the heights are then merely good ones, and nothing has to be padded to them. */
typedef struct panel {
    int  small, large;
    bool verified;
} panel;

/* Runs a few small products, unless k->any_height; `scratch` holds panel_scratch_floats(n, k_dim)
 * then. Local. */
panel  linear_panel(const kernels *k, int n, int k_dim, float *scratch);
size_t panel_scratch_floats(int n, int k_dim);

enum { PANEL_MAX = 192 };

/* The BLAS library and core it chose, for the log and, where the set is "blas", the numeric
 * signature. Local. */
const char *kernels_blas(void);

/* CPU features that matter here, in one line, for --version. Local. */
const char *kernels_cpu(void);

#endif
