#include "yardstick.h"

#include <assert.h>
#include <limits.h>

#include "communicator.h"

enum { TAG = 77 };

status yardstick_sum(comm *c, float *x, size_t n, event e)
{
    assert(n <= INT_MAX);
    TRY(communicator_enter(c, e, n * sizeof *x, false));
    return communicator_leave(
        c, e, MPI_Allreduce(MPI_IN_PLACE, x, (int)n, MPI_FLOAT, MPI_SUM, c->mpi));
}

/* Not a collective, so it has no part in the check that all ranks bring the same. */
status yardstick_bounce(comm *c, void *data, size_t bytes, int a, int b, event e)
{
    int code = MPI_SUCCESS, n = (int)bytes, first = c->rank == a;
    assert(bytes <= INT_MAX && a != b);
    if (!first && c->rank != b) return DID_OK;
    event_begin(e, bytes);
    if (first) code = MPI_Send(data, n, MPI_BYTE, b, TAG, c->mpi);
    if (code == MPI_SUCCESS)
        code = MPI_Recv(data, n, MPI_BYTE, first ? b : a, TAG, c->mpi, MPI_STATUS_IGNORE);
    if (code == MPI_SUCCESS && !first) code = MPI_Send(data, n, MPI_BYTE, a, TAG, c->mpi);
    return communicator_leave(c, e, code);
}
