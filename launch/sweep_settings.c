#include "sweep_settings.h"

#include <stdlib.h>
#include <string.h>

#include "request.h"

#define AT(member) .offset = offsetof(sweep_settings, member)

static const option table[] = {
    {.help = "What to try"},
    {"spec", 0, OPTION_TEXT, "FILE", .silent = "must be given", AT(spec),
     .help = "settings, lists of values and claims; bench/specs holds some, and the file's form is "
             "described in launch/study/spec.h"},
    {"set", 0, OPTION_TEXT, "KEY=VALUE;...", .silent = "what the spec says", AT(changes),
     .help = "in place of what the spec says of documents, seeds, length and the like: "
             "\"documents=25; seeds=1 2 3\""},
    {"model", 0, OPTION_TEXT, "DIR", .silent = "must be given", AT(model),
     .help = "checkpoint that drafts and refines where a stage names no other"},
    {"model-for", 0, OPTION_TEXT, "NAME=DIR[,...]", .silent = "none", AT(model_for),
     .help = "checkpoints that stages of the spec call by a name: model=NAME"},
    {"scorer", 0, OPTION_TEXT, "DIR", .silent = "must be given", AT(scorer),
     .help = "causal checkpoint (gpt2) that scores every document in the same run"},
    {"tokenizer", 0, OPTION_TEXT, "DIR", .silent = "the model's directory", AT(tokenizer),
     .help = "tokenizer.json, or vocab.json and merges.txt"},

    {.help = "Where it goes (verdicts and a table go to stdout)"},
    {"output", 0, OPTION_TEXT, "DIR", .silent = "must be given", AT(output),
     .help = "rows.csv, rows.jsonl, report.html, documents.jsonl, seconds.jsonl and the state of the "
             "sweep; start the same command again and it goes on"},
    {"trace", 0, OPTION_FLAG, AT(trace),
     .help = "keep every draw in documents.jsonl, for did show"},
    {"save-interval-s", 0, OPTION_REAL, "SECONDS", "10", .max = 86400, AT(save_interval_s),
     .help = "unfinished documents are saved this often; 0 after every pass"},

    {.help = "How it is computed"},
    {"tp", 0, OPTION_COUNT, "RANKS", .silent = "1, or as many as the models need", .min = 1,
     .max = 4096, AT(tp), .help = "ranks that share one model; the others work on other documents"},
    {"documents", 0, OPTION_COUNT, "COUNT", .silent = "up to 32, as work and memory allow",
     .min = 1, .max = 65536, AT(documents), .help = "in flight per group of --tp ranks"},
    {"pass-rows", 0, OPTION_COUNT, "ROWS", "1024", .min = 16, .max = 1 << 20, AT(pass_rows),
     .help = "positions of many documents that one pass takes together"},
    {"refine-window", 0, OPTION_TEXT, "TOKENS|full", .silent = "the model's length",
     AT(refine_window), .help = "longer documents are refined in windows of this size"},
    {"threads", 0, OPTION_COUNT, "COUNT", .silent = "OMP_NUM_THREADS, or as many as a rank has cores",
     .min = 1, .max = 256, AT(threads), .help = "of a rank; they change no byte of any text"},
    {"wire", 0, OPTION_CHOICE, "f32|bf16", "f32", AT(wire), .help = SETTINGS_WIRE_HELP},
    {"precision", 0, OPTION_CHOICE, "f32|bf16", "f32", AT(precision),
     .help = "of weights, their products and the cache; bf16 takes half the memory and is faster"},
    {"kernels", 0, OPTION_TEXT, "NAME", .silent = "the best for this processor", AT(kernels),
     .help = "avx512, avx2 or ref, in bf16 also amx, avx512bf16; without it DID_KERNELS, if set, says"},
    {"stall", 0, OPTION_REAL, "SECONDS", "600", .max = 1e6, AT(stall_s),
     .help = "a rank that waits longer for another is named and the run ends with code 7; 0 waits "
             "for ever"},
    {"maxh", 0, OPTION_REAL, "HOURS", .silent = "no limit", .max = 1e6, .open = true, AT(maxh),
     .help = "stop in good order shortly before this time is over"},

    {.help = "What is shown"},
    {"quiet", 0, OPTION_FLAG, AT(quiet), .help = "verdicts, table, warnings and errors only"},
    {"progress-interval-s", 0, OPTION_REAL, "SECONDS", .silent = "0.5 on a terminal, else 10",
     .max = 86400, .open = true, AT(progress_interval_s), .help = "between two progress reports"},
    {"options", 0, OPTION_TEXT, "FILE", .silent = "none", AT(options),
     .help = "read more options from a file, one per line, without dashes; # begins a comment"},
};

const option_table sweep_settings_table = {
    .command = "sweep",
    .summary = "try many settings in one run: quality beside cost, claims decided, a report.",
    .usage = "--spec FILE --model DIR --scorer DIR --output DIR [options]",
    .option = table,
    .n = sizeof table / sizeof table[0]};

static status check(const sweep_settings *s)
{
    const struct {
        const char *name, *value, *what;
    } needed[] = {{"spec", s->spec, "a file of settings"},
                  {"model", s->model, "a checkpoint directory"},
                  {"scorer", s->scorer, "the directory of a causal checkpoint"},
                  {"output", s->output, "a directory for what comes out"}};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (needed[i].value == NULL)
            return status_fail(DID_EINVAL, "--%s is missing: name %s", needed[i].name,
                               needed[i].what);
    const settings window = {.refine_window = s->refine_window};
    if (s->refine_window == NULL || !strcmp(s->refine_window, "full") ||
        settings_refine_window(&window) < REQUEST_LENGTH_MAX)
        return DID_OK;
    return status_fail(
        DID_EINVAL,
        "--refine-window: found \"%.40s\", expected full or a whole number of tokens "
        "from 2 to %d",
        s->refine_window, REQUEST_LENGTH_MAX - 1);
}

status sweep_settings_read(sweep_settings *out, options **said, int argc, char *const *argv)
{
    memset(out, 0, sizeof *out);
    TRY(options_read(said, &sweep_settings_table, out, argc, argv));
    return check(out);
}

void sweep_settings_run(settings *out, const sweep_settings *s, const char *documents,
                        const char *state)
{
    *out =
        (settings){.model = s->model,
                   .tokenizer = s->tokenizer,
                   .count = 1,
                   .samples = 1,
                   .output = documents,
                   .state = state,
                   .save_interval_s = s->save_interval_s,
                   .trace = s->trace,
                   .ids = true,
                   .stages = "L", /* the spec has its own; one that always fits stands for them */
                   .sampler = -1,
                   .nucleus = 0.9,
                   .temperature = 1,
                   .refine_window = s->refine_window,
                   .tp = s->tp,
                   .documents = s->documents,
                   .pass_rows = s->pass_rows,
                   .wire = s->wire,
                   .precision = s->precision,
                   .kernels = s->kernels,
                   .threads = s->threads,
                   .maxh = s->maxh,
                   .stall_s = s->stall_s,
                   .quiet = s->quiet,
                   .progress_interval_s = s->progress_interval_s};
}
