/* A draft walks its blocks from left to right, and commits what is behind it: every block once, in
 * order, clean, with the window it had, and nowhere over what is still to be seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "desk.h"
#include "draft.h"
#include "rng.h"

enum { LENGTH = 900, ROWS = 1000, NOWHERE = -1 };

/* A document on its own desk, and what its cache slot would hold. */
typedef struct scene {
    desk      k;
    document *d;
    int       held[LENGTH + 4 * KEY_TILE]; /* place in the ring: position whose keys lie there */
    int       passes, probes, commits, commit_passes, commits_at_once;
} scene;

static void scene_open(scene *s, int length, int prompt, int block, int window)
{
    memset(s, 0, sizeof *s);
    desk_open(&s->k, length, window, ROWS);
    s->d = desk_document(length, prompt, 11);
    desk_stage(s->d, block, 0, SAMPLER_FHS, 0);
    for (size_t i = 0; i < sizeof s->held / sizeof *s->held; i++) s->held[i] = NOWHERE;
}

static void scene_close(scene *s)
{
    document_close(&s->d);
    desk_close(&s->k);
}

static int *place_of(scene *s, int position)
{
    int tile = position / KEY_TILE % s->k.cache.tiles;
    return &s->held[tile * KEY_TILE + position % KEY_TILE];
}

/* A layer writes all commits of a pass before any segment of it looks. */
static void write_commits(scene *s)
{
    const pass *p = &s->k.batch.pass;
    int         held = s->d->committed, commits = 0;
    for (int i = 0; i < p->n_segments; i++) {
        const segment *g = &p->segments[i];
        if (g->kind != SEGMENT_COMMIT) continue;
        assert_int_equal(g->first, held);
        assert_int_equal(g->n_asks, 0);
        held += g->len;
        commits++;
        for (int j = 0; j < g->len; j++) {
            assert_int_equal(p->token[g->row + j], s->d->token[g->first + j]);
            assert_false(s->d->masked[g->first + j]);
            *place_of(s, g->first + j) = g->first + j;
        }
    }
    s->commits += commits;
    if (commits > s->commits_at_once) s->commits_at_once = commits;
}

/* Every segment sees the end of its window and not a position more, and all of it is there. */
static void look_around(scene *s)
{
    const pass *p = &s->k.batch.pass;
    for (int i = 0; i < p->n_segments; i++) {
        const segment *g = &p->segments[i];
        int end = g->first + g->len, from = end - s->k.rules.window[0];
        assert_int_equal(g->from, from > 0 ? from : 0);
        assert_int_equal(g->slot, s->d->slot);
        int to = g->kind == SEGMENT_COMMIT ? end : g->first;
        for (int position = g->from; position < to; position++)
            assert_int_equal(*place_of(s, position), position);
    }
}

/* One pass of at most `room` rows. */
static void pass_once(scene *s, int room)
{
    const segment *probe = NULL;
    int            committed = 0;
    batch_begin(&s->k.batch, 0);
    int rows = draft_contribute(s->d, &s->k.rules, &s->k.batch, room, &committed, &probe);
    assert_int_equal(rows, s->k.batch.pass.n_rows);
    assert_in_range(rows, 1, room);
    write_commits(s);
    look_around(s);
    desk_answer(&s->k);
    s->d->committed = committed;
    s->passes++;
    s->commit_passes += probe == NULL;
    if (!probe) return;
    assert_int_equal(probe->first, committed); /* nothing before it is missing */
    s->probes++;
    assert_int_equal(draft_apply(s->d, probe, &s->k.batch, &s->k.rules), 1);
}

static void drafts_to_the_end(scene *s, int room)
{
    draft_enter(s->d);
    while (s->d->finish == FINISH_NONE && document_masked(s->d, 0, s->d->length) > 0)
        pass_once(s, room);
}

/* Blocks that lie before the last one with a mask. */
static int blocks_before(int last_mask, int block)
{
    return last_mask / block;
}

