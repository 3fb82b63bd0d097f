/* ending.h - how the program ends: one code for all ranks, one sentence for the reader. */
#ifndef DID_ENDING_H
#define DID_ENDING_H

#include "comm.h"
#include "status.h"

typedef enum {
    END_DONE = 0,
    END_INTERNAL = 1,  /* our fault, or out of memory */
    END_USAGE = 2,     /* the command line, or a plan this machine cannot carry */
    END_INPUT = 3,
    END_MODEL = 4,
    END_SOME_FAILED = 5,
    END_EARLY = 6,     /* stopped before the end; start again to go on */
    END_PEER = 7
} ending;

/* The exit code for `s`, met while doing work whose failures are called `usual`. A lost peer is
 * END_PEER and memory that ran out END_INTERNAL wherever they happen. Local. */
ending ending_of(status s, ending usual);

/* Put this thread's last sentence on stderr: "did: error: ...". Local. */
void ending_explain(void);

/* The worst status of all ranks becomes everybody's, and rank 0 tells its sentence. END_DONE when
 * all are well. `usual` is the same on all ranks. Collective over world. */
ending ending_agree(comm *world, status mine, ending usual);

/* Refuse a command line that never reached a command: `s` was just failed with its sentence.
 * Under a launcher the ranks meet first, so that none is killed before the sentence is out.
 * Collective over every process of the launch. */
ending ending_refuse(status s);

#endif
