#include "ending.h"

#include <stdio.h>

ending ending_of(status s, ending usual)
{
    if (s == DID_OK) return END_DONE;
    if (s == DID_EPEER) return END_PEER;
    return s == DID_ENOMEM || s == DID_EFULL ? END_INTERNAL : usual;
}

void ending_explain(void)
{
    fprintf(stderr, "did: error: %s\n", status_message());
}

ending ending_agree(comm *world, status mine, ending usual)
{
    status all = comm_agree(world, mine);
    if (all != DID_OK && comm_rank(world) == 0) ending_explain();
    return ending_of(all, usual);
}

ending ending_refuse(status s)
{
    comm  *world = NULL;
    ending end = END_USAGE;
    if (comm_start(&world) == DID_OK) end = ending_agree(world, s, END_USAGE);
    else ending_explain();
    comm_stop(&world);
    return end;
}
