/* weightmap.h - which tensor is in which file of a checkpoint in several files.
 *
 * Source: Hugging Face's model.safetensors.index.json:
 * {"metadata": {...}, "weight_map": {tensor: file}}. The metadata is not read: its sizes are
 * informal. */
#ifndef DID_WEIGHTMAP_H
#define DID_WEIGHTMAP_H

#include <stddef.h>

#include "status.h"

typedef struct mapped {
    char *name;  /* "_orig_mod." parts removed */
    char *file;  /* a name in the index's own directory */
} mapped;

typedef struct weightmap {
    int          n;
    mapped      *at;       /* [n] by name, each name once; at least 1 */
    int          n_files;
    const char **file;     /* [n_files] the different files, in ascending order */
} weightmap;

/* Read and check an index. Fails DID_EIO, DID_EFORMAT or DID_ENOMEM; `m` is then cleared. Local. */
status weightmap_read(weightmap *m, const char *path);

/* The same from text in memory; `where` is named in sentences. Local. */
status weightmap_parse(weightmap *m, const char *text, size_t size, const char *where);

void weightmap_clear(weightmap *m);

#endif
