/* tensor.h - what a stored array is: its name, its number format, its shape.
 *
 * Source: the dtypes of the safetensors format that language models use. Where its bytes lie is
 * checkpoint's business. */
#ifndef DID_TENSOR_H
#define DID_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* format, bytes per element */
#define DTYPE_MAP(X) X(F32, 4) X(BF16, 2) X(F16, 2) X(I32, 4) X(U8, 1) X(I64, 8) X(F64, 8)

enum { TENSOR_DIMS_MAX = 4 };
typedef enum {
#define X(name, width) DTYPE_##name,
    DTYPE_MAP(X)
#undef X
} dtype;

typedef struct tensor {
    const char *name;  /* as in the file, "_orig_mod." parts removed */
    dtype       type;
    int         n_dims;
    int64_t     dim[TENSOR_DIMS_MAX];
} tensor;

/* The name of a tensor as we keep it, from `key` in the file `where`: the parts "_orig_mod.",
 * which training checkpoints of compiled modules carry, are taken out (whole parts only;
 * "my_orig_mod.x" keeps its name). The caller frees *out. Fails DID_EFORMAT on a name that is
 * empty, long or not printable, since names appear in sentences; DID_ENOMEM. Local. */
status tensor_name_read(char **out, const char *key, const char *where);

/* A format by the name files give it ("BF16"); false when it is none of ours. Local. */
bool tensor_dtype_find(dtype *out, const char *name);

const char *tensor_dtype_name(dtype type);   /* "BF16" */
size_t      tensor_dtype_width(dtype type);  /* bytes per element */
bool        tensor_dtype_widens(dtype type); /* F32, BF16, F16: each value is exact as an f32 */

/* A tensor seen as a matrix [dim0, product of the rest]; a vector is one row, a scalar 1 x 1.
 * Local. */
int64_t tensor_rows(const tensor *t);
int64_t tensor_cols(const tensor *t);

/* Bytes of the whole tensor, or -1 when they cannot be counted in 63 bits. Local. */
int64_t tensor_bytes(const tensor *t);

/* out[n] from n little-endian values of a type that widens. `raw` may be the last n * width bytes
 * of out itself, so that a narrow type needs no second buffer; it overlaps out in no other way.
 * Local. */
void tensor_widen(float *out, const void *raw, dtype type, size_t n);

#endif
