/* watchdog.h - somebody who notices when a rank waits for others in vain.
 *
 * A thread that looks at this process's journal of events (events.h). MPI offers no way to leave a
 * collective that one rank never enters, so the remedy is to name the rank and the event, show the
 * journal and end the process with code 7; the launcher then ends the others. Time during which the
 * process itself was stopped does not count. Not watched: EV_ROWS, which lasts as long as the other
 * rows work, and what is not inside a collective. */
#ifndef DID_WATCHDOG_H
#define DID_WATCHDOG_H

#include "comm.h"

/* Watch from now on; `stall_s` = 0 watches nothing. One per process; the thread takes no signals.
 * Fails DID_EIO when there can be no thread. Local. */
status watchdog_start(const comm *world, double stall_s);

/* Safe when nothing was started. Local. */
void watchdog_stop(void);

/* Put one sentence and the journal on stderr and end this process with code 7, at once. Any thread.
 * Does not return. */
_Noreturn void watchdog_bark(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
