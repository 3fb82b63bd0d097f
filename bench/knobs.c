#include "knobs.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "roff.h"

typedef enum { KNOB_FLAG, KNOB_TEXT, KNOB_COUNT, KNOB_SECONDS, KNOB_COUNTS } knob_type;

typedef struct knob {
    const char *name;
    knob_type   type;
    const char *unit;
    const char *usual, *quick; /* what holds when nobody says, and under --quick; NULL: nothing */
    unsigned    for_whom;      /* bits of bench_kind */
    int         min, max;
    size_t      offset;
    const char *help;
} knob;

enum {
    K = 1 << BENCH_KERNELS,
    P = 1 << BENCH_PASSES,
    D = 1 << BENCH_DOCUMENTS,
    S = 1 << BENCH_SWEEP,
    C = 1 << BENCH_COLLECTIVES,
    L = 1 << BENCH_LAYOUTS,
    M = 1 << BENCH_CALIBRATE,
    R = 1 << BENCH_SPAN,
    G = 1 << BENCH_SCALING,
    F = 1 << BENCH_PLAN,
    H = 1 << BENCH_DEPTHS,
    ALL = K | P | D | S | C | L | M | R | G | F | H
};
enum { MANY = 1 << 20 };

#define AT(member) offsetof(knobs, member)

