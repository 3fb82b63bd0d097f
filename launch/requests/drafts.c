#include "drafts.h"

#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "excerpt.h"
#include "manuscript.h"
#include "parcel.h"
#include "rng.h"
#include "sequel.h"
#include "utf8.h"

/* What is needed while reading and no longer afterwards. */
typedef struct reading {
    input              *in;
    const drafts_rules *rules;
    const geometry     *shape; /* of the run's model */
    stage               stage[STAGES_MAX]; /* those that follow */
    int                 n_stages;
    parcel_rules        parcels;
    uint64_t            hash[ENGINE_MODELS_MAX];
    bool                hashed;
    int                 room; /* of in->request */
} reading;

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for the requests");
}

/* ---- one request ---- */

static status place(reading *r, request **out)
{
    input *in = r->in;
    if (in->n == INPUT_REQUESTS_MAX)
        return status_fail(DID_EFORMAT, "more than %d texts", INPUT_REQUESTS_MAX);
    if (in->n == r->room) {
        int      room = r->room ? 2 * r->room : 16;
        request *more = realloc(in->request, (size_t)room * sizeof *more);
        if (!more) return no_memory();
        in->request = more;
        r->room = room;
    }
    *out = &in->request[in->n++];
    **out = (request){0};
    return DID_OK;
}

/* The stages that follow, behind the n_stages that are there. Post-hoc confidence takes the place of
 * a snapshot that nobody has. */
static status add_stages(reading *r, request *q, bool known)
{
    if (q->n_stages + r->n_stages > STAGES_MAX)
        return status_fail(DID_EFORMAT, "%d stages before and %d that follow make more than %d",
                           q->n_stages, r->n_stages, STAGES_MAX);
    for (int k = 0; k < r->n_stages; k++) {
        stage *s = &q->stage[q->n_stages++];
        *s = r->stage[k];
        if (!known && s->policy == POLICY_LOWEST) s->policy = POLICY_POSTHOC;
        known = known || s->policy == POLICY_POSTHOC;
    }
    return stages_check(q->stage, q->n_stages, q->length, r->rules->usual->models);
}

/* Seal the request, and make the document that `opening` tells of: read back from a parcel, so that
 * it has passed every check that a checkpoint has to pass. */
static status begin(reading *r, request *q, json_t *opening)
{
    char *text = NULL;
    q->content = 0;
    if (opening && json_object_set_new(opening, "content", json_string("0000000000000000")) == 0)
        text = json_dumps(opening, JSON_COMPACT | JSON_REAL_PRECISION(15));
    if (!text) return no_memory();
    size_t size = strlen(text);
    status s = parcel_unpack(&q->draft, text, size, q, 0, false, &r->parcels);
    if (s == DID_OK) q->found = rng_hash(0, text, (int)size);
    free(text);
    TRY(s);
    request_seal(q);
    q->draft->key = q->key;
    if (q->length > r->in->length_max) r->in->length_max = q->length;
    return DID_OK;
}

/* A text whose history nobody tells, or not in a way this run could repeat. */
static status from_text(reading *r, request *q, const manuscript *m)
{
    q->length = m->n;
    q->variable_length = false;
    q->reject = (reject_rule){0};
    q->prompt_tokens = 0;
    free(q->given);
    q->given = malloc((size_t)m->n * sizeof *q->given);
    if (!q->given) return no_memory();
    for (int i = 0; i < m->n; i++) {
        q->given[i] = m->given[i] ? m->token[i] : -1;
        q->prompt_tokens += m->given[i];
    }
    q->stage[0] = (stage){.work = WORK_FOUND};
    q->n_stages = 1;
    TRY(add_stages(r, q, m->known));
    json_t *opening = sequel_found(m, q->n_stages, r->rules->traced);
    status  s = begin(r, q, opening);
    json_decref(opening);
    return s;
}

static status from_untraced(reading *r, request *q, const excerpt *e)
{
    const input_rules *usual = r->rules->usual;
    manuscript         m = {0};
    q->seed = usual->seed;
    status s = manuscript_read(&m, e, usual->words, r->shape, usual->end_id);
    if (s == DID_OK) s = from_text(r, q, &m);
    manuscript_clear(&m);
    return s;
}