/* One token per pass, blocks in order, whatever the window and however little fits into a pass. */
static void walks_every_block(void **state)
{
    (void)state;
    static const struct {
        int length, prompt, block, window, room;
    } cases[] = {{64, 0, 4, 64, ROWS},   {64, 0, 4, 64, 4},      {63, 0, 4, 64, 8},
                 {65, 7, 16, 128, 40},   {200, 0, 1, 64, 3},     {300, 0, 4, 256, ROWS},
                 {300, 9, 5, 256, 11},   {900, 0, 64, 128, ROWS}, {900, 700, 4, 128, ROWS},
                 {900, 899, 4, 128, 64}, {899, 500, 32, 64, 200}, {900, 300, 50, 100, 77},
                 {10, 0, 16, 64, 16}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int fused = 0; fused < 2; fused++) {
            scene s;
            int   n = cases[i].length, prompt = cases[i].prompt, block = cases[i].block;
            scene_open(&s, n, prompt, block, cases[i].window);
            s.k.rules.fused_commit = fused;
            drafts_to_the_end(&s, cases[i].room);
            int blocks = prompt == n - 1 ? 0 : blocks_before(n - 1, block < n ? block : n);
            assert_int_equal(s.probes, n - 1 - prompt);
            assert_int_equal(s.d->cost[0].nfe, n - 1 - prompt);
            assert_int_equal(s.commits, blocks);
            assert_int_equal(s.d->cost[0].commits, blocks);
            assert_int_equal(s.d->committed, blocks * block);
            scene_close(&s);
        }
}

/* The prompt's full blocks are committed in one pass, which is also the first probe; what is left
 * of it are given rows of that probe. */
static void prompt_is_committed_at_once(void **state)
{
    (void)state;
    scene s;
    scene_open(&s, 64, 50, 4, 64);
    draft_enter(s.d);
    assert_int_equal(s.d->cost[0].commits, 12);
    pass_once(&s, ROWS);
    const pass *p = &s.k.batch.pass;
    assert_int_equal(p->n_segments, 13);
    const segment *probe = &p->segments[12];
    assert_int_equal(probe->kind, SEGMENT_PROBE);
    assert_int_equal(probe->first, 48);
    assert_int_equal(p->token[probe->row], 1);
    assert_int_equal(p->token[probe->row + 2], 1);
    assert_int_equal(p->token[probe->row + 3], DESK_MASK);
    assert_int_equal(p->asks[0].position, 51);
    scene_close(&s);
}

/* Fused, the commit of a block rides with the first probe of the next; apart, it is a pass of its
 * own. The document cannot tell. */
static void fused_and_separate_agree(void **state)
{
    (void)state;
    int32_t token[96];
    cost    spent[2];
    for (int fused = 0; fused < 2; fused++) {
        scene s;
        scene_open(&s, 96, 20, 8, 64);
        s.k.rules.fused_commit = fused;
        drafts_to_the_end(&s, ROWS);
        assert_int_equal(s.commit_passes, fused ? 0 : 96 / 8 - 1 - 20 / 8 + 1);
        assert_int_equal(s.passes, 75 + s.commit_passes);
        spent[fused] = s.d->cost[0];
        if (fused) assert_memory_equal(token, s.d->token, sizeof token);
        memcpy(token, s.d->token, sizeof token);
        scene_close(&s);
    }
    assert_memory_equal(&spent[0], &spent[1], sizeof *spent);
}

/* Given tokens anywhere: they stay, blocks full of them are passed over and committed. */
static void infills(void **state)
{
    (void)state;
    for (int seed = 0; seed < 30; seed++) {
        scene   s;
        int32_t given[120];
        int     last = -1, free_positions = 0, block = 1 + seed % 9;
        for (int i = 0; i < 120; i++) {
            bool hole = rng_bits(3, seed, 0, i / (1 + seed % 4), PURPOSE_SELECT) % 4 == 0;
            given[i] = hole && i > 0 ? -1 : i % 90;
            if (given[i] >= 0) continue;
            free_positions++;
            last = i;
        }
        scene_open(&s, 120, 0, block, 64);
        document_close(&s.d);
        assert_int_equal(document_open(&s.d, 120, given, DESK_MASK), DID_OK);
        s.d->slot = 0;
        desk_stage(s.d, block, 0, SAMPLER_FHS, 0);
        drafts_to_the_end(&s, ROWS);
        assert_int_equal(s.d->cost[0].nfe, free_positions);
        assert_int_equal(s.commits, last < 0 ? 0 : blocks_before(last, block));
        assert_int_equal(s.d->cost[0].commits, s.commits);
        for (int i = 0; i < 120; i++)
            if (given[i] >= 0) assert_int_equal(s.d->token[i], given[i]);
        scene_close(&s);
    }
}

