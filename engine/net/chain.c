#include "chain.h"

#include <string.h>

/* A plan's head, its body and the activations each begin a cache line. */
static size_t body_room(size_t bytes)
{
    return arena_round(bytes);
}

static size_t longest(const chain_size *size)
{
    size_t n = (size_t)size->rows;
    return arena_round(BATCH_HEAD) + body_room(batch_wire_bytes((int)n, (int)n, (int)n)) +
           n * (size_t)size->width * sizeof(float);
}

size_t chain_bytes(const chain_size *size, int depths, int groups)
{
    if (depths == 1) return 0;
    return 4 * arena_round(longest(size)) +
           (size_t)groups * arena_round((size_t)size->rows * sizeof(answer));
}

status chain_open(chain *c, const grid *g, const chain_size *size, int groups, arena *from)
{
    *c = (chain){.depth = g->my_depth, .depths = g->shape.depth, .speaks = g->my_col == 0};
    if (c->depths == 1) return DID_OK;
    status s = letter_open(&c->in, g->chain);
    c->most = longest(size);
    for (int i = 0; i < 2; i++) {
        if (s == DID_OK) s = letter_open(&c->out[i], g->chain);
        c->came[i] = arena_take(from, c->most);
        c->goes[i] = arena_take(from, c->most);
    }
    for (int i = 0; i < groups; i++) {
        if (s == DID_OK) s = letter_open(&c->back[i], g->chain);
        c->answers[i] = arena_take(from, (size_t)size->rows * sizeof *c->answers[i]);
    }
    if (s != DID_OK) chain_close(c);
    return s;
}

void chain_close(chain *c)
{
    letter_close(&c->in);
    for (int i = 0; i < 2; i++) letter_close(&c->out[i]);
    for (int i = 0; i < CHAIN_GROUPS_MAX; i++) letter_close(&c->back[i]);
}

bool chain_begins(const chain *c)
{
    return c->depth == 0;
}

bool chain_ends(const chain *c)
{
    return c->depth + 1 == c->depths;
}

/* Behind the plan. */
static size_t stream_at(const batch *b)
{
    const pass *p = &b->pass;
    return arena_round(BATCH_HEAD) +
           body_room(batch_wire_bytes(p->n_segments, p->n_rows, p->n_asks));
}

static status expect(chain *c, int which)
{
    return letter_expect(c->in, c->came[which], c->most, c->depth - 1, EV_DEPTHS);
}

status chain_start(chain *c)
{
    c->now = c->next = 0;
    return chain_begins(c) ? DID_OK : expect(c, 1);
}

status chain_hear(chain *c, batch *b, verb *word)
{
    TRY(letter_await(c->in));
    c->now = 1 - c->now;
    const char *came = c->came[c->now];
    *word = batch_read_head(b, came);
    if (*word == VERB_RUN) batch_read_body(b, came + arena_round(BATCH_HEAD));
    return *word == VERB_STOP ? DID_OK : expect(c, 1 - c->now);
}

const float *chain_in(const chain *c, const batch *b)
{
    return chain_begins(c) ? NULL : (const float *)(const void *)(c->came[c->now] + stream_at(b));
}

status chain_room(chain *c, const batch *b, float **x)
{
    *x = NULL;
    if (chain_ends(c)) return DID_OK;
    *x = (float *)(void *)(c->goes[c->next] + stream_at(b));
    return letter_await(c->out[c->next]);
}

status chain_pass(chain *c, const batch *b, verb word, int width)
{
    char  *goes = c->goes[c->next];
    size_t bytes = arena_round(BATCH_HEAD);
    TRY(letter_await(c->out[c->next]));
    batch_write_head(b, word, goes);
    if (word == VERB_RUN) {
        batch_write_body(b, goes + bytes);
        bytes = stream_at(b) + (size_t)b->pass.n_rows * (size_t)width * sizeof(float);
    }
    letter *out = c->out[c->next];
    c->next = 1 - c->next;
    return letter_send(out, goes, bytes, c->depth + 1, EV_DEPTHS);
}

static size_t answer_bytes(const batch *b)
{
    return (size_t)b->pass.n_asks * sizeof(answer);
}

status chain_answer(chain *c, const batch *b)
{
    if (c->depths == 1 || !c->speaks) return DID_OK;
    TRY(letter_await(c->back[0]));
    if (answer_bytes(b) > 0) memcpy(c->answers[0], b->answers, answer_bytes(b));
    return letter_send(c->back[0], c->answers[0], answer_bytes(b), 0, EV_ANSWERS);
}

status chain_expect(chain *c, const batch *b, int group)
{
    if (c->depths == 1) return DID_OK;
    return letter_expect(c->back[group], c->answers[group], answer_bytes(b), c->depths - 1,
                         EV_ANSWERS);
}

status chain_answers(chain *c, batch *b, int group)
{
    if (c->depths == 1) return DID_OK;
    TRY(letter_await(c->back[group]));
    if (answer_bytes(b) > 0) memcpy(b->answers, c->answers[group], answer_bytes(b));
    return DID_OK;
}

status chain_finish(chain *c)
{
    if (c->depths == 1) return DID_OK;
    TRY(letter_await(c->out[0]));
    TRY(letter_await(c->out[1]));
    return chain_ends(c) ? letter_await(c->back[0]) : DID_OK;
}
