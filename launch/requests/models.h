/* models.h - the checkpoints a run needs, each once; its place in the list is the weight handle.
 *
 * All models of a run must speak the same language: vocabulary, mask id and E are compared with the
 * first one's. Only config.json is read here; the engine reads the weights. */
#ifndef DID_MODELS_H
#define DID_MODELS_H

#include <stdbool.h>
#include <stddef.h>

#include "engine.h"
#include "geometry.h"
#include "status.h"

enum { MODEL_DIR_MAX = 512 };

typedef struct models {
    char     dir[ENGINE_MODELS_MAX][MODEL_DIR_MAX];
    geometry shape[ENGINE_MODELS_MAX];
    int      n;
    bool     closed; /* these are loaded: no other can be added, nor is its directory looked at */
} models;

/* The handle of the checkpoint in `dir`, added when it is new. Fails DID_EIO / DID_EFORMAT as
 * geometry_read does, DID_EINVAL when the list is full or closed, the name too long, the vocabulary another
 * one's or the model causal: it cannot draft. Local. */
status models_add(models *m, const char *dir, int *handle);

/* The same for a causal model that scores what the others write: it knows their tokens and no mask.
 * Fails as models_add and models_scorer do. Local. */
status models_add_scorer(models *m, const char *dir, int *handle);

/* The shape of the checkpoint in `dir`, which is to score texts. Fails DID_EIO / DID_EFORMAT as
 * geometry_read does, DID_EINVAL when it is no causal model. Local. */
status models_scorer(geometry *g, const char *dir);

/* Heads of the model that has fewest: no more ranks than these share all of them. Local. */
int models_heads(const models *m);

#endif
