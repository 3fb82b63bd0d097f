#include "request.h"

#include <stdlib.h>
#include <string.h>

#include "rng.h"

void request_clear(request *r)
{
    for (int i = 0; i < r->n_stop; i++) free(r->stop[i]);
    free(r->stop);
    free(r->given);
    free(r->custom_id);
    document_close(&r->draft);
    memset(r, 0, sizeof *r);
}

/* Numbers are hashed as little-endian bytes, so that journals travel between machines. */
static uint64_t hash_number(uint64_t h, uint64_t x)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(x >> 8 * i);
    return rng_hash(h, bytes, sizeof bytes);
}

static uint64_t hash_real(uint64_t h, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return hash_number(h, bits);
}

static uint64_t hash_text(uint64_t h, const char *text)
{
    return rng_hash(h, text, (int)strlen(text));
}

static uint64_t hash_stage(uint64_t h, const stage *s)
{
    const int whole[] = {s->model, s->block,      (int)s->policy, (int)s->sampler,
                         s->steps, (int)s->order, (int)s->rule,   (int)s->confidence};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        h = hash_number(h, (uint64_t)whole[i]);
    h = hash_real(h, s->remask);
    h = hash_real(h, s->nucleus);
    if (s->work != WORK_DENOISE) h = hash_number(h, (uint64_t)s->work);
    if (s->sampler == SAMPLER_THRESHOLD) h = hash_real(h, s->threshold);
    if (s->cache > 0) h = hash_number(h, (uint64_t)s->cache);
    return hash_real(h, s->temperature);
}

static uint64_t content_of(const request *r)
{
    uint64_t h = hash_number(0, (uint64_t)r->sample);
    h = hash_number(h, (uint64_t)r->length);
    for (int i = 0; i < r->length; i++) h = hash_number(h, (uint64_t)r->given[i]);
    h = hash_number(h, r->has_seed);
    h = hash_number(h, r->seed);
    h = hash_number(h, (uint64_t)r->n_stages);
    for (int k = 0; k < r->n_stages; k++) h = hash_stage(h, &r->stage[k]);
    h = hash_number(h, r->variable_length);
    h = hash_number(h, r->reject.on);
    h = hash_number(h, (uint64_t)r->reject.window);
    h = hash_real(h, r->reject.nats);
    h = hash_number(h, (uint64_t)r->reject.restarts);
    h = hash_number(h, (uint64_t)r->n_stop);
    for (int i = 0; i < r->n_stop; i++) h = hash_text(h, r->stop[i]);
    if (r->found != 0) h = hash_number(h, r->found);
    return h;
}

void request_seal(request *r)
{
    r->key = r->has_seed ? r->seed : hash_text(r->seed, r->custom_id);
    if (r->sample > 0) r->key = hash_number(r->key, (uint64_t)r->sample);
    r->content = content_of(r);
}
