/* All ranks leave with the same code whoever failed. Returns nonzero on any rank's failure. */
#include <stdio.h>
#include <string.h>

#include "comm.h"
#include "ending.h"

static int failures;

static void expect(int good, const char *what)
{
    if (good) return;
    fprintf(stderr, "ranks_ending: %s\n", what);
    failures++;
}

int main(void)
{
    comm *world = NULL;
    if (comm_start(&world) != DID_OK) return 1;
    int rank = comm_rank(world), size = comm_size(world);

    expect(ending_agree(world, DID_OK, END_INPUT) == END_DONE, "all are well");
    for (int bad = 0; bad < size; bad++) {
        status mine = rank == bad ? status_fail(DID_EFORMAT, "rank %d says so", bad) : DID_OK;
        expect(ending_agree(world, mine, END_INPUT) == END_INPUT, "the code is everybody's");
        char said[64];
        snprintf(said, sizeof said, "rank %d says so", bad);
        expect(strstr(status_message(), said) != NULL, "the sentence is everybody's");
    }
    status mine = rank == size - 1 ? status_fail(DID_ENOMEM, "full") : DID_OK;
    expect(ending_agree(world, mine, END_MODEL) == END_INTERNAL, "memory is nobody's mistake");

    expect(ending_of(DID_OK, END_USAGE) == END_DONE, "nothing wrong");
    expect(ending_of(DID_EFULL, END_USAGE) == END_INTERNAL, "nor is a full disk");
    expect(ending_of(DID_EIO, END_MODEL) == END_MODEL, "the usual name");
    expect(ending_of(DID_EPEER, END_USAGE) == END_PEER, "a lost peer is one everywhere");
    status all = comm_agree(world, failures ? status_fail(DID_EINVAL, "failed") : DID_OK);
    comm_stop(&world);
    return all != DID_OK;
}
