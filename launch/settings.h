/* settings.h - the options of `did generate` (and of commands that run documents through the same
 * machine), as the user gave them. */
#ifndef DID_SETTINGS_H
#define DID_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "stages.h"
#include "status.h"

typedef struct settings {
    const char *model, *tokenizer;
    const char *input, *prompt;
    int         count, samples;
    const char *output, *state;
    double      save_interval_s;
    bool        trace, ids, keep_eos;

    int         length;
    bool        variable_length;
    const char *stages;
    int         sampler, order, steps, nucleus_rule, policy, confidence;
    double      nucleus, temperature, threshold;
    const char *refine_window, *refine_span;
    int         refine_cache;
    bool        reject;
    int         reject_window, reject_restarts;
    double      reject_entropy;
    uint64_t    seed;

    int         tp, depth, groups, layout, documents, pass_rows, commit, weights, wire, precision, threads;
    bool        reproducible;
    const char *kernels, *calibration;
    double      maxh, stall_s;

    bool        refining; /* `did refine`: the input holds texts */
    bool        reseeded; /* and the user named a seed */
    int         after;    /* of a traced record: the stage whose text is refined, from 1; 0: last */

    bool        watch, quiet;
    double      progress_interval_s;
    const char *options;
} settings;

enum { SETTINGS_SPAN_MAX = 64 };

/* The heading of all that other commands take over from the table as it is. */
#define SETTINGS_COMPUTED_HELP "How it is computed"

#define SETTINGS_REPRODUCIBLE_HELP                                                                  \
    "the same bytes at --tp 1, 2, 4 and 8: products are cut and added alike at every width, which "  \
    "takes some more time; not with --layout 2d"

#define SETTINGS_WIRE_HELP                                                                          \
    "what the --tp ranks of a row send each other to be added; bf16 halves the bytes between hosts, " \
    "while sums stay in f32; a document's bytes then depend on it"

#define SETTINGS_DEPTH_HELP                                                                         \
    "depths one behind the other, each with its share of the layers, on groups of --tp ranks: what "  \
    "goes from one to the next is small, which suits hosts on a slow link. Documents in flight take "  \
    "turns in --groups; the bytes stay the same. Not with --layout 2d or --refine-span"

#define SETTINGS_GROUPS_HELP                                                                        \
    "groups of documents that fill the depths of --pp; more of them hide a slow link, and make "      \
    "smaller passes"

#define SETTINGS_SPAN_HELP                                                                          \
    "rows (groups of --tp ranks) that share every refinement of the whole: each evaluates its part " \
    "of the positions and sees all of them; the bytes stay the same, time and memory per rank fall. " \
    "auto: 1, but more where there are fewer documents than rows, or where a long window needs "    \
    "more memory than a rank has"

extern const option_table settings_table;

/* Read the words after `did generate` and see that they agree with each other. Fails DID_EINVAL
 * with one sentence. `out` borrows from *said, which the caller closes. Local. */
status settings_read(settings *out, options **said, int argc, char *const *argv);

/* Do settings agree with each other? Fails DID_EINVAL with one sentence. Local. */
status settings_check(const settings *s);

/* What holds where a stage is silent. Local. */
stage_defaults settings_stage(const settings *s);

/* Positions of a refine window: 0 for the model's length, REQUEST_LENGTH_MAX for "full". Local. */
int settings_refine_window(const settings *s);

/* Rows that span a long refinement: 0 for "auto", 1 where nobody was asked. Local. */
int settings_refine_span(const settings *s);

#endif
