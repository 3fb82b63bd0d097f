/* source.h - the model that passes and documents are measured with: a checkpoint of the user's, or
 * one made up. */
#ifndef DID_SOURCE_H
#define DID_SOURCE_H

#include "comm.h"
#include "geometry.h"
#include "knobs.h"
#include "madeup.h"

typedef struct source {
    const char *name; /* for people: the directory, or the name of the geometry */
    const char *dir;  /* where this host has it */
    geometry    geometry;
    madeup      madeup;
} source;

/* The geometry that --model or --geometry name, and that it can be shared out over --tp of `ranks`.
 * Fails DID_EINVAL, and DID_EFORMAT or DID_EIO where the checkpoint is at fault. Local. */
status source_check(geometry *g, const knobs *k, int ranks);

/* Make up the model when there is none. `s` must stay where it is. Collective over world. */
status source_open(source *s, const knobs *k, comm *world);

/* Remove what was made up; when all ranks have loaded. Safe on a closed one. Local. */
void source_close(source *s);

/* Refuse what does not fit: `bytes` on every rank, on the ranks of this host together. Fails
 * DID_EINVAL on all ranks alike. Collective over world. */
status source_fits(double bytes, comm *world);

#endif