static const knob table[] = {
    {"quick", KNOB_FLAG, NULL, NULL, NULL, ALL, 0, 0, AT(quick),
     "a few seconds on small shapes: does everything still work?"},
    {"json", KNOB_TEXT, "FILE", NULL, NULL, ALL, 0, 0, AT(json),
     "write every line as a JSON object too; the file is begun anew"},
    {"output", KNOB_TEXT, "FILE", NULL, NULL, M, 0, 0, AT(output),
     "where the calibration is kept; without it where DID_CALIBRATION says, or "
     "~/.config/did/calibration.json"},
    {"geometry", KNOB_TEXT, "LIST", "small,tiny", "tiny", K, 0, 0, AT(geometry),
     "whose shapes: tiny (the bundled model's), small (BD3-LM small), 7b (one layer of a large "
     "one), or WIDTHxHEADSxLAYERSxVOCABULARY[xLENGTH]"},
    {"geometry", KNOB_TEXT, "NAME", "small", "tiny", P, 0, 0, AT(geometry),
     "of the model made up: tiny (the bundled model's), small (BD3-LM small), 7b (one layer of a "
     "large one), or WIDTHxHEADSxLAYERSxVOCABULARY[xLENGTH]"},
    {"geometry", KNOB_TEXT, "NAME", "tiny", "tiny", D | S | R | G | F | H, 0, 0, AT(geometry),
     "of the model made up, when there is no --model: tiny, small, or "
     "WIDTHxHEADSxLAYERSxVOCABULARY[xLENGTH]"},
    {"model", KNOB_TEXT, "DIR", NULL, NULL, P | D | S | R | G | F | H, 0, 0, AT(model),
     "a checkpoint, in place of a made-up one"},
    {"seed", KNOB_COUNT, "NUMBER", "1", "1", ALL, 0, 1 << 30, AT(seed),
     "of made-up weights, inputs and documents"},
    {"kernels", KNOB_TEXT, "NAME", NULL, NULL, K | P | D | S | R | G | F | H, 0, 0, AT(kernels),
     "one kernel set; without it (or DID_KERNELS) `kernels` times all of them and the others use "
     "the best"},
    {"precision", KNOB_TEXT, "LIST", "f32,bf16", "f32,bf16", K | P | D | R | F | H, 0, 0, AT(precision),
     "f32, bf16, or both: then lines of bf16 say how many times as fast as f32 they are"},
    {"reproducible", KNOB_FLAG, NULL, NULL, NULL, P, 0, 0, AT(reproducible),
     "each pass as did generate --reproducible makes it too, and how many times as fast as f32 "
     "without that it is"},
    {"only", KNOB_TEXT, "OP", NULL, NULL, K, 0, 0, AT(only),
     "one operation of the kernel table: linear, attend, norm, ..."},
    {"rows", KNOB_COUNTS, "LIST", "1,4,16,64,256,1024", "1,16", K, 1, 1 << 16, AT(rows),
     "rows of the operations that take rows"},
    {"rotate-mb", KNOB_COUNT, "MB", "170", "4", K, 0, 1 << 16, AT(rotate_mb),
     "calls after one another walk through that much of weights or keys, as a pass through its "
     "layers does; 0: the same ones again and again, from the nearest cache"},
    {"threads", KNOB_COUNT, "COUNT", "1", "1", P | D | S, 1, 256, AT(threads),
     "of a rank; with more than one, passes are timed with one too, and the answers compared"},
    {"tp", KNOB_COUNT, "RANKS", "1", "1", P | D | S, 1, 4096, AT(tp),
     "ranks that share one model; the others work beside them on one of their own"},
    {"tp", KNOB_COUNT, "RANKS", "1", "1", R, 1, 4096, AT(tp), "ranks of a row"},
    {"tp", KNOB_COUNT, "RANKS", "1", "1", G, 1, 8, AT(tp),
     "2, 4 or 8: further lines for one row of so many ranks at most; all lines are then computed "
     "as did generate --reproducible does, so that they can be compared"},
    {"tp", KNOB_COUNT, "RANKS", "1", "1", F, 1, 4096, AT(tp),
     "ranks of a row in further lines, beside one rank, all ranks as rows and all as one row"},
    {"tp", KNOB_COUNT, "RANKS", "0", "0", L, 0, 4096, AT(tp),
     "columns of the grid of ranks; 0: about as many as rows"},
    {"rows", KNOB_COUNTS, "LIST", "2048", "40", L, 1, 1 << 16, AT(rows), "rows of a product"},
    {"width", KNOB_COUNT, "FEATURES", "4096", "160", L, 1, 1 << 16, AT(width),
     "outputs of the weight, and inputs"},
    {"documents", KNOB_COUNTS, "LIST", "1,4,16,64", "1,4", P | D, 1, 4096, AT(documents),
     "documents in flight, per group of --tp ranks"},
    {"documents", KNOB_COUNTS, "LIST", "32", "8", S, 1, 4096, AT(documents),
     "documents in flight, per group of --tp ranks; a line for each"},
    {"documents", KNOB_COUNT, "COUNT", "8", "2", G, 1, 4096, AT(each),
     "documents of a rank in weak lines, and most in flight on a row; strong lines have as many as "
     "all ranks have in weak ones"},
    {"documents", KNOB_COUNT, "COUNT", "8", "2", F, 1, 4096, AT(each),
     "documents in flight on a row"},
    {"documents", KNOB_COUNT, "COUNT", "8", "2", H, 1, 4096, AT(each),
     "documents of a rank; all of them are in flight"},
    {"each", KNOB_COUNT, "COUNT", "2", "1", S, 1, 1000, AT(each),
     "documents of each setting that are made together, for the pace"},
    {"of", KNOB_COUNT, "COUNT", "64", "64", S, 1, MANY, AT(of),
     "documents of each setting that hours and ratios are told for"},
    {"block", KNOB_COUNT, "TOKENS", "4", "4", P | D | G | F | H, 1, 1 << 16, AT(block),
     "block of the draft"},
    {"context", KNOB_COUNTS, "LIST", "256,1024", "64", P, 2, MANY, AT(context),
     "positions a draft block sees, its own included"},
    {"refine", KNOB_COUNTS, "LIST", "256,512,1024", "64", P, 1, MANY, AT(refine),
     "lengths of a global refinement pass"},
    {"wanted", KNOB_COUNT, "ROWS", "8", "8", P, 1, 1 << 16, AT(wanted),
     "rows of a refinement pass that become tokens"},
    {"length", KNOB_COUNT, "TOKENS", "0", "32", D | S | G | H, 0, MANY, AT(length),
     "positions of a document; 0: the model's length"},
    {"steps", KNOB_COUNT, "STEPS", "32", "4", D | S | G | H, 1, MANY, AT(steps),
     "steps of the refinement, which reopens the least certain quarter"},
    {"length", KNOB_COUNT, "TOKENS", "8192", "400", R, 2, MANY, AT(length),
     "positions of the document"},
    {"steps", KNOB_COUNT, "STEPS", "1", "1", R, 1, MANY, AT(steps),
     "passes of a run; each fills one position of 128"},
    {"length", KNOB_COUNT, "TOKENS", "256", "32", F, 8, MANY, AT(length),
     "positions of a document"},
    {"steps", KNOB_COUNT, "STEPS", "8", "2", F, 1, MANY, AT(steps),
     "passes of a run that are timed, of drafts and of refinements"},
    {"waves", KNOB_COUNT, "COUNT", "1", "1", D, 1, 1000, AT(waves),
     "documents of a line, as a multiple of those in flight"},
    {"check", KNOB_COUNT, "COUNT", "4", "4", D, 1, MANY, AT(check),
     "documents that are first generated alone, to be compared with; the others are compared "
     "from line to line"},
    {"pass-rows", KNOB_COUNT, "ROWS", "1024", "256", D | S | R | G | H, 16, MANY, AT(pass_rows),
     "positions of many documents that one pass takes together"},
    {"pass-rows", KNOB_COUNT, "ROWS", "256", "64", F, 16, MANY, AT(pass_rows),
     "positions of many documents that one pass takes together"},
    {"bytes", KNOB_COUNTS, "LIST", "8,64,512,4096,32768,262144,1048576,4194304", "8,4100,65536", C,
     4, 1 << 28, AT(bytes), "what a rank brings: multiples of 4"},
    {"repeats", KNOB_COUNT, "COUNT", "0", "0", K | P | D | C | L, 0, 64, AT(repeats),
     "samples of a line; 0: as many as its time allows"},
    {"repeats", KNOB_COUNT, "COUNT", "5", "2", R, 1, 64, AT(repeats),
     "runs of each number of rows, in turn"},
    {"repeats", KNOB_COUNT, "COUNT", "3", "2", G | H, 1, 64, AT(repeats), "runs of each line, in turn"},
    {"line-s", KNOB_SECONDS, "SECONDS", "0.4", "0.01", K, 0, 3600, AT(line_s), "time for a line"},
    {"line-s", KNOB_SECONDS, "SECONDS", "3", "0.05", P, 0, 3600, AT(line_s), "time for a line"},
    {"line-s", KNOB_SECONDS, "SECONDS", "10", "0.05", L, 0, 3600, AT(line_s), "time for a line"},
    {"line-s", KNOB_SECONDS, "SECONDS", "10", "0.05", D, 0, 3600, AT(line_s),
     "time for a line; each is run once at least"},
    {"repeats", KNOB_COUNT, "COUNT", "5", "1", F, 1, 64, AT(repeats), "runs of each line, in turn"},
    {"line-s", KNOB_SECONDS, "SECONDS", "0.01", "0.0005", M | F, 0, 3600, AT(line_s),
     "time for a point of a curve"},
    {"line-s", KNOB_SECONDS, "SECONDS", "0.4", "0.01", C, 0, 3600, AT(line_s), "time for a line"},
};

