/* feed.h - a row leader's side of the front-end: implements engine_feed over a DEALER socket.
 *
 * Looked at between passes and never waited for while there is work: asks for documents when there
 * is room, sends results, checkpoints and progress. The row on rank 0 takes the same road. */
#ifndef DID_FEED_H
#define DID_FEED_H

#include "door.h"
#include "engine.h"
#include "parcel.h"
#include "status.h"
#include "watch.h"

typedef struct feed feed;

typedef struct feed_settings {
    const door  *door; /* its context and sign; borrowed until feed_close */
    int          row;
    parcel_rules rules;
    bool         saving;          /* there is a state file: send checkpoints */
    double       save_interval_s; /* 0: after every pass */
    watch       *watch;           /* shows the oldest document in flight; NULL: nobody looks */
} feed_settings;

/* Connect and be welcomed. Fails DID_EPEER naming the addresses tried when nobody answers in ten
 * seconds. Row leaders. */
status feed_open(feed **out, const feed_settings *settings);

/* What to give engine_run; valid until feed_close. Local. */
engine_feed feed_hooks(feed *f);

/* Wait (at most five minutes) until everything sent is acknowledged, say goodbye, close. Fails
 * DID_EPEER when the front-end does not answer, with its own failure (a full disk) where it
 * says that it cannot go on. Sets NULL; safe on NULL. Row leaders. */
status feed_close(feed **f);

#endif
