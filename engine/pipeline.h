/* pipeline.h - the loop of a team: documents come in, passes run, documents leave.
 *
 * The leader decides and every rank of the team runs the same passes in the same order. Documents in
 * flight are in groups, which take turns: while the pass of one is at a later depth, that of another is
 * at an earlier one. A group gets its next pass when the answers of its last are here, and a document
 * changes its group, is put down or leaves between two passes of it, at no other time. At one depth one
 * group is enough. */
#ifndef DID_PIPELINE_H
#define DID_PIPELINE_H

#include "batch.h"
#include "chain.h"
#include "engine.h"
#include "forward.h"
#include "price.h"
#include "rules.h"
#include "team.h"

typedef struct pipeline {
    batch            batch[ENGINE_GROUPS_MAX]; /* the leader has one per group, others use the first */
    int              groups;
    rules           rules;
    const model     *models;
    forward_place    place;      /* its model is set for each pass */
    timing           timing;
    cost_place       price;      /* of a team's passes; without a machine nothing is predicted */
    engine_progress  progress;
    int              documents;  /* in flight at most: so many slots on each row of the team */
    team             rows;
    chain            chain;
    comm            *tier;       /* the ranks of my team at my depth */
} pipeline;

/* Run until the feed is over or asks to stop; `feed` on the leader only. Collective over the team. */
status pipeline_run(pipeline *p, const engine_feed *feed);

/* What the run has done so far. Local. */
engine_progress pipeline_progress(const pipeline *p);

#endif
