/* lease.h - which documents are out with which world, and until when that is believed.
 *
 * A lease is named by the document's serial and an epoch that grows each time the document is handed
 * out; what comes back under another epoch is stale. Heartbeats prolong a lease, silence ends it.
 * Pure bookkeeping: seconds are the caller's. */
#ifndef DID_LEASE_H
#define DID_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

typedef struct lease {
    int64_t serial, epoch;
    int64_t holder; /* a number for the world's leader; 0: nobody has claimed it yet */
    double  until;
    bool    suspect;
} lease;

typedef struct leases {
    lease *list; /* by serial */
    int    n, room;
} leases;

/* A new lease, or the next epoch of an old one. Fails DID_ENOMEM. Local. */
status leases_grant(leases *l, const lease *one);

/* The lease of this document in this epoch; NULL: there is none. Borrowed until the next grant or
 * end. Local. */
lease *leases_find(const leases *l, int64_t serial, int64_t epoch);

/* The holder says it is still at it; false: it has no such lease. Local. */
bool leases_prolong(leases *l, int64_t serial, int64_t epoch, int64_t holder, double until);

/* All leases last so much longer: the desk itself was not listening. Local. */
void leases_shift(leases *l, double seconds);

/* No lease of this document any more. Local. */
void leases_end(leases *l, int64_t serial);

/* Take out one lease that ended before `now`; false: there is none. Local. */
bool leases_expired(leases *l, double now, lease *out);

/* Take out one lease of a holder; false: it has none. Local. */
bool leases_take(leases *l, int64_t holder, lease *out);

/* How many documents a holder has, and whether a suspect is among them. Local. */
int leases_held(const leases *l, int64_t holder, bool *suspect);

void leases_clear(leases *l); /* Local. */

#endif
