/* places.h - which places of a product over the mesh give a row the same bits.
 *
 * What a library will not promise is found out by trying, when a model is opened: one row is put
 * everywhere, and what differs from the first place of the smallest height is not used. */
#ifndef DID_PLACES_H
#define DID_PLACES_H

#include "mosaic.h"

/* Try the heights of `t` and keep, of each, the places that agree; a height that holds no more rows
 * than a smaller one is dropped. Overwrites `tiles`, this rank's share of the weight, with anything.
 * Fails DID_ENOMEM alike on all ranks. Collective over the mesh. */
status places_find(mosaic *t, float *tiles);

#endif
