#include "portion.h"

#include <assert.h>
#include <string.h>

#include "kernels.h"

size_t portion_bytes(int rows_max, int team_rows_max)
{
    size_t n = (size_t)rows_max;
    return arena_round(n * sizeof(segment)) + 3 * arena_round(n * sizeof(int32_t)) +
           arena_round(n * sizeof(ask)) + arena_round(n * sizeof(answer)) +
           arena_round(portion_gather_bytes(team_rows_max));
}

void portion_open(portion *v, int rows_max, int team_rows_max, arena *from)
{
    size_t n = (size_t)rows_max;
    *v = (portion){0};
    v->pass.segments = arena_take(from, n * sizeof *v->pass.segments);
    v->pass.token = arena_take(from, n * sizeof *v->pass.token);
    v->pass.position = arena_take(from, n * sizeof *v->pass.position);
    v->pass.asks = arena_take(from, n * sizeof *v->pass.asks);
    v->answers = arena_take(from, n * sizeof *v->answers);
    v->asked = arena_take(from, n * sizeof *v->asked);
    v->gathered = arena_take(from, portion_gather_bytes(team_rows_max));
}

span portion_part(int first, int len, int home, int rows, int row)
{
    int  base = first / KEY_TILE, end = first + len, tiles = (end - 1) / KEY_TILE - base + 1;
    span mine = split_part(tiles, 1, rows, (row - home + rows) % rows);
    int  from = (base + mine.first) * KEY_TILE, to = from + mine.len * KEY_TILE;
    if (from < first) from = first;
    if (to > end) to = end;
    return (span){from, to > from ? to - from : 0};
}

int portion_part_max(int len, int rows)
{
    int tiles = (len + 2 * KEY_TILE - 2) / KEY_TILE; /* it may begin inside of one */
    int most = split_part(tiles, 1, rows, 0).len * KEY_TILE;
    return most < len ? most : len;
}

int portion_rows(const segment *s, int rows, int row)
{
    if (s->slot < 0) return portion_part(s->first, s->len, s->home, rows, row).len;
    return s->home == row ? s->len : 0;
}

/* Which row evaluates the row that an ask of segment s is about. */
static int answerer(const segment *s, const ask *a, int rows)
{
    int row = s->home;
    if (s->slot >= 0) return row;
    for (;; row = (row + 1) % rows) {
        span part = portion_part(s->first, s->len, s->home, rows, row);
        if (a->position < part.first + part.len) return row;
    }
}

/* Segment `i` as this row sees it. */
static segment mine_of(const pass *p, int i, int rows, int row)
{
    segment s = p->segments[i];
    if (s.slot >= 0) {
        s.slot /= rows;
        return s;
    }
    span part = portion_part(s.first, s.len, s.home, rows, row);
    s.from = s.first;
    s.to = s.first + s.len;
    s.first = part.first;
    s.len = part.len;
    return s;
}

/* Rows [skip, skip + s->len) of the whole segment, and what is asked about them. */
static void copy_rows(portion *v, segment *s, const pass *p, const segment *whole)
{
    pass  *mine = &v->pass;
    int    skip = s->slot < 0 ? s->first - whole->first : 0, first = whole->row + skip;
    size_t n = (size_t)s->len;
    s->row = mine->n_rows;
    s->ask = mine->n_asks;
    s->n_asks = 0;
    memcpy(mine->token + s->row, p->token + first, n * sizeof *p->token);
    if (s->kind == SEGMENT_PATCH)
        memcpy(mine->position + s->row, p->position + first, n * sizeof *p->position);
    mine->n_rows += s->len;
    for (int i = whole->ask; i < whole->ask + whole->n_asks; i++) {
        ask a = p->asks[i];
        if (a.row < first || a.row >= first + s->len) continue;
        a.row += s->row - first;
        v->asked[mine->n_asks] = i;
        mine->asks[mine->n_asks++] = a;
        s->n_asks++;
    }
}

void portion_take(portion *v, const pass *p, int rows, int row)
{
    pass *mine = &v->pass;
    mine->model = p->model;
    mine->n_segments = mine->n_rows = mine->n_asks = 0;
    for (int i = 0; i < p->n_segments; i++) {
        if (portion_rows(&p->segments[i], rows, row) == 0) continue;
        segment s = mine_of(p, i, rows, row);
        copy_rows(v, &s, p, &p->segments[i]);
        mine->segments[mine->n_segments++] = s;
    }
}

size_t portion_gather_bytes(int team_rows_max)
{
    return ((size_t)team_rows_max + PORTION_ROWS_MAX) * sizeof(answer);
}

status portion_answer(answer *answers, const portion *v, const pass *p, int rows, int row,
                      gather *g)
{
    gather_part part[PORTION_ROWS_MAX];
    size_t      next[PORTION_ROWS_MAX], at = 0;
    /* One more than it has, since who brings nothing gets nothing. */
    for (int r = 0; r < rows; r++) part[r].bytes = sizeof *answers;
    for (int i = 0; i < p->n_segments; i++) {
        const segment *s = &p->segments[i];
        for (int j = s->ask; j < s->ask + s->n_asks; j++)
            part[answerer(s, &p->asks[j], rows)].bytes += sizeof *answers;
    }
    for (int r = 0; r < rows; r++) {
        part[r].start = at;
        next[r] = at / sizeof *answers;
        at += part[r].bytes;
    }
    assert(part[row].bytes == ((size_t)v->pass.n_asks + 1) * sizeof *answers);
    memcpy(v->gathered + next[row], v->answers, (size_t)v->pass.n_asks * sizeof *answers);
    TRY(gather_begin(g, v->gathered, part, EV_ANSWERS));
    TRY(gather_end(g));
    for (int i = 0; i < p->n_segments; i++) {
        const segment *s = &p->segments[i];
        for (int j = s->ask; j < s->ask + s->n_asks; j++)
            answers[j] = v->gathered[next[answerer(s, &p->asks[j], rows)]++];
    }
    return DID_OK;
}
