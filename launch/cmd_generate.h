/* cmd_generate.h - `did generate`: documents in, refined documents out, on all ranks of the
 * launch. */
#ifndef DID_CMD_GENERATE_H
#define DID_CMD_GENERATE_H

#include "comm.h"
#include "ending.h"
#include "engine.h"
#include "job.h"
#include "options.h"
#include "record.h"
#include "settings.h"
#include "status.h"

/* The words after the command. Returns the exit code, the same on all ranks. Collective over every
 * process of the launch. */
int cmd_generate(int argc, char *const *argv);

/* What a run leaves to be looked at. */
typedef struct cmd_generate_run {
    comm           *world;
    engine         *engine;
    const job      *job; /* rank 0 */
    const settings *set;
    int             rows;      /* groups of ranks that share a model */
    int             documents; /* finished in this run; rank 0's word */
    double          seconds;   /* of the run by the clock; rank 0's word */
} cmd_generate_run;

/* Another command that sends documents through the same machine. */
typedef struct cmd_generate_task {
    void *context;

    /* The words after the command, as settings of a run; as settings_read. Local. */
    status (*read)(void *context, settings *out, options **said, int argc, char *const *argv);

    /* The documents; as job_open. Leader (rank 0). */
    status (*open)(void *context, job *j, const settings *s, ending *usual);

    /* A document was finished by stages that took seconds[n]; see frontend.h. NULL: nobody wants to
     * know. Leader (rank 0), in a thread of its own. */
    void (*timed)(void *context, int64_t serial, const double *seconds, int n);

    /* Run documents from elsewhere through the engine until there is no more to do, in place of the
     * job's through a front-end of its own; NULL: these. `rules` has no tokenizer but on rank 0;
     * *documents (rank 0) counts what was finished. Collective over world. */
    ending (*carry)(void *context, const cmd_generate_run *run, const record_rules *rules,
                    int *documents);

    /* Everything is written; NULL: that was all. Collective over world. */
    status (*finish)(void *context, const cmd_generate_run *run);
} cmd_generate_task;

/* As cmd_generate. Collective over every process of the launch. */
int cmd_generate_with(const cmd_generate_task *task, int argc, char *const *argv);

#endif
