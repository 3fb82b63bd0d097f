/* outcome.h - what became of the documents of a run, as digests that every rank can compare. */
#ifndef DID_TESTS_OUTCOME_H
#define DID_TESTS_OUTCOME_H

#include "feeder.h"
#include "rng.h"

enum { OUTCOME_RANKS_MAX = 64, OUTCOME_DOCS_MAX = 16 };

/* Of everything a document was given: its text, confidences, costs, draws, what each stage left. */
static inline uint64_t outcome_digest(const document *d)
{
    uint64_t h = rng_hash((uint64_t)d->finish, d->token, d->length * (int)sizeof *d->token);
    h = rng_hash(h, d->snapshot, d->length * (int)sizeof *d->snapshot);
    h = rng_hash(h, d->cost, (int)sizeof d->cost);
    if (d->nll) h = rng_hash(h, d->nll, d->length * (int)sizeof *d->nll);
    for (int i = 0; i < d->n_draws; i++) {
        const draw *x = &d->draws[i];
        int         fields[] = {x->stage, x->step, x->position, x->token, x->replaced};
        h = rng_hash(h, fields, (int)sizeof fields);
        h = rng_hash(h, &x->snapshot, (int)sizeof x->snapshot);
    }
    for (int k = 0; k < d->n_stages; k++)
        h = rng_hash(h, d->left[k], d->left_length[k] * (int)sizeof *d->left[k]);
    return rng_hash(h, &d->attempt, (int)sizeof d->attempt);
}

/* Run until nothing is left to do, putting everything down after every `stop_every` passes (0: never).
 * Document i belongs to team i % teams. Collective over world. */
static inline void outcome_run(feeder *f, engine *e, comm *world, int teams, int stop_every)
{
    int left = 1;
    f->stop_after = stop_every;
    while (left > 0) {
        f->passes = 0;
        if (feeder_run(f, e, teams) != DID_OK) fail_msg("%s", status_message());
        int mine = 0, all[OUTCOME_RANKS_MAX];
        for (int i = engine_row(e); i < f->n && engine_leads(e); i += teams) mine += !f->done[i];
        assert_int_equal(comm_gather(world, all, &mine, sizeof mine, EV_BENCH), DID_OK);
        left = 0;
        for (int r = 0; r < comm_size(world); r++) left += all[r];
    }
}

/* out[i] = the digest of document place[i], on every rank. Collective over world. */
static inline void outcome_gather(uint64_t *out, const feeder *f, const engine *e, comm *world,
                                  int teams, const int *place, int n)
{
    uint64_t mine[OUTCOME_DOCS_MAX] = {0}, all[OUTCOME_RANKS_MAX * OUTCOME_DOCS_MAX];
    assert_true(n <= OUTCOME_DOCS_MAX && comm_size(world) <= OUTCOME_RANKS_MAX);
    for (int i = 0; i < n; i++) {
        const document *d = f->docs[place[i]];
        if (!engine_leads(e) || place[i] % teams != engine_row(e)) continue;
        if (d->finish == FINISH_FAILED) fail_msg("document %d: %s", i, d->reason);
        mine[i] = outcome_digest(d);
    }
    assert_int_equal(comm_gather(world, all, mine, sizeof mine, EV_BENCH), DID_OK);
    for (int i = 0; i < n; i++) {
        out[i] = 0;
        for (int r = 0; r < comm_size(world); r++) out[i] |= all[r * OUTCOME_DOCS_MAX + i];
        assert_true(out[i] != 0);
    }
}

#endif
