#include "chain.h"

#include <assert.h>
#include <string.h>

/* A plan's head, its body and the activations each begin a cache line. */
static size_t body_room(size_t bytes)
{
    return arena_round(bytes);
}

/* Rows of the part that each column sends; the last may have rows beyond the pass. */
static int part_rows(int rows, int cols)
{
    return (rows + cols - 1) / cols;
}

static size_t longest(const chain_size *size)
{
    size_t n = (size_t)size->rows;
    return arena_round(BATCH_HEAD) + body_room(batch_wire_bytes((int)n, (int)n, (int)n)) +
           n * (size_t)size->width * sizeof(float);
}

/* All columns' parts. */
static size_t whole_bytes(const chain_size *size, int cols)
{
    if (cols == 1) return 0;
    return arena_round((size_t)part_rows(size->rows, cols) * (size_t)cols * (size_t)size->width *
                       sizeof(float));
}

size_t chain_bytes(const chain_size *size, const grid_shape *shape, int groups)
{
    if (shape->depth == 1) return 0;
    return 4 * arena_round(longest(size)) + whole_bytes(size, shape->cols) +
           (size_t)groups * arena_round((size_t)size->rows * sizeof(answer));
}

status chain_open(chain *c, const grid *g, const chain_size *size, int groups, arena *from)
{
    *c = (chain){.depth = g->my_depth, .depths = g->shape.depth, .cols = g->shape.cols,
                 .col = g->my_col, .row = g->row, .speaks = g->my_col == 0};
    if (c->depths == 1) return DID_OK;
    status s = letter_open(&c->in, g->chain);
    c->most = longest(size);
    for (int i = 0; i < 2; i++) {
        if (s == DID_OK) s = letter_open(&c->out[i], g->chain);
        c->came[i] = arena_take(from, c->most);
        c->goes[i] = arena_take(from, c->most);
    }
    if (c->cols > 1) c->whole = arena_take(from, whole_bytes(size, c->cols));
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

status chain_slice(chain *c, const grid *g)
{
    bool share[CHAIN_GROUPS_MAX], mine = comm_shares(g->row);
    assert(c->depths <= CHAIN_GROUPS_MAX);
    if (c->depths == 1 || c->cols == 1) return DID_OK;
    TRY(comm_gather(g->chain, share, &mine, sizeof mine, EV_SETUP));
    c->sliced = true;
    for (int i = 0; i < c->depths; i++) c->sliced = c->sliced && share[i];
    return DID_OK;
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

/* Floats of what one column sends of a pass. */
static size_t part_floats(const chain *c, const batch *b, int width)
{
    int rows = c->sliced ? part_rows(b->pass.n_rows, c->cols) : b->pass.n_rows;
    return (size_t)rows * (size_t)width;
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

status chain_in(chain *c, const batch *b, int width, const float **x)
{
    *x = NULL;
    if (chain_begins(c)) return DID_OK;
    const char *came = c->came[c->now] + stream_at(b);
    *x = c->sliced ? c->whole : (const float *)(const void *)came;
    if (!c->sliced) return DID_OK;
    return comm_gather(c->row, c->whole, came, part_floats(c, b, width) * sizeof **x, EV_PARTS);
}

status chain_room(chain *c, const batch *b, float **x)
{
    *x = NULL;
    if (chain_ends(c)) return DID_OK;
    *x = c->sliced ? c->whole : (float *)(void *)(c->goes[c->next] + stream_at(b));
    if (c->sliced) return DID_OK;
    return letter_await(c->out[c->next]);
}

status chain_pass(chain *c, const batch *b, verb word, int width)
{
    char  *goes = c->goes[c->next];
    size_t bytes = arena_round(BATCH_HEAD);
    TRY(letter_await(c->out[c->next]));
    batch_write_head(b, word, goes);
    if (word == VERB_RUN) {
        size_t part = part_floats(c, b, width);
        batch_write_body(b, goes + bytes);
        bytes = stream_at(b);
        if (c->sliced) memcpy(goes + bytes, c->whole + (size_t)c->col * part, part * sizeof(float));
        bytes += part * sizeof(float);
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
