#include "refine_settings.h"

#include <assert.h>
#include <string.h>

#include "stage.h"

#define AT(member) .offset = offsetof(settings, member)

/* In place of those of did generate. */
static const option own[] = {
    {"input", 0, OPTION_TEXT, "FILE", .silent = "must be given", AT(input),
     .help = "JSON lines with \"text\" or \"ids\" (and \"confidences\", \"given\", \"prompt\" or "
             "\"prompt_tokens\", where somebody knows them), records made with --trace, or plain "
             "text with one text per line; - is stdin"},
    {"stages", 0, OPTION_TEXT, "LIST", .silent = "L:0.25", AT(stages),
     .help = "comma between stages, each block[:remask share][:setting...], as those that follow "
             "the draft in did generate: the text is stage 1, and none of these drafts. "
             "L:0.25:quota/32 reopens the least certain quarter and refines it in 32 steps with "
             "the whole text in view. Settings: fhs, ancestral/N, quota/N, threshold/P, p=, T=, "
             "order=, policy=, confidence=, rule=, cache=, model=DIR. The options below hold where a "
             "stage is silent"},
    {"sampler", 0, OPTION_CHOICE, "fhs|ancestral|quota|threshold", .silent = "quota", AT(sampler),
     .help = "first hitting (a token per pass), ancestral or quota (in --steps), or all that are "
             "sure enough at once (--threshold)"},
    {"steps", 0, OPTION_COUNT, "STEPS", .silent = "32", .min = 1, .max = 1000000, AT(steps),
     .help = "denoising steps per block of ancestral and quota"},
    {"policy", 0, OPTION_CHOICE, "lowest|random|posthoc", "lowest", AT(policy),
     .help = "which positions are reopened: lowest recorded confidence (of a text without any: "
             "posthoc), any, or lowest confidence measured now"},
    {"seed", 0, OPTION_SEED, "NUMBER", .silent = "that of a traced record, else 1", AT(seed),
     .help = "same seed, same id, same text, on any number of rows"},
};

static const option after = {
    "after", 0, OPTION_COUNT, "NUMBER", .silent = "the last", .min = 1, .max = STAGES_MAX, AT(after),
    .help = "of traced records: refine what this stage left; 1 is the draft"};

/* What a text that is there already has no use for. */
static const char *const absent[] = {"prompt", "count", "samples", "length", "variable-length",
                                     "reject", "reject-window", "reject-entropy",
                                     "reject-restarts"};

enum { ROWS_MAX = 64, OWN = sizeof own / sizeof own[0], ABSENT = sizeof absent / sizeof absent[0] };

static option rows[ROWS_MAX];

option_table refine_settings_table = {
    .command = "refine",
    .summary = "refine texts from anywhere: reopen what the model is least sure of.",
    .usage = "--model DIR --input FILE [--output FILE] [options]",
    .option = rows};

static bool is_absent(const char *name)
{
    for (int i = 0; i < ABSENT; i++)
        if (!strcmp(absent[i], name)) return true;
    return false;
}

static const option *own_of(const option *usual)
{
    for (int i = 0; i < OWN; i++)
        if (!strcmp(own[i].name, usual->name)) return &own[i];
    return usual;
}

void refine_settings_prepare(void)
{
    int n = 0;
    rows[n++] = (option){.help = "What to refine"};
    for (int i = 1; i < settings_table.n; i++) { /* the first is a heading */
        const option *usual = &settings_table.option[i];
        if (usual->name && is_absent(usual->name)) continue;
        assert(n + 1 < ROWS_MAX);
        rows[n++] = usual->name ? *own_of(usual) : *usual;
        if (usual->name && !strcmp(usual->name, "input")) rows[n++] = after;
    }
    refine_settings_table.n = n;
}

status refine_settings_read(settings *out, options **said, int argc, char *const *argv)
{
    memset(out, 0, sizeof *out);
    TRY(options_read(said, &refine_settings_table, out, argc, argv));
    out->samples = 1;
    out->refining = true;
    out->reseeded = options_given(*said, "seed");
    if (!out->reseeded) out->seed = 1;
    TRY(settings_check(out));
    if (out->input) return DID_OK;
    return status_fail(DID_EINVAL, "--input is missing: name a file of texts");
}
