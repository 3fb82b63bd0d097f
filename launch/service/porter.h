/* porter.h - a row leader's side of the service: implements engine_feed over a DEALER socket.
 *
 * Carries documents from the desk to the engine and their records back. Asks while there is room,
 * sends heartbeats and checkpoints between passes. The desk may go away and come back: what was not
 * acknowledged is said again. */
#ifndef DID_PORTER_H
#define DID_PORTER_H

#include <stdbool.h>

#include "engine.h"
#include "job.h"
#include "keyring.h"
#include "record.h"
#include "socket.h"
#include "status.h"

typedef struct porter porter;

typedef struct porter_settings {
    socket_context     *context;  /* borrowed, as everything here, until porter_close */
    const char         *endpoint;
    const keyring_file *keys;     /* NULL over ipc */
    job                *world;    /* models and tokenizer */
    const engine       *engine;
    const record_rules *rules;    /* of records; terms of a job may change some */
    int                 row, rows;
    double              save_interval_s;
    double              idle_exit_s; /* without work; 0: never */
    double              patience_s;  /* without an answer of the desk; then it is given up */
    double              deadline_s;  /* by clock_seconds; 0: none */
    bool (*asked)(void);             /* has somebody asked for an early end? */
} porter_settings;

/* Connect and be welcomed. Fails DID_EPEER when nobody answers in ten seconds. Row leaders. */
status porter_open(porter **out, const porter_settings *how);

/* What to give engine_run; valid until porter_close. Local. */
engine_feed porter_hooks(porter *p);

bool porter_stopped(const porter *p); /* Has it ended early, because it was asked to? Local. */

/* No time is left: the desk is told, and documents in hand are with it as they were last saved. Waits
 * a second for its answer; the process ends next, and hooks do not return any more. Any thread. */
void porter_farewell(porter *p);

/* Wait a little until everything sent is acknowledged, say goodbye, close. What the desk has not
 * acknowledged is generated again elsewhere. *carried (may be NULL) counts the acknowledged records.
 * Sets NULL; safe on NULL. Row leaders. */
status porter_close(porter **p, long *carried);

#endif