enum { KNOBS = sizeof table / sizeof *table };

static const struct bench_name {
    const char *name, *summary;
} benches[BENCH_COUNT] = {
    [BENCH_KERNELS] = {"kernels", "each operation of each instruction set, at a model's shapes"},
    [BENCH_PASSES] = {"passes", "draft, commit and refinement passes, and where their time goes"},
    [BENCH_DOCUMENTS] = {"documents", "whole documents: per hour, and tokens per second"},
    [BENCH_SWEEP] = {"sweep", "many settings at once, beside one after another"},
    [BENCH_COLLECTIVES] = {"collectives", "what ranks say to each other, beside MPI's own sum"},
    [BENCH_LAYOUTS] = {"layouts", "a linear layer as --layout 1d and as --layout 2d has it"},
    [BENCH_CALIBRATE] = {"calibrate", "what this machine can do, kept in a file for predictions"},
    [BENCH_SPAN] = {"span", "a long document refined by one row, and by rows that share it"},
    [BENCH_SCALING] = {"scaling", "weak and strong scaling over ranks, predicted to 1024 hosts"},
    [BENCH_DEPTHS] = {"depths", "rows, a pipeline of layers and one row of all ranks, side by side"},
    [BENCH_PLAN] = {"plan", "what the cost model predicts beside what passes take"},
};

const char *knobs_bench(bench_kind what)
{
    return benches[what].name;
}

static status refuse(const knob *k, const char *text, const char *expected)
{
    return status_fail(DID_EINVAL, "--%s: found \"%.60s\", expected %s", k->name, text, expected);
}

/* A whole number at the front of `text`; where it ends, or NULL when there is none within
 * limits. */
