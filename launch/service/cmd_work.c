#include "cmd_work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_generate.h"
#include "comm.h"
#include "interrupt.h"
#include "keyring.h"
#include "log.h"
#include "order.h"
#include "porter.h"
#include "walltime.h"

typedef struct work {
    settings    set; /* first, so that its rows of --help fit; of documents only the defaults */
    const char *connect, *keys, *also;
    double      idle_exit_s, patience_s;
    int         length_max;

    keyring_file file;
    job          own; /* models and tokenizer of a leader that is not rank 0 */
    porter      *porter;
} work;

#define AT(member) .offset = offsetof(work, member)

static const option table[] = {
    {.help = "Which service, with which models"},
    {"model", 0, OPTION_TEXT, "DIR", .silent = "must be given", AT(set.model),
     .help = "checkpoint: config.json, model.safetensors (or an index), tokenizer"},
    {"also", 0, OPTION_TEXT, "DIR,...", .silent = "none", AT(also),
     .help = "more checkpoints, for stages that name one (model=DIR)"},
    {"tokenizer", 0, OPTION_TEXT, "DIR", .silent = "the model's directory", AT(set.tokenizer),
     .help = "tokenizer.json, or vocab.json and merges.txt"},
    {"connect", 0, OPTION_TEXT, "ENDPOINT", .silent = "must be given", AT(connect),
     .help = "where did serve is: tcp://HOST:PORT or ipc:///DIRECTORY/NAME"},
    {"keys", 0, OPTION_TEXT, "FILE", .silent = "none, over ipc", AT(keys),
     .help = "key file of a world, as did keys makes them"},

    {.help = "How long"},
    {"idle-exit", 0, OPTION_REAL, "SECONDS", .silent = "never", .max = 1e7, .open = true,
     AT(idle_exit_s), .help = "leave after so long without work"},
    {"maxh", 0, OPTION_REAL, "HOURS", .silent = "no limit", .max = 1e6, .open = true, AT(set.maxh),
     .help = "stop in good order shortly before this time, or that of the Slurm job, is over; USR1 asks for the "
             "same. TERM: the service is told, and all ranks are gone at once"},
    {"stall", 0, OPTION_REAL, "SECONDS", "600", .max = 1e6, AT(set.stall_s),
     .help = "a rank that waits longer for another is named and the launch ends with code 7; 0 waits "
             "for ever"},
    {"patience-s", 0, OPTION_REAL, "SECONDS", "600", .max = 1e6, .open = true, AT(patience_s),
     .help = "without work and without an answer of the service; then it is given up"},
    {"save-interval-s", 0, OPTION_REAL, "SECONDS", "10", .max = 86400, AT(set.save_interval_s),
     .help = "unfinished documents are saved with the service this often; 0 after every pass"},

    {.help = "How it is computed"},
    {"length-max", 0, OPTION_COUNT, "TOKENS", .silent = "the model's length", .min = 2,
     .max = REQUEST_LENGTH_MAX, AT(length_max), .help = "the longest document that is taken"},
    {"refine-window", 0, OPTION_TEXT, "TOKENS|full", .silent = "the model's length",
     AT(set.refine_window), .help = "longer documents are refined in windows of this size"},
    {"tp", 0, OPTION_COUNT, "RANKS", .silent = "1, or as many as the model needs", .min = 1,
     .max = 4096, AT(set.tp),
     .help = "ranks that share one model; the others work on other documents. With --layout 2d the "
             "columns of the grid of ranks"},
    {"pp", 0, OPTION_COUNT, "DEPTHS", "1", .min = 1, .max = ENGINE_GROUPS_MAX, AT(set.depth),
     .help = SETTINGS_DEPTH_HELP},
    {"groups", 0, OPTION_COUNT, "COUNT", .silent = "as many as --pp", .min = 1,
     .max = ENGINE_GROUPS_MAX, AT(set.groups), .help = SETTINGS_GROUPS_HELP},
    {"layout", 0, OPTION_CHOICE, "1d|2d", "1d", AT(set.layout),
     .help = "1d: each weight is split over --tp ranks; 2d: every weight lies in blocks over all "
             "ranks, which work on the same documents (PBLAS; f32; slower, but any model fits that "
             "fits all ranks together)"},
    {"refine-span", 0, OPTION_TEXT, "ROWS|auto", "auto", AT(set.refine_span),
     .help = SETTINGS_SPAN_HELP},
    {"documents", 0, OPTION_COUNT, "COUNT", .silent = "up to 32, as memory allows", .min = 1,
     .max = 1024, AT(set.documents), .help = "in flight per group of --tp ranks"},
    {"pass-rows", 0, OPTION_COUNT, "ROWS", "1024", .min = 16, .max = 1 << 20, AT(set.pass_rows),
     .help = "positions of many documents that one pass takes together"},
    {"commit", 0, OPTION_CHOICE, "fused|separate", "fused", AT(set.commit),
     .help = "store a finished block in the pass that begins the next, or in one of its own"},
    {"threads", 0, OPTION_COUNT, "COUNT", .silent = "OMP_NUM_THREADS, or as many as a rank has cores",
     .min = 1, .max = 256, AT(set.threads), .help = "of a rank; they change no byte of any text"},
    {"wire", 0, OPTION_CHOICE, "f32|bf16", "f32", AT(set.wire), .help = SETTINGS_WIRE_HELP},
    {"precision", 0, OPTION_CHOICE, "f32|bf16", "f32", AT(set.precision),
     .help = "of weights, their products and the cache; bf16 takes half the memory and is faster"},
    {"kernels", 0, OPTION_TEXT, "NAME", .silent = "the best for this processor", AT(set.kernels),
     .help = "avx512, avx2 or ref, in bf16 also amx, avx512bf16; without it DID_KERNELS, if set, says"},
    {"reproducible", 0, OPTION_FLAG, AT(set.reproducible), .help = SETTINGS_REPRODUCIBLE_HELP},
    {"weights", 0, OPTION_CHOICE, "folded|unfolded", "folded", AT(set.weights),
     .help = "fold the constant conditioning into the weights, or compute it as published"},
    {"quiet", 0, OPTION_FLAG, AT(set.quiet), .help = "warnings and errors only"},
    {"options", 0, OPTION_TEXT, "FILE", .silent = "none", AT(set.options),
     .help = "read more options from a file, one per line, without dashes; # begins a comment"},
};

