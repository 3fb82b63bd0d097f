/* desk.h - the front-end's one socket: it hands documents out to leaders and takes them in again.
 *
 * The same for a service and inside a `did generate`: leaders are greeted, documents are out under
 * leases with epochs, what several messages change is one commit of the book (book.h), and answers
 * leave after it. A peer that does not read, or says what nobody understands, holds up nobody else.
 * Words that are not of leaders are the host's, where there is one. PROTOCOL.md has them all. One
 * thread. */
#ifndef DID_DESK_H
#define DID_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "book.h"
#include "lease.h"
#include "message.h"
#include "muster.h"
#include "outbox.h"
#include "socket.h"
#include "status.h"

enum { DESK_BATCH_BYTES = 8 << 20 }; /* of answers in one turn, and one answer more */

typedef struct desk desk;

/* Who speaks: the routing id for the answer, the proven key ("" over ipc). */
typedef struct desk_guest {
    frame       id;
    const char *owner;
} desk_guest;

/* What this front-end does besides. All may be NULL: then there are leaders only. */
typedef struct desk_host {
    void *context;
    bool (*allows)(void *context, const char *owner, bool leader); /* words of leaders, or others */
    bool (*knows)(message_type type);                              /* this word */
    /* Fails DID_EFORMAT for what is malformed, DID_EINVAL for what is not granted. */
    status (*obey)(void *context, const desk_guest *from, const message *m);
} desk_host;

typedef struct desk_settings {
    socket_context    *context;     /* borrowed until desk_close */
    const char        *endpoint;
    const socket_keys *keys;        /* the front-end's pair; NULL over ipc */
    size_t             message_max; /* bytes of one frame */
    size_t             lane_bytes, outbox_bytes; /* answers that may wait for one guest, for all; 0:
                                                    all are of one launch and read theirs */
    double             lease_s;     /* silence after which a leader's documents are given to another;
                                       0: that never happens */
    bool               closed;      /* all documents are in the book from the start: who asks when
                                       none is left is told that it is over */
    book               book;
    desk_host          host;
} desk_settings;

/* What it has turned away. */
typedef struct desk_refusals {
    long malformed; /* messages that were not understood */
    long unknown;   /* words that are none */
    long forbidden; /* words that this guest may not say */
    long refused;   /* understood, and not granted: quotas, conflicts, jobs that are not there */
    long early;     /* words of a leader that has not said hello (to this desk) */
    long replayed;  /* results that had been taken already */
    long stale;     /* results and checkpoints of an old epoch */
    long unread;    /* questions of peers that do not read their answers, and answers forgotten */
} desk_refusals;

struct desk {
    desk_settings settings;
    socket       *socket;
    outbox       *outbox;
    leases        leases;
    muster        muster;
    desk_refusals refused;
    char          bound[256];
    bool          stopping; /* leaders have been asked to end early */
    bool          excused;  /* leaders have been told of a failure */
    bool          stirred;  /* something changed since this was last set to false */
    int           heard;    /* messages in the last turn */
    double        tidied;
    double        listened; /* when it last stopped listening */
    double        commit_s; /* the last commit took so long */
    size_t        largest;  /* bytes of the largest message so far */
    long          guests;   /* at a time, so far */
};

/* What is out by the book gets a lease that its leader may claim. Fails as socket_bind_router. */
status desk_open(desk **out, const desk_settings *settings);

/* Wait a little for messages, answer what is there. Fails when it cannot go on; what was not
 * committed is not answered then. */
status desk_turn(desk *d, int wait_ms);

/* Leaders shall put down what they have and ask for no more; those who come later too. */
status desk_stop(desk *d, const char *reason);

/* After a failure: everybody is told why, and whoever still speaks is told again by each call. */
status desk_excuse(desk *d, int wait_ms, const char *reason, status code);

void desk_close(desk **d); /* Safe on NULL. */

/* For those who answer: the answer waits for the commit. `body` is taken over. A peer that reads
 * nothing is not a failure where answers are limited. */
status desk_say(desk *d, const frame *to, message_type type, json_t *body, const frame *part,
                int n_parts);

#endif
