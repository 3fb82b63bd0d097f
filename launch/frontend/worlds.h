/* worlds.h - what the desk answers to the leaders of worlds. */
#ifndef DID_WORLDS_H
#define DID_WORLDS_H

#include "desk.h"

bool worlds_word(message_type type); /* Is this a leader's word? Local. */

/* Fails DID_EFORMAT for what the leader got wrong. */
status worlds_obey(desk *d, const desk_guest *from, const message *m);

/* Every document that a restarted desk finds out gets a lease that its world may claim. */
status worlds_recall(desk *d);

/* Documents of leases that have ended wait again, or are set aside. */
status worlds_expire(desk *d);

/* A document was cancelled: its world shall let it go. */
status worlds_drop(desk *d, int64_t serial, int64_t epoch);

#endif
