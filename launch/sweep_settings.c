#include "sweep_settings.h"

#include <assert.h>
#include <string.h>

#define AT(member) .offset = offsetof(sweep_settings, member)

static const option own[] = {
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
    {"refine-window", 0, OPTION_TEXT, "TOKENS|full", .silent = "the model's length",
     AT(run.refine_window), .help = "longer documents are refined in windows of this size"},

    {.help = "Where it goes (verdicts and a table go to stdout)"},
    {"output", 0, OPTION_TEXT, "DIR", .silent = "must be given", AT(output),
     .help = "rows.csv, rows.jsonl, report.html, documents.jsonl, seconds.jsonl and the state of the "
             "sweep; start the same command again and it goes on"},
    {"trace", 0, OPTION_FLAG, AT(run.trace),
     .help = "keep every draw in documents.jsonl, for did show"},
    {"no-share", 0, OPTION_FLAG, AT(apart),
     .help = "make for every setting anew what it has in common with others: the same texts and "
             "tables, later"},
    {"save-interval-s", 0, OPTION_REAL, "SECONDS", "10", .max = 86400, AT(run.save_interval_s),
     .help = "unfinished documents are saved this often; 0 after every pass"},
};

static const option shown[] = {
    {.help = "What is shown"},
    {"quiet", 0, OPTION_FLAG, AT(run.quiet), .help = "verdicts, table, warnings and errors only"},
    {"progress-interval-s", 0, OPTION_REAL, "SECONDS", .silent = "0.5 on a terminal, else 10",
     .max = 86400, .open = true, AT(run.progress_interval_s),
     .help = "between two progress reports"},
    {"options", 0, OPTION_TEXT, "FILE", .silent = "none", AT(run.options),
     .help = "read more options from a file, one per line, without dashes; # begins a comment"},
};

enum { ROWS_MAX = 64, OWN = sizeof own / sizeof own[0], SHOWN = sizeof shown / sizeof shown[0] };

static option rows[ROWS_MAX];

option_table sweep_settings_table = {
    .command = "sweep",
    .summary = "try many settings in one run: quality beside cost, claims decided, a report.",
    .usage = "--spec FILE --model DIR --scorer DIR --output DIR [options]",
    .option = rows};

/* Between what is tried and what is shown: all that did generate can be told of ranks and passes. */
void sweep_settings_prepare(void)
{
    int                 n = 0;
    const option_table *usual = &settings_table;
    for (int i = 0; i < OWN; i++) rows[n++] = own[i];
    for (int i = 0, inside = 0; i < usual->n; i++) {
        const option *o = &usual->option[i];
        if (!o->name) inside = strcmp(o->help, SETTINGS_COMPUTED_HELP) == 0;
        assert(n + SHOWN < ROWS_MAX);
        if (inside) rows[n++] = *o;
    }
    for (int i = 0; i < SHOWN; i++) rows[n++] = shown[i];
    sweep_settings_table.n = n;
}

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
    return DID_OK;
}

status sweep_settings_read(sweep_settings *out, options **said, int argc, char *const *argv)
{
    memset(out, 0, sizeof *out);
    TRY(options_read(said, &sweep_settings_table, out, argc, argv));
    TRY(check(out));
    out->run.model = out->model;
    return settings_check(&out->run);
}

void sweep_settings_run(settings *out, const sweep_settings *s, const char *documents,
                        const char *state)
{
    *out = s->run;
    out->tokenizer = s->tokenizer;
    out->count = out->samples = 1;
    out->output = documents;
    out->state = state;
    out->ids = true;
    out->stages = "L"; /* the spec has its own; one that always fits stands for them */
    out->sampler = -1;
    out->nucleus = 0.9;
    out->temperature = 1;
}
