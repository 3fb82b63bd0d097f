/* safetensors.h - one file of tensors, proved before a byte of it is believed.
 *
 * Source: the safetensors format: 8 bytes header length (little-endian), a JSON object
 * {name: {dtype, shape, data_offsets}, "__metadata__": {text: text}}, then the data. The data is
 * the tensors, side by side, in any order, with no byte between, before or after them.
 *
 * Nothing is allocated in proportion to what a file claims; only to what it holds. */
#ifndef DID_SAFETENSORS_H
#define DID_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "tensor.h"

typedef struct safetensors safetensors;

/* A tensor and where its bytes are. `what` comes first: a tensor's address is its place's. */
typedef struct place {
    tensor             what;
    const safetensors *file;
    int64_t            first;  /* byte in the file */
} place;

struct safetensors {
    char       *path;
    int         fd;     /* -1: the file is in memory */
    const char *bytes;  /* borrowed; NULL: it is not */
    int         n;      /* at least 1 */
    place      *at;     /* [n] in the order of their bytes; names are owned */
};

/* Open and check the whole header. `f` must stay where it is. Fails DID_EIO, DID_EFORMAT or
 * DID_ENOMEM with file, tensor, found and expected; `f` is then closed. Local. */
status safetensors_open(safetensors *f, const char *path);

/* The same for a file of `size` bytes in memory, borrowed until it is closed; `where` stands for its
 * path in sentences. Local. */
status safetensors_open_bytes(safetensors *f, const void *bytes, size_t size, const char *where);

/* Give everything back; safe on a file that is closed or zeroed. Local. */
void safetensors_close(safetensors *f);

/* Read `bytes` of a tensor's data from its byte `skip` on. The range lies inside the tensor (an
 * assert). Fails DID_EIO. Local; several threads may read at once. */
status safetensors_read(const place *p, int64_t skip, void *out, size_t bytes);

#endif
