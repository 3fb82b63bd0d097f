/* frontend.h - the thread on rank 0 that hands out documents and takes in what becomes of them.
 *
 * The desk of a service (desk.h) with the ledger of one job for its book: the input was submitted
 * before the desk opens, and the output is what the ledger writes. The thread alone touches the
 * socket, the state file, the output and the progress bar; a finished document is acknowledged after
 * it is on disk. */
#ifndef DID_FRONTEND_H
#define DID_FRONTEND_H

#include <stdbool.h>

#include "door.h"
#include "ledger.h"
#include "progress.h"
#include "status.h"

typedef struct frontend frontend;

typedef struct frontend_settings {
    ledger_settings job;
    door           *door; /* borrowed; its sign is written when the socket is bound */
    progress       *bar;  /* told about once per tenth of a second; may be NULL */
    bool (*asked)(void);  /* has somebody asked for an early end? may be NULL */
    /* A document was finished, and its stages took seconds[n] (document.h), NAN where nobody knows that.
     * Called by the thread; may be NULL. */
    void (*timed)(void *context, int64_t serial, const double *seconds, int n);
    void  *context;       /* of `timed` */
    double deadline_s;    /* by clock_seconds: leaders then put down what they have; 0: never */
    double stall_s;       /* a leader with documents may be silent twice as long; 0: for ever */
} frontend_settings;

/* How things stand: a copy of what the thread last knew. */
typedef struct frontend_view {
    progress_now now;
    long         refused; /* messages that were malformed, unknown or late, and failed handshakes */
    bool         stopping; /* the leaders have been asked to end early */
} frontend_view;

/* Open the job's files, bind the door and start the thread. Fails as ledger_open and
 * socket_bind_router do, and then nothing runs. Leader (rank 0). */
status frontend_open(frontend **out, const frontend_settings *settings);

/* Any thread of the process. */
frontend_view frontend_look(frontend *f);

/* No time is left: end the thread, and what it has heard is on disk. The process ends next; nothing
 * of `f` is given back. Returns the last view. Any thread. */
frontend_view frontend_farewell(frontend *f);

/* After every leader has closed its porter: end the thread, close the files. *last (may be NULL)
 * receives the final view. Fails with what the thread met (a full disk, for one). Sets NULL; safe
 * on NULL. Leader. */
status frontend_close(frontend **f, frontend_view *last);

#endif
