/* Who shares a pass: budgets, turns, weight handles; and that no document can tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "desk.h"
#include "rng.h"
#include "schedule.h"

enum { DOCS = 24, LENGTH = 128, BUDGET = 96 };

/* Documents in flight, and how long each has waited for a pass. */
typedef struct flight {
    desk      k;
    document *docs[DOCS];
    turn      turns[DOCS];
    int       waited[DOCS], waited_most, n, start;
    uint64_t *digests;  /* of the finished, by serial number; or NULL */
} flight;

static void flight_open(flight *f)
{
    memset(f, 0, sizeof *f);
    desk_open(&f->k, LENGTH, LENGTH, LENGTH);
    f->k.rules.pass_rows = BUDGET;
}

static void flight_close(flight *f)
{
    for (int i = 0; i < f->n; i++) document_close(&f->docs[i]);
    desk_close(&f->k);
}

/* No two alike: lengths, blocks, and whole-document stages larger than the budget. */
static document *add(flight *f, int which, int models)
{
    document *d = desk_document(which % 4 == 0 ? LENGTH : 20 + 3 * which, which % 7,
                                (uint64_t)which);
    d->serial = which;
    desk_stage(d, 4 + which % 3, 0, SAMPLER_FHS, 0)->model = which % models;
    desk_stage(d, STAGE_BLOCK_WHOLE, 0.4, SAMPLER_QUOTA, 8)->model = (which / 2) % models;
    walk_settle(d, &f->k.rules);
    return f->docs[f->n++] = d;
}

/* Fill a pass and look at it. */
static int fill(flight *f)
{
    int         n = schedule_fill(&f->k.batch, f->turns, f->docs, f->n, &f->start, &f->k.rules);
    const pass *p = &f->k.batch.pass;
    assert_in_range(n, 1, f->n);
    assert_true(p->n_rows <= BUDGET || n == 1);
    assert_in_range(p->n_rows, 1, LENGTH);
    for (int i = 0; i < n; i++) {
        assert_int_equal(walk_model(f->turns[i].doc), p->model);
        for (int j = 0; j < i; j++) assert_ptr_not_equal(f->turns[i].doc, f->turns[j].doc);
    }
    return n;
}

static void note_waiting(flight *f, int n)
{
    bool served[DOCS] = {false};
    for (int i = 0; i < n; i++) served[f->turns[i].doc->serial] = true;
    for (int i = 0; i < f->n; i++) {
        int which = (int)f->docs[i]->serial;
        f->waited[which] = served[which] ? 0 : f->waited[which] + 1;
        if (f->waited[which] > f->waited_most) f->waited_most = f->waited[which];
    }
}

static uint64_t digest(const document *d)
{
    uint64_t h = rng_hash(1, d->token, d->length * (int)sizeof *d->token);
    h = rng_hash(h, d->snapshot, d->length * (int)sizeof *d->snapshot);
    return rng_hash(h, d->cost, (int)sizeof d->cost);
}

static void pass_once(flight *f)
{
    int n = fill(f), kept = 0;
    note_waiting(f, n);
    desk_answer(&f->k);
    for (int i = 0; i < n; i++) walk_apply(&f->turns[i], &f->k.batch, &f->k.rules);
    for (int i = 0; i < f->n; i++) {
        document *d = f->docs[i];
        if (d->finish == FINISH_NONE) {
            f->docs[kept++] = d;
            continue;
        }
        if (f->digests) f->digests[d->serial] = digest(d);
        document_close(&d);
    }
    f->n = kept;
}

/* A document waits for at most one pass of each of the others, with one weight handle or with
 * three, while others come to an end around it. */
static void nobody_starves(void **state)
{
    (void)state;
    for (int models = 1; models <= 3; models++) {
        flight f;
        flight_open(&f);
        for (int i = 0; i < DOCS; i++) add(&f, i, models);
        while (f.n > 0) pass_once(&f);
        assert_in_range(f.waited_most, 1, DOCS);
        flight_close(&f);
    }
}

/* Small documents fill the budget together; what is left over is less than the next one needs. */
static void budget_is_used(void **state)
{
    (void)state;
    flight f;
    flight_open(&f);
    for (int i = 0; i < DOCS; i++) {
        document *d = desk_document(64, 0, (uint64_t)i);
        d->serial = i;
        desk_stage(d, 16, 0, SAMPLER_FHS, 0);
        walk_settle(d, &f.k.rules);
        f.docs[f.n++] = d;
    }
    for (int round = 0; round < 40; round++) {
        int n = fill(&f);
        assert_true(f.k.batch.pass.n_rows > BUDGET - 32);
        assert_in_range(n, BUDGET / 32, BUDGET / 16);
        desk_answer(&f.k);
        for (int i = 0; i < n; i++) walk_apply(&f.turns[i], &f.k.batch, &f.k.rules);
    }
    flight_close(&f);
}

/* What does not fit is asked first the next time; when all fit, turns go round. */
static void parked_goes_first(void **state)
{
    (void)state;
    flight f;
    flight_open(&f);
    for (int i = 0; i < 3; i++) {
        document *d = desk_document(i == 1 ? LENGTH : 16, 0, (uint64_t)i);
        d->serial = i;
        desk_stage(d, i == 1 ? STAGE_BLOCK_WHOLE : 4, 0, SAMPLER_QUOTA, 50);
        walk_settle(d, &f.k.rules);
        f.docs[f.n++] = d;
    }
    assert_int_equal(fill(&f), 2);
    assert_int_equal(f.turns[0].doc->serial, 0);
    assert_int_equal(f.turns[1].doc->serial, 2);
    assert_int_equal(f.start, 1);
    assert_int_equal(fill(&f), 1); /* it is over the budget on its own, and alone */
    assert_int_equal(f.turns[0].doc->serial, 1);
    assert_int_equal(f.k.batch.pass.n_rows, LENGTH);
    assert_int_equal(f.start, 2);
    assert_int_equal(fill(&f), 2);
    assert_int_equal(f.turns[0].doc->serial, 2);
    f.start = 0;
    document_close(&f.docs[1]);
    f.docs[1] = f.docs[--f.n];
    for (int round = 0; round < 4; round++) {
        assert_int_equal(fill(&f), 2);
        assert_ptr_equal(f.turns[0].doc, f.docs[round % 2]);
    }
    flight_close(&f);
}

/* The same bytes alone and in company. */
static void company_changes_nothing(void **state)
{
    (void)state;
    uint64_t alone[DOCS], crowded[DOCS];
    for (int crowd = 0; crowd < 2; crowd++)
        for (int i = 0; i < (crowd ? 1 : DOCS); i++) {
            flight f;
            flight_open(&f);
            for (int j = crowd ? 0 : i; j < (crowd ? DOCS : i + 1); j++) add(&f, j, 2);
            f.digests = crowd ? crowded : alone;
            while (f.n > 0) pass_once(&f);
            flight_close(&f);
        }
    assert_memory_equal(alone, crowded, sizeof alone);
    for (int i = 0; i < DOCS; i++)
        for (int j = 0; j < i; j++) assert_true(alone[i] != alone[j]);
}

static void nobody_there(void **state)
{
    (void)state;
    flight f;
    flight_open(&f);
    f.start = 7;
    assert_int_equal(schedule_fill(&f.k.batch, f.turns, f.docs, 0, &f.start, &f.k.rules), 0);
    assert_int_equal(f.k.batch.pass.n_rows, 0);
    flight_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_starves),      cmocka_unit_test(budget_is_used),
        cmocka_unit_test(parked_goes_first),   cmocka_unit_test(company_changes_nothing),
        cmocka_unit_test(nobody_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
