/* lineage.h - which lists of stages begin alike, and how far.
 *
 * A document's draws depend on its key, the stage and the position, so stages that are alike make the
 * same text whatever follows them. What lists share is a tree: a node stands for stages that at least
 * two lists, or nodes, go on from; nearer to the root it has fewer. A document of a node is made once,
 * and those of the lists follow it (document_follow). Pure arithmetic. */
#ifndef DID_LINEAGE_H
#define DID_LINEAGE_H

#include <stdbool.h>

#include "stage.h"
#include "status.h"

/* The stages of a document, and what else its draft depends on. Borrowed. */
typedef struct lineage_list {
    const stage *stage; /* [n_stages] */
    int          n_stages, length;
    bool         reject; /* by one and the same rule */
} lineage_list;

typedef struct lineage_node {
    int list;     /* the first that has its stages */
    int n_stages; /* of that list's, from the first on */
    int parent;   /* the node it goes on from, at a smaller place; -1: none */
} lineage_node;

typedef struct lineage {
    lineage_node *node; /* [n] */
    int           n;
    int          *from; /* [n_lists] the node that a list goes on from; -1: none */
} lineage;

/* Find what list[n] share; where `apart` they share nothing. The caller closes in any case. Fails
 * DID_ENOMEM. Local. */
status lineage_open(lineage *l, const lineage_list *list, int n, bool apart);
void   lineage_close(lineage *l); /* Leaves it zeroed. Local. */

/* Stage k of a list without what says nothing there: a draft reopens nothing, and only a quota has
 * an order. Local. */
stage lineage_stage(const lineage_list *list, int k);

#endif
