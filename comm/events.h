/* events.h - what this rank has said to others: counted, timed, and the last 64 remembered.
 *
 * Every collective names one of these events. The table at the end of a run and the explanation of
 * a hang both come from here. */
#ifndef DID_EVENTS_H
#define DID_EVENTS_H

#include <stddef.h>

#define EVENT_MAP(X)                                                    \
    X(SETUP, "setup")               /* splitting, agreeing, opening  */ \
    X(PLAN, "plan")                 /* the leader's word for a pass  */ \
    X(SUM_EMBEDDING, "embedding")   /* rows of the embedding table   */ \
    X(SUM_ATTENTION, "attention")   /* heads to the residual stream  */ \
    X(SUM_MLP, "mlp")               /* columns to the residual       */ \
    X(PRODUCT, "2-D product")       /* psgemm, its work included    */ \
    X(SPREAD, "2-D exchange")       /* rows to the grid and back     */ \
    X(MOVE, "2-D move")             /* weights to their place        */ \
    X(KEYS, "K and V")              /* of a document on several rows */ \
    X(DRAW, "draw")                 /* reductions over vocabulary    */ \
    X(DEPTHS, "depths")             /* plans and activations, down   */ \
    X(PARTS, "columns")             /* the same, among neighbours    */ \
    X(ANSWERS, "answers")           /* of others to the leader       */ \
    X(STATUS, "status")             /* how a pass went               */ \
    X(ROWS, "rows")                 /* waiting for the other rows    */ \
    X(REPORT, "report")             /* tables at the end of a run    */ \
    X(BENCH, "bench")               /* measurements                  */

typedef enum {
#define X(name, text) EV_##name,
    EVENT_MAP(X)
#undef X
    EV_COUNT
} event;

typedef struct event_total {
    long   count;
    size_t bytes;    /* payload this rank brought */
    double seconds;  /* inside the call, waiting included */
} event_total;

const char *event_name(event e);

/* This process's totals since the start. Local. */
event_total event_totals(event e);

/* Begin and end of one collective; used by comm alone. Local. */
void event_begin(event e, size_t bytes);
void event_end(event e);

/* What this process is inside of at this moment; number is -1 when that is nothing. Any thread. */
typedef struct event_open {
    long   number; /* of all events since the start: another number is another call */
    event  e;
    size_t bytes;
} event_open;

event_open event_inside(void);

/* The last 64 events, oldest first, one line each, to a file descriptor. Async-signal-safe.
 * Local. */
void event_dump(int fd);

#endif
