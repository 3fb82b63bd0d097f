/* lineage.h - which settings of a sweep begin alike, and how far.
 *
 * A document's draws depend on its key, the stage and the position, so stages that are alike make the
 * same text whatever follows them. What settings share is a tree: a node stands for stages that at
 * least two settings, or nodes, go on from; nearer to the root it has fewer. Pure arithmetic. */
#ifndef DID_LINEAGE_H
#define DID_LINEAGE_H

#include "harvest.h"
#include "status.h"

typedef struct lineage_node {
    int trial;    /* the first that has its stages */
    int n_stages; /* of that trial's, from the first on */
    int parent;   /* the node it goes on from, at a smaller place; -1: none */
} lineage_node;

typedef struct lineage {
    lineage_node *node; /* [n] */
    int           n;
    int          *from; /* [n_trials] the node that a trial goes on from; -1: none */
} lineage;

/* Find what trial[n] share; where `apart` they share nothing. The caller closes in any case. Fails
 * DID_ENOMEM. Local. */
status lineage_open(lineage *l, const trial *t, int n, bool apart);
void   lineage_close(lineage *l); /* Leaves it zeroed. Local. */

/* Stage k of a trial without what says nothing there: a draft reopens nothing, and only a quota has
 * an order. Local. */
stage lineage_stage(const trial *t, int k);

#endif