const option_table cmd_work_table = {
    .command = "work",
    .summary = "generate what a service hands out, on all ranks of the launch.",
    .usage = "--model DIR --connect ENDPOINT [--keys FILE] [options]    (under mpirun or srun)",
    .option = table,
    .n = sizeof table / sizeof table[0]};

/* What did generate has where nobody says anything; about documents the jobs have their own word. */
static status defaults(settings *out, const char *model)
{
    char    *words[] = {"--model", (char *)(uintptr_t)model};
    options *said;
    TRY(settings_read(out, &said, 2, words));
    options_close(&said);
    return DID_OK;
}

static status read_words(void *context, settings *out, options **said, int argc, char *const *argv)
{
    work    *w = context;
    settings usual;
    TRY(options_read(said, &cmd_work_table, w, argc, argv));
    if (!w->connect) return status_fail(DID_EINVAL, "--connect is missing: say where did serve is");
    if (strncmp(w->connect, "tcp:", 4) == 0 && !w->keys)
        return status_fail(DID_EINVAL, "--connect %s: TCP is always encrypted: give --keys FILE",
                           w->connect);
    if (!w->set.model)
        return status_fail(DID_EINVAL, "--model is missing: name a checkpoint directory");
    TRY(defaults(&usual, w->set.model));
    if (w->keys) TRY(keyring_read(&w->file, w->keys));
    const settings mine = w->set;
    *out = usual;
    out->tokenizer = mine.tokenizer;
    out->maxh = mine.maxh;
    out->stall_s = mine.stall_s;
    out->save_interval_s = mine.save_interval_s;
    out->refine_window = mine.refine_window;
    out->refine_span = mine.refine_span;
    out->tp = mine.tp;
    out->depth = mine.depth;
    out->groups = mine.groups;
    out->layout = mine.layout;
    out->documents = mine.documents;
    out->pass_rows = mine.pass_rows;
    out->commit = mine.commit;
    out->wire = mine.wire;
    out->precision = mine.precision;
    out->reproducible = mine.reproducible;
    out->kernels = mine.kernels;
    out->threads = mine.threads;
    out->weights = mine.weights;
    out->quiet = mine.quiet;
    w->set = *out;
    return settings_check(out);
}

static status add_models(models *m, const char *list)
{
    char dir[MODEL_DIR_MAX];
    int  handle;
    while (list && *list) {
        size_t len = strcspn(list, ",");
        if (len >= sizeof dir)
            return status_fail(DID_EINVAL, "--also: a name longer than %zu bytes", sizeof dir - 1);
        snprintf(dir, sizeof dir, "%.*s", (int)len, list);
        if (len > 0) TRY(models_add(m, dir, &handle));
        list += len + (list[len] == ',');
    }
    return DID_OK;
}

/* Models and tokenizer; the one document that did generate would make of nothing is let go. */
static status open_world(void *context, job *j, const settings *s, ending *usual)
{
    work *w = context;
    TRY(job_open(j, s, usual));
    *usual = END_MODEL;
    TRY(add_models(&j->models, w->also));
    j->models.closed = true;
    input_clear(&j->input);
    j->input.length_max = w->length_max ? w->length_max : j->models.shape[0].length;
    return DID_OK;
}

