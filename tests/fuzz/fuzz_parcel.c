/* A document on the road between front-end and row leader, or out of the state file. The first
 * character of the input chooses whose document it is said to be. */
#include <math.h>
#include <stdbool.h>

#include "fuzz.h"
#include "parcel.h"
#include "record.h"

enum { VOCAB = 64, MASK = 63, END = 62, LENGTH = 8, REQUESTS = 4 };

static tokenizer   *words;
static request      requests[REQUESTS];
static int32_t      given[REQUESTS][LENGTH] = {{END, -1, -1, -1, -1, -1, -1, -1},
                                               {END, 5, -1, -1, 6, -1, -1, -1},
                                               {END, 5, 6, -1, -1, -1, -1, -1},
                                               {END, 1, 2, 3, 4, 5, 6, 7}};
static char         stop[] = "the";
static char        *stops[] = {stop};
static record_rules rules[2]; /* untraced, traced */

/* A draft; draft and refinement, of variable length; three stages; a measurement of what is given.
 */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    stage draft = {.block = 4, .nucleus = 0.9, .temperature = 1}, refine = draft, measure = {0};
    (void)argc, (void)argv;
    assert(tokenizer_open(&words, DID_TEST_MODELS "/did-tiny") == DID_OK);
    refine.block = STAGE_BLOCK_WHOLE;
    refine.sampler = SAMPLER_QUOTA;
    refine.steps = 3;
    refine.remask = 0.25;
    measure.work = WORK_SCORE;
    for (int i = 0; i < REQUESTS; i++)
        requests[i] = (request){.custom_id = stop,
                                .length = LENGTH,
                                .given = given[i],
                                .n_stages = i == 3 ? 1 : i + 1,
                                .stage = {i == 3 ? measure : draft, refine, measure},
                                .variable_length = i == 1,
                                .stop = stops,
                                .n_stop = i == 2};
    for (int traced = 0; traced < 2; traced++)
        rules[traced] = (record_rules){
            .parcels = {.ids = {VOCAB, MASK, 1, LENGTH}, .refine_window = {6}, .traced = traced},
            .words = words,
            .end_id = END,
            .window = LENGTH,
            .signature = "none"};
    return 0;
}

static void check_positions(const document *d, const request *r)
{
    assert(d->capacity == LENGTH && d->length >= 1 && d->length <= LENGTH);
    assert(d->length == LENGTH || r->variable_length);
    for (int i = 0; i < LENGTH; i++) {
        assert(d->token[i] >= 0 && d->token[i] < VOCAB);
        assert(d->before[i] >= 0 && d->before[i] < VOCAB);
        assert(r->given[i] < 0 || (d->given[i] && d->token[i] == r->given[i]));
        assert(!(d->given[i] && d->masked[i]));
        assert(i >= d->length || d->masked[i] == (d->token[i] == MASK));
        assert(isinf(d->snapshot[i]) ? d->given[i] : d->snapshot[i] >= 0 && d->snapshot[i] < 1.1f);
        if (d->nll) assert(!isinf(d->nll[i]));
    }
}

static void check_trace(const document *d, bool traced)
{
    assert(d->traced == traced && d->n_draws >= 0 && d->n_draws <= d->draws_max);
    for (int i = 0; i < d->n_draws; i++) {
        const draw *t = &d->draws[i];
        assert(t->stage >= 0 && t->stage < d->n_stages && t->step >= 0);
        assert(t->position >= 0 && t->position < LENGTH && t->token >= 0 && t->token < VOCAB);
        assert(t->replaced >= -1 && t->replaced < VOCAB && isfinite(t->snapshot));
    }
    for (int k = 0; k < d->n_stages; k++) {
        assert(d->left_length[k] >= 0 && d->left_length[k] <= LENGTH);
        for (int i = 0; i < d->left_length[k]; i++)
            assert(d->left[k][i] >= 0 && d->left[k][i] < VOCAB);
    }
}

static void check(const document *d, const request *r, bool finished, bool traced)
{
    assert(d->attempt >= 0 && d->step >= 0 && d->region >= 0 && d->region <= LENGTH);
    assert(d->at >= 0 && d->at <= d->n_stages && (finished || d->at < d->n_stages));
    assert((d->finish != FINISH_NONE) == finished && d->finish <= FINISH_FAILED);
    assert(memchr(d->reason, '\0', sizeof d->reason) && d->rejected_nfe >= 0);
    assert(d->serial == 17 && d->key == r->key && d->n_stages == r->n_stages);
    check_positions(d, r);
    check_trace(d, traced);
}

/* What is read and packed once is read and packed for ever. */
static void there_and_back(const document *d, const request *r, bool finished,
                           const record_rules *by)
{
    char     *text, *again;
    document *back;
    assert(parcel_pack(&text, d, r) == DID_OK);
    assert(parcel_unpack(&back, text, strlen(text), r, 17, finished, &by->parcels) == DID_OK);
    check(back, r, finished, by->parcels.traced);
    assert(parcel_pack(&again, back, r) == DID_OK);
    assert(!strcmp(text, again));
    document_close(&back);
    free(again);
    free(text);
}

/* Whatever a leader calls finished makes a record: the front-end has no other answer to it. */
static void make_record(const document *d, const request *r, const record_rules *by)
{
    char *line, *id;
    int   sample;
    assert(record_line(&line, r, d, by) == DID_OK);
    assert(!strchr(line, '\n'));
    assert(record_owner(line, strlen(line), &id, &sample) == DID_OK);
    assert(!strcmp(id, r->custom_id) && sample == r->sample);
    free(id);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    document *d;
    if (size == 0) return -1;
    unsigned            choice = data[0] - (unsigned)'a';
    const request      *r = &requests[choice % REQUESTS];
    bool                traced = choice / REQUESTS % 2, finished = choice / REQUESTS / 2 % 2;
    const record_rules *by = &rules[traced];
    status s = parcel_unpack(&d, (const char *)data + 1, size - 1, r, 17, finished, &by->parcels);
    if (s == DID_OK) {
        check(d, r, finished, traced);
        there_and_back(d, r, finished, by);
        if (finished) make_record(d, r, by);
    } else {
        fuzz_refused(s, DID_EFORMAT);
        assert(d == NULL);
    }
    document_close(&d);
    return 0;
}
