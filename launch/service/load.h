/* load.h - the documents a porter has in hand, from their arrival until the desk knows what became
 * of them. */
#ifndef DID_LOAD_H
#define DID_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "document.h"
#include "job.h"
#include "message.h"
#include "record.h"
#include "request.h"
#include "status.h"

typedef struct load {
    struct load *next;
    int64_t      serial, epoch;
    request      request;
    record_rules rules;
    document    *waiting; /* not yet taken by the engine */
    bool         dropped; /* nobody wants it any more; the engine still has it */

    char        *text;    /* its record, checkpoint or reason; NULL while it is on its way */
    message_type how;     /* RESULT, PUT_DOWN, REFUSE: what is said of it */
    bool         failed;
    int          at;
    double       said;    /* when; 0: not yet on this connection */
} load;

typedef struct loads {
    load *first; /* in the order of arrival */
} loads;

load *loads_find(const loads *l, int64_t serial); /* NULL: not here. Local. */

/* One more, at the end. Fails DID_ENOMEM. Local. */
status loads_add(loads *l, int64_t serial, int64_t epoch, load **out);
void   loads_remove(loads *l, int64_t serial); /* Local. */
void   loads_clear(loads *l);                  /* Local. */

int  loads_waiting(const loads *l); /* for the engine. Local. */
int  loads_sealed(const loads *l);  /* for an acknowledgement. Local. */
void loads_unsay(loads *l);         /* everything sealed has to be said again. Local. */

/* What a message of work brings: a document that waits, or one that is refused with the reason.
 * Local. */
status load_open(load *l, job *world, const record_rules *base, const message *m, int sample);

/* The engine is done with `d`: its record, or its checkpoint when it is on its way. Local. */
status load_seal(load *l, const document *d);

#endif
