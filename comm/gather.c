#include "gather.h"

#include <assert.h>
#include <stdlib.h>

#include "communicator.h"

/* Small enough that several are under way at once, large enough that their number is none. */
enum { PIECE = 1 << 22 };

struct gather {
    comm       *c;
    event       e;
    size_t      bytes;   /* of the largest array */
    int         n, most; /* requests under way, and room for them */
    MPI_Request request[];
};

static int pieces_of(size_t bytes)
{
    return (int)((bytes + PIECE - 1) / PIECE);
}

status gather_open(gather **out, comm *c, size_t bytes)
{
    /* Every part may end in a piece that is not full; mine goes to all others. */
    int     size = c->size, most = size * (pieces_of(bytes) + 1) + pieces_of(bytes) + size;
    gather *g = calloc(1, sizeof *g + (size_t)most * sizeof g->request[0]);
    *out = g;
    if (!g) return status_fail(DID_ENOMEM, "no memory for a gather of %zu bytes", bytes);
    g->c = c;
    g->bytes = bytes;
    g->most = most;
    return DID_OK;
}

void gather_close(gather **g)
{
    for (int i = 0; *g && i < (*g)->n; i++)
        if ((*g)->request[i] != MPI_REQUEST_NULL) MPI_Request_free(&(*g)->request[i]);
    free(*g);
    *g = NULL;
}

/* One part to or from rank r, piece by piece. Two ranks cut a part alike, and messages between them
 * do not overtake each other. */
static int move_part(gather *g, char *all, gather_part part, int r, bool sending)
{
    int code = MPI_SUCCESS;
    for (size_t at = 0; at < part.bytes && code == MPI_SUCCESS; at += PIECE) {
        int          bytes = part.bytes - at < PIECE ? (int)(part.bytes - at) : PIECE;
        char        *here = all + part.start + at;
        MPI_Request *request = &g->request[g->n];
        assert(g->n < g->most);
        code = sending ? MPI_Isend(here, bytes, MPI_BYTE, r, (int)g->e, g->c->mpi, request)
                       : MPI_Irecv(here, bytes, MPI_BYTE, r, (int)g->e, g->c->mpi, request);
        if (code == MPI_SUCCESS) g->n++;
    }
    return code;
}

status gather_begin(gather *g, void *all, const gather_part *part, event e)
{
    int size = g->c->size, me = g->c->rank, code = MPI_SUCCESS;
    assert(g->n == 0);
    g->e = e;
    if (part[me].bytes == 0) return DID_OK;
    event_begin(e, part[me].bytes);
    /* Nearest neighbours first, and everybody another one: no rank is asked by all at once. */
    for (int i = 1; i < size && code == MPI_SUCCESS; i++) {
        int r = (me + i) % size;
        assert(part[r].start + part[r].bytes <= g->bytes);
        code = move_part(g, all, part[r], r, false);
    }
    for (int i = 1; i < size && code == MPI_SUCCESS; i++) {
        int r = (me + size - i) % size;
        if (part[r].bytes > 0) code = move_part(g, all, part[me], r, true);
    }
    return communicator_leave(g->c, e, code);
}

status gather_poll(gather *g)
{
    int done = 0;
    if (g->n == 0) return DID_OK;
    int code = MPI_Testall(g->n, g->request, &done, MPI_STATUSES_IGNORE);
    if (code == MPI_SUCCESS && done) g->n = 0;
    if (code == MPI_SUCCESS) return DID_OK;
    event_begin(g->e, 0);
    return communicator_leave(g->c, g->e, code);
}

status gather_end(gather *g)
{
    if (g->n == 0) return DID_OK;
    event_begin(g->e, 0);
    int code = MPI_Waitall(g->n, g->request, MPI_STATUSES_IGNORE);
    g->n = 0;
    return communicator_leave(g->c, g->e, code);
}
