#include "comm.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addition.h"
#include "clock.h"
#include "communicator.h"

/* Larger transfers are cut into pieces of this many bytes: MPI counts and displacements are ints.
 * The cut is far below 2^31 because it costs nothing there. */
enum { CUT = 1 << 24, SENTENCE = 1024 };

/* What MPI answered, as a status and a sentence. `rank` is -1 before anybody has one. */
static status answer(int code, event e, int rank)
{
    if (code == MPI_SUCCESS) return DID_OK;
    char text[MPI_MAX_ERROR_STRING + 1] = "";
    int  len = 0;
    MPI_Error_string(code, text, &len);
    text[len] = '\0';
    return status_fail(DID_EPEER, "rank %d, event \"%s\": MPI says: %s", rank, event_name(e), text);
}

/* Wait with sleeps that grow to 2 ms: a team without work leaves the processor to others. */
static int wait_asleep(MPI_Request *request)
{
    double pause = 10e-6;
    for (;;) {
        int done = 0, code = MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (done || code != MPI_SUCCESS) return code;
        clock_sleep(pause);
        pause = pause < 1e-3 ? 2 * pause : 2e-3;
    }
}

#ifdef NDEBUG
static status same_step(comm *c, event e, size_t bytes, bool asleep)
{
    (void)c, (void)e, (void)bytes, (void)asleep;
    return DID_OK;
}
#else
/* Did all ranks bring the same event and size? Found here, a rank out of step is a sentence; found
 * by the transfer itself it is a hang or a wrong sum. */
static status same_step(comm *c, event e, size_t bytes, bool asleep)
{
    long long   size = (long long)bytes, most[4], mine[4] = {e, -(long long)e, size, -size};
    MPI_Request request;
    int code = MPI_Iallreduce(mine, most, 4, MPI_LONG_LONG, MPI_MAX, c->mpi, &request);
    if (code == MPI_SUCCESS)
        code = asleep ? wait_asleep(&request) : MPI_Wait(&request, MPI_STATUS_IGNORE);
    TRY(answer(code, e, c->rank));
    if (most[0] == -most[1] && most[2] == -most[3]) return DID_OK;
    return status_fail(DID_EPEER,
                       "ranks out of step: rank %d of %d brought \"%s\" of %lld bytes, all ranks "
                       "\"%s\" to \"%s\" of %lld to %lld bytes",
                       c->rank, c->size, event_name(e), size, event_name((event)-most[1]),
                       event_name((event)most[0]), -most[3], most[2]);
}
#endif

status communicator_enter(comm *c, event e, size_t bytes, bool asleep)
{
    event_begin(e, bytes);
    status s = same_step(c, e, bytes, asleep);
    if (s != DID_OK) event_end(e);
    return s;
}

status communicator_leave(comm *c, event e, int code)
{
    event_end(e);
    return answer(code, e, c->rank);
}

static comm *comm_make(int size)
{
    size_t n = (size_t)size;
    comm  *c = calloc(1, sizeof *c + 2 * n * sizeof c->table[0]);
    if (!c) return NULL;
    c->mpi = MPI_COMM_NULL;
    return c;
}

/* Take over a communicator that MPI just made for us. */
static int comm_adopt(comm *c, MPI_Comm mpi)
{
    c->mpi = mpi;
    int code = MPI_Comm_set_errhandler(mpi, MPI_ERRORS_RETURN);
    if (code == MPI_SUCCESS) code = MPI_Comm_rank(mpi, &c->rank);
    if (code == MPI_SUCCESS) code = MPI_Comm_size(mpi, &c->size);
    return code;
}

status comm_start(comm **world)
{
    int provided = MPI_THREAD_SINGLE, size = 0, rank = -1;
    *world = NULL;
    TRY(answer(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), EV_SETUP, -1));

    MPI_Comm all = MPI_COMM_WORLD, mine = MPI_COMM_NULL;
    comm    *c = NULL;
    status   s = DID_OK;
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(all, MPI_ERRORS_RETURN);
    MPI_Comm_rank(all, &rank);
    MPI_Comm_size(all, &size);
    if (provided < MPI_THREAD_FUNNELED)
        s = status_fail(DID_EPEER, "this MPI offers thread level %d, MPI_THREAD_FUNNELED (%d) is "
                        "needed", provided, MPI_THREAD_FUNNELED);
    if (s == DID_OK && !(c = comm_make(size)))
        s = status_fail(DID_ENOMEM, "no memory for a communicator of %d ranks", size);
    if (s == DID_OK) s = answer(MPI_Comm_dup(all, &mine), EV_SETUP, rank);
    if (s == DID_OK) s = answer(comm_adopt(c, mine), EV_SETUP, rank);
    if (s != DID_OK) {
        free(c);
        MPI_Finalize();
        return s;
    }
    *world = c;
    return DID_OK;
}

void comm_stop(comm **world)
{
    if (!*world) return;
    /* Errors have nobody left to be told to; a peer that is gone must not keep us from leaving. */
    MPI_Barrier((*world)->mpi);
    comm_close(world);
    MPI_Finalize();
}

