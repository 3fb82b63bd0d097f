#include "team.h"

#include "clock.h"

size_t team_bytes(const team_size *size, int rows)
{
    return rows > 1 ? portion_bytes(size->rows, size->team_rows) : 0;
}

/* What waits for others needs room for what is under way. */
static status gathers_open(team *t, const grid *g, const team_size *size, size_t tile_bytes)
{
    for (int i = 0; i < 2; i++)
        TRY(gather_open(&t->spanned.under_way[i], g->column,
                        spanned_gather_bytes(size->wide, tile_bytes)));
    if (g->my_col > 0) return DID_OK;
    return gather_open(&t->answers, g->column, portion_gather_bytes(size->team_rows));
}

status team_open(team *t, const grid *g, const team_size *size, size_t tile_bytes, arena *from)
{
    *t = (team){.rows = g->shape.span, .row = g->my_span};
    if (t->rows == 1) return DID_OK;
    portion_open(&t->portion, size->rows, size->team_rows, from);
    t->spanned = (spanned){.rows = t->rows, .row = t->row};
    status s = gathers_open(t, g, size, tile_bytes);
    if (s != DID_OK) team_close(t);
    return s;
}

void team_close(team *t)
{
    for (int i = 0; i < 2; i++) gather_close(&t->spanned.under_way[i]);
    gather_close(&t->answers);
}

status team_forward(answer *answers, team *t, const pass *p, const forward_place *place)
{
    portion *v = &t->portion;
    if (t->rows == 1) return forward(answers, p, place);
    portion_take(v, p, t->rows, t->row);
    if (v->pass.n_rows > 0) TRY(forward(v->answers, &v->pass, place));
    if (!t->answers) return DID_OK;
    double since = clock_seconds();
    TRY(portion_answer(answers, v, p, t->rows, t->row, t->answers));
    place->timing->seconds[SECTION_WIRE] += clock_seconds() - since;
    return DID_OK;
}
