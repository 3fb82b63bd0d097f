/* communicator.h - what a comm is made of, for the files of this room that speak MPI. */
#ifndef DID_COMMUNICATOR_H
#define DID_COMMUNICATOR_H

#include <mpi.h>

#include "arena.h"
#include "comm.h"
#include "shared.h"
#include "transit.h"

struct comm {
    MPI_Comm mpi;
    int      rank, size;
    size_t   reserve;  /* floats one comm_sum may bring */
    arena    scratch;
    shared  *shared;   /* memory of all ranks, where sums go through it; NULL: messages */
    bool     pairs;    /* sums are added in pairs, else in rank order */
    transit *transit;  /* the sum on its way in messages; NULL before there is a reserve */
    bool     narrow;   /* sums travel as bf16 */
    int      table[];  /* displacements of an exchange: two rows of `size` */
};

/* Every collective passes here on its way in and, when that went well, out with what MPI answered.
 * Who is `asleep` waits with sleeps. Collective. */
status communicator_enter(comm *c, event e, size_t bytes, bool asleep);
status communicator_leave(comm *c, event e, int code);

#endif
