/* madeup.h - a BD3-LM checkpoint of any geometry, made up from a seed.
 *
 * It has the names, shapes and number format (bf16) of a published one, norms and gates away
 * from their neutral values, and attention that is neither flat nor sharp; what it says is
 * nonsense. The same seed gives the same bytes on every host. It lives in a directory of its own
 * under $TMPDIR, one per host, and is removed as soon as everybody has read it. */
#ifndef DID_MADEUP_H
#define DID_MADEUP_H

#include <stdbool.h>

#include "comm.h"
#include "geometry.h"
#include "status.h"

enum { MADEUP_PATH = 256 };

typedef struct madeup {
    char dir[MADEUP_PATH]; /* on this host */
    bool mine;             /* this rank wrote it and will remove it */
} madeup;

/* Write it: one rank of every host does. Fails DID_EIO alike on all ranks, and leaves nothing
 * behind. Collective over world. */
status madeup_open(madeup *m, const geometry *g, int seed, comm *world);

/* Remove it. Safe on a zeroed or closed one. Local: ranks have met after reading. */
void madeup_close(madeup *m);

/* Bytes the checkpoint of `g` will take on disk. Local. */
double madeup_bytes(const geometry *g);

/* config.json and model.safetensors of `g` into the directory `dir`. Fails DID_EIO. Local. */
status madeup_write(const char *dir, const geometry *g, int seed);

#endif
