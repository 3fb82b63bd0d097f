/* porter.h - a row leader's side of the front-end: implements engine_feed over a DEALER socket.
 *
 * Carries documents from the desk to the engine and what becomes of them back. Asks while there is
 * room, sends heartbeats and checkpoints between passes, and is never waited for while there is work.
 * The desk of a service may go away and come back: what was not acknowledged is said again. That of
 * one's own launch stays, and what goes wrong with it ends the run. */
#ifndef DID_PORTER_H
#define DID_PORTER_H

#include <stdbool.h>

#include "engine.h"
#include "load.h"
#include "road.h"
#include "status.h"
#include "watch.h"

typedef struct porter porter;

typedef struct porter_settings {
    road_settings      road;   /* borrowed, as everything here, until porter_close */
    load_rules         loads;  /* read NULL: of one's own launch */
    const engine      *engine; /* whose totals are told; NULL: nobody's */
    int                row, rows;
    bool               saving; /* send checkpoints */
    double             save_interval_s; /* 0: after every pass */
    double             idle_exit_s;     /* without work; 0: never */
    double             patience_s;      /* without an answer of the desk; then it is given up */
    double             deadline_s;      /* by clock_seconds; 0: none */
    bool (*asked)(void);                /* has somebody asked for an early end? may be NULL */
    watch             *watch;           /* shows the oldest document in flight; NULL: nobody looks */
} porter_settings;

/* Connect and be welcomed. Fails as road_find. Row leaders. */
status porter_open(porter **out, const porter_settings *how);

/* What to give engine_run; valid until porter_close. Local. */
engine_feed porter_hooks(porter *p);

bool porter_stopped(const porter *p); /* Has it ended early, because it was asked to? Local. */

/* No time is left: the desk is told, and documents in hand are with it as they were last saved. Waits
 * a second for its answer; the process ends next, and hooks do not return any more. Any thread. */
void porter_farewell(porter *p);

/* Wait until everything sent is acknowledged, say goodbye, close. What the desk of a service has not
 * acknowledged after a while is generated again elsewhere; that of one's own launch is given
 * `patience_s`, and then it is a DID_EPEER. Where it said that it cannot go on (a full disk), that is
 * the failure. *carried (may be NULL) counts the acknowledged records.
 * Sets NULL; safe on NULL. Row leaders. */
status porter_close(porter **p, long *carried);

#endif
