/* main.c - the program: which command was meant. Help and version never start MPI. */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "cmd_fsck.h"
#include "cmd_cancel.h"
#include "cmd_generate.h"
#include "cmd_keys.h"
#include "cmd_results.h"
#include "cmd_score.h"
#include "cmd_serve.h"
#include "cmd_show.h"
#include "cmd_status.h"
#include "cmd_submit.h"
#include "cmd_sweep.h"
#include "cmd_top.h"
#include "cmd_work.h"
#include "comm.h"
#include "ending.h"
#include "fault.h"
#include "machine.h"
#include "nearest.h"
#include "options.h"
#include "score_settings.h"
#include "settings.h"
#include "sweep_settings.h"
#include "version.h"

typedef struct command {
    const option_table *table;
    int (*run)(int argc, char *const *argv);
} command;

static const command commands[] = {{&settings_table, cmd_generate},
                                   {&cmd_show_table, cmd_show},
                                   {&cmd_serve_table, cmd_serve},
                                   {&cmd_work_table, cmd_work},
                                   {&cmd_submit_table, cmd_submit},
                                   {&cmd_status_table, cmd_status},
                                   {&cmd_results_table, cmd_results},
                                   {&cmd_cancel_table, cmd_cancel},
                                   {&cmd_top_table, cmd_top},
                                   {&cmd_keys_table, cmd_keys},
                                   {&score_settings_table, cmd_score},
                                   {&sweep_settings_table, cmd_sweep},
                                   {&cmd_fsck_table, cmd_fsck}};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

/* bench is a room below this one and reads its own options. */
static const char BENCH[] = "bench";

static int version(void)
{
    printf("did %s (%s)\n", DID_VERSION, DID_GIT);
    printf("MPI:  %s\n", comm_library());
    printf("BLAS: %s\n", machine_blas());
    printf("CPU:  %s\n", machine_cpu());
    if (fault_kinds()) printf("Faults on demand: %s\n", fault_kinds());
    return END_DONE;
}

static int help(FILE *to)
{
    fprintf(to,
            "did - long documents from block-diffusion language models: drafted, then refined.\n"
            "\nusage: did COMMAND [options]      (under mpirun or srun for several ranks)\n\n");
    for (int i = 0; i < COMMANDS; i++)
        fprintf(to, "  did %-10s %s\n", commands[i].table->command, commands[i].table->summary);
    fprintf(to, "  did %-10s %s\n", BENCH, "how fast it runs here, as a share of what is possible.");
    fprintf(to, "\n  did COMMAND --help    all options of a command\n"
                "  did --version         version, MPI, BLAS, processor\n"
                "\nexit codes: 0 done, 1 internal, 2 usage, 3 bad input, 4 bad model, 5 some "
                "documents failed,\n6 stopped early and resumable, 7 a peer was lost\n");
    return END_DONE;
}

static int unknown(const char *word)
{
    const char *names[COMMANDS + 1];
    for (int i = 0; i < COMMANDS; i++) names[i] = commands[i].table->command;
    names[COMMANDS] = BENCH;
    const char *near = nearest_name(word, names, COMMANDS + 1);
    if (near)
        return ending_refuse(
            status_fail(DID_EINVAL, "unknown command %.80s: did you mean %s?", word, near));
    return ending_refuse(status_fail(DID_EINVAL, "unknown command %.80s: see did --help", word));
}

int main(int argc, char **argv)
{
    cmd_submit_prepare();
    if (fault_begin() != DID_OK) return ending_refuse(DID_EINVAL);
    if (argc < 2)
        return ending_refuse(status_fail(DID_EINVAL, "no command was given: see did --help"));
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
        return help(stdout);
    if (!strcmp(argv[1], "--version")) return version();
    if (!strcmp(argv[1], BENCH)) return bench_main(argc - 2, argv + 2);
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].table->command)) continue;
        if (options_help_asked(argc - 2, argv + 2)) {
            options_help(commands[i].table, stdout);
            return END_DONE;
        }
        return commands[i].run(argc - 2, argv + 2);
    }
    return unknown(argv[1]);
}
