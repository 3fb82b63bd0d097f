/* interrupt.h - TERM, INT and USR1 ask for an orderly end: a flag is set, nothing else.
 *
 * The documents in flight are put down and can be taken up again. A second TERM or INT ends the
 * process at once. */
#ifndef DID_INTERRUPT_H
#define DID_INTERRUPT_H

#include <stdbool.h>

/* Install the handlers. Call before MPI and ZeroMQ start their threads, from the main thread.
 * Local. */
void interrupt_install(void);

/* For a thread that must not receive the signals: blocks them in the calling thread (and in those
 * it starts afterwards). Local. */
void interrupt_block(void);
void interrupt_unblock(void);

/* Has anybody asked this process to end? Local; any thread. */
bool interrupt_asked(void);

#endif
