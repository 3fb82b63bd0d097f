/* retold.h - documents scored the way published numbers are: their text, special tokens included,
 * encoded again by the scorer's tokenizer.
 *
 * Source: the evaluation of BD3-LM. A model may draw tokens that no tokenizer would have chosen for
 * their text; where it did not, the score of the ids is the score of the text. */
#ifndef DID_RETOLD_H
#define DID_RETOLD_H

#include "cmd_generate.h"
#include "harvest.h"
#include "status.h"

/* Fill in `told` of every document of `h` (rank 0; NULL elsewhere) with scores by weight handle
 * `scorer`. Without a tokenizer nothing is told. Fails as gauge_run. Collective over the run's
 * world. */
status retold_score(harvest *h, const cmd_generate_run *run, int scorer);

#endif
