#include "letter.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#include "clock.h"
#include "communicator.h"

/* Pauses between looks are this part of the time waited so far, and no longer than this: a wait of
 * a whole pass is lengthened by little, and a team without work leaves the processor to others. */
static const double PAUSE_SHARE = 1.0 / 32, PAUSE_LEAST_S = 10e-6, PAUSE_MOST_S = 2e-3;

struct letter {
    comm       *c;
    event       e;
    bool        under_way;
    MPI_Request request;
};

status letter_open(letter **out, comm *c)
{
    letter *l = calloc(1, sizeof *l);
    *out = l;
    if (!l) return status_fail(DID_ENOMEM, "no memory for a letter");
    *l = (letter){.c = c, .request = MPI_REQUEST_NULL};
    return DID_OK;
}

void letter_close(letter **l)
{
    if (*l && (*l)->request != MPI_REQUEST_NULL) {
        MPI_Cancel(&(*l)->request);
        MPI_Request_free(&(*l)->request);
    }
    free(*l);
    *l = NULL;
}

/* Counts of MPI are ints: letters are counted in words. */
static int words_of(size_t bytes)
{
    assert(bytes % LETTER_WORD == 0 && bytes / LETTER_WORD <= INT_MAX);
    return (int)(bytes / LETTER_WORD);
}

status letter_send(letter *l, const void *what, size_t bytes, int to, event e)
{
    assert(!l->under_way);
    l->e = e;
    event_begin(e, bytes);
    int code = MPI_Isend(what, words_of(bytes), MPI_FLOAT, to, (int)e, l->c->mpi, &l->request);
    l->under_way = code == MPI_SUCCESS;
    return communicator_leave(l->c, e, code);
}

status letter_expect(letter *l, void *into, size_t most, int from, event e)
{
    assert(!l->under_way);
    l->e = e;
    int code = MPI_Irecv(into, words_of(most), MPI_FLOAT, from, (int)e, l->c->mpi, &l->request);
    l->under_way = code == MPI_SUCCESS;
    if (code == MPI_SUCCESS) return DID_OK;
    event_begin(e, 0);
    return communicator_leave(l->c, e, code);
}

/* MPI works through what it has when it is asked for anything; nobody sends an event of this number.
 * One question moves about one piece of a message. */
void letter_look(comm *c)
{
    enum { PIECES = 4 };
    int code = MPI_SUCCESS, any;
    for (int i = 0; c && i < PIECES && code == MPI_SUCCESS; i++)
        code = MPI_Iprobe(MPI_ANY_SOURCE, EV_COUNT, c->mpi, &any, MPI_STATUS_IGNORE);
}

status letter_await(letter *l)
{
    if (!l->under_way) return DID_OK;
    double since = clock_seconds();
    int    done = 0;
    event_begin(l->e, 0);
    int code = MPI_Test(&l->request, &done, MPI_STATUS_IGNORE);
    while (code == MPI_SUCCESS && !done) {
        double pause = (clock_seconds() - since) * PAUSE_SHARE;
        clock_sleep(pause < PAUSE_LEAST_S ? PAUSE_LEAST_S : pause < PAUSE_MOST_S ? pause : PAUSE_MOST_S);
        code = MPI_Test(&l->request, &done, MPI_STATUS_IGNORE);
    }
    l->under_way = false;
    return communicator_leave(l->c, l->e, code);
}
