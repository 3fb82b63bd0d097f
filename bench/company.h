/* company.h - does a pass give every document what it would get alone, and is that right?
 *
 * Three questions, asked before a pass is timed: the logits of each document are the same bits
 * in company, among strangers, as alone; so are the keys and values it commits; and the logits
 * of the first document are those of the ref kernels, within rounding. ref is slow: where a
 * document brings many rows it is asked about the last two layers only. */
#ifndef DID_COMPANY_H
#define DID_COMPANY_H

#include "scene.h"
#include "stand.h"
#include "verdict.h"

enum { COMPANY_STRANGERS = 8 }; /* rows more than the scene's that the stand has to have room for */

/* Check `s` on `fast` beside `oracle`, a stand of the same model with ref's kernels and one
 * cache slot. Leaves the cache of `fast` ready for the scene. Fails DID_ENOMEM, DID_EPEER, alike
 * on all ranks. Collective over the row; the world meets here too. */
status company_check(verdict *v, const scene *s, stand *fast, stand *oracle, comm *world);

#endif
