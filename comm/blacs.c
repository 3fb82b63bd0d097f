#include "blacs.h"

#include <mpi.h>
#include <stdbool.h>
#include <stdlib.h>

/* ScaLAPACK comes without C headers: these are its symbols, as its sources define them. */
enum { DESCRIPTOR = 9, SUMS_REPEAT = 15 };
extern int  Csys2blacs_handle(MPI_Comm comm);
extern void Cfree_blacs_system_handle(int handle);
extern void Cblacs_gridinit(int *context, const char *order, int high, int wide);
extern void Cblacs_gridinfo(int context, int *high, int *wide, int *row, int *col);
extern void Cblacs_gridexit(int context);
extern void Cblacs_set(int context, int what, int *value);
extern void Cpsgemr2d(int rows, int cols, const float *from, int ia, int ja, const int *from_is,
                      float *to, int ib, int jb, const int *to_is, int context);
extern int  numroc_(const int *n, const int *block, const int *me, const int *first,
                    const int *parts);
extern void psgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k,
                    const float *alpha, const float *a, const int *ia, const int *ja,
                    const int *a_is, const float *b, const int *ib, const int *jb,
                    const int *b_is, const float *beta, float *c, const int *ic, const int *jc,
                    const int *c_is);

/* The width of the panels PBLAS works in. Its own answer is 32, chosen long ago; the documentation
 * asks every machine to put its own in this function's place, and the library calls this one. */
enum { PANEL_WIDTH = 256 };
extern int pilaenv_(const int *context, const char *type);
int pilaenv_(const int *context, const char *type)
{
    (void)context, (void)type;
    return PANEL_WIDTH;
}

struct blacs {
    comm *ranks;
    int   context;  /* -1: none */
    int   high, wide, row, col;
};

static status begin_grid(blacs *b)
{
    int high = 0, wide = 0, one = 1;
    int handle = Csys2blacs_handle(MPI_Comm_f2c((MPI_Fint)comm_fortran(b->ranks)));
    b->context = handle;
    Cblacs_gridinit(&b->context, "C", b->high, b->wide);
    Cfree_blacs_system_handle(handle); /* the grid has a communicator of its own now */
    Cblacs_gridinfo(b->context, &high, &wide, &b->row, &b->col);
    if (high != b->high || wide != b->wide)
        return status_fail(DID_EPEER, "BLACS made a grid of %d x %d, asked for %d x %d", high, wide,
                           b->high, b->wide);
    /* Sums over ranks are then added in a fixed order, not in that of arrival. */
    Cblacs_set(b->context, SUMS_REPEAT, &one);
    return DID_OK;
}

status blacs_open(blacs **out, comm *c, int high, int wide)
{
    blacs *b = NULL;
    status s = DID_OK;
    *out = NULL;
    if (high < 1 || wide < 1 || high > comm_size(c) || high * wide != comm_size(c))
        s = status_fail(DID_EINVAL, "a grid of %d x %d ranks, where there are %d", high, wide,
                        comm_size(c));
    else if (!(b = calloc(1, sizeof *b)))
        s = status_fail(DID_ENOMEM, "no memory for a grid of ranks");
    if ((s = comm_agree(c, s)) != DID_OK) {
        free(b);
        return s;
    }
    *b = (blacs){.ranks = c, .context = -1, .high = high, .wide = wide};
    s = comm_agree(c, begin_grid(b));
    *out = b;
    if (s != DID_OK) blacs_close(out);
    return s;
}

void blacs_close(blacs **out)
{
    blacs *b = *out;
    *out = NULL;
    if (!b) return;
    if (b->context >= 0) Cblacs_gridexit(b->context);
    free(b);
}

/* Rows of this rank's array. */
static int rows_here(const blacs *b, const blacs_shape *s)
{
    return numroc_(&s->rows, &s->row_block, &b->row, &s->row_first, &b->high);
}

static status describe(int out[DESCRIPTOR], const blacs *b, const blacs_shape *s)
{
    if (s->rows < 1 || s->cols < 1 || s->row_block < 1 || s->col_block < 1)
        return status_fail(DID_EINVAL, "a matrix of %d x %d in blocks of %d x %d over ranks",
                           s->rows, s->cols, s->row_block, s->col_block);
    if (s->row_first < 0 || s->row_first >= b->high || s->col_first < 0 || s->col_first >= b->wide)
        return status_fail(DID_EINVAL, "a matrix that begins on rank (%d, %d) of a grid of %d x %d",
                           s->row_first, s->col_first, b->high, b->wide);
    if (s->ld < 1 || s->ld < rows_here(b, s))
        return status_fail(DID_EINVAL, "an array of %d rows, where %d of the matrix's %d live",
                           s->ld, rows_here(b, s), s->rows);
    const int d[DESCRIPTOR] = {1,            b->context,    s->rows,      s->cols, s->row_block,
                               s->col_block, s->row_first, s->col_first, s->ld};
    for (int i = 0; i < DESCRIPTOR; i++) out[i] = d[i];
    return DID_OK;
}

status blacs_product(const blacs *on, float *c, const blacs_shape *cs, const float *a,
                     const blacs_shape *as, int a_row, const float *b, const blacs_shape *bs)
{
    int         ad[DESCRIPTOR], bd[DESCRIPTOR], cd[DESCRIPTOR], ia = a_row + 1, one = 1;
    const float unit = 1, zero = 0;
    TRY(describe(ad, on, as));
    TRY(describe(bd, on, bs));
    TRY(describe(cd, on, cs));
    if (as->cols != bs->rows || bs->cols != cs->cols || a_row < 0 || a_row + cs->rows > as->rows)
        return status_fail(DID_EINVAL,
                           "a product of %d x %d, from row %d, and %d x %d into %d x %d", as->rows,
                           as->cols, a_row, bs->rows, bs->cols, cs->rows, cs->cols);
    event_begin(EV_PRODUCT, 0);
    psgemm_("N", "N", &cs->rows, &cs->cols, &as->cols, &unit, a, &ia, &one, ad, b, &one, &one, bd,
            &zero, c, &one, &one, cd);
    event_end(EV_PRODUCT);
    return DID_OK;
}

static bool inside(const blacs_shape *s, blacs_corner at, int rows, int cols)
{
    return at.row >= 0 && at.col >= 0 && at.row + rows <= s->rows && at.col + cols <= s->cols;
}

status blacs_move(int rows, int cols, const blacs *to, float *into, const blacs_shape *to_shape,
                  blacs_corner to_at, const blacs *from, const float *data,
                  const blacs_shape *from_shape, blacs_corner from_at)
{
    int td[DESCRIPTOR], fd[DESCRIPTOR];
    if (rows == 0 || cols == 0) return DID_OK;
    TRY(describe(td, to, to_shape));
    TRY(describe(fd, from, from_shape));
    if (!inside(to_shape, to_at, rows, cols) || !inside(from_shape, from_at, rows, cols))
        return status_fail(DID_EINVAL, "moving %d x %d from (%d, %d) of %d x %d to (%d, %d) of "
                           "%d x %d", rows, cols, from_at.row, from_at.col, from_shape->rows,
                           from_shape->cols, to_at.row, to_at.col, to_shape->rows, to_shape->cols);
    event_begin(EV_MOVE, 0);
    Cpsgemr2d(rows, cols, data, from_at.row + 1, from_at.col + 1, fd, into, to_at.row + 1,
              to_at.col + 1, td, to->context);
    event_end(EV_MOVE);
    return DID_OK;
}