/* ---- records ---- */

/* Which models a run has is known by their hashes, and those only where a record asks: a checkpoint
 * has to be read whole for it. */
static status hash_models(reading *r)
{
    const models *m = r->rules->usual->models;
    for (int i = 0; i < m->n && !r->hashed; i++) {
        checkpoint *c = NULL;
        status      s = checkpoint_open(&c, m->dir[i]);
        if (s == DID_OK) s = checkpoint_hash(c, &r->hash[i]);
        checkpoint_close(&c);
        TRY(s);
    }
    r->hashed = true;
    return DID_OK;
}

static status choose_seed(const reading *r, request *q, const sequel *from)
{
    q->seed = r->rules->usual->seed;
    if (r->rules->reseeded) return DID_OK;
    if (!from->keyed)
        return status_fail(DID_EFORMAT, "trace: the record does not tell the key of its random "
                                        "numbers; give --seed for others");
    q->seed = from->seed;
    q->has_seed = from->own_seed;
    return DID_OK;
}

static status from_sequel(reading *r, request *q, sequel *from)
{
    TRY(choose_seed(r, q, from));
    if (!from->same) return from_text(r, q, &from->text);
    q->n_stages = from->after + 1;
    TRY(add_stages(r, q, from->text.known));
    return begin(r, q, from->opening);
}

static status from_record(reading *r, request *q, const excerpt *e)
{
    sequel from = {0};
    TRY(hash_models(r));
    const sequel_rules rules = {.models = r->rules->usual->models,
                                .hash = r->hash,
                                .parcels = &r->parcels,
                                .end_id = r->rules->usual->end_id,
                                .after = r->rules->after,
                                .more = r->n_stages,
                                .precision = r->rules->precision};
    status             s = sequel_read(&from, q, e, &rules);
    if (s == DID_OK) s = from_sequel(r, q, &from);
    sequel_clear(&from);
    return s;
}

static status take(void *context, const excerpt *e)
{
    reading *r = context;
    request *q = NULL;
    TRY(place(r, &q));
    q->sample = e->sample;
    q->custom_id = strdup(e->custom_id);
    if (!q->custom_id) return no_memory();
    if (e->trace) return from_record(r, q, e);
    if (r->rules->after > 0)
        return status_fail(DID_EFORMAT, "--after chooses a stage of records that were made with "
                                        "--trace; this one was not");
    return from_untraced(r, q, e);
}

/* ---- the file ---- */

static status reading_begin(reading *r, input *in, const drafts_rules *rules)
{
    const input_rules *usual = rules->usual;
    stage_defaults     defaults = usual->defaults;
    const geometry    *g = &usual->models->shape[0];
    *in = (input){0};
    *r = (reading){.in = in, .rules = rules, .shape = g};
    defaults.found = true;
    TRY(stages_parse(r->stage, &r->n_stages, usual->stages, &defaults, usual->models));
    r->parcels = (parcel_rules){.ids = {.vocab = g->vocab,
                                        .mask_id = g->mask_id,
                                        .n_models = usual->models->n,
                                        .length_max = REQUEST_LENGTH_MAX},
                                .traced = rules->traced};
    for (int i = 0; i < usual->models->n; i++)
        r->parcels.refine_window[i] =
            rules->refine_window ? rules->refine_window : usual->models->shape[i].length;
    return DID_OK;
}

static status verdict(const input *in, const char *path, int left_out)
{
    if (in->n > 0) return DID_OK;
    return status_fail(DID_EFORMAT, "%s: the file holds no texts%s", path,
                       left_out ? " that were finished" : "");
}

status drafts_read(input *in, const char *path, const drafts_rules *rules, int *left_out)
{
    reading r;
    TRY(reading_begin(&r, in, rules));
    TRY(excerpt_each(path, take, &r, left_out));
    return verdict(in, path, *left_out);
}

status drafts_parse(input *in, const char *text, size_t size, const char *where,
                    const drafts_rules *rules, int *left_out)
{
    reading r;
    TRY(reading_begin(&r, in, rules));
    TRY(excerpt_each_of(text, size, where, take, &r, left_out));
    return verdict(in, where, *left_out);
}
