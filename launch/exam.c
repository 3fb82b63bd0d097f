#include "exam.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "log.h"
#include "rng.h"

enum { BLOCKS_MAX = 8 };

/* ---- the command line, held against the model ---- */

/* A whole number at the front of `text`, ended by a comma or the end; 0: it is none. */
static int leading(const char *text, int max)
{
    char *end;
    long  n = strtol(text, &end, 10);
    return *text >= '0' && *text <= '9' && (*end == ',' || *end == '\0') && n <= max ? (int)n : 0;
}

static status read_stage(const score_settings *s, int *stage_at)
{
    *stage_at = SPECIMENS_LAST;
    if (s->stage == NULL) return DID_OK;
    *stage_at = SPECIMENS_ALL;
    if (strcmp(s->stage, "all") == 0) return DID_OK;
    *stage_at = leading(s->stage, STAGES_MAX) - 1;
    if (*stage_at >= 0 && !strchr(s->stage, ',')) return DID_OK;
    return status_fail(DID_EINVAL,
                       "--stage: found \"%.40s\", expected all or a whole number from 1 to %d",
                       s->stage, STAGES_MAX);
}

static status read_blocks(const exam *x, int *block, int *n)
{
    const geometry *g = &x->models.shape[0];
    const char     *at = x->set->blocks;
    *n = 0;
    if (at == NULL) {
        if (g->block < g->length) block[(*n)++] = g->block;
        block[(*n)++] = STAGE_BLOCK_WHOLE;
        return DID_OK;
    }
    for (bool more = true; more; at += strcspn(at, ",") + 1) {
        bool whole = at[0] == 'L' && (at[1] == ',' || at[1] == '\0');
        int  size = whole ? STAGE_BLOCK_WHOLE : leading(at, g->length);
        if (*n == BLOCKS_MAX)
            return status_fail(DID_EINVAL, "--blocks: more than %d sizes", BLOCKS_MAX);
        if (!whole && size < 1)
            return status_fail(DID_EINVAL,
                               "--blocks: found \"%.*s\", expected L or a whole number from 1 to "
                               "the model's length %d",
                               (int)strcspn(at, ","), at, g->length);
        block[(*n)++] = size;
        more = at[strcspn(at, ",")] == ',';
    }
    return DID_OK;
}

/* ---- model and tokenizer ---- */

static status model_look(exam *x)
{
    const score_settings *s = x->set;
    checkpoint           *weights = NULL;
    if (strlen(s->model) >= MODEL_DIR_MAX)
        return status_fail(DID_EINVAL, "model directory name of %zu bytes, at most %d allowed",
                           strlen(s->model), MODEL_DIR_MAX - 1);
    TRY(geometry_read(&x->models.shape[0], s->model));
    TRY(checkpoint_open(&weights, s->model)); /* a broken one is told before the input is read */
    checkpoint_close(&weights);
    strcpy(x->models.dir[0], s->model);
    x->models.n = 1;
    return DID_OK;
}

static status words_open(exam *x)
{
    const score_settings *s = x->set;
    const geometry       *g = &x->models.shape[0];
    char                  vocab[MODEL_DIR_MAX + 32], whole[MODEL_DIR_MAX + 32];
    snprintf(vocab, sizeof vocab, "%s/vocab.json", s->model);
    snprintf(whole, sizeof whole, "%s/tokenizer.json", s->model);
    x->end_id = g->end_id;
    if (s->tokenizer || access(vocab, F_OK) == 0 || access(whole, F_OK) == 0) {
        TRY(tokenizer_open(&x->words, s->tokenizer ? s->tokenizer : s->model));
        if (tokenizer_vocab(x->words) > g->vocab)
            return status_fail(DID_EFORMAT,
                               "the tokenizer has ids up to %d, the vocabulary of %s ends at %d",
                               tokenizer_vocab(x->words) - 1, s->model, g->vocab - 1);
        if (x->end_id < 0) x->end_id = tokenizer_end_id(x->words);
    }
    if (x->end_id >= 0) return DID_OK;
    return status_fail(DID_EFORMAT,
                       "%s: neither config.json (bos_token_id) nor a tokenizer says which id is "
                       "<|endoftext|>, with which every text begins",
                       s->model);
}

/* ---- readings ---- */

static uint64_t key_of(const exam *x, const specimens_sample *s)
{
    uint64_t      key = rng_hash(x->set->seed, s->custom_id, (int)strlen(s->custom_id));
    unsigned char sample[2] = {(unsigned char)s->sample, (unsigned char)(s->sample >> 8)};
    return rng_hash(key, sample, sizeof sample);
}

/* The ids that a reading takes of one sample; NULL where it has none. A bound takes the text where
 * a line has no ids. */
