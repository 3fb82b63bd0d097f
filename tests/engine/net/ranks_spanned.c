/* A pass on rows that span its long segments: the answers, bit for bit, of one row alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "made_up.h"
#include "portion.h"
#include "rig.h"

static comm *world;
static char  small[MADE_UP_PATH];

enum { ROWS = 1400, LENGTH = 128, ASKS = 400 };

/* A row of a team: rows of `tp` ranks, `rows` of them together. */
typedef struct team {
    rig     rig;
    comm   *team, *column;
    portion portion;
    spanned spanned;
    gather *answers;
    arena   memory;
    int     rows, row;
} team;

static void team_open(team *t, int tp, int rows, const kernels *k)
{
    int rank = comm_rank(world), which = rank / (tp * rows);
    *t = (team){.rows = rows, .row = rank / tp % rows};
    if (rig_open_with(&t->rig, small, world, tp, ROWS, LENGTH, true, k) != DID_OK)
        fail_msg("%s", status_message());
    assert_int_equal(comm_split(&t->team, world, which, rank), DID_OK);
    assert_int_equal(comm_split(&t->column, world, which * tp + rank % tp, rank), DID_OK);
    assert_int_equal(arena_open(&t->memory, portion_bytes(ROWS, ROWS)), DID_OK);
    portion_open(&t->portion, ROWS, ROWS, &t->memory);
    batch_team(&t->rig.batch, rows);
    t->spanned = (spanned){.rows = rows, .row = t->row};
    size_t most = spanned_gather_bytes(ROWS, t->rig.model.kv.tile_bytes);
    for (int i = 0; i < 2; i++)
        assert_int_equal(gather_open(&t->spanned.under_way[i], t->column, most), DID_OK);
    assert_int_equal(gather_open(&t->answers, t->column, portion_gather_bytes(ROWS)), DID_OK);
    t->rig.place.spanned = rows > 1 ? &t->spanned : NULL;
}

static void team_close(team *t)
{
    for (int i = 0; i < 2; i++) gather_close(&t->spanned.under_way[i]);
    gather_close(&t->answers);
    comm_close(&t->column);
    comm_close(&t->team);
    arena_close(&t->memory);
    rig_close(&t->rig);
}

static void ask_some(batch *b, int first, int len, int every)
{
    for (int i = first; i < first + len; i += every) {
        ask *a = batch_ask(b, i);
        a->nucleus = 0.9;
        a->temperature = 1;
        a->uniform = (i * 37 % 101) / 101.0;
        a->kind = i % 5 == 0 ? ASK_SCORE : ASK_DRAW;
        a->token = i % 50;
    }
}

/* Two passes: texts of four slots are committed beside a long probe; then drafts, a patch and probes
 * of all lengths, some of which begin inside of a tile. */
static void build(batch *b, int number, const int32_t *token)
{
    batch_begin(b, 0);
    if (number == 0) {
        for (int slot = 0; slot < RIG_SLOTS; slot++)
            batch_segment(b, SEGMENT_COMMIT, slot, token + slot, 0, 40 + 7 * slot, 0);
        batch_segment(b, SEGMENT_PROBE, -1, token, 0, 333, 0);
        ask_some(b, 0, 333, 3);
        return;
    }
    static const struct {
        int slot, first, len;
    } parts[] = {{0, 40, 8}, {-1, 100, 400}, {1, 47, 4}, {-1, 0, 64}, {-1, 0, 20}, {3, 61, 16},
                 {-1, 63, 66}, {-1, 30, 310}, {-1, 64, 129}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        batch_segment(b, SEGMENT_PROBE, parts[i].slot, token + 3 * i, parts[i].first, parts[i].len,
                      parts[i].slot < 0 ? parts[i].first : 0);
        ask_some(b, parts[i].first + (i == 1 ? 350 : 0), i == 1 ? 50 : parts[i].len, 4);
    }
    batch_patch(b, 2, token, NULL, 5, 50);
    ask_some(b, 5, 45, 6);
}

/* The team's answers to the asks of both passes; returns how many there were. */
static int answers_of(team *t, answer *out)
{
    int32_t  token[ROWS];
    uint64_t seed = 7;
    int      n = 0;
    for (int i = 0; i < ROWS; i++) token[i] = (int32_t)(made_up_bits(&seed) % 130);
    for (int number = 0; number < 2; number++) {
        batch *b = &t->rig.batch;
        build(b, number, token);
        if (t->rows == 1) {
            assert_int_equal(forward(out + n, &b->pass, &t->rig.place), DID_OK);
        } else {
            portion_take(&t->portion, &b->pass, t->rows, t->row);
            assert_int_equal(forward(t->portion.answers, &t->portion.pass, &t->rig.place), DID_OK);
            assert_int_equal(portion_answer(out + n, &t->portion, &b->pass, t->rows, t->row,
                                            t->answers),
                             DID_OK);
        }
        n += b->pass.n_asks;
    }
    return n;
}

static void assert_alike(int tp, int rows, const kernels *k)
{
    answer one[ASKS], many[ASKS];
    team   t;
    team_open(&t, tp, 1, k);
    int n = answers_of(&t, one);
    assert_true(n > 250 && n <= ASKS);
    team_close(&t);
    team_open(&t, tp, rows, k);
    assert_int_equal(answers_of(&t, many), n);
    team_close(&t);
    assert_memory_equal(one, many, (size_t)n * sizeof *one);
    for (int i = 0; i < n; i++) assert_true(one[i].finite == 1);
}

static void rows_answer_as_one(void **state)
{
    int size = comm_size(world);
    (void)state;
    for (int tp = 1; tp <= 2; tp++)
        for (int rows = 1; rows * tp <= size; rows++) {
            if (size % (tp * rows)) continue;
            assert_alike(tp, rows, kernels_of(PRECISION_F32, NULL));
            assert_alike(tp, rows, kernels_of(PRECISION_BF16, NULL));
            if (rows == size && !rig_slow())
                assert_alike(tp, rows, kernels_of(PRECISION_BF16, "ref"));
        }
}

/* What travels are tiles: of bf16 half as many bytes as of f32. */
static void tiles_travel(void **state)
{
    size_t bytes[2];
    (void)state;
    if (comm_size(world) == 1) return;
    for (int p = 0; p < 2; p++) {
        answer out[ASKS];
        team   t;
        size_t before = event_totals(EV_KEYS).bytes;
        team_open(&t, 1, comm_size(world), kernels_of(p ? PRECISION_BF16 : PRECISION_F32, NULL));
        answers_of(&t, out);
        team_close(&t);
        bytes[p] = event_totals(EV_KEYS).bytes - before;
    }
    assert_true(bytes[0] > 0);
    assert_int_equal(bytes[0], 2 * bytes[1]);
}

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    made_up_open_all(small, &made_up_small, world);
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_answer_as_one),
                                       cmocka_unit_test(tiles_travel)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_up_close_all(small, world);
    comm_stop(&world);
    return failed;
}
