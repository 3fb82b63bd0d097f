/* The user's file: JSON lines, or prompts as plain text. */
#include <ctype.h>
#include <stdbool.h>

#include "fuzz.h"
#include "input.h"
#include "slip.h"

enum { VOCAB = 4097, MASK = 4096, E = 4095, LENGTH = 64, POSITIONS_MAX = 1 << 11 };

static tokenizer  *words;
static models      list; /* full, so that nobody looks for another one on the disk */
static input_rules rules;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    assert(tokenizer_open(&words, DID_TEST_MODELS "/did-tiny") == DID_OK);
    for (; list.n < ENGINE_MODELS_MAX; list.n++) {
        list.dir[list.n][0] = (char)('a' + list.n);
        list.shape[list.n] =
            (geometry){.vocab = VOCAB, .mask_id = MASK, .end_id = E, .length = LENGTH, .block = 4};
    }
    rules = (input_rules){.words = words,
                          .models = &list,
                          .end_id = E,
                          .stages = "4,L:0.25",
                          .defaults = {.sampler = -1, .nucleus = 0.9, .temperature = 1},
                          .length = 16,
                          .samples = 1,
                          .seed = 1,
                          .reject = {false, 256, 4, 10}};
    return 0;
}

/* What asks for very many positions takes time and memory and tells nothing that fewer do not: the
 * two largest numbers that lengths and samples can be have a bounded product. */
static bool too_much(const uint8_t *data, size_t size)
{
    unsigned long first = 1, second = 1;
    for (size_t i = 0; i < size; i++) {
        unsigned long x = 0;
        for (; i < size && isdigit(data[i]); i++)
            x = x > REQUEST_LENGTH_MAX ? x : 10 * x + data[i] - '0';
        if (x > REQUEST_LENGTH_MAX) continue;
        if (x > first) second = first, first = x;
        else if (x > second) second = x;
    }
    return first * second > POSITIONS_MAX;
}

static void check(const request *r)
{
    int given = 0;
    assert(r->custom_id && *r->custom_id);
    assert(r->length >= 1 && r->length <= REQUEST_LENGTH_MAX && r->given[0] == E);
    for (int i = 0; i < r->length; i++) {
        assert(r->given[i] >= -1 && r->given[i] < VOCAB && r->given[i] != MASK);
        given += r->given[i] >= 0;
    }
    assert(given == r->prompt_tokens && r->sample >= 0 && r->sample < REQUEST_SAMPLES_MAX);
    assert(stages_check(r->stage, r->n_stages, r->length, &list) == DID_OK);
    assert(r->n_stop >= 0 && r->n_stop <= REQUEST_STOPS_MAX);
    for (int i = 0; i < r->n_stop; i++) assert(*r->stop[i]);
}

/* What the front-end takes in, it can hand on. */
static void hand_on(const request *r)
{
    static const slip_rules allowed = {VOCAB, MASK, ENGINE_MODELS_MAX, REQUEST_LENGTH_MAX};
    char                   *slip;
    request                 back;
    assert(slip_pack(&slip, r) == DID_OK);
    assert(slip_unpack(&back, slip, strlen(slip), &allowed) == DID_OK);
    assert(back.content == r->content && back.key == r->key);
    assert(!strcmp(back.custom_id, r->custom_id));
    request_clear(&back);
    free(slip);
}

static void check_all(const input *in)
{
    int longest = 0;
    assert(in->n >= 1 && in->n_problems == 0);
    for (int i = 0; i < in->n; i++) {
        check(&in->request[i]);
        if (in->request[i].length > longest) longest = in->request[i].length;
    }
    assert(longest == in->length_max);
    hand_on(&in->request[0]);
    hand_on(&in->request[in->n - 1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input in;
    if (too_much(data, size)) return -1;
    status s = input_parse(&in, (const char *)data, size, "file", &rules);
    if (s == DID_OK) {
        check_all(&in);
    } else {
        fuzz_refused(s, DID_EFORMAT);
        for (int i = 0; i < in.n_problems && i < INPUT_PROBLEMS_MAX; i++) {
            fuzz_sentence(in.problem[i]);
            assert(!strncmp(in.problem[i], "file:", 5));
        }
    }
    input_clear(&in);
    return 0;
}
