#include "sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "log.h"
#include "rng.h"

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for a sweep");
}

/* ---- names of models ---- */

/* The directory that `names` gives to name[size]; *dir_size 0 where it gives none. */
static status lookup(const char *names, const char *name, size_t size, const char **dir,
                     size_t *dir_size)
{
    *dir_size = 0;
    for (const char *at = names; at && *at; at += *at == ',') {
        size_t whole = strcspn(at, ","), left = strcspn(at, "=");
        if (left == 0 || left + 1 >= whole)
            return status_fail(DID_EINVAL, "--model-for: found \"%.*s\", expected NAME=DIR",
                               (int)whole, at);
        if (memchr(at + left + 1, ':', whole - left - 1))
            return status_fail(DID_EINVAL,
                               "--model-for: \"%.*s\" holds a colon, which stages are "
                               "written with",
                               (int)(whole - left - 1), at + left + 1);
        if (left == size && memcmp(at, name, size) == 0) {
            *dir = at + left + 1;
            *dir_size = whole - left - 1;
        }
        at += whole;
    }
    return DID_OK;
}

status sweep_name_models(char **out, const char *stages, const char *names)
{
    static const char key[] = ":model=";
    size_t            size = 0;
    FILE             *to = open_memstream(out, &size);
    if (!to) return no_memory();
    status s = DID_OK;
    while (s == DID_OK && *stages) {
        const char *at = strstr(stages, key), *dir = NULL;
        size_t      name_size, dir_size = 0;
        if (!at) break;
        at += sizeof key - 1;
        name_size = strcspn(at, ":,");
        s = lookup(names, at, name_size, &dir, &dir_size);
        fwrite(stages, 1, (size_t)(at - stages), to);
        fwrite(dir_size ? dir : at, 1, dir_size ? dir_size : name_size, to);
        stages = at + name_size;
    }
    fputs(stages, to);
    if (fclose(to) != 0 && s == DID_OK) s = no_memory();
    if (s == DID_OK) return s;
    free(*out);
    *out = NULL;
    return s;
}

/* ---- one setting ---- */

static stage_defaults defaults_of(const spec_usual *u)
{
    return (stage_defaults){.sampler = u->sampler,
                            .steps = u->steps,
                            .order = (order)u->order,
                            .nucleus = u->nucleus,
                            .rule = (nucleus_rule)u->rule,
                            .temperature = u->temperature,
                            .policy = (policy)u->policy,
                            .confidence = (confidence)u->confidence};
}

static status trial_parse(trial *t, const spec_setting *of, const char *text, job *j)
{
    stage_defaults d = defaults_of(&of->usual);
    char           whole[STAGES_TEXT_MAX];
    t->setting = of;
    t->length = of->length ? of->length : j->length;
    TRY(stages_parse(t->stage, &t->n_stages, text, &d, &j->models));
    TRY(stages_check(t->stage, t->n_stages, t->length, &j->models));
    if (t->n_stages == STAGES_MAX)
        return status_fail(DID_EINVAL,
                           "%d stages leave no place for the one that scores; at most "
                           "%d work",
                           STAGES_MAX, STAGES_MAX - 1);
    stages_text(t->stage, t->n_stages, &j->models, whole, sizeof whole);
    t->stages = strdup(whole);
    return t->stages ? DID_OK : no_memory();
}

static status trial_open(sweep *w, int place, job *j)
{
    const spec_setting *of = &w->spec.setting[place];
    char               *text = NULL;
    status              s = sweep_name_models(&text, of->stages, w->set->model_for);
    if (s != DID_OK) return s;
    s = trial_parse(&w->trial[place], of, text, j);
    free(text);
    return s == DID_OK ? s
                       : status_at(s, "%s:%d: setting \"%.80s\"", w->spec.path, of->line, of->name);
}

static lineage_list stages_of(const trial *t)
{
    return (lineage_list){t->stage, t->n_stages, t->length, t->setting->reject};
}

static status trials_open(sweep *w, job *j)
{
    w->trial = calloc((size_t)w->spec.n_settings, sizeof *w->trial);
    if (!w->trial) return no_memory();
    for (int i = 0; i < w->spec.n_settings; i++) TRY(trial_open(w, i, j));
    return DID_OK;
}

