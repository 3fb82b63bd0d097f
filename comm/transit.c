#include "transit.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "addition.h"
#include "half.h"

/* Pieces of this many floats bound the scratch, and keep MPI's counts far below 2^31. */
enum { PIECE = 1 << 22, TAG_SLICE = 1, TAG_SUM = 2 };

typedef enum { SLICES, SUMS, DONE } leg;

struct transit {
    MPI_Comm    all;
    int         rank, size;
    leg         at;
    float      *x;        /* the piece under way, and all behind it */
    size_t      left, n;  /* floats of x; of this piece */
    bool        narrow, pairs;
    char       *scratch;
    int         requests;
    const float **part;    /* [size] what is added */
    MPI_Request request[]; /* [2 size] */
};

transit *transit_open(MPI_Comm all, int rank, int size)
{
    transit      *t = calloc(1, sizeof *t + 2 * (size_t)size * sizeof t->request[0]);
    const float **part = calloc((size_t)size, sizeof *part);
    if (t && part) {
        *t = (transit){.all = all, .rank = rank, .size = size, .at = DONE, .part = part};
        return t;
    }
    free(t);
    free(part);
    return NULL;
}

void transit_close(transit **t)
{
    if (*t) free((*t)->part);
    free(*t);
    *t = NULL;
}

size_t transit_bytes(int size, size_t n)
{
    if (size == 1) return 0;
    size_t piece = n < PIECE ? n : PIECE;
    size_t slice = (piece + (size_t)size - 1) / (size_t)size;
    return slice * (size_t)size * sizeof(float);
}

void transit_round(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = half_widen(half_round(x[i]));
}

static size_t slice_begin(const transit *t, int r)
{
    return addition_slice(t->n, r, t->size);
}

static size_t slice_len(const transit *t, int r)
{
    return addition_slice(t->n, r + 1, t->size) - slice_begin(t, r);
}

/* On a narrow wire: the piece as it travels, behind what comes in. */
static uint16_t *travelling(const transit *t)
{
    size_t slice = (t->n + (size_t)t->size - 1) / (size_t)t->size;
    return (uint16_t *)(void *)t->scratch + slice * (size_t)t->size;
}

static int send(transit *t, size_t from, size_t n, int to, int tag)
{
    const void *what = t->narrow ? (const void *)(travelling(t) + from) : (const void *)(t->x + from);
    return MPI_Isend(what, (int)n, t->narrow ? MPI_UINT16_T : MPI_FLOAT, to, tag, t->all,
                     &t->request[t->requests++]);
}

static int receive(transit *t, void *into, size_t n, int from, int tag)
{
    return MPI_Irecv(into, (int)n, t->narrow ? MPI_UINT16_T : MPI_FLOAT, from, tag, t->all,
                     &t->request[t->requests++]);
}

/* What rank r brings to my slice. */
static void *incoming(const transit *t, int r)
{
    size_t each = t->narrow ? sizeof(uint16_t) : sizeof(float);
    return t->scratch + (size_t)r * slice_len(t, t->rank) * each;
}

/* Not all ask the same rank at once: everybody begins with a neighbour. */
static int begin_slices(transit *t)
{
    int code = MPI_SUCCESS;
    t->at = SLICES;
    t->n = t->left < PIECE ? t->left : PIECE;
    t->requests = 0;
    for (size_t i = 0; t->narrow && i < t->n; i++) travelling(t)[i] = half_round(t->x[i]);
    for (int i = 1; i < t->size && code == MPI_SUCCESS; i++) {
        int r = (t->rank + t->size - i) % t->size;
        code = receive(t, incoming(t, r), slice_len(t, t->rank), r, TAG_SLICE);
    }
    for (int i = 1; i < t->size && code == MPI_SUCCESS; i++) {
        int r = (t->rank + i) % t->size;
        code = send(t, slice_begin(t, r), slice_len(t, r), r, TAG_SLICE);
    }
    return code;
}

static void add_wide(transit *t)
{
    float *mine = t->x + slice_begin(t, t->rank);
    size_t n = slice_len(t, t->rank);
    memcpy(incoming(t, t->rank), mine, n * sizeof *mine);
    for (int r = 0; r < t->size; r++) t->part[r] = incoming(t, r);
    addition_all(mine, t->part, t->size, 0, n, t->pairs);
}

static void add_narrow(transit *t)
{
    size_t    begin = slice_begin(t, t->rank), n = slice_len(t, t->rank);
    float    *mine = t->x + begin;
    uint16_t *out = travelling(t) + begin;
    memcpy(incoming(t, t->rank), out, n * sizeof *out);
    const uint16_t *first = incoming(t, 0);
    for (size_t i = 0; i < n; i++) mine[i] = half_widen(first[i]);
    for (int r = 1; r < t->size; r++) {
        const uint16_t *theirs = incoming(t, r);
        for (size_t i = 0; i < n; i++) mine[i] += half_widen(theirs[i]);
    }
    for (size_t i = 0; i < n; i++) out[i] = half_round(mine[i]);
}

static int begin_sums(transit *t)
{
    int code = MPI_SUCCESS;
    if (t->narrow) add_narrow(t);
    else add_wide(t);
    t->at = SUMS;
    t->requests = 0;
    for (int i = 1; i < t->size && code == MPI_SUCCESS; i++) {
        int    r = (t->rank + t->size - i) % t->size;
        size_t at = slice_begin(t, r);
        void  *into = t->narrow ? (void *)(travelling(t) + at) : (void *)(t->x + at);
        code = receive(t, into, slice_len(t, r), r, TAG_SUM);
    }
    for (int i = 1; i < t->size && code == MPI_SUCCESS; i++)
        code = send(t, slice_begin(t, t->rank), slice_len(t, t->rank), (t->rank + i) % t->size,
                    TAG_SUM);
    return code;
}

/* All sums of a piece are here: on to the next. */
static int end_piece(transit *t)
{
    for (size_t i = 0; t->narrow && i < t->n; i++) t->x[i] = half_widen(travelling(t)[i]);
    t->x += t->n;
    t->left -= t->n;
    if (t->left > 0) return begin_slices(t);
    t->at = DONE;
    return MPI_SUCCESS;
}

int transit_begin(transit *t, float *x, size_t n, transit_kind kind, void *scratch)
{
    t->x = x;
    t->left = n;
    assert(!kind.narrow || !kind.pairs);
    t->narrow = kind.narrow;
    t->pairs = kind.pairs;
    t->scratch = scratch;
    return n > 0 ? begin_slices(t) : MPI_SUCCESS;
}

int transit_poll(transit *t, bool *done)
{
    int code = MPI_SUCCESS, here = 1;
    while (t->at != DONE && here && code == MPI_SUCCESS) {
        code = MPI_Testall(t->requests, t->request, &here, MPI_STATUSES_IGNORE);
        if (code == MPI_SUCCESS && here) code = t->at == SLICES ? begin_sums(t) : end_piece(t);
    }
    *done = t->at == DONE;
    return code;
}
