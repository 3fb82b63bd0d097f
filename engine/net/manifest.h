/* manifest.h - which tensors a checkpoint must hold, and nothing else.
 *
 * Source: the published safetensors of bd3lm-owt-* and mdlm-owt. A silent mismatch here yields
 * random text, so every missing, extra or wrongly shaped tensor is an error that names it. */
#ifndef DID_MANIFEST_H
#define DID_MANIFEST_H

#include "checkpoint.h"
#include "geometry.h"

/* Fails DID_EFORMAT naming the first tensor that is missing, extra or has another shape. Local. */
status manifest_check(const checkpoint *c, const geometry *g);

#endif