/* What the trials have in common. */
static status shared_open(sweep *w)
{
    int           n = w->spec.n_settings;
    lineage_list *list = calloc((size_t)n, sizeof *list);
    if (!list) return no_memory();
    for (int i = 0; i < n; i++) list[i] = stages_of(&w->trial[i]);
    status s = lineage_open(&w->shared, list, n, w->set->apart);
    free(list);
    return s;
}

/* ---- models ---- */

/* What a broken checkpoint says is said before anything is loaded. */
static status weights_look(const char *dir)
{
    checkpoint *c = NULL;
    TRY(checkpoint_open(&c, dir));
    checkpoint_close(&c);
    return DID_OK;
}

/* All that a tokenizer can say, as one number. */
static status voice_of(uint64_t *out, const tokenizer *words)
{
    int      n = tokenizer_vocab(words);
    size_t   size = 0;
    char    *text = NULL;
    int32_t *id = malloc((size_t)n * sizeof *id);
    if (!id) return no_memory();
    for (int i = 0; i < n; i++) id[i] = i;
    status s = tokenizer_decode(words, id, n, true, &text, &size);
    if (s == DID_OK) *out = rng_hash((uint64_t)n, text, (int)size);
    free(text);
    free(id);
    return s;
}

/* The scorer reads token ids as they are: they must mean the same to it. */
static status same_voice(const sweep *w, const job *j)
{
    tokenizer *words = NULL;
    uint64_t   mine = 0, its = 0;
    if (!j->words || tokenizer_open(&words, w->set->scorer) != DID_OK) {
        log_warn("sweep", "the scorer's tokenizer is not there to be compared with the model's");
        return DID_OK;
    }
    status s = voice_of(&mine, j->words);
    if (s == DID_OK) s = voice_of(&its, words);
    tokenizer_close(&words);
    if (s != DID_OK || mine == its) return s;
    return status_fail(DID_EINVAL, "--scorer %s has another tokenizer than the model %s",
                       w->set->scorer, w->set->model);
}

static status scorer_open(sweep *w, job *j)
{
    TRY(models_add_scorer(&j->models, w->set->scorer, &w->scorer));
    for (int i = 1; i < j->models.n; i++) TRY(weights_look(j->models.dir[i]));
    return same_voice(w, j);
}

/* ---- documents ---- */

/* How many documents begin with the same random numbers: what settings share, then theirs. */
static int family(const sweep *w)
{
    return w->shared.n + w->spec.n_settings;
}

/* The place of a family's first document: all first documents of settings come before all second ones,
 * so that a sweep that is stopped knows something of every setting. */
static int family_place(const sweep *w, int seed, int number)
{
    return (number * w->spec.n_seeds + seed) * family(w);
}

static status rename_to(request *r, const char *name)
{
    free(r->custom_id);
    r->custom_id = strdup(name);
    return r->custom_id ? DID_OK : no_memory();
}

/* A sample of did generate becomes document `number` of a setting: the same random numbers under
 * a name of its own, and a scorer behind it. */
static status adopt(request *r, const sweep *w, int place, int seed, int number)
{
    char name[HARVEST_NAME_MAX];
    int  from = w->shared.from[place];
    harvest_name(name, w->trial[place].setting, w->spec.seed[seed], number);
    TRY(rename_to(r, name));
    r->seed = r->key;
    r->has_seed = true;
    r->stage[r->n_stages++] = (stage){.work = WORK_SCORE, .model = w->scorer};
    r->source = from >= 0 ? family_place(w, seed, number) + from + 1 : 0;
    request_seal(r);
    return DID_OK;
}

/* A request of one setting, without a scorer, becomes that of a node. What it is decides its name, so
 * that it is known again when the spec has grown. */
