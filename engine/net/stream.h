/* stream.h - the residual stream x, and what is added to it. */
#ifndef DID_STREAM_H
#define DID_STREAM_H

#include "run.h"

/* x becomes the embeddings of the pass's tokens. Collective over the row. */
status stream_embed(run *r);

/* x += gate * (the sum over the row of in W^T + bias), `in` being my heads or columns; gate and bias
 * may be NULL. The sum is event `e`. Collective over the row. */
status stream_join(run *r, float *in, const weight *w, const float *gate, const float *bias,
                   event e);

#endif
