/* team.h - the rows of ranks that run a pass together, S of them side by side.
 *
 * Each runs its portion (portion.h); K and V of spanned segments meet on the way (spanned.h), answers
 * afterwards. Of one row there is nothing to portion out. */
#ifndef DID_TEAM_H
#define DID_TEAM_H

#include "forward.h"
#include "grid.h"
#include "portion.h"

/* How large things may be, in positions: what one row evaluates of a pass, what all of them do, and a
 * spanned segment. */
typedef struct team_size {
    int rows, team_rows, wide;
} team_size;

typedef struct team {
    int     rows, row;  /* S, and which of them is mine */
    portion portion;
    spanned spanned;
    gather *answers;    /* NULL where nobody asks for them: my column is not the leader's */
} team;

/* Memory that team_open carves on S rows; nothing of one row. Local. */
size_t team_bytes(const team_size *size, int rows);

/* My place among the rows of my team, for models whose key tiles have up to `tile_bytes`. Fails
 * DID_ENOMEM. Local. */
status team_open(team *t, const grid *g, const team_size *size, size_t tile_bytes, arena *from);
void   team_close(team *t);  /* Local. */

/* Run the team's pass: forward() on my portion, and on the leader's column answers[p->n_asks] of all
 * rows; other columns have nobody who reads them. place->spanned is the team's. Collective over the
 * team. */
status team_forward(answer *answers, team *t, const pass *p, const forward_place *place);

#endif
