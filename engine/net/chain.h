/* chain.h - the depths of a team, one behind the other: plans and activations go down, answers come
 * back.
 *
 * Every depth has its share of the layers. A message to the next one is a plan and, where a pass runs,
 * the residual stream of its rows. Where the columns of every depth share memory, each sends a part of
 * the rows and gets the others from its neighbours; else each sends all of them, since what columns
 * would then tell each other crosses the same wire. The next message is expected before a pass is
 * computed, and a depth may send one while the one before is still on its way; a pass looks after them
 * between its layers (letter_look). The last depth answers to the leader, who expects the answers of
 * every group of documents before it runs its pass. Of one depth there is nothing to hand on.
 *
 * Activations are f32 whatever the wire: with sums in bf16 too, a document has the bytes of one depth.
 * That lets a job be taken up at another depth and be compared with any, and the width of the stream
 * is not what a pipeline waits for: a row crosses once, where sums send it twice in every layer. */
#ifndef DID_CHAIN_H
#define DID_CHAIN_H

#include "batch.h"
#include "comm.h"
#include "grid.h"
#include "letter.h"

enum { CHAIN_GROUPS_MAX = 64 };

/* The largest pass: its rows, and the floats of one. */
typedef struct chain_size {
    int rows, width;
} chain_size;

typedef struct chain {
    int     depth, depths, cols, col;
    bool    sliced;     /* each column sends a part of the rows */
    comm   *row;        /* my columns; borrowed */
    bool    speaks;     /* my column is the leader's: it sends or gets answers */
    size_t  most;       /* bytes of the longest message */
    letter *in, *out[2], *back[CHAIN_GROUPS_MAX];
    char   *came[2], *goes[2];
    float  *whole;      /* [rows, width] all columns' parts; with one column there are none */
    answer *answers[CHAIN_GROUPS_MAX];
    int     now, next;  /* which of came was heard last; which of goes is filled next */
} chain;

/* Memory that chain_open carves for a grid of that shape and `groups`; nothing for one depth. Local. */
size_t chain_bytes(const chain_size *size, const grid_shape *shape, int groups);

/* My place among the depths of my team. Fails DID_ENOMEM. Local. */
status chain_open(chain *c, const grid *g, const chain_size *size, int groups, arena *from);
void   chain_close(chain *c); /* Local. */

/* Columns send parts where all depths' columns share memory by now (comm_share). Collective over the
 * team. */
status chain_slice(chain *c, const grid *g);

/* Am I the first, the last depth? Local. */
bool chain_begins(const chain *c);
bool chain_ends(const chain *c);

/* A run begins: expect the first message. Local. */
status chain_start(chain *c);

/* The next message from the depth before: a word and, with VERB_RUN, the pass. The one behind it is
 * expected at once, unless this was the last. */
status chain_hear(chain *c, batch *b, verb *word);

/* The residual stream that came with it, rows of `width` floats; NULL at the first depth. Valid until
 * what goes to the next depth is written. Collective over the row. */
status chain_in(chain *c, const batch *b, int width, const float **x);

/* Where that of this pass belongs for the next depth; NULL at the last. It may be the place of the
 * one that came: row by row what comes is read before what goes is written. Waits until what was
 * there is sent. */
status chain_room(chain *c, const batch *b, float **x);

/* Send it on with the pass, rows of `width` floats, or the word alone. Not at the last depth. */
status chain_pass(chain *c, const batch *b, verb word, int width);

/* The last depth's answers go to the leader. Nothing on one depth and on columns but the leader's. */
status chain_answer(chain *c, const batch *b);

/* The leader expects the answers of a group's pass, and waits for them. Nothing on one depth. */
status chain_expect(chain *c, const batch *b, int group);
status chain_answers(chain *c, batch *b, int group);

/* A run ends: everything I sent is there. */
status chain_finish(chain *c);

#endif
