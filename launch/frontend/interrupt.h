/* interrupt.h - how a run is asked to end.
 *
 * USR1 and INT ask for an orderly end: a flag is set, nothing else; the pass is finished, and the
 * documents in flight are put down and can be taken up again. TERM leaves no time for that where a
 * farewell stands ready: what is safe is on disk already, a word is said, and the process is gone.
 * Elsewhere TERM asks as INT does. A second TERM or INT ends the process as the system does. */
#ifndef DID_INTERRUPT_H
#define DID_INTERRUPT_H

#include <stdbool.h>

#include "status.h"

/* Install the handlers. Call before MPI and ZeroMQ start their threads, from the main thread.
 * Local. */
void interrupt_install(void);

/* For a thread that must not receive the signals: blocks them in the calling thread (and in those
 * it starts afterwards). Local. */
void interrupt_block(void);
void interrupt_unblock(void);

/* Has anybody asked this process to end? Local; any thread. */
bool interrupt_asked(void);

/* From now on TERM ends this process with exit code `code`, from a thread of its own, whatever the
 * others are doing: `last` is called first (NULL: a moment is waited, so that others can speak), in
 * that thread, and shall not take long. Fails DID_EIO. Local. */
status interrupt_farewell(void (*last)(void *context), void *context, int code);

/* TERM is again like INT. Does not return once a farewell has begun. Local. */
void interrupt_farewell_end(void);

#endif