int comm_launch_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                        "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *text = getenv(names[i]);
        char       *end = NULL;
        long        rank = text ? strtol(text, &end, 10) : -1;
        if (rank >= 0 && end != text && *end == '\0') return (int)rank;
    }
    return 0;
}

const char *comm_library(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING + 1];
    int         len = 0;
    if (MPI_Get_library_version(text, &len) != MPI_SUCCESS) return "unknown MPI";
    text[strcspn(text, "\r\n")] = '\0';
    return text;
}

int comm_rank(const comm *c)
{
    return c->rank;
}

int comm_size(const comm *c)
{
    return c->size;
}

int comm_fortran(const comm *c)
{
    return (int)MPI_Comm_c2f(c->mpi);
}

status comm_split(comm **out, comm *parent, int color, int key)
{
    assert(color >= 0);
    *out = NULL;
    comm  *c = comm_make(parent->size);
    status s = DID_OK;
    if (!c) s = status_fail(DID_ENOMEM, "no memory for a communicator of %d ranks", parent->size);
    s = comm_agree(parent, s);
    if (s == DID_OK) s = communicator_enter(parent, EV_SETUP, 0, false);
    if (s != DID_OK) {
        free(c);
        return s;
    }
    MPI_Comm mine = MPI_COMM_NULL;
    int      code = MPI_Comm_split(parent->mpi, color, key, &mine);
    if (code == MPI_SUCCESS) code = comm_adopt(c, mine);
    s = communicator_leave(parent, EV_SETUP, code);
    if (s == DID_OK) *out = c;
    else free(c);
    return s;
}

status comm_node_size(comm *c, int *ranks)
{
    *ranks = 0;
    TRY(communicator_enter(c, EV_SETUP, 0, false));
    MPI_Comm node = MPI_COMM_NULL;
    int code = MPI_Comm_split_type(c->mpi, MPI_COMM_TYPE_SHARED, c->rank, MPI_INFO_NULL, &node);
    if (code == MPI_SUCCESS) code = MPI_Comm_size(node, ranks);
    if (node != MPI_COMM_NULL) MPI_Comm_free(&node);
    return communicator_leave(c, EV_SETUP, code);
}

void comm_close(comm **c)
{
    if (!*c) return;
    shared_close(&(*c)->shared);
    transit_close(&(*c)->transit);
    MPI_Comm_free(&(*c)->mpi);
    arena_close(&(*c)->scratch);
    free(*c);
    *c = NULL;
}

size_t comm_sum_bytes(int size, size_t n)
{
    return arena_round(transit_bytes(size, n));
}

status comm_reserve(comm *c, size_t n)
{
    size_t bytes = comm_sum_bytes(c->size, n);
    if (!c->transit) c->transit = transit_open(c->mpi, c->rank, c->size);
    if (!c->transit) return status_fail(DID_ENOMEM, "no memory for sums of %d ranks", c->size);
    if (bytes > c->scratch.size) {
        arena_close(&c->scratch);
        c->reserve = 0;
        TRY(arena_open(&c->scratch, bytes));
    }
    if (n > c->reserve) c->reserve = n;
    return DID_OK;
}

status comm_share(comm *c)
{
    if (c->shared || c->size == 1) return DID_OK;
    TRY(communicator_enter(c, EV_SETUP, 0, false));
    return communicator_leave(c, EV_SETUP, shared_open(&c->shared, c->mpi));
}

void comm_pair(comm *c)
{
    assert(c->size <= ADDITION_PARTS_MAX && (c->size & (c->size - 1)) == 0);
    c->pairs = true;
}

bool comm_shares(const comm *c)
{
    return c->shared != NULL;
}

status comm_agree(comm *c, status mine)
{
    char   why[SENTENCE] = "";
    int    code = MPI_SUCCESS;
    struct {
        int code, rank;
    } worst = {DID_OK, 0}, my = {(int)mine, c->rank};
    if (mine != DID_OK) snprintf(why, sizeof why, "%s", status_message());

    status s = communicator_enter(c, EV_SETUP, sizeof my, false);
    if (s == DID_OK) {
        /* MPI_MAXLOC: among equals the lowest rank wins. */
        code = MPI_Allreduce(&my, &worst, 1, MPI_2INT, MPI_MAXLOC, c->mpi);
        if (code == MPI_SUCCESS && worst.code != DID_OK)
            code = MPI_Bcast(why, sizeof why, MPI_CHAR, worst.rank, c->mpi);
        s = communicator_leave(c, EV_SETUP, code);
    }
    if (s != DID_OK) /* agreeing itself failed: my own reason, if any, came first */
        return mine == DID_OK ? s : status_at(s, "after \"%s\"", why);
    if (worst.code == DID_OK) return DID_OK;
    if (worst.rank == 0) return status_fail((status)worst.code, "%s", why);
    return status_fail((status)worst.code, "rank %d: %s", worst.rank, why);
}

