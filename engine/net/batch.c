#include "batch.h"

#include <assert.h>
#include <string.h>

/* The plan's fixed part. */
typedef struct plan_head {
    int32_t word, model, n_segments, n_rows, n_asks;
} plan_head;

size_t batch_wire_bytes(int segments, int rows, int asks)
{
    return (size_t)segments * sizeof(segment) + 2 * (size_t)rows * sizeof(int32_t) +
           (size_t)asks * sizeof(ask);
}

size_t batch_bytes(int rows_max)
{
    size_t n = (size_t)rows_max;
    return arena_round(n * sizeof(segment)) + 2 * arena_round(n * sizeof(int32_t)) +
           arena_round(n * sizeof(ask)) + arena_round(n * sizeof(answer)) +
           arena_round(batch_wire_bytes(rows_max, rows_max, rows_max));
}

void batch_open(batch *b, int rows_max, arena *from)
{
    size_t n = (size_t)rows_max;
    *b = (batch){.rows_max = rows_max, .rows = 1};
    b->pass.segments = arena_take(from, n * sizeof *b->pass.segments);
    b->pass.token = arena_take(from, n * sizeof *b->pass.token);
    b->pass.position = arena_take(from, n * sizeof *b->pass.position);
    b->pass.asks = arena_take(from, n * sizeof *b->pass.asks);
    b->answers = arena_take(from, n * sizeof *b->answers);
    b->wire = arena_take(from, batch_wire_bytes(rows_max, rows_max, rows_max));
}

void batch_team(batch *b, int rows)
{
    assert(rows > 0 && rows <= PORTION_ROWS_MAX);
    b->rows = rows;
}

void batch_begin(batch *b, int model)
{
    memset(b->load, 0, sizeof b->load);
    b->pass.model = model;
    b->pass.n_segments = b->pass.n_rows = b->pass.n_asks = 0;
}

/* Where the longest part of a segment goes that any row may have. */
static int idlest(const batch *b)
{
    int row = 0;
    for (int r = 1; r < b->rows; r++)
        if (b->load[r] < b->load[row]) row = r;
    return row;
}

int batch_room(const batch *b, int slot, int limit)
{
    return limit - b->load[slot < 0 ? 0 : slot % b->rows];
}

bool batch_fits(const batch *b, int slot, int first, int len, int room)
{
    int limit = room + b->load[slot < 0 ? 0 : slot % b->rows], home = idlest(b);
    for (int r = 0; r < b->rows; r++) {
        int part = portion_part(first, len, home, b->rows, r).len;
        if (part > 0 && b->load[r] + part > limit) return false;
    }
    return true;
}

/* The newest segment has its rows: who evaluates them? */
static void settle(batch *b, segment *s)
{
    s->home = s->slot < 0 ? idlest(b) : s->slot % b->rows;
    for (int r = 0; r < b->rows; r++) b->load[r] += portion_rows(s, b->rows, r);
}

segment *batch_segment(batch *b, segment_kind kind, int slot, const int32_t *token, int first,
                       int len, int from)
{
    pass *p = &b->pass;
    assert(len > 0 && p->n_rows + len <= b->rows_max);
    segment *s = &p->segments[p->n_segments++];
    *s = (segment){.kind = (int32_t)kind,
                   .slot = slot,
                   .first = first,
                   .len = len,
                   .from = from,
                   .row = p->n_rows,
                   .ask = p->n_asks};
    memcpy(p->token + p->n_rows, token, (size_t)len * sizeof *token);
    p->n_rows += len;
    settle(b, s);
    return s;
}

segment *batch_patch(batch *b, int slot, const int32_t *token, const bool *wanted, int from, int to)
{
    pass    *p = &b->pass;
    segment *s = &p->segments[p->n_segments++];
    *s = (segment){.kind = SEGMENT_PATCH,
                   .slot = slot,
                   .first = from,
                   .from = from,
                   .row = p->n_rows,
                   .ask = p->n_asks,
                   .to = to};
    for (int i = from; i < to; i++) {
        if (wanted && !wanted[i]) continue;
        assert(p->n_rows < b->rows_max);
        p->position[p->n_rows] = i;
        p->token[p->n_rows++] = token[i];
    }
    s->len = p->n_rows - s->row;
    assert(s->len > 0);
    settle(b, s);
    return s;
}

/* The row of the newest segment that holds `position`: positions ascend. */
static int row_of(const pass *p, const segment *s, int position)
{
    int low = 0, high = s->len;
    if (s->kind != SEGMENT_PATCH) return s->row + position - s->first;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (p->position[s->row + middle] <= position) low = middle;
        else high = middle;
    }
    return s->row + low;
}

ask *batch_ask(batch *b, int position)
{
    pass    *p = &b->pass;
    segment *s = &p->segments[p->n_segments - 1];
    int      row = row_of(p, s, position);
    assert(row >= s->row && row < s->row + s->len);
    assert(pass_position(p, s, row - s->row) == position);
    s->n_asks++;
    ask *a = &p->asks[p->n_asks++];
    *a = (ask){.row = row, .position = position};
    return a;
}

static size_t move(char *wire, void *array, size_t bytes, int packing)
{
    memcpy(packing ? wire : array, packing ? array : wire, bytes);
    return bytes;
}

static void pack(const pass *p, char *at, int packing)
{
    at += move(at, p->segments, (size_t)p->n_segments * sizeof *p->segments, packing);
    at += move(at, p->token, (size_t)p->n_rows * sizeof *p->token, packing);
    at += move(at, p->position, (size_t)p->n_rows * sizeof *p->position, packing);
    move(at, p->asks, (size_t)p->n_asks * sizeof *p->asks, packing);
}

static_assert(sizeof(plan_head) <= BATCH_HEAD, "a plan's head has its room");

void batch_write_head(const batch *b, verb word, void *head)
{
    const pass *p = &b->pass;
    plan_head   h = {(int32_t)word, p->model, p->n_segments, p->n_rows, p->n_asks};
    memset(head, 0, BATCH_HEAD);
    memcpy(head, &h, sizeof h);
}

verb batch_read_head(batch *b, const void *head)
{
    plan_head h;
    memcpy(&h, head, sizeof h);
    if (h.word != VERB_RUN) return (verb)h.word;
    b->pass.model = h.model;
    b->pass.n_segments = h.n_segments;
    b->pass.n_rows = h.n_rows;
    b->pass.n_asks = h.n_asks;
    return VERB_RUN;
}

void batch_write_body(const batch *b, void *body)
{
    pack(&b->pass, body, 1);
}

void batch_read_body(batch *b, const void *body)
{
    pack(&b->pass, (char *)(uintptr_t)body, 0);
}

status batch_share(batch *b, verb *word, comm *ranks)
{
    if (comm_size(ranks) == 1) return DID_OK;
    const pass *p = &b->pass;
    char        head[BATCH_HEAD];
    bool        leads = comm_rank(ranks) == 0;
    if (leads) batch_write_head(b, *word, head);
    TRY(comm_await(ranks, head, sizeof head, 0, EV_PLAN));
    *word = batch_read_head(b, head);
    if (*word != VERB_RUN) return DID_OK;
    if (leads) batch_write_body(b, b->wire);
    TRY(comm_broadcast(ranks, b->wire, batch_wire_bytes(p->n_segments, p->n_rows, p->n_asks), 0,
                       EV_PLAN));
    if (!leads) batch_read_body(b, b->wire);
    return DID_OK;
}
