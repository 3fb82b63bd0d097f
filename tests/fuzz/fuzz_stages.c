/* The text of --stages, which input lines hold as well. */
#include <stdbool.h>

#include "fuzz.h"
#include "stages.h"

/* All the models that there is room for, so that nobody looks for another one on the disk. */
static models list;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    for (list.n = 0; list.n < ENGINE_MODELS_MAX; list.n++) {
        list.dir[list.n][0] = (char)('a' + list.n);
        list.shape[list.n] = (geometry){.vocab = 64, .mask_id = 63, .length = 16 << list.n};
    }
    return 0;
}

static void check(const stage *s, bool draft)
{
    assert(s->block >= 0 && s->model >= 0 && s->model < list.n);
    assert(s->remask >= 0 && s->remask <= 1 && (!draft || s->remask == 0));
    assert(s->nucleus > 0 && s->nucleus <= 1);
    assert(s->temperature >= 0 && s->temperature <= 100);
    assert(s->sampler <= SAMPLER_THRESHOLD && s->order <= ORDER_CONFIDENT);
    assert(s->policy <= POLICY_POSTHOC && s->confidence <= CONFIDENCE_NUCLEUS);
    assert(s->rule <= NUCLEUS_INCLUSIVE && s->work == WORK_DENOISE);
    bool stepped = s->sampler == SAMPLER_ANCESTRAL || s->sampler == SAMPLER_QUOTA;
    assert(stepped ? s->steps >= 1 : s->steps == 0);
    assert(s->sampler == SAMPLER_THRESHOLD ? s->threshold > 0 && s->threshold <= 1 : s->threshold == 0);
}

static bool same(const stage *a, const stage *b)
{
    return a->model == b->model && a->block == b->block && a->remask == b->remask &&
           a->policy == b->policy && a->sampler == b->sampler && a->steps == b->steps &&
           a->nucleus == b->nucleus && a->rule == b->rule && a->temperature == b->temperature &&
           a->confidence == b->confidence && (a->order == b->order || a->sampler != SAMPLER_QUOTA);
}

static void check_length(const stage *s, int n, int length)
{
    int up = stages_round(s, n, length);
    assert(up >= length);
    for (int k = 0; k < n && up < INT32_MAX; k++)
        assert(s[k].block == STAGE_BLOCK_WHOLE || up % s[k].block == 0);
    status good = stages_check(s, n, length, &list);
    if (good != DID_OK) {
        fuzz_refused(good, DID_EINVAL);
        return;
    }
    for (int k = 0, before = 1; k < n; before = stage_block(&s[k++], length))
        assert(length % stage_block(&s[k], length) == 0 && stage_block(&s[k], length) >= before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const stage_defaults usual = {.sampler = -1, .nucleus = 0.9, .temperature = 1};
    stage                       s[STAGES_MAX], again[STAGES_MAX];
    int                         n, n_again;
    char                        full[STAGES_TEXT_MAX], *text = fuzz_string(data, size);
    if (!text) return -1;
    status good = stages_parse(s, &n, text, &usual, &list);
    if (good == DID_OK) {
        assert(n >= 1 && n <= STAGES_MAX);
        for (int k = 0; k < n; k++) check(&s[k], k == 0);
        stages_text(s, n, &list, full, sizeof full);
        assert(stages_parse(again, &n_again, full, &usual, &list) == DID_OK && n_again == n);
        for (int k = 0; k < n; k++) assert(same(&s[k], &again[k]));
        for (int length = 1; length <= 1024; length *= 4) check_length(s, n, length);
        check_length(s, n, 97);
    } else {
        fuzz_refused(good, DID_EINVAL);
    }
    free(text);
    return 0;
}
