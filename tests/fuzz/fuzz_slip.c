/* A request on the road to a row leader. */
#include <math.h>
#include <stdbool.h>

#include "fuzz.h"
#include "slip.h"

static const slip_rules rules = {.vocab = 64, .mask_id = 63, .n_models = 2, .length_max = 48};

static void check_stage(const stage *s)
{
    assert(s->model >= 0 && s->model < rules.n_models && s->block >= 0);
    assert(s->work >= WORK_DENOISE && s->work <= WORK_FOUND);
    assert(s->steps >= 0 && (s->work != WORK_BOUND || s->steps >= 1));
    if (s->work != WORK_DENOISE) return;
    if (s->sampler == SAMPLER_THRESHOLD) assert(s->threshold > 0 && s->threshold <= 1);
    else assert(s->sampler == SAMPLER_FHS || s->steps >= 1);
    assert(s->remask >= 0 && s->remask <= 1 && s->nucleus > 0 && s->nucleus <= 1);
    assert(s->temperature >= 0 && isfinite(s->temperature));
}

static void check(const request *r)
{
    request again = *r;
    assert(r->custom_id && r->length >= 1 && r->length <= rules.length_max);
    assert(r->prompt_tokens >= 0 && r->prompt_tokens <= r->length);
    assert(r->given[0] >= 0);
    for (int i = 0; i < r->length; i++)
        assert(r->given[i] >= -1 && r->given[i] < rules.vocab && r->given[i] != rules.mask_id);
    assert(r->n_stages >= 1 && r->n_stages <= STAGES_MAX);
    for (int k = 0; k < r->n_stages; k++) check_stage(&r->stage[k]);
    for (int i = 0; i < r->n_stop; i++) assert(r->stop[i][0]);
    request_seal(&again);
    assert(again.content == r->content && again.key == r->key);
}

/* A request that was read is written so that it reads as the same. */
static void there_and_back(const request *r)
{
    char   *text, *again;
    request back;
    assert(slip_pack(&text, r) == DID_OK);
    assert(slip_unpack(&back, text, strlen(text), &rules) == DID_OK);
    assert(back.content == r->content && back.key == r->key);
    assert(slip_pack(&again, &back) == DID_OK);
    assert(!strcmp(text, again));
    request_clear(&back);
    free(again);
    free(text);
}

/* Put the content hash right that a refused slip should have had: without that, hardly a changed
 * slip would be read to its end. NULL when it was refused for something else. */
static char *sealed(const char *text, size_t size)
{
    unsigned long long found, expected;
    char               wrong[17], right[17];
    const char        *said = strstr(status_message(), "content: found ");
    if (!said || sscanf(said, "content: found %16llx, expected %16llx", &found, &expected) != 2)
        return NULL;
    snprintf(wrong, sizeof wrong, "%016llx", found);
    snprintf(right, sizeof right, "%016llx", expected);
    const char *at = memmem(text, size, wrong, 16);
    char       *copy = at ? malloc(size) : NULL;
    if (!copy) return NULL;
    memcpy(copy, text, size);
    memcpy(copy + (at - text), right, 16);
    return copy;
}

static bool try(const char *text, size_t size)
{
    request r;
    status  s = slip_unpack(&r, text, size, &rules);
    if (s == DID_OK) {
        check(&r);
        there_and_back(&r);
    } else {
        fuzz_refused(s, DID_EFORMAT);
        assert(!r.given && !r.custom_id && !r.stop);
    }
    request_clear(&r);
    return s == DID_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (try((const char *)data, size)) return 0;
    char *again = sealed((const char *)data, size);
    if (again) try(again, size);
    free(again);
    return 0;
}