static const int32_t *taken(const reading *r, const specimens_sample *s, int *n)
{
    const specimen *p = &s->of[r->place];
    if (r->place >= s->n) return NULL;
    bool told = r->told || (r->how.work == WORK_BOUND && !p->ids);
    *n = told ? p->n_told : p->n_ids;
    return told ? p->told : p->ids;
}

/* One reading of all samples: their texts go into the gauge. */
static status add_reading(exam *x, bool told, int place, stage how)
{
    int n = x->samples.n, len = 0;
    assert(x->board.n < READINGS_MAX);
    reading *r = &x->board.of[x->board.n++];
    *r = (reading){.told = told, .place = place, .how = how};
    r->text = malloc(((size_t)n + 1) * sizeof *r->text);
    if (!r->text) return status_fail(DID_ENOMEM, "no memory for the texts");
    for (int i = 0; i < n; i++) {
        const specimens_sample *s = &x->samples.sample[i];
        const int32_t          *id = taken(r, s, &len);
        r->text[i] = id ? x->gauge.n : -1;
        if (id) TRY(gauge_add(&x->gauge, id, len, key_of(x, s), &how));
    }
    return DID_OK;
}

static bool any(const exam *x, int place, bool told)
{
    for (int i = 0; i < x->samples.n; i++) {
        const specimens_sample *s = &x->samples.sample[i];
        if (place < s->n && (told ? s->of[place].told : s->of[place].ids)) return true;
    }
    return false;
}

/* Readings of the causal scorer: ids, texts, or both, of every stage. */
static status plan_scores(exam *x)
{
    stage how = {.work = WORK_SCORE};
    for (int told = 0; told < 2; told++)
        for (int place = 0; place < x->samples.stages; place++)
            if (any(x, place, told) && !(x->set->text && !told))
                TRY(add_reading(x, told, place, how));
    return DID_OK;
}

static status plan_bounds(exam *x, const int *block, int n)
{
    for (int i = 0; i < n; i++)
        for (int place = 0; place < x->samples.stages; place++) {
            stage how = {.work = WORK_BOUND, .block = block[i], .steps = x->set->draws};
            TRY(add_reading(x, x->set->text, place, how));
        }
    return DID_OK;
}

static status samples_read(exam *x, int stage_at)
{
    const geometry *g = &x->models.shape[0];
    want            wanted = x->set->raw_ids ? WANT_IDS : x->set->text ? WANT_TEXT : WANT_BOTH;
    if (wanted == WANT_BOTH && !g->causal) wanted = WANT_ONE;
    specimens_rules rules = {.words = x->words,
                             .shape = g,
                             .end_id = x->end_id,
                             .want = wanted,
                             .stage = stage_at,
                             .cleanup = x->set->cleanup,
                             .length = x->set->length,
                             .length_max = g->causal ? 0 : g->length};
    TRY(specimens_read(&x->samples, x->set->input, &rules));
    if (x->samples.left_out > 0)
        log_warn("score", "%d rejected or failed documents are left out", x->samples.left_out);
    if (x->samples.cut > 0)
        log_warn("score", "%d texts are longer than the model's %d positions and are cut there",
                 x->samples.cut, g->length);
    return DID_OK;
}

/* ---- all of it ---- */

/* What is written at the end can be written: asked before anything is loaded. */
static status writable(const char *name, const char *path)
{
    if (path == NULL) return DID_OK;
    FILE *f = fopen(path, "ae");
    if (f == NULL)
        return status_fail(DID_EINVAL, "%s %s cannot be written: %s", name, path, strerror(errno));
    fclose(f);
    return DID_OK;
}

status exam_open(exam *x, const score_settings *s, const options *said, ending *usual)
{
    int stage_at, block[BLOCKS_MAX], n_blocks;
    x->set = s;
    *usual = END_MODEL;
    TRY(model_look(x));
    TRY(words_open(x));

    *usual = END_USAGE;
    const geometry *g = &x->models.shape[0];
    TRY(read_stage(s, &stage_at));
    TRY(read_blocks(x, block, &n_blocks));
    for (int i = 0; i < 2 && g->causal; i++) {
        static const char *const name[] = {"blocks", "draws"};
        if (options_given(said, name[i]))
            return status_fail(DID_EINVAL, "--%s is for diffusion models; %s is a %s model",
                               name[i], s->model, g->family);
    }
    TRY(writable("--json", s->json));
    TRY(writable("--output", s->output));

    *usual = END_INPUT;
    TRY(samples_read(x, stage_at));
    x->board = (scoreboard){.samples = &x->samples,
                            .gauge = &x->gauge,
                            .end_id = x->end_id,
                            .batch = s->batch,
                            .by_stage = stage_at == SPECIMENS_ALL,
                            .seed = s->seed};
    return g->causal ? plan_scores(x) : plan_bounds(x, block, n_blocks);
}

void exam_close(exam *x)
{
    scoreboard_clear(&x->board);
    specimens_clear(&x->samples);
    gauge_clear(&x->gauge);
    tokenizer_close(&x->words);
}
