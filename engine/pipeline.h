/* pipeline.h - the loop of a team: documents come in, passes run, documents leave.
 *
 * The leader decides and every rank of the team runs the same pass. Documents are taken up and put
 * down between passes, at no other time. */
#ifndef DID_PIPELINE_H
#define DID_PIPELINE_H

#include "batch.h"
#include "engine.h"
#include "forward.h"
#include "price.h"
#include "rules.h"
#include "team.h"

typedef struct pipeline {
    batch            batch;
    rules           rules;
    const model     *models;
    forward_place    place;      /* its model is set for each pass */
    timing           timing;
    cost_place       price;      /* of a team's passes; without a machine nothing is predicted */
    engine_progress  progress;
    int              documents;  /* in flight at most: so many slots on each row of the team */
    team             rows;
    comm            *team;
} pipeline;

/* Run until the feed is over or asks to stop; `feed` on the leader only. Collective over the team. */
status pipeline_run(pipeline *p, const engine_feed *feed);

#endif
