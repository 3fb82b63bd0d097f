/* main.c - the program: which command was meant. Help and version never start MPI. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "cmd_fsck.h"
#include "cmd_cancel.h"
#include "cmd_generate.h"
#include "cmd_keys.h"
#include "cmd_plan.h"
#include "cmd_refine.h"
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
#include "manual.h"
#include "nearest.h"
#include "options.h"
#include "plan_settings.h"
#include "refine_settings.h"
#include "roff.h"
#include "score_settings.h"
#include "settings.h"
#include "sweep_settings.h"
#include "version.h"

typedef struct command {
    const option_table *table;
    int (*run)(int argc, char *const *argv);
} command;

static const command commands[] = {{&settings_table, cmd_generate},
                                   {&refine_settings_table, cmd_refine},
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
                                   {&plan_settings_table, cmd_plan},
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

static const char BENCH_SUMMARY[] = "how fast it runs here, as a share of what is possible.";

static int help(FILE *to)
{
    fprintf(to,
            "did - long documents from block-diffusion language models: drafted, then refined.\n"
            "\nusage: did COMMAND [options]      (under mpirun or srun for several ranks)\n\n");
    for (int i = 0; i < COMMANDS; i++)
        fprintf(to, "  did %-10s %s\n", commands[i].table->command, commands[i].table->summary);
    fprintf(to, "  did %-10s %s\n", BENCH, BENCH_SUMMARY);
    fprintf(to, "\n  did COMMAND --help    all options of a command\n"
                "  did help --man DIR    the same as manual pages, written into a directory\n"
                "  did --version         version, MPI, BLAS, processor\n"
                "\nexit codes: 0 done, 1 internal, 2 usage, 3 bad input, 4 bad model, 5 some "
                "documents failed,\n6 stopped early and resumable, 7 a peer was lost\n");
    return END_DONE;
}

/* ---- manual pages ---- */

static void overview(FILE *to)
{
    roff_begin(to, "did", "did " DID_VERSION,
               "long documents from block-diffusion language models: drafted, then refined",
               "COMMAND [options]");
    roff_section(to, "DESCRIPTION");
    roff_paragraph(to, "Every command has a page of its own, did-COMMAND(1), and says the same with "
                       "--help. Commands that compute run under mpirun or srun on several ranks.");
    roff_section(to, "COMMANDS");
    for (int i = 0; i < COMMANDS; i++)
        roff_item(to, commands[i].table->command, NULL, commands[i].table->summary);
    roff_item(to, BENCH, NULL, BENCH_SUMMARY);
    roff_section(to, "OPTIONS");
    roff_item(to, "--help", NULL, "The commands, or all options of a command.");
    roff_item(to, "--version", NULL, "Version, MPI, BLAS and processor.");
    manual_exit_codes(to);
}

/* Page i of all: the overview, one for each command, that of bench. */
static void page(FILE *to, int i)
{
    if (i == 0) overview(to);
    else if (i <= COMMANDS) manual_page(to, commands[i - 1].table, "did " DID_VERSION);
    else bench_manual(to, "did " DID_VERSION);
}

static status write_page(const char *dir, int i)
{
    char        path[4096];
    const char *name = i == 0 ? "" : i <= COMMANDS ? commands[i - 1].table->command : BENCH;
    snprintf(path, sizeof path, "%.4000s/did%s%s.1", dir, i == 0 ? "" : "-", name);
    FILE *to = fopen(path, "we");
    if (!to) return status_fail(DID_EIO, "cannot write %s: %s", path, strerror(errno));
    page(to, i);
    bool torn = ferror(to) != 0;
    torn |= fclose(to) != 0;
    return torn ? status_fail(DID_EIO, "cannot write %s", path) : DID_OK;
}

static int manuals(const char *dir)
{
    for (int i = 0; i < COMMANDS + 2; i++)
        if (write_page(dir, i) != DID_OK) return ending_refuse(DID_EIO);
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
    refine_settings_prepare();
    sweep_settings_prepare();
    if (fault_begin() != DID_OK) return ending_refuse(DID_EINVAL);
    if (argc < 2)
        return ending_refuse(status_fail(DID_EINVAL, "no command was given: see did --help"));
    if (argc == 4 && !strcmp(argv[1], "help") && !strcmp(argv[2], "--man")) return manuals(argv[3]);
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