/* A leader's words and models; rank 0 has them already. */
static status own_world(work *w, const cmd_generate_run *run, job **world)
{
    ending usual;
    *world = &w->own;
    return open_world(w, &w->own, run->set, &usual);
}

static status read_order(void *context, request *out, record_rules *rules, const char *text,
                         size_t size, int sample)
{
    const record_rules base = *rules;
    return order_read(out, rules, context, &base, text, size, sample);
}

static status begin(work *w, const cmd_generate_run *run, socket_context *c, record_rules *rules)
{
    job *world;
    TRY(own_world(w, run, &world));
    rules->words = world->words;
    porter_settings s = {.road = {.context = c, .endpoint = {w->connect}, .n = 1},
                         .loads = {.base = rules, .read = read_order, .context = world},
                         .engine = run->engine,
                         .row = engine_row(run->engine),
                         .rows = run->rows,
                         .saving = true,
                         .save_interval_s = run->set->save_interval_s,
                         .idle_exit_s = w->idle_exit_s,
                         .patience_s = w->patience_s,
                         .deadline_s = walltime_deadline(run->set->maxh),
                         .asked = interrupt_asked};
    if (w->keys) {
        s.road.server = w->file.server;
        s.road.keys = &w->file.own;
    }
    return porter_open(&w->porter, &s);
}

/* What a leader tells at the end. */
typedef struct harvest {
    long carried; /* records that the service has */
    bool stopped; /* early, because it was asked to */
} harvest;

/* Of all leaders together: *documents on rank 0, *stopped on all ranks. */
static status sum_up(const cmd_generate_run *run, const harvest *mine, bool *stopped,
                     int *documents)
{
    int      size = comm_size(run->world);
    harvest *all = calloc((size_t)size, sizeof *all);
    status   s = all ? DID_OK : status_fail(DID_ENOMEM, "no memory for the sum of %d ranks", size);
    s = comm_agree(run->world, s);
    *stopped = false;
    if (s == DID_OK) s = comm_gather(run->world, all, mine, sizeof *mine, EV_REPORT);
    for (int i = 0; s == DID_OK && i < size; i++) {
        *documents += (int)all[i].carried;
        *stopped |= all[i].stopped;
    }
    if (s == DID_OK) s = comm_broadcast(run->world, stopped, sizeof *stopped, 0, EV_REPORT);
    free(all);
    return s;
}

static void last_word(void *context)
{
    porter_farewell(context);
}

static ending run_engine(work *w, const cmd_generate_run *run, int *documents)
{
    ending      end;
    engine_feed hooks = {0};
    harvest     mine = {0};
    bool        stopped = false;
    if (w->porter) hooks = porter_hooks(w->porter);
    status s = interrupt_farewell(w->porter ? last_word : NULL, w->porter, END_EARLY);
    if ((end = ending_agree(run->world, s, END_INTERNAL)) != END_DONE) return end;
    s = engine_run(run->engine, w->porter ? &hooks : NULL);
    interrupt_farewell_end();
    if ((end = ending_agree(run->world, s, END_INTERNAL)) != END_DONE) return end;
    if (w->porter) {
        mine.stopped = porter_stopped(w->porter);
        s = porter_close(&w->porter, &mine.carried);
    }
    if ((end = ending_agree(run->world, s, END_INTERNAL)) != END_DONE) return end;
    s = sum_up(run, &mine, &stopped, documents);
    if ((end = ending_agree(run->world, s, END_INTERNAL)) != END_DONE) return end;
    return stopped ? END_EARLY : END_DONE;
}

static ending carry(void *context, const cmd_generate_run *run, const record_rules *rules,
                    int *documents)
{
    work           *w = context;
    record_rules    mine = *rules;
    socket_context *c = NULL;
    status          s = DID_OK;
    interrupt_block(); /* the threads of the sockets must not take the signals */
    if (engine_leads(run->engine)) {
        s = socket_context_open(&c);
        if (s == DID_OK) s = begin(w, run, c, &mine);
    }
    interrupt_unblock();
    ending end = ending_agree(run->world, s, END_USAGE);
    if (end == END_DONE) end = run_engine(w, run, documents);
    interrupt_farewell_end();
    porter_close(&w->porter, NULL);
    if (c) socket_context_close(&c);
    job_close(&w->own);
    return end;
}

int cmd_work(int argc, char *const *argv)
{
    work                    w = {0};
    const cmd_generate_task task = {
        .context = &w, .read = read_words, .open = open_world, .carry = carry};
    return cmd_generate_with(&task, argc, argv);
}
