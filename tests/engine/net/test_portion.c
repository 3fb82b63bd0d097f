/* Portions of a pass: every row of every segment is somebody's, once; parts are contiguous, cut at
 * tiles and even; loads are what portions hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "batch.h"
#include "kernels.h"
#include "portion.h"

enum { ROWS_MOST = 7, ROWS = 4000, TEAM_ROWS = ROWS_MOST * ROWS };

static uint64_t seed = 11;

static int below(int n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int)((seed >> 33) % (uint64_t)n);
}

/* In order from the home on, parts follow each other; borders are tiles'; sizes differ by little. */
static void parts_cover_a_segment(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        int rows = 1 + below(ROWS_MOST), home = below(rows), first = below(3) ? below(500) : 0;
        int len = 1 + below(below(2) ? 1500 : 100), at = first, most = 0, least = len;
        for (int i = 0; i < rows; i++) {
            span part = portion_part(first, len, home, rows, (home + i) % rows);
            assert_true(part.len >= 0);
            if (part.len == 0) continue;
            assert_int_equal(part.first, at);
            assert_true(at == first || at % KEY_TILE == 0);
            at += part.len;
            if (part.len > most) most = part.len;
        }
        assert_int_equal(at, first + len);
        for (int i = 0; i < rows; i++) {
            span part = portion_part(first, len, home, rows, i);
            if (part.len < least) least = part.len;
        }
        assert_true(most <= portion_part_max(len, rows));
        assert_true(most - least <= 3 * KEY_TILE);
        assert_true(portion_part(first, len, home, rows, home).len > 0);
    }
}

typedef struct team {
    arena   memory;
    batch   batch;
    portion portion;
} team;

static void team_open(team *t, int rows)
{
    memset(t, 0, sizeof *t);
    assert_int_equal(arena_open(&t->memory, batch_bytes(TEAM_ROWS) +
                                                portion_bytes(TEAM_ROWS, TEAM_ROWS)),
                     DID_OK);
    batch_open(&t->batch, TEAM_ROWS, &t->memory);
    portion_open(&t->portion, TEAM_ROWS, TEAM_ROWS, &t->memory);
    batch_team(&t->batch, rows);
    batch_begin(&t->batch, 3);
}

/* A pass of anything: drafting, committing, patching and refining documents in any order. */
static void fill(batch *b)
{
    static int32_t token[4000];
    static bool    wanted[4000];
    for (int i = 0; i < 4000; i++) {
        token[i] = below(1000);
        wanted[i] = below(3) == 0;
    }
    for (int n = 1 + below(12); n > 0; n--) {
        int kind = below(4), slot = kind == 3 ? -1 : below(20), first = below(900);
        int len = 1 + below(kind == 3 ? 1200 : 40);
        wanted[first] = true;
        if (kind == 2) batch_patch(b, slot, token, below(2) ? wanted : NULL, first, first + len);
        else batch_segment(b, kind ? SEGMENT_PROBE : SEGMENT_COMMIT, slot, token + first, first, len,
                           kind == 3 ? first : 0);
        for (int i = first; i < first + len; i++)
            if (kind != 0 && kind != 2 && below(5) == 0) batch_ask(b, i)->token = below(1000);
    }
}

/* Row by row, a portion says what the pass says. */
static void assert_row(const pass *whole, const segment *g, const pass *mine, const segment *h, int j)
{
    int position = pass_position(mine, h, j), at = -1;
    for (int i = 0; i < g->len; i++)
        if (pass_position(whole, g, i) == position) at = i;
    assert_true(at >= 0);
    assert_int_equal(mine->token[h->row + j], whole->token[g->row + at]);
}

static void assert_segment(const pass *whole, const segment *g, const pass *mine, const segment *h,
                           int rows)
{
    assert_int_equal(h->kind, g->kind);
    if (g->slot >= 0) {
        assert_int_equal(h->slot, g->slot / rows);
        assert_int_equal(h->len, g->len);
        assert_int_equal(h->from, g->from);
        assert_int_equal(h->to, g->to);
        assert_false(pass_spanned(h));
    } else {
        assert_int_equal(h->slot, -1);
        assert_int_equal(h->from, g->first);
        assert_int_equal(h->to, g->first + g->len);
        assert_true(pass_spanned(h));
    }
    assert_row(whole, g, mine, h, 0);
    assert_row(whole, g, mine, h, h->len - 1);
    assert_row(whole, g, mine, h, below(h->len));
}

/* Every segment has its rows once, every ask its answer; asks ascend. */
static void portions_make_up_the_pass(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        team t;
        int  rows = 1 + below(ROWS_MOST), n_rows = 0, n_asks = 0;
        team_open(&t, rows);
        fill(&t.batch);
        const pass *whole = &t.batch.pass, *mine = &t.portion.pass;
        bool       *asked = calloc((size_t)whole->n_asks + 1, sizeof *asked);
        for (int r = 0; r < rows; r++) {
            portion_take(&t.portion, whole, rows, r);
            assert_int_equal(mine->model, 3);
            assert_int_equal(mine->n_rows, t.batch.load[r]);
            n_rows += mine->n_rows;
            n_asks += mine->n_asks;
            int at = -1, k = 0, row = 0;
            for (int i = 0; i < mine->n_segments; i++) {
                const segment *h = &mine->segments[i];
                do at++;
                while (portion_rows(&whole->segments[at], rows, r) == 0);
                assert_segment(whole, &whole->segments[at], mine, h, rows);
                assert_int_equal(h->row, row);
                assert_int_equal(h->ask, k);
                row += h->len;
                k += h->n_asks;
            }
            for (int i = 0; i < mine->n_asks; i++) {
                const ask *a = &mine->asks[i], *b = &whole->asks[t.portion.asked[i]];
                assert_true(i == 0 || mine->asks[i - 1].row < a->row);
                assert_int_equal(a->position, b->position);
                assert_int_equal(a->token, b->token);
                assert_int_equal(mine->token[a->row], whole->token[b->row]);
                assert_false(asked[t.portion.asked[i]]);
                asked[t.portion.asked[i]] = true;
            }
        }
        assert_int_equal(n_rows, whole->n_rows);
        assert_int_equal(n_asks, whole->n_asks);
        free(asked);
        arena_close(&t.memory);
    }
}

/* Short segments go where there is least to do; a long one fits where its largest part does. */
static void loads_stay_even(void **state)
{
    static int32_t token[1024];
    team           t;
    (void)state;
    team_open(&t, 4);
    for (int i = 0; i < 12; i++) batch_segment(&t.batch, SEGMENT_PROBE, -1, token, 0, 50, 0);
    for (int r = 0; r < 4; r++) assert_int_equal(t.batch.load[r], 150);
    assert_true(batch_fits(&t.batch, 0, 0, 1024, 256));
    assert_false(batch_fits(&t.batch, 0, 0, 1024, 255));
    batch_segment(&t.batch, SEGMENT_COMMIT, 1, token, 0, 100, 0); /* to row 1 */
    assert_true(batch_fits(&t.batch, 1, 0, 1024, 256));
    assert_false(batch_fits(&t.batch, 0, 0, 1024, 256));
    assert_true(batch_fits(&t.batch, 0, 0, 1024, 356));
    assert_true(batch_fits(&t.batch, 0, 0, 64, 64));
    arena_close(&t.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts_cover_a_segment),
                                       cmocka_unit_test(portions_make_up_the_pass),
                                       cmocka_unit_test(loads_stay_even)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
