/* checkpoint.h - a directory of safetensors files, opened and proved before a byte is believed.
 *
 * Source: the safetensors format (8 bytes header length, JSON header, data), and Hugging Face's
 * model.safetensors.index.json for checkpoints in several files. The header is checked whole: its
 * size, its JSON, every dtype and shape, overflow, overlaps, holes, truncation, duplicate names.
 * Data is read with pread, slice by slice: a rank reads its own bytes and, between narrow columns,
 * little more. */
#ifndef DID_CHECKPOINT_H
#define DID_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "tensor.h"

typedef struct checkpoint checkpoint;

/* Open DIR/model.safetensors, or where that is absent the files named by
 * DIR/model.safetensors.index.json, which then names every tensor of these files and the file it
 * is in. Fails DID_EIO or DID_EFORMAT with file, tensor, found and expected. Local. */
status checkpoint_open(checkpoint **out, const char *dir);

/* Open one safetensors file. Local. */
status checkpoint_open_file(checkpoint **out, const char *path);
void   checkpoint_close(checkpoint **c);

int           checkpoint_count(const checkpoint *c);
const tensor *checkpoint_tensor(const checkpoint *c, int i);          /* 0 .. count - 1, by name */
const tensor *checkpoint_find(const checkpoint *c, const char *name); /* NULL when absent */

/* Read rows [row0, row0 + rows) and columns [col0, col0 + cols) of a tensor seen as a matrix
 * [dim0, product of the rest] (a vector is one row), widened from F32 / BF16 / F16 to f32, into
 * out[rows * cols] row-major. The slice lies inside the tensor (an assert). Fails DID_EIO on a
 * short read, DID_EFORMAT when the tensor is of another type. Local; several threads may read at
 * once. */
status checkpoint_read(const checkpoint *c, const tensor *t, int64_t row0, int64_t rows,
                       int64_t col0, int64_t cols, float *out);

/* Raw little-endian bytes of a whole tensor, for integer tensors. Fails DID_EFORMAT when the tensor
 * does not have just `bytes`, DID_EIO on a short read. Local. */
status checkpoint_read_raw(const checkpoint *c, const tensor *t, void *out, size_t bytes);

/* A hash (64 bits) of all names, types, shapes and data: the model's identity in results. How the
 * model is cut into files and in which order does not matter. Reads the whole data once. Fails
 * DID_EIO, DID_ENOMEM. Local. */
status checkpoint_hash(const checkpoint *c, uint64_t *hash);

#endif
