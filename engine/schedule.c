#include "schedule.h"

int schedule_fill(batch *b, turn *turns, document *const *docs, int n, int *start,
                  const rules *by)
{
    int taken = 0, parked = -1, first = n > 0 ? *start % n : 0;
    batch_begin(b, n > 0 ? walk_model(docs[first]) : 0);
    for (int i = 0; i < n; i++) {
        int at = (first + i) % n;
        /* An empty pass takes one document whatever its size: a budget is no reason to starve. */
        int limit = taken == 0 ? by->rows_max : by->pass_rows;
        int room = batch_room(b, docs[at]->slot, limit);
        int rows = 0;
        if (room > 0 && walk_model(docs[at]) == b->pass.model)
            rows = walk_contribute(docs[at], by, b, room, &turns[taken]);
        if (rows > 0)
            turns[taken++].rows = rows;
        else if (parked < 0)
            parked = at;
    }
    *start = parked >= 0 ? parked : first + 1;
    return taken;
}
