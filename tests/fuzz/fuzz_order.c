/* A document of the service as a world meets it; the first byte is the sample that is asked for. */
#include <stdbool.h>

#include "fuzz.h"
#include "order.h"
#include "stages.h"

enum { VOCAB = 4097, MASK = 4096, E = 4095, LENGTH = 64, LENGTH_MAX = 512 };

static job          world;
static record_rules base;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    assert(tokenizer_open(&world.words, DID_TEST_MODELS "/did-tiny") == DID_OK);
    world.end_id = E;
    world.models.closed = true;
    world.models.n = 2;
    for (int i = 0; i < world.models.n; i++) {
        world.models.dir[i][0] = (char)('a' + i);
        world.models.shape[i] =
            (geometry){.vocab = VOCAB, .mask_id = MASK, .end_id = E, .length = LENGTH, .block = 4};
    }
    base = (record_rules){.parcels = {.ids = {VOCAB, MASK, 2, LENGTH_MAX}},
                          .words = world.words,
                          .end_id = E,
                          .window = LENGTH,
                          .signature = "S"};
    return 0;
}

static void check(const request *r, int sample)
{
    int given = 0;
    assert(r->custom_id && *r->custom_id && r->sample == sample);
    assert(r->length >= 1 && r->length <= LENGTH_MAX && r->given[0] == E);
    for (int i = 0; i < r->length; i++) {
        assert(r->given[i] >= -1 && r->given[i] < VOCAB && r->given[i] != MASK);
        given += r->given[i] >= 0;
    }
    assert(given == r->prompt_tokens);
    assert(stages_check(r->stage, r->n_stages, r->length, &world.models) == DID_OK);
    assert(r->n_stop >= 0 && r->n_stop <= REQUEST_STOPS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    request      r;
    record_rules rules;
    if (size == 0) return 0;
    int    sample = data[0] % 8;
    status s = order_read(&r, &rules, &world, &base, (const char *)data + 1, size - 1, sample);
    if (s == DID_OK) check(&r, sample);
    else fuzz_refused(s, DID_EFORMAT);
    assert(world.models.n == 2); /* nobody adds models from afar */
    request_clear(&r);
    return 0;
}
