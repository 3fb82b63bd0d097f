/* hands.h - the threads of this rank, and how they share out the work of a pass.
 *
 * They live as long as the process. Who computes a row, a column or a head never changes a bit of
 * it, so their number is nobody's business but the clock's. Only the master speaks to other ranks:
 * what is shared out here does not communicate, and cannot fail. */
#ifndef DID_HANDS_H
#define DID_HANDS_H

#include "comm.h"

enum { HANDS_MAX = 256 };

/* Items [from, to), done by thread number `thread`. */
typedef void hands_work(void *context, int thread, int from, int to);

/* Choose their number: `asked`, or where that is 0 OMP_NUM_THREADS, or else as many as this rank
 * has cores for itself. They are bound to those, one to a core, where no other rank may run; a rank
 * with fewer cores than threads warns. Collective over world. */
status hands_open(int asked, comm *world);

/* So many from now on, bound to nothing. Local. */
void hands_use(int count);

int hands_count(void);

/* Each thread gets one stretch of n items, whose borders are multiples of `unit`: the same thread
 * the same stretch, time after time, for its caches' sake. Local. */
void hands_share(int n, int unit, hands_work *work, void *context);

/* One item after another to whoever is free. Local. */
void hands_each(int n, hands_work *work, void *context);

#endif