static int min_cut(size_t bytes)
{
    return bytes < CUT ? (int)bytes : CUT;
}

status comm_broadcast(comm *c, void *data, size_t bytes, int root, event e)
{
    TRY(communicator_enter(c, e, bytes, false));
    int code = MPI_SUCCESS;
    for (size_t at = 0; at < bytes && code == MPI_SUCCESS; at += CUT)
        code = MPI_Bcast((char *)data + at, min_cut(bytes - at), MPI_BYTE, root, c->mpi);
    return communicator_leave(c, e, code);
}

status comm_await(comm *c, void *data, size_t bytes, int root, event e)
{
    TRY(communicator_enter(c, e, bytes, true));
    int code = MPI_SUCCESS;
    for (size_t at = 0; at < bytes && code == MPI_SUCCESS; at += CUT) {
        MPI_Request request;
        code = MPI_Ibcast((char *)data + at, min_cut(bytes - at), MPI_BYTE, root, c->mpi, &request);
        if (code == MPI_SUCCESS) code = wait_asleep(&request);
    }
    return communicator_leave(c, e, code);
}

/* One piece of every rank's contribution, landing `bytes` apart. */
static int gather_piece(comm *c, void *all, const void *mine, int piece, size_t bytes)
{
    MPI_Datatype run, spaced;
    int          code = MPI_Type_contiguous(piece, MPI_BYTE, &run);
    if (code != MPI_SUCCESS) return code;
    code = MPI_Type_create_resized(run, 0, (MPI_Aint)bytes, &spaced);
    MPI_Type_free(&run);
    if (code != MPI_SUCCESS) return code;
    code = MPI_Type_commit(&spaced);
    if (code == MPI_SUCCESS) code = MPI_Allgather(mine, piece, MPI_BYTE, all, 1, spaced, c->mpi);
    MPI_Type_free(&spaced);
    return code;
}

status comm_gather(comm *c, void *all, const void *mine, size_t bytes, event e)
{
    TRY(communicator_enter(c, e, bytes, false));
    int code = MPI_SUCCESS;
    if (bytes <= CUT)
        code = MPI_Allgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, c->mpi);
    for (size_t at = 0; bytes > CUT && at < bytes && code == MPI_SUCCESS; at += CUT)
        code = gather_piece(c, (char *)all + at, (const char *)mine + at, min_cut(bytes - at),
                            bytes);
    return communicator_leave(c, e, code);
}

status comm_exchange(comm *c, float *in, const int *in_count, const float *out,
                     const int *out_count, event e)
{
    int  p = c->size, *in_start = c->table, *out_start = c->table + p;
    long n_in = 0, n_out = 0;
    for (int r = 0; r < p; r++) {
        in_start[r] = (int)n_in;
        out_start[r] = (int)n_out;
        n_in += in_count[r];
        n_out += out_count[r];
    }
    assert(n_in <= INT_MAX && n_out <= INT_MAX);
    event_begin(e, (size_t)n_out * sizeof *out); /* sizes differ between ranks: nothing to compare */
    return communicator_leave(c, e,
                              MPI_Alltoallv(out, out_count, out_start, MPI_FLOAT, in, in_count,
                                            in_start, MPI_FLOAT, c->mpi));
}

/* In memory that all share there is no wire, but the numbers are those of one. */
static int sum_here(comm *c, float *x, size_t n)
{
    if (c->narrow) transit_round(x, n);
    int code = shared_sum(c->shared, x, n, c->pairs);
    if (c->narrow) transit_round(x, n);
    return code;
}

static transit_kind carried(const comm *c)
{
    return (transit_kind){.narrow = c->narrow, .pairs = c->pairs};
}

/* Until the sum on its way has arrived. */
static int arrive(comm *c)
{
    bool done = false;
    int  code = MPI_SUCCESS;
    while (!done && code == MPI_SUCCESS) code = transit_poll(c->transit, &done);
    return code;
}

status comm_sum(comm *c, float *x, size_t n, event e)
{
    if (c->size == 1) return DID_OK;
    assert(n <= c->reserve);
    TRY(communicator_enter(c, e, n * (c->narrow ? sizeof *x / 2 : sizeof *x), false));
    int code = c->shared ? sum_here(c, x, n)
                         : transit_begin(c->transit, x, n, carried(c), c->scratch.base);
    if (code == MPI_SUCCESS && !c->shared) code = arrive(c);
    return communicator_leave(c, e, code);
}

void comm_narrow(comm *c)
{
    c->narrow = true;
}

status comm_barrier(comm *c, event e)
{
    TRY(communicator_enter(c, e, 0, false));
    return communicator_leave(c, e, MPI_Barrier(c->mpi));
}

status comm_meet(comm *c, event e)
{
    TRY(communicator_enter(c, e, 0, true));
    MPI_Request request;
    int         code = MPI_Ibarrier(c->mpi, &request);
    if (code == MPI_SUCCESS) code = wait_asleep(&request);
    return communicator_leave(c, e, code);
}
