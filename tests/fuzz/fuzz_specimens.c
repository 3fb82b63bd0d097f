/* Texts that a scorer is to read: our own records, other people's JSON lines, or plain text. */
#include <math.h>
#include <stdbool.h>

#include "fuzz.h"
#include "specimens.h"

enum { VOCAB = 4097, MASK = 4096, E = 4095, LENGTH_MAX = 64 };

static tokenizer *words;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    assert(tokenizer_open(&words, DID_TEST_MODELS "/did-tiny") == DID_OK);
    return 0;
}

/* E in front, then ids of the model that measures, and not too many. */
static void check_ids(const int32_t *id, int n)
{
    assert(n >= 1 && n <= LENGTH_MAX && id[0] == E);
    for (int i = 0; i < n; i++) assert(id[i] >= 0 && id[i] < VOCAB && id[i] != MASK);
}

static void check(const specimens *s)
{
    int most = 0;
    assert(s->n >= 1 && s->left_out >= 0);
    for (int i = 0; i < s->n; i++) {
        const specimens_sample *sample = &s->sample[i];
        assert(sample->custom_id && sample->sample >= 0);
        assert(sample->n >= 1 && sample->n <= STAGES_MAX);
        if (sample->n > most) most = sample->n;
        for (int k = 0; k < sample->n; k++) {
            const specimen *one = &sample->of[k];
            assert(one->ids || one->told);
            if (one->ids) check_ids(one->ids, one->n_ids);
            if (one->told) check_ids(one->told, one->n_told);
            assert(isnan(one->edited) || (one->edited >= 0 && one->edited <= 1));
        }
    }
    assert(most == s->stages);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const geometry shape = {.vocab = VOCAB, .mask_id = MASK, .end_id = E};
    const specimens_rules rules = {.words = words,
                                   .shape = &shape,
                                   .end_id = E,
                                   .want = (want)(size % 4),
                                   .stage = size / 4 % 2 ? SPECIMENS_LAST : SPECIMENS_ALL,
                                   .cleanup = size / 8 % 2,
                                   .length_max = LENGTH_MAX};
    specimens             s;
    status                found = specimens_parse(&s, (const char *)data, size, "file", &rules);
    if (found == DID_OK) check(&s);
    else fuzz_refused(found, DID_EFORMAT);
    specimens_clear(&s);
    return 0;
}