static status become_shared(request *r, const sweep *w, int node, int first)
{
    const lineage_node *of = &w->shared.node[node];
    const lineage_list  list = stages_of(&w->trial[of->list]);
    char                name[HARVEST_NAME_MAX];
    r->seed = r->key;
    r->has_seed = true;
    r->silent = true;
    r->source = of->parent >= 0 ? first + of->parent + 1 : 0;
    r->n_stages = of->n_stages;
    for (int k = 0; k < r->n_stages; k++) r->stage[k] = lineage_stage(&list, k);
    request_seal(r);
    snprintf(name, sizeof name, "shared/%016" PRIx64, r->content);
    return rename_to(r, name);
}

static status samples_of(input *in, const sweep *w, int place, uint64_t seed, job *j)
{
    const trial *t = &w->trial[place];
    reject_rule  reject = {t->setting->reject, 256, 4, 10}; /* the published filter */
    char        *text = NULL;
    TRY(sweep_name_models(&text, t->setting->stages, w->set->model_for));
    input_rules rules = {.words = j->words,
                         .models = &j->models,
                         .end_id = j->end_id,
                         .stages = text,
                         .defaults = defaults_of(&t->setting->usual),
                         .length = t->length,
                         .samples = 1,
                         .seed = seed,
                         .reject = reject};
    status      s = input_count(in, w->spec.documents, &rules);
    free(text);
    return s;
}

/* The documents of one setting and seed, each at its place. */
static status add_samples(input *all, const sweep *w, int place, int seed, job *j)
{
    input  in = {0};
    status s = samples_of(&in, w, place, w->spec.seed[seed], j);
    for (int i = 0; s == DID_OK && i < in.n; i++) {
        request *to = &all->request[family_place(w, seed, i) + w->shared.n + place];
        s = adopt(&in.request[i], w, place, seed, i);
        *to = in.request[i];
        in.request[i] = (request){0};
    }
    if (in.length_max > all->length_max) all->length_max = in.length_max;
    input_clear(&in);
    return s;
}

/* The same of a node. */
static status add_shared(input *all, const sweep *w, int node, int seed, job *j)
{
    input  in = {0};
    status s = samples_of(&in, w, w->shared.node[node].list, w->spec.seed[seed], j);
    for (int i = 0; s == DID_OK && i < in.n; i++) {
        int first = family_place(w, seed, i);
        s = become_shared(&in.request[i], w, node, first);
        all->request[first + node] = in.request[i];
        in.request[i] = (request){0};
    }
    input_clear(&in);
    return s;
}

static status documents_open(sweep *w, job *j)
{
    const spec *s = &w->spec;
    int64_t     n = (int64_t)family(w) * s->n_seeds * s->documents;
    if (n > INPUT_REQUESTS_MAX)
        return status_fail(DID_EFORMAT, "%s: %lld documents are asked for, at most %d are allowed",
                           s->path, (long long)n, INPUT_REQUESTS_MAX);
    input_clear(&j->input);
    j->input.request = calloc((size_t)n, sizeof *j->input.request);
    if (!j->input.request) return no_memory();
    j->input.n = (int)n;
    for (int k = 0; k < s->n_seeds; k++) {
        for (int i = 0; i < w->shared.n; i++) TRY(add_shared(&j->input, w, i, k, j));
        for (int i = 0; i < s->n_settings; i++) TRY(add_samples(&j->input, w, i, k, j));
    }
    return DID_OK;
}

/* ---- all of it ---- */

status sweep_open(sweep *w, job *j, const settings *run, ending *usual)
{
    *usual = END_INPUT;
    TRY(spec_read(&w->spec, w->set->spec, w->set->changes));
    TRY(job_open(j, run, usual));
    *usual = END_INPUT;
    TRY(trials_open(w, j));
    TRY(shared_open(w));
    *usual = END_MODEL;
    TRY(scorer_open(w, j));
    *usual = END_INPUT;
    TRY(documents_open(w, j));
    snprintf(j->stages_whole, sizeof j->stages_whole,
             "of %d settings, and a scorer behind each; what some share is made once, %d of each",
             w->spec.n_settings, w->shared.n);
    return DID_OK;
}

void sweep_close(sweep *w)
{
    for (int i = 0; w->trial && i < w->spec.n_settings; i++) free(w->trial[i].stages);
    free(w->trial);
    lineage_close(&w->shared);
    spec_clear(&w->spec);
    w->trial = NULL;
}
