/* pulse.h - what a leader tells of its row between passes, and that it is alive. */
#ifndef DID_PULSE_H
#define DID_PULSE_H

#include <jansson.h>

#include "engine.h"
#include "load.h"

typedef struct pulse {
    engine_progress last;
    double          passed, pass_s; /* when the last pass ended, and how long it took */
    double          share;          /* of the documents in flight, in documents: how much is done */
    double          talk_s;         /* so far between passes, in talking to the desk */
    double          told;
} pulse;

/* A pass has ended; `docs` are in flight. Local. */
void pulse_note(pulse *p, document *const *docs, int n, const engine_progress *e, double now);

/* The body of `progress`: what is held, and how it goes. `whose` NULL: no totals. NULL when out of
 * memory. Local. */
json_t *pulse_tell(pulse *p, const loads *held, const engine *whose, double now);

#endif
