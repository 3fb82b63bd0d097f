#include "refine_settings.h"

#include <string.h>

#include "stage.h"

#define AT(member) .offset = offsetof(settings, member)

static const option table[] = {
    {.help = "What to refine"},
    {"input", 0, OPTION_TEXT, "FILE", .silent = "must be given", AT(input),
     .help = "JSON lines with \"text\" or \"ids\" (and \"confidences\", \"given\", \"prompt\" or "
             "\"prompt_tokens\", where somebody knows them), records made with --trace, or plain "
             "text with one text per line; - is stdin"},
    {"after", 0, OPTION_COUNT, "NUMBER", .silent = "the last", .min = 1, .max = STAGES_MAX,
     AT(after), .help = "of traced records: refine what this stage left; 1 is the draft"},
    {"model", 0, OPTION_TEXT, "DIR", .silent = "must be given", AT(model),
     .help = "checkpoint: config.json, model.safetensors (or an index), tokenizer"},
    {"tokenizer", 0, OPTION_TEXT, "DIR", .silent = "the model's directory", AT(tokenizer),
     .help = "tokenizer.json, or vocab.json and merges.txt"},

    {.help = "Where it goes"},
    {"output", 0, OPTION_TEXT, "FILE", .silent = "stdout", AT(output),
     .help = "JSON lines, written as documents finish; must not exist, or belong to --state"},
    {"state", 0, OPTION_TEXT, "FILE", .silent = "none: an interrupted run begins again", AT(state),
     .help = "journal of the job; start the same command again and it goes on"},
    {"save-interval-s", 0, OPTION_REAL, "SECONDS", "10", .max = 86400, AT(save_interval_s),
     .help = "unfinished documents are saved to --state this often; 0 after every pass"},
    {"trace", 0, OPTION_FLAG, AT(trace),
     .help = "record every draw: token, stage, step, confidence, what it replaced"},
    {"ids", 0, OPTION_FLAG, AT(ids), .help = "record token ids beside the text"},
    {"keep-eos", 0, OPTION_FLAG, AT(keep_eos),
     .help = "the text goes on after an <|endoftext|> inside"},

    {.help = "How it is refined"},
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
    {"threshold", 0, OPTION_REAL, "SHARE", "0.9", .max = 1, .open = true, AT(threshold),
     .help = "the probability from which threshold places what it drew; at least one per pass"},
    {"order", 0, OPTION_CHOICE, "random|left|confident", "random", AT(order),
     .help = "which positions quota fills first"},
    {"nucleus", 0, OPTION_REAL, "SHARE", "0.9", .max = 1, .open = true, AT(nucleus),
     .help = "probability mass that may be drawn from; 1 keeps everything"},
    {"nucleus-rule", 0, OPTION_CHOICE, "exclusive|inclusive", "exclusive", AT(nucleus_rule),
     .help = "drop or keep the token that crosses the mass"},
    {"temperature", 0, OPTION_REAL, "FACTOR", "1", .max = 100, AT(temperature),
     .help = "0 takes the most probable token"},
    {"policy", 0, OPTION_CHOICE, "lowest|random|posthoc", "lowest", AT(policy),
     .help = "which positions are reopened: lowest recorded confidence (of a text without any: "
             "posthoc), any, or lowest confidence measured now"},
    {"confidence", 0, OPTION_CHOICE, "raw|nucleus", "raw", AT(confidence),
     .help = "the snapshot is the probability before or after the nucleus is cut"},
    {"refine-window", 0, OPTION_TEXT, "TOKENS|full", .silent = "the model's length",
     AT(refine_window), .help = "longer texts are refined in windows of this size"},
    {"refine-cache", 0, OPTION_COUNT, "PASSES", .silent = "off: every pass is exact", .min = 1,
     .max = 1000000, AT(refine_cache),
     .help = "an approximation: in refinements of the whole, evaluate all positions only so often, "
             "and in between those that were masked; keys and values of the others are reused. A "
             "stage's cache=N wins"},
    {"seed", 0, OPTION_SEED, "NUMBER", .silent = "that of a traced record, else 1", AT(seed),
     .help = "same seed, same id, same text, on any number of rows"},

    {.help = "How it is computed"},
    {"tp", 0, OPTION_COUNT, "RANKS", .silent = "1, or as many as the model needs", .min = 1,
     .max = 4096, AT(tp), .help = "ranks that share one model; the others work on other texts"},
    {"documents", 0, OPTION_COUNT, "COUNT", .silent = "up to 32, as work and memory allow",
     .min = 1, .max = 65536, AT(documents), .help = "in flight per group of --tp ranks"},
    {"pass-rows", 0, OPTION_COUNT, "ROWS", "1024", .min = 16, .max = 1 << 20, AT(pass_rows),
     .help = "positions of many texts that one pass takes together"},
    {"commit", 0, OPTION_CHOICE, "fused|separate", "fused", AT(commit),
     .help = "store a finished block in the pass that begins the next, or in one of its own"},
    {"precision", 0, OPTION_CHOICE, "f32|bf16", "f32", AT(precision),
     .help = "of weights, their products and the cache; bf16 takes half the memory and is faster"},
    {"kernels", 0, OPTION_TEXT, "NAME", .silent = "the best for this processor", AT(kernels),
     .help = "avx512, avx2 or ref, in bf16 also avx512bf16; without it DID_KERNELS, if set, says"},
    {"weights", 0, OPTION_CHOICE, "folded|unfolded", "folded", AT(weights),
     .help = "fold the constant conditioning into the weights, or compute it as published"},
    {"maxh", 0, OPTION_REAL, "HOURS", .silent = "no limit", .max = 1e6, .open = true, AT(maxh),
     .help = "stop in good order shortly before this time is over"},

    {.help = "What is shown"},
    {"watch", 0, OPTION_FLAG, AT(watch), .help = "show one text on the terminal as it changes"},
    {"quiet", 0, OPTION_FLAG, AT(quiet), .help = "warnings and errors only"},
    {"progress-interval-s", 0, OPTION_REAL, "SECONDS", .silent = "0.5 on a terminal, else 10",
     .max = 86400, .open = true, AT(progress_interval_s), .help = "between two progress reports"},
    {"options", 0, OPTION_TEXT, "FILE", .silent = "none", AT(options),
     .help = "read more options from a file, one per line, without dashes; # begins a comment"},
};

const option_table refine_settings_table = {
    .command = "refine",
    .summary = "refine texts from anywhere: reopen what the model is least sure of.",
    .usage = "--model DIR --input FILE [--output FILE] [options]",
    .option = table,
    .n = sizeof table / sizeof table[0]};

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
