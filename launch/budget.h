/* budget.h - how many ranks share a model and how many documents are in flight, so that the memory
 * of every rank suffices; decided and told before anything is loaded. */
#ifndef DID_BUDGET_H
#define DID_BUDGET_H

#include <stddef.h>

#include "comm.h"
#include "engine.h"
#include "models.h"
#include "settings.h"
#include "status.h"

/* Documents that are enough for a pass, where nobody says how many. */
enum { BUDGET_DOCUMENTS = 32 };

/* Memory of the ranks, as the tightest of them sees it. */
typedef struct budget {
    size_t      held;    /* most that a rank holds already */
    size_t      room;    /* least that a rank may still take */
    size_t      limit;   /* of that rank: its share of what its host allows */
    const char *source;  /* of the limit on rank 0's host, for the log */
    size_t      mine;    /* what this rank holds already */
} budget;

/* Ask all ranks. Collective over world. */
status budget_survey(budget *b, comm *world);

/* Settle e->tp, e->depth, e->span and e->documents for `ranks` ranks and `n` documents: what the user said, else
 * the least tp and the most documents (at most BUDGET_DOCUMENTS) that fit. Without a word, rows span refinements as
 * far as there are fewer documents than rows, or as memory asks for it. With --layout 2d all ranks are one grid,
 * e->mesh_rows x e->tp: as many columns as --tp says, else about as many as rows. *need is the plan of the choice. Fails
 * DID_EINVAL when --tp, --pp or --refine-span cannot be, saying which could, or when nothing fits, naming the bytes.
 * Local. */
status budget_settle(engine_settings *e, engine_memory *need, const budget *b, const settings *s,
                     const models *m, int ranks, int n);

/* The plan on the log: what a rank will hold, and of how much. Local. */
void budget_say(const engine_settings *e, const engine_memory *need, const budget *b, int ranks);

#endif
