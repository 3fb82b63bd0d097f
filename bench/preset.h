/* preset.h - the shapes of models that are worth measuring, by name. */
#ifndef DID_PRESET_H
#define DID_PRESET_H

#include "geometry.h"
#include "status.h"

/* The geometry called `name`: "tiny", "small", "7b" or WIDTHxHEADSxLAYERSxVOCABULARY[xLENGTH]. A
 * BD3-LM with adaptive norms in every case; the last id is the mask, the one before it ends
 * documents. Fails DID_EINVAL with a sentence. Local. */
status preset_find(geometry *g, const char *name);

#endif
