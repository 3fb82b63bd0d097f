/* ground.h - what every bench stands on, made by bench.c and borrowed by the others. */
#ifndef DID_GROUND_H
#define DID_GROUND_H

#include "comm.h"
#include "knobs.h"
#include "measure.h"
#include "peaks.h"
#include "table.h"

typedef struct ground {
    const knobs *knobs;
    comm        *world;
    table       *table; /* rank 0; NULL elsewhere */
    effort       effort;
    peaks        peaks;
} ground;

#endif
