#include "score_settings.h"

#include <string.h>

#include "request.h"

#define AT(member) .offset = offsetof(score_settings, member)

static const option table[] = {
    {.help = "What to score"},
    {"model", 0, OPTION_TEXT, "DIR", .silent = "must be given", AT(model),
     .help = "a causal model (gpt2) gives perplexity, a diffusion model a bound on it"},
    {"input", 0, OPTION_TEXT, "FILE", .silent = "must be given", AT(input),
     .help = "JSON lines with \"text\" or \"ids\", output of did generate, or plain text with one "
             "text per line; - is stdin"},
    {"tokenizer", 0, OPTION_TEXT, "DIR", .silent = "the model's directory", AT(tokenizer),
     .help = "tokenizer.json, or vocab.json and merges.txt, of the scorer"},
    {"stage", 0, OPTION_TEXT, "NUMBER|all", .silent = "the last", AT(stage),
     .help = "what this stage left (1 is the draft), of records made with --trace; all compares "
             "every stage with the draft"},
    {"raw-ids", 0, OPTION_FLAG, AT(raw_ids),
     .help = "score token ids as they are, and nothing else (without this and --text: both)"},
    {"text", 0, OPTION_FLAG, AT(text),
     .help = "score texts as published numbers are made: decoded, special tokens included, and "
             "encoded again"},

    {.help = "How"},
    {"cleanup", 0, OPTION_FLAG, AT(cleanup),
     .help = "tidy the whitespace of texts before encoding, as some libraries do"},
    {"length", 0, OPTION_COUNT, "TOKENS", .silent = "that of a line's ids, else the whole text",
     .min = 2, .max = REQUEST_LENGTH_MAX, AT(length), .help = "texts are cut here"},
    {"batch", 0, OPTION_COUNT, "COUNT", "25", .min = 0, .max = 1e6, AT(batch),
     .help = "the entropy of a text counts the padding to the longest of so many, as published "
             "numbers do; 0: no padding. Entropy of ids counts none"},
    {"blocks", 0, OPTION_TEXT, "LIST", .silent = "the checkpoint's block and L", AT(blocks),
     .help = "block sizes of the bound, like 4,16,L; L is the whole text"},
    {"draws", 0, OPTION_COUNT, "COUNT", "4", .min = 1, .max = 100000, AT(draws),
     .help = "noise levels drawn per block of a bound, spread evenly"},
    {"seed", 0, OPTION_SEED, "NUMBER", "1", AT(seed), .help = "of the noise and of the intervals"},

    {.help = "Where it goes (the table goes to stdout)"},
    {"json", 0, OPTION_TEXT, "FILE", .silent = "none", AT(json), .help = "the table as JSON"},
    {"output", 0, OPTION_TEXT, "FILE", .silent = "none", AT(output),
     .help = "a line of JSON for every text"},

    {.help = "How it is computed"},
    {"tp", 0, OPTION_COUNT, "RANKS", .silent = "1, or as many as the model needs", .min = 1,
     .max = 4096, AT(tp),
     .help = "ranks that share one model; the others work on other texts. With --layout 2d the "
             "columns of the grid of ranks"},
    {"layout", 0, OPTION_CHOICE, "1d|2d", "1d", AT(layout),
     .help = "1d: each weight is split over --tp ranks; 2d: every weight lies in blocks over all "
             "ranks, which work on the same texts"},
    {"documents", 0, OPTION_COUNT, "COUNT", .silent = "up to 32, as work and memory allow",
     .min = 1, .max = 65536, AT(documents), .help = "texts in flight per group of --tp ranks"},
    {"pass-rows", 0, OPTION_COUNT, "ROWS", "1024", .min = 16, .max = 1 << 20, AT(pass_rows),
     .help = "positions of many texts that one pass takes together"},
    {"threads", 0, OPTION_COUNT, "COUNT", .silent = "OMP_NUM_THREADS, or as many as a rank has cores",
     .min = 1, .max = 256, AT(threads), .help = "of a rank; they change no byte of any text"},
    {"precision", 0, OPTION_CHOICE, "f32|bf16", "f32", AT(precision),
     .help = "of weights, their products and the cache; bf16 takes half the memory and is faster"},
    {"kernels", 0, OPTION_TEXT, "NAME", .silent = "the best for this processor", AT(kernels),
     .help = "avx512, avx2 or ref, in bf16 also amx, avx512bf16; without it DID_KERNELS, if set, says"},
    {"quiet", 0, OPTION_FLAG, AT(quiet), .help = "warnings and errors only"},
    {"options", 0, OPTION_TEXT, "FILE", .silent = "none", AT(options),
     .help = "read more options from a file, one per line, without dashes; # begins a comment"},
};

const option_table score_settings_table = {
    .command = "score",
    .summary = "perplexity, entropy, repetition and length of texts.",
    .usage = "--model DIR --input FILE [options]",
    .option = table,
    .n = sizeof table / sizeof table[0]};

static status check(const score_settings *s)
{
    if (s->model == NULL)
        return status_fail(DID_EINVAL, "--model is missing: name a checkpoint directory");
    if (s->input == NULL)
        return status_fail(DID_EINVAL, "--input is missing: name a file of texts");
    if (s->raw_ids && s->text)
        return status_fail(DID_EINVAL, "--raw-ids and --text exclude each other; without them both "
                                       "are scored");
    return DID_OK;
}

status score_settings_read(score_settings *out, options **said, int argc, char *const *argv)
{
    memset(out, 0, sizeof *out);
    TRY(options_read(said, &score_settings_table, out, argc, argv));
    return check(out);
}
