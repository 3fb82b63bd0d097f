#include "request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rng.h"

static request make(void)
{
    request r = {.custom_id = strdup("a"),
                 .length = 8,
                 .prompt_tokens = 2,
                 .seed = 1,
                 .n_stages = 2,
                 .reject = {true, 256, 4, 10},
                 .n_stop = 2};
    r.given = malloc(8 * sizeof *r.given);
    r.stop = calloc(2, sizeof *r.stop);
    assert_true(r.custom_id && r.given && r.stop);
    for (int i = 0; i < 8; i++) r.given[i] = i < 2 ? 10 + i : -1;
    r.stop[0] = strdup("one");
    r.stop[1] = strdup("two");
    r.stage[0] = (stage){.block = 4, .nucleus = 0.9, .temperature = 1};
    r.stage[1] = (stage){
        .remask = 0.25, .sampler = SAMPLER_QUOTA, .steps = 32, .nucleus = 0.9, .temperature = 1};
    return r;
}

static void the_key_is_of_seed_id_and_sample(void **state)
{
    request a = make(), b = make();
    (void)state;
    request_seal(&a);
    request_seal(&b);
    assert_true(a.key == b.key);
    assert_true(a.key == rng_hash(1, "a", 1));

    b.length = 4; /* the key does not care for what is made */
    request_seal(&b);
    assert_true(a.key == b.key);

    b.custom_id[0] = 'b';
    request_seal(&b);
    assert_true(a.key != b.key);

    b.custom_id[0] = 'a';
    b.seed = 2;
    request_seal(&b);
    assert_true(a.key != b.key);

    b.seed = 1;
    b.sample = 1;
    request_seal(&b);
    assert_true(a.key != b.key);
    request_clear(&a);
    request_clear(&b);
}

static void a_seed_of_its_own_is_the_key(void **state)
{
    request a = make(), b = make();
    (void)state;
    a.has_seed = b.has_seed = true;
    a.seed = b.seed = 77;
    b.custom_id[0] = 'b';
    request_seal(&a);
    request_seal(&b);
    assert_true(a.key == 77 && b.key == 77);
    b.sample = 1;
    request_seal(&b);
    assert_true(b.key != 77);
    request_clear(&a);
    request_clear(&b);
}

/* Each changes one thing that a document depends on. */
static void change(request *r, int which)
{
    switch (which) {
    case 0: r->sample = 3; break;
    case 1: r->length = 7; break;
    case 2: r->given[7] = 0; break;
    case 3: r->has_seed = true; break;
    case 4: r->seed = 5; break;
    case 5: r->n_stages = 1; break;
    case 6: r->stage[1].remask = 0.5; break;
    case 7: r->stage[0].block = 2; break;
    case 8: r->stage[0].nucleus = 0.8; break;
    case 9: r->stage[1].steps = 31; break;
    case 10: r->stage[1].order = ORDER_LEFT; break;
    case 11: r->stage[1].policy = POLICY_RANDOM; break;
    case 12: r->stage[1].confidence = CONFIDENCE_NUCLEUS; break;
    case 13: r->stage[1].rule = NUCLEUS_INCLUSIVE; break;
    case 14: r->stage[1].temperature = 0; break;
    case 15: r->stage[1].model = 1; break;
    case 16: r->stage[0].sampler = SAMPLER_ANCESTRAL; break;
    case 17: r->variable_length = true; break;
    case 18: r->reject.on = false; break;
    case 19: r->reject.window = 128; break;
    case 20: r->reject.nats = 3; break;
    case 21: r->reject.restarts = 9; break;
    case 22: r->stop[1][0] = 'T'; break;
    case 23: free(r->stop[--r->n_stop]); break;
    default: fail();
    }
}

static void everything_but_the_id_is_content(void **state)
{
    enum { CHANGES = 24 };
    uint64_t seen[CHANGES + 1];
    request  a = make();
    (void)state;
    request_seal(&a);
    seen[0] = a.content;
    a.custom_id[0] = 'z';
    request_seal(&a);
    assert_true(a.content == seen[0]);
    request_clear(&a);
    for (int i = 0; i < CHANGES; i++) {
        request r = make();
        change(&r, i);
        request_seal(&r);
        seen[i + 1] = r.content;
        for (int k = 0; k <= i; k++) assert_true(seen[k] != seen[i + 1]);
        request_clear(&r);
    }
}

/* State files outlive a version of the program: what is sealed today must open tomorrow. */
static void the_hashes_do_not_move(void **state)
{
    request a = make();
    (void)state;
    request_seal(&a);
    assert_true(a.key == 0xfc17c0ec54a14f60u);
    assert_true(a.content == 0x4d5380f6f61ab0d7u);
    request_clear(&a);
}

static void clear_leaves_nothing(void **state)
{
    request a = make(), zero;
    (void)state;
    memset(&zero, 0, sizeof zero);
    request_clear(&a);
    assert_null(a.custom_id);
    assert_null(a.given);
    assert_null(a.stop);
    assert_int_equal(a.n_stop, 0);
    request_clear(&zero);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_is_of_seed_id_and_sample),
        cmocka_unit_test(a_seed_of_its_own_is_the_key),
        cmocka_unit_test(everything_but_the_id_is_content),
        cmocka_unit_test(the_hashes_do_not_move),
        cmocka_unit_test(clear_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