/* Put down after any pass and taken up with an empty slot: everything is committed again from
 * position 0, each block with its own window; tokens and costs are an undisturbed draft's. */
static void resumes_anywhere(void **state)
{
    (void)state;
    static const int rooms[] = {4, 9, 70, ROWS}, periods[] = {257, 131, 37, 11};
    int32_t          token[500];
    cost             spent = {0};
    for (int disturbed = 0; disturbed < 5; disturbed++) {
        scene s;
        scene_open(&s, 500, 400, 4, 128);
        draft_enter(s.d);
        for (int n = 0; document_masked(s.d, 0, 500) > 0; n++) {
            if (disturbed && n % periods[disturbed - 1] == 5) {
                s.d->committed = 0;
                for (int i = 0; i < s.k.cache.tiles * KEY_TILE; i++) s.held[i] = NOWHERE;
            }
            pass_once(&s, disturbed ? rooms[disturbed - 1] : ROWS);
        }
        if (disturbed) {
            assert_memory_equal(token, s.d->token, sizeof token);
            assert_memory_equal(&spent, &s.d->cost[0], sizeof spent);
            assert_true(s.commits > s.d->cost[0].commits);
        } else {
            assert_int_equal(s.commits, s.d->cost[0].commits);
        }
        memcpy(token, s.d->token, sizeof token);
        spent = s.d->cost[0];
        scene_close(&s);
    }
}

/* A ring shorter than the document is never written past what the same pass still looks at. */
static void commits_stop_before_the_ring_bites_itself(void **state)
{
    (void)state;
    scene s;
    scene_open(&s, LENGTH, 880, 4, 128);
    assert_int_equal(s.k.cache.tiles, 5);
    draft_enter(s.d);
    pass_once(&s, ROWS);
    assert_in_range(s.commits, 128 / 4, 5 * KEY_TILE / 4);
    assert_int_equal(s.probes, 0);
    drafts_to_the_end(&s, ROWS);
    assert_int_equal(s.commits, 899 / 4);
    scene_close(&s);
}

static answer tell_one(const ask *a, int position)
{
    answer out = desk_tell(a, position);
    out.token = 7;
    return out;
}

/* A draft that repeats itself is begun again from nothing, and given up in the end. */
static void rejected_drafts_begin_again(void **state)
{
    (void)state;
    scene s;
    scene_open(&s, 64, 0, 4, 64);
    s.k.teller = tell_one;
    s.d->reject = (reject_rule){.on = true, .window = 16, .nats = 1, .restarts = 2};
    for (int attempt = 0; attempt < 3; attempt++) {
        assert_int_equal(s.d->attempt, attempt);
        assert_int_equal(document_masked(s.d, 0, 64), 63);
        assert_int_equal(s.d->committed, 0);
        draft_enter(s.d);
        /* The filter looks behind the first block that goes beyond its window. */
        for (int n = 0; n < 19; n++) pass_once(&s, ROWS);
        assert_int_equal(s.d->rejected_nfe, attempt < 2 ? 19 * (attempt + 1) : 38);
    }
    assert_int_equal(s.d->finish, FINISH_REJECTED);
    assert_int_equal(s.d->attempt, 2);
    assert_int_equal(s.d->cost[0].nfe, 19);
    scene_close(&s);
}

/* An E in a finished block ends a text of variable length; nothing is drafted after it. */
static void variable_length_ends(void **state)
{
    (void)state;
    scene s;
    scene_open(&s, 64, 0, 4, 64);
    s.d->variable_length = true;
    s.d->reject = (reject_rule){.window = 16};
    draft_enter(s.d);
    while (document_masked(s.d, 0, 24) > 0) pass_once(&s, ROWS);
    s.d->token[25] = DESK_END;
    s.d->masked[25] = false;
    while (document_masked(s.d, 0, s.d->length) > 0) pass_once(&s, ROWS);
    assert_int_equal(s.d->length, 26);
    assert_true(s.d->given[25]);
    assert_int_equal(s.d->cost[0].nfe, 26); /* the whole block was drawn before anybody looked */
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_every_block),
        cmocka_unit_test(prompt_is_committed_at_once),
        cmocka_unit_test(fused_and_separate_agree),
        cmocka_unit_test(infills),
        cmocka_unit_test(resumes_anywhere),
        cmocka_unit_test(commits_stop_before_the_ring_bites_itself),
        cmocka_unit_test(rejected_drafts_begin_again),
        cmocka_unit_test(variable_length_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
