#include "job.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint.h"
#include "drafts.h"
#include "log.h"

/* ---- model and tokenizer ---- */

/* The headers of the weight files, so that a broken checkpoint is told before the input is read.
 * The engine looks at every tensor later. */
static status weights_look(const char *dir)
{
    checkpoint *c = NULL;
    TRY(checkpoint_open(&c, dir));
    checkpoint_close(&c);
    return DID_OK;
}

static bool exists(const char *dir, const char *name)
{
    char path[2 * MODEL_DIR_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

/* A checkpoint without a tokenizer is fine for token ids; one that was named must be there. */
static status words_open(job *j, const settings *s)
{
    const geometry *g = &j->models.shape[0];
    const char     *dir = s->tokenizer ? s->tokenizer : s->model;
    if (!s->tokenizer && !exists(dir, "tokenizer.json") && !exists(dir, "vocab.json")) {
        log_say("job", "%s has no tokenizer: token ids in, token ids out", dir);
        j->end_id = g->end_id;
    } else {
        TRY(tokenizer_open(&j->words, dir));
        if (tokenizer_vocab(j->words) > g->vocab)
            return status_fail(DID_EFORMAT,
                               "tokenizer %s has ids up to %d, the model's vocabulary "
                               "of %d ends at %d",
                               dir, tokenizer_vocab(j->words) - 1, g->vocab, g->vocab - 1);
        j->end_id = g->end_id >= 0 ? g->end_id : tokenizer_end_id(j->words);
    }
    if (j->end_id >= 0) return DID_OK;
    return status_fail(DID_EFORMAT,
                       "%s: neither config.json (bos_token_id) nor a tokenizer says "
                       "which id is <|endoftext|>, with which every document begins",
                       s->model);
}

/* ---- output ---- */

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    if (strcmp(a, b) == 0) return true;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A file of this name can be made, or written to where it exists. */
static status writable(const char *name, const char *path)
{
    char        copy[4096];
    struct stat about;
    int         mode = W_OK;
    if (strlen(path) >= sizeof copy)
        return status_fail(DID_EINVAL, "%s: the name is longer than %zu bytes", name,
                           sizeof copy - 1);
    const char *at = path;
    if (stat(path, &about) == 0) {
        if (S_ISDIR(about.st_mode))
            return status_fail(DID_EINVAL, "%s %s is a directory, expected a file", name, path);
    } else {
        strcpy(copy, path);
        at = dirname(copy);
        mode = W_OK | X_OK;
        if (stat(at, &about) == 0 && !S_ISDIR(about.st_mode)) errno = ENOTDIR, at = NULL;
    }
    if (at && access(at, mode) == 0) return DID_OK;
    return status_fail(DID_EINVAL, "%s %s cannot be written: %s", name, path, strerror(errno));
}

static status output_check(const settings *s)
{
    struct stat about;
    if (s->state) {
        TRY(writable("--state", s->state));
        if (s->input && same_file(s->state, s->input))
            return status_fail(DID_EINVAL, "--state and --input are the same file %s", s->state);
        if (s->output && same_file(s->state, s->output))
            return status_fail(DID_EINVAL, "--state and --output are the same file %s", s->state);
    }
    if (s->output == NULL) return DID_OK;
    if (s->input && same_file(s->output, s->input))
        return status_fail(DID_EINVAL, "--output and --input are the same file %s", s->output);
    TRY(writable("--output", s->output));
    if (s->state == NULL && stat(s->output, &about) == 0 && S_ISREG(about.st_mode) &&
        about.st_size > 0)
        return status_fail(DID_EINVAL,
                           "--output %s exists already: name another file, or the "
                           "--state it belongs to",
                           s->output);
    return DID_OK;
}

/* ---- stages and input ---- */

/* What follows a text that is there already; how long it is its own line says. */
static status refinements_settle(job *j, const settings *s)
{
    stage_defaults d = settings_stage(s);
    stage          list[1 + STAGES_MAX] = {{.work = WORK_FOUND}};
    int            n = 0;
    d.found = true;
    TRY(stages_parse(list + 1, &n, j->stages, &d, &j->models));
    stages_text(list, n + 1, &j->models, j->stages_whole, sizeof j->stages_whole);
    return DID_OK;
}

static status drafting_settle(job *j, const settings *s)
{
    stage_defaults d = settings_stage(s);
    TRY(stages_parse(j->usual, &j->n_usual, j->stages, &d, &j->models));
    TRY(stages_check(j->usual, j->n_usual, j->length, &j->models));
    stages_text(j->usual, j->n_usual, &j->models, j->stages_whole, sizeof j->stages_whole);
    return DID_OK;
}

static status stages_settle(job *j, const settings *s)
{
    const geometry *g = &j->models.shape[0];
    j->length = s->length ? s->length : g->length;
    stages_default(g, j->stages, sizeof j->stages);
    if (s->refining) snprintf(j->stages, sizeof j->stages, "L");
    if (s->stages && strlen(s->stages) >= sizeof j->stages)
        return status_fail(DID_EINVAL, "--stages: the text is longer than %d bytes",
                           STAGES_TEXT_MAX - 1);
    if (s->stages) strcpy(j->stages, s->stages);
    status fit = s->refining ? refinements_settle(j, s) : drafting_settle(j, s);
    return fit == DID_OK ? fit : status_at(fit, "--stages");
}

static status drafts_open(job *j, const settings *s, const input_rules *usual)
{
    drafts_rules rules = {.usual = usual,
                          .after = s->after,
                          .reseeded = s->reseeded,
                          .traced = s->trace,
                          .refine_window = settings_refine_window(s),
                          .precision = s->precision == 1 ? "bf16" : "f32"};
    int          left_out = 0;
    status       read = drafts_read(&j->input, s->input, &rules, &left_out);
    if (read == DID_OK && left_out > 0)
        log_warn("job", "%d rejected or failed documents are left out", left_out);
    return read;
}

static status input_open(job *j, const settings *s)
{
    reject_rule reject = {s->reject, s->reject_window, s->reject_entropy, s->reject_restarts};
    input_rules rules = {.words = j->words,
                         .models = &j->models,
                         .end_id = j->end_id,
                         .stages = j->stages,
                         .defaults = settings_stage(s),
                         .length = j->length,
                         .samples = s->samples,
                         .seed = s->seed,
                         .variable_length = s->variable_length,
                         .reject = reject};
    if (s->refining) return drafts_open(j, s, &rules);
    if (s->prompt) return input_prompt(&j->input, s->prompt, &rules);
    if (s->input == NULL) return input_count(&j->input, s->count, &rules);
    status read = input_read(&j->input, s->input, &rules);
    for (int i = 0; i < INPUT_PROBLEMS_MAX && j->input.n_problems > 1; i++)
        if (j->input.problem[i]) fprintf(stderr, "did: %s\n", j->input.problem[i]);
    return read;
}

status job_open(job *j, const settings *s, ending *usual)
{
    int handle;
    *usual = END_MODEL;
    TRY(models_add(&j->models, s->model, &handle));
    TRY(weights_look(s->model));
    TRY(words_open(j, s));

    *usual = END_USAGE;
    status staged = stages_settle(j, s);
    if (staged != DID_OK && staged != DID_EINVAL) *usual = END_MODEL;
    TRY(staged);
    TRY(output_check(s));

    *usual = END_INPUT;
    TRY(input_open(j, s));

    *usual = END_MODEL;
    for (int i = 1; i < j->models.n; i++) TRY(weights_look(j->models.dir[i]));
    return DID_OK;
}

void job_close(job *j)
{
    input_clear(&j->input);
    tokenizer_close(&j->words);
    memset(j, 0, sizeof *j);
}
