#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "request.h"

/* The words of choices that the engine knows as well stand in the order of its enums (stage.h). */

#define AT(member) .offset = offsetof(settings, member)

static const option table[] = {
    {.help = "What to work on (one of the first three; without any, one document from nothing)"},
    {"input", 0, OPTION_TEXT, "FILE", .silent = "none", AT(input),
     .help = "JSON lines, OpenAI batch lines, or plain text with one prompt per line; - is stdin"},
    {"prompt", 0, OPTION_TEXT, "TEXT", .silent = "none", AT(prompt), .help = "one prompt"},
    {"count", 'n', OPTION_COUNT, "COUNT", .silent = "1", .min = 1, .max = 1e7, AT(count),
     .help = "that many documents from nothing"},
    {"samples", 0, OPTION_COUNT, "COUNT", "1", .min = 1, .max = REQUEST_SAMPLES_MAX, AT(samples),
     .help = "documents per prompt; a line's \"n\" wins"},
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

    {.help = "Documents"},
    {"length", 0, OPTION_COUNT, "TOKENS", .silent = "the model's length", .min = 2,
     .max = REQUEST_LENGTH_MAX, AT(length),
     .help = "positions of a document, <|endoftext|> in front and the prompt included"},
    {"variable-length", 0, OPTION_FLAG, AT(variable_length),
     .help = "stop at the first <|endoftext|> drawn; --length is then the most"},
    {"seed", 0, OPTION_SEED, "NUMBER", "1", AT(seed),
     .help = "same seed, same id, same text, on any number of rows"},

    {.help = "How they are drafted and refined"},
    {"stages", 0, OPTION_TEXT, "LIST", .silent = "BLOCK,L:0.25 with the checkpoint's block",
     AT(stages),
     .help = "comma between stages, each block[:remask share][:setting...]; L is the whole length. "
             "4,L:0.25:quota/32 drafts in blocks of 4, reopens the least certain quarter, refines "
             "it in 32 steps. Settings: fhs, ancestral/N, quota/N, threshold/P, p=, T=, order=, "
             "policy=, confidence=, rule=, cache=, model=DIR. The options below hold where a stage is silent"},
    {"sampler", 0, OPTION_CHOICE, "fhs|ancestral|quota|threshold",
     .silent = "fhs drafts, quota refines", AT(sampler),
     .help = "first hitting (a token per pass), ancestral or quota (in --steps), or all that are "
             "sure enough at once (--threshold)"},
    {"steps", 0, OPTION_COUNT, "STEPS", .silent = "32; 64 when the draft is one block", .min = 1,
     .max = 1000000, AT(steps), .help = "denoising steps per block of ancestral and quota"},
    {"threshold", 0, OPTION_REAL, "SHARE", "0.9", .max = 1, .open = true, AT(threshold),
     .help = "the probability from which threshold places what it drew; at least one per pass"},
    {"order", 0, OPTION_CHOICE, "random|left|confident|drawn", "random", AT(order),
     .help = "which positions quota fills first; confident: whose most probable token is surest; "
             "drawn: where what was drawn is, and every step draws anew for the others"},
    {"nucleus", 0, OPTION_REAL, "SHARE", "0.9", .max = 1, .open = true, AT(nucleus),
     .help = "probability mass that may be drawn from; 1 keeps everything"},
    {"nucleus-rule", 0, OPTION_CHOICE, "exclusive|inclusive", "exclusive", AT(nucleus_rule),
     .help = "drop or keep the token that crosses the mass"},
    {"temperature", 0, OPTION_REAL, "FACTOR", "1", .max = 100, AT(temperature),
     .help = "0 takes the most probable token"},
    {"policy", 0, OPTION_CHOICE, "lowest|random|posthoc", "lowest", AT(policy),
     .help = "which positions are reopened: lowest snapshot confidence, any, or lowest "
             "confidence measured afterwards"},
    {"confidence", 0, OPTION_CHOICE, "raw|nucleus", "raw", AT(confidence),
     .help = "the snapshot is the probability before or after the nucleus is cut"},
    {"refine-window", 0, OPTION_TEXT, "TOKENS|full", .silent = "the model's length",
     AT(refine_window), .help = "longer documents are refined in windows of this size"},
    {"refine-cache", 0, OPTION_COUNT, "PASSES", .silent = "off: every pass is exact", .min = 1,
     .max = 1000000, AT(refine_cache),
     .help = "an approximation: in refinements of the whole, evaluate all positions only so often, "
             "and in between those that were masked; keys and values of the others are reused. A "
             "stage's cache=N wins"},
    {"reject", 0, OPTION_FLAG, AT(reject),
     .help = "throw drafts away that repeat themselves, and draft again"},
    {"reject-window", 0, OPTION_COUNT, "TOKENS", "256", .min = 2, .max = REQUEST_LENGTH_MAX,
     AT(reject_window), .help = "the last tokens that are looked at"},
    {"reject-entropy", 0, OPTION_REAL, "NATS", "4", .max = 20, AT(reject_entropy),
     .help = "the least unigram entropy they may have"},
    {"reject-restarts", 0, OPTION_COUNT, "COUNT", "10", .min = 0, .max = 1000, AT(reject_restarts),
     .help = "new drafts before a document is given up"},

    {.help = SETTINGS_COMPUTED_HELP},
    {"tp", 0, OPTION_COUNT, "RANKS", .silent = "1, or as many as the model needs", .min = 1,
     .max = 4096, AT(tp),
     .help = "ranks that share one model; the others work on other documents. With --layout 2d the "
             "columns of the grid of ranks"},
    {"pp", 0, OPTION_COUNT, "DEPTHS", "1", .min = 1, .max = ENGINE_GROUPS_MAX, AT(depth),
     .help = SETTINGS_DEPTH_HELP},
    {"groups", 0, OPTION_COUNT, "COUNT", .silent = "as many as --pp", .min = 1,
     .max = ENGINE_GROUPS_MAX, AT(groups), .help = SETTINGS_GROUPS_HELP},
    {"layout", 0, OPTION_CHOICE, "1d|2d", "1d", AT(layout),
     .help = "1d: each weight is split over --tp ranks; 2d: every weight lies in blocks over all "
             "ranks, which work on the same documents (PBLAS; f32; slower, but any model fits that "
             "fits all ranks together)"},
    {"refine-span", 0, OPTION_TEXT, "ROWS|auto", "auto", AT(refine_span), .help = SETTINGS_SPAN_HELP},
    {"documents", 0, OPTION_COUNT, "COUNT", .silent = "up to 32, as work and memory allow",
     .min = 1, .max = 65536, AT(documents), .help = "in flight per group of --tp ranks"},
    {"pass-rows", 0, OPTION_COUNT, "ROWS", "1024", .min = 16, .max = 1 << 20, AT(pass_rows),
     .help = "positions of many documents that one pass takes together"},
    {"commit", 0, OPTION_CHOICE, "fused|separate", "fused", AT(commit),
     .help = "store a finished block in the pass that begins the next, or in one of its own"},
    {"threads", 0, OPTION_COUNT, "COUNT", .silent = "OMP_NUM_THREADS, or as many as a rank has cores",
     .min = 1, .max = 256, AT(threads), .help = "of a rank; they change no byte of any text"},
    {"wire", 0, OPTION_CHOICE, "f32|bf16", "f32", AT(wire), .help = SETTINGS_WIRE_HELP},
    {"precision", 0, OPTION_CHOICE, "f32|bf16", "f32", AT(precision),
     .help = "of weights, their products and the cache; bf16 takes half the memory and is faster"},
    {"kernels", 0, OPTION_TEXT, "NAME", .silent = "the best for this processor", AT(kernels),
     .help = "avx512, avx2 or ref, in bf16 also amx, avx512bf16; without it DID_KERNELS, if set, says"},
    {"reproducible", 0, OPTION_FLAG, AT(reproducible), .help = SETTINGS_REPRODUCIBLE_HELP},
    {"calibration", 0, OPTION_TEXT, "FILE",
     .silent = "DID_CALIBRATION, or ~/.config/did/calibration.json where there is one",
     AT(calibration),
     .help = "what did bench calibrate wrote here: a run of one thread a rank then says what its "
             "passes should have taken"},
    {"weights", 0, OPTION_CHOICE, "folded|unfolded", "folded", AT(weights),
     .help = "fold the constant conditioning into the weights, or compute it as published"},
    {"stall", 0, OPTION_REAL, "SECONDS", "600", .max = 1e6, AT(stall_s),
     .help = "a rank that waits longer for another is named and the run ends with code 7; 0 waits "
             "for ever"},
    {"maxh", 0, OPTION_REAL, "HOURS", .silent = "no limit", .max = 1e6, .open = true, AT(maxh),
     .help = "stop in good order shortly before this time, or that of the Slurm job, is over"},

    {.help = "What is shown"},
    {"watch", 0, OPTION_FLAG, AT(watch), .help = "show one document on the terminal as it grows"},
    {"quiet", 0, OPTION_FLAG, AT(quiet), .help = "warnings and errors only"},
    {"progress-interval-s", 0, OPTION_REAL, "SECONDS", .silent = "0.5 on a terminal, else 10",
     .max = 86400, .open = true, AT(progress_interval_s), .help = "between two progress reports"},
    {"options", 0, OPTION_TEXT, "FILE", .silent = "none", AT(options),
     .help = "read more options from a file, one per line, without dashes; # begins a comment"},
};

