/* layer.h - one layer, on my heads and my columns, in two halves that each end in a sum. */
#ifndef DID_LAYER_H
#define DID_LAYER_H

#include "run.h"

/* x += attention over what each row may see. In the last layer K and V are computed for all rows,
 * everything else for asked rows only, and only those are left in x. Collective over the row. */
status layer_attention(run *r, int layer);

/* x += the MLP of x. Collective over the row. */
status layer_mlp(run *r, int layer);

#endif
