/* load.h - the documents a porter has in hand, from their arrival until the desk knows what became
 * of them.
 *
 * Between the ranks of one launch orders are slips (slip.h), and what is finished goes to the
 * front-end as a parcel (parcel.h), which has the words to write the record. A world of a service
 * reads orders in the service's own way and writes the records itself. */
#ifndef DID_LOAD_H
#define DID_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "document.h"
#include "message.h"
#include "record.h"
#include "request.h"
#include "status.h"

/* The request for `sample` and the rules of its record, from an order. Fails DID_EFORMAT when it cannot
 * be carried out here. */
typedef status load_reader(void *context, request *out, record_rules *rules, const char *text,
                           size_t size, int sample);

/* How loads are opened and sealed. */
typedef struct load_rules {
    const record_rules *base;
    load_reader        *read;    /* NULL: slips and parcels */
    void               *context; /* of read */
} load_rules;

typedef struct load {
    struct load *next;
    int64_t      serial, epoch;
    request      request;
    record_rules rules;
    document    *waiting; /* not yet taken by the engine */
    bool         dropped; /* nobody wants it any more; the engine still has it */

    char        *text;    /* its record, parcel or reason; NULL while it is on its way */
    message_type how;     /* RESULT, PUT_DOWN, REFUSE: what is said of it */
    bool         failed;
    int          at;
    json_t      *seconds; /* what each stage took; null where nobody knows */
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

/* What a message of work brings: a document that waits, or, of a service, one that is refused with
 * the reason. Fails DID_EFORMAT otherwise. Local. */
status load_open(load *l, const load_rules *rules, const message *m, int sample);

/* The engine is done with `d`: its record or parcel, or its checkpoint when it is on its way.
 * Local. */
status load_seal(load *l, const load_rules *rules, const document *d);

#endif