static const char *whole(const knob *k, const char *text, int *out)
{
    char *end;
    if (*text < '0' || *text > '9') return NULL;
    long n = strtol(text, &end, 10);
    if (n < k->min || n > k->max) return NULL;
    *out = (int)n;
    return end;
}

static status read_count(const knob *k, const char *text, int *out)
{
    char        expected[64];
    const char *end = whole(k, text, out);
    snprintf(expected, sizeof expected, "a whole number from %d to %d", k->min, k->max);
    return end && *end == '\0' ? DID_OK : refuse(k, text, expected);
}

static status read_counts(const knob *k, const char *text, counts *out)
{
    char        expected[96];
    const char *at = text;
    snprintf(expected, sizeof expected, "up to %d whole numbers from %d to %d with commas between",
             COUNTS_MAX, k->min, k->max);
    out->n = 0;
    while (at && out->n < COUNTS_MAX) {
        at = whole(k, at, &out->at[out->n++]);
        if (at && *at == '\0') return DID_OK;
        if (at && *at++ != ',') at = NULL;
    }
    return refuse(k, text, expected);
}

static status read_seconds(const knob *k, const char *text, double *out)
{
    char expected[64], *end;
    *out = strtod(text, &end);
    snprintf(expected, sizeof expected, "seconds from %d to %d", k->min, k->max);
    if (end == text || *end || !(*out >= k->min && *out <= k->max))
        return refuse(k, text, expected);
    return DID_OK;
}

static status read_value(knobs *out, const knob *k, const char *text)
{
    void *target = (char *)out + k->offset;
    switch (k->type) {
    case KNOB_TEXT:
        if (!*text) return refuse(k, text, "a text that is not empty");
        *(const char **)target = text;
        return DID_OK;
    case KNOB_COUNT: return read_count(k, text, target);
    case KNOB_SECONDS: return read_seconds(k, text, target);
    case KNOB_COUNTS: return read_counts(k, text, target);
    default: return refuse(k, text, "no value: it is there or not");
    }
}

static bool serves(const knob *k, bench_kind what)
{
    return k->for_whom >> what & 1;
}

/* The knob that `word` ("--name" or "--name=value") means for this bench. */
static const knob *find(const char *word, bench_kind what, const char **value)
{
    size_t len = strcspn(word, "=");
    *value = word[len] ? word + len + 1 : NULL;
    for (int i = 0; i < KNOBS; i++)
        if (serves(&table[i], what) && len == strlen(table[i].name) + 2 &&
            !strncmp(word, "--", 2) && !strncmp(word + 2, table[i].name, len - 2))
            return &table[i];
    return NULL;
}

static status read_words(knobs *out, bool said[KNOBS], int argc, char *const *argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value;
        const knob *k = find(argv[i], out->what, &value);
        if (!k)
            return status_fail(DID_EINVAL,
                               "did bench %s has no option %.60s: see did bench %s --help",
                               knobs_bench(out->what), argv[i], knobs_bench(out->what));
        said[k - table] = true;
        if (k->type == KNOB_FLAG && !value) {
            *(bool *)((char *)out + k->offset) = true;
            continue;
        }
        if (!value && i + 1 == argc) return refuse(k, "", k->unit);
        TRY(read_value(out, k, value ? value : argv[++i]));
        if (k->type == KNOB_COUNTS) ((counts *)((char *)out + k->offset))->said = true;
    }
    return DID_OK;
}

static status find_bench(bench_kind *out, int argc, char *const *argv)
{
    for (int i = 0; argc > 0 && i < BENCH_COUNT; i++)
        if (!strcmp(argv[0], benches[i].name)) {
            *out = (bench_kind)i;
            return DID_OK;
        }
    return status_fail(DID_EINVAL,
                       "did bench: found \"%.60s\", expected kernels, passes, documents, sweep, "
                       "collectives, layouts, calibrate, span, scaling, depths or plan",
                       argc > 0 ? argv[0] : "");
}

status knobs_read(knobs *out, int argc, char *const *argv)
{
    bool said[KNOBS] = {false};
    *out = (knobs){0};
    TRY(find_bench(&out->what, argc, argv));
    TRY(read_words(out, said, argc, argv));
    for (int i = 0; i < KNOBS; i++) {
        const char *value = out->quick ? table[i].quick : table[i].usual;
        if (value && !said[i] && serves(&table[i], out->what))
            TRY(read_value(out, &table[i], value));
    }
    if (!out->kernels) out->kernels = getenv("DID_KERNELS");
    if (!out->precision) out->precision = "f32"; /* where there is no choice */
    return DID_OK;
}

