/* cost.h - how long a pass takes and what it puts on the wire, before it is run: for every grid of
 * ranks, from a calibration and the shape of a model.
 *
 * A pass is described by its segments. Products are looked up by rows and by the size of this rank's
 * part of a weight, attention by query rows and keys, the rest by numbers touched; sums by bytes and
 * ranks, in memory inside a host and over the link between hosts. The rank that counts is the one
 * with the largest parts. Arithmetic only: it can price a thousand nodes in one process. */
#ifndef DID_COST_H
#define DID_COST_H

#include <stdbool.h>

#include "calibration.h"
#include "geometry.h"

/* A grid of ranks: `rows` teams' rows of `cols` ranks, each `depth` deep; `span` rows are one team.
 * A rank of the world is ((team * span + s) * depth + d) * cols + q. */
typedef struct cost_layout {
    int  rows, cols, depth, span;
    int  groups;     /* of documents in flight within a row; 1: sums are waited for */
    bool mesh;       /* --layout 2d: the rows x cols ranks are one team */
    bool bf16_wire;  /* sums travel in 16 bits; activations never do */
    int  per_host;   /* ranks of a host */
    double last;     /* depths share layers as if the last cost so many (strata.h); 0: one */
} cost_layout;

/* Everything a price stands on. Borrowed. */
typedef struct cost_place {
    const geometry    *model;
    const calibration *machine;
    calibration_link   link; /* between hosts */
    cost_layout        layout;
    int                precision; /* 0 f32, 1 bf16 */
} cost_place;

/* `count` segments alike. A COMMIT asks nothing; `cached`: its first tile is copied from the cache;
 * `spanned`: where rows are a span, each has its part of it. */
typedef struct cost_segment {
    double count, rows, asks, keys; /* per segment: query rows, rows drawn, positions seen */
    bool   cached, spanned;
} cost_segment;

/* Seconds of a pass on the rank that has most to do. `seconds` is what passes follow one another in;
 * with groups or depth it is less than the sum of its parts, and `hidden` is what of the wire is
 * covered. */
typedef struct cost_time {
    double linear, attention, rowwise, draw, wire, hidden, seconds;
} cost_time;

/* Bytes of a pass that all ranks of a team bring to collectives, as the table at the end of a run
 * counts them; and of those what leaves a host over its link, for the busiest host. */
typedef struct cost_bytes {
    double embedding, attention, mlp, draw, plan, activations, gather, total, crossing;
} cost_bytes;

/* Ranks of one team, and of the whole. Local. */
int cost_team(const cost_layout *l);
int cost_ranks(const cost_layout *l);

/* One pass of a team over `segment`[n]. Local. */
cost_time  cost_pass(const cost_place *at, const cost_segment *segment, int n);
cost_bytes cost_wire(const cost_place *at, const cost_segment *segment, int n);

/* Seconds of one layer of a group's pass, and of the last layer with everything that follows it. Without
 * a machine they are of an ordinary one, and only their ratio means anything. Local. */
typedef struct cost_layer {
    double usual, last;
} cost_layer;

cost_layer cost_layers(const cost_place *at, const cost_segment *segment, int n);

/* Bytes of the weights of the rank that has most of them, its input table not counted. Local. */
double cost_weights(const cost_place *at);

/* Seconds of a product of `rows` rows with a weight [n, k], where all weights of a rank together are
 * `bytes`; of a sum of `bytes` over the columns of a row; and of one host's level of load. Local. */
double cost_product(const cost_place *at, double rows, double n, double k, double bytes);
double cost_sum(const cost_place *at, double bytes);

#endif