const option_table settings_table = {
    .command = "generate",
    .summary = "draft documents block by block, then refine what the model was least sure of.",
    .usage = "--model DIR [--input FILE | --prompt TEXT | -n COUNT] [--output FILE] [options]",
    .option = table,
    .n = sizeof table / sizeof table[0]};

static bool whole_number(const char *text, int *number, int least, int most)
{
    char *end;
    long  n = strtol(text, &end, 10);
    *number = (int)n;
    return *end == '\0' && end != text && n >= least && n <= most;
}

static bool whole_window(const char *text, int *window)
{
    return whole_number(text, window, 2, REQUEST_LENGTH_MAX);
}

static bool whole_span(const char *text, int *span)
{
    return whole_number(text, span, 1, SETTINGS_SPAN_MAX);
}

status settings_check(const settings *s)
{
    int asked = (s->input != NULL) + (s->prompt != NULL) + (s->count > 0), window, span;
    if (s->model == NULL)
        return status_fail(DID_EINVAL, "--model is missing: name a checkpoint directory");
    if (asked > 1)
        return status_fail(DID_EINVAL, "found %d of --input, --prompt and -n, expected one", asked);
    if (s->refine_window && strcmp(s->refine_window, "full") &&
        !whole_window(s->refine_window, &window))
        return status_fail(DID_EINVAL,
                           "--refine-window: found \"%.40s\", expected full or a whole "
                           "number of tokens from 2 to %d",
                           s->refine_window, REQUEST_LENGTH_MAX);
    if (s->refine_span && strcmp(s->refine_span, "auto") && !whole_span(s->refine_span, &span))
        return status_fail(DID_EINVAL,
                           "--refine-span: found \"%.40s\", expected auto or a whole number of "
                           "rows from 1 to %d",
                           s->refine_span, SETTINGS_SPAN_MAX);
    if (s->quiet && s->watch)
        return status_fail(DID_EINVAL, "--watch and --quiet exclude each other");
    return DID_OK;
}

status settings_read(settings *out, options **said, int argc, char *const *argv)
{
    memset(out, 0, sizeof *out);
    TRY(options_read(said, &settings_table, out, argc, argv));
    TRY(settings_check(out));
    if (out->input == NULL && out->prompt == NULL && out->count == 0) out->count = 1;
    return DID_OK;
}

stage_defaults settings_stage(const settings *s)
{
    return (stage_defaults){.sampler = s->sampler,
                            .steps = s->steps,
                            .threshold = s->threshold,
                            .order = (order)s->order,
                            .nucleus = s->nucleus,
                            .rule = (nucleus_rule)s->nucleus_rule,
                            .temperature = s->temperature,
                            .policy = (policy)s->policy,
                            .confidence = (confidence)s->confidence,
                            .cache = s->refine_cache};
}

int settings_refine_window(const settings *s)
{
    int window = 0;
    if (s->refine_window == NULL) return 0;
    return whole_window(s->refine_window, &window) ? window : REQUEST_LENGTH_MAX;
}

int settings_refine_span(const settings *s)
{
    int span = 0;
    if (s->refine_span == NULL) return 1;
    return whole_span(s->refine_span, &span) ? span : 0;
}