bool knobs_help_asked(int argc, char *const *argv)
{
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return true;
    return false;
}

/* `text` from column `indent` on, broken between words before column 96. */
static void paragraph(FILE *to, int indent, const char *text)
{
    int column = indent;
    for (const char *word = text; *word;) {
        int len = (int)strcspn(word, " ");
        if (column + 1 + len > 96) {
            fprintf(to, "\n%*s", indent, "");
            column = indent;
        }
        fprintf(to, " %.*s", len, word);
        column += 1 + len;
        word += len;
        word += *word == ' ';
    }
    fputc('\n', to);
}

/* What an option means, and what holds when nobody says. */
static void meaning(const knob *k, char *text, size_t size)
{
    char defaults[96] = "";
    if (k->usual && strcmp(k->usual, k->quick))
        snprintf(defaults, sizeof defaults, " [%s; quick: %s]", k->usual, k->quick);
    else if (k->usual) snprintf(defaults, sizeof defaults, " [%s]", k->usual);
    snprintf(text, size, "%s%s", k->help, defaults);
}

static void help_knob(FILE *to, const knob *k)
{
    char head[48], tail[512];
    snprintf(head, sizeof head, "--%s%s%s", k->name, k->unit ? " " : "", k->unit ? k->unit : "");
    meaning(k, tail, sizeof tail);
    fprintf(to, "  %-20s", head);
    paragraph(to, 22, tail);
}

static void help_bench(FILE *to, bench_kind what)
{
    fprintf(to, "\ndid bench %s: %s\n", benches[what].name, benches[what].summary);
    for (int i = 0; i < KNOBS; i++)
        if (serves(&table[i], what)) help_knob(to, &table[i]);
}

void knobs_help(FILE *to, int argc, char *const *argv)
{
    bench_kind one = BENCH_KERNELS;
    bool       all = find_bench(&one, argc, argv) != DID_OK;
    fprintf(to, "did bench - how fast, as a share of what this machine can do at most.\n\n"
                "usage: did bench kernels|passes|documents|sweep|collectives|layouts|calibrate|span|\n"
                "       scaling [options]        (under mpirun for several ranks)\n\n"
                "Every line is checked before it is timed; a wrong answer prints INVALID in place "
                "of a speed.\nExit codes: 0 all right, 1 something INVALID or broken, 2 usage.\n");
    for (int i = 0; i < BENCH_COUNT; i++)
        if (all || one == (bench_kind)i) help_bench(to, (bench_kind)i);
}

static void bench_section(FILE *to, bench_kind what)
{
    char title[160], head[48], text[512];
    snprintf(title, sizeof title, "did bench %s: %s", benches[what].name, benches[what].summary);
    roff_subsection(to, title);
    for (int i = 0; i < KNOBS; i++) {
        if (!serves(&table[i], what)) continue;
        snprintf(head, sizeof head, "--%s", table[i].name);
        meaning(&table[i], text, sizeof text);
        roff_item(to, head, table[i].unit, text);
    }
}

void knobs_manual(FILE *to, const char *version)
{
    char names[120] = "";
    for (int i = 0; i < BENCH_COUNT; i++) {
        strcat(names, i ? "|" : "");
        strcat(names, benches[i].name);
    }
    strcat(names, " [options]");
    roff_begin(to, "did bench", version,
               "how fast it runs here, as a share of what this machine can do at most", names);
    roff_section(to, "DESCRIPTION");
    roff_paragraph(to, "Every line is checked before it is timed; a wrong answer prints INVALID in "
                       "place of a speed. Under mpirun or srun for several ranks.");
    roff_section(to, "OPTIONS");
    for (int i = 0; i < BENCH_COUNT; i++) bench_section(to, (bench_kind)i);
    roff_section(to, "EXIT STATUS");
    roff_item(to, "0", NULL, "All answers are right.");
    roff_item(to, "1", NULL, "Something is INVALID, or broke.");
    roff_item(to, "2", NULL, "The command line is wrong, or does not fit this machine.");
    roff_section(to, "SEE ALSO");
    roff_paragraph(to, "did(1)");
}
