#include "shared.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addition.h"

/* A piece of 2 MB stays in the caches of its ranks until everybody has read it; more pieces mean
 * more waiting. LINE keeps the flags of two ranks apart. */
enum { PIECE = 1 << 19, LINE = 128, SPINS = 2000 };

/* One rank's part of the window. */
typedef struct place {
    _Alignas(LINE) atomic_ullong said;  /* 2k - 1: slices of piece k are out; 2k: my sum is there */
    _Alignas(LINE) float         slice[PIECE]; /* as in x; my own is not among them */
    _Alignas(LINE) float         sum[PIECE / 2 + 1]; /* of my slice */
} place;

struct shared {
    MPI_Comm           all; /* borrowed */
    MPI_Win            window;
    int                rank, size, spins;
    unsigned long long pieces; /* summed so far */
    const float      **part;   /* [size] what is added: scratch */
    place             *at[];   /* every rank's part */
};

/* Ranks that outnumber the processors wait for each other's turn: spinning would use it up. */
static int spins_for(int ranks)
{
    cpu_set_t mine;
    if (sched_getaffinity(0, sizeof mine, &mine) != 0) return 0;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return ranks <= online ? SPINS : 0;
}

/* What one rank said has to be seen. A message of an earlier collective may still be with me, and
 * who waits for it never gets here: hence the look into MPI. */
static int await(const shared *s, int r, unsigned long long word)
{
    for (int i = 0; i < s->spins; i++) {
        if (atomic_load_explicit(&s->at[r]->said, memory_order_acquire) >= word) return MPI_SUCCESS;
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    }
    while (atomic_load_explicit(&s->at[r]->said, memory_order_acquire) < word) {
        int found;
        int code = MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, s->all, &found, MPI_STATUS_IGNORE);
        if (code != MPI_SUCCESS) return code;
        sched_yield();
    }
    return MPI_SUCCESS;
}

static void say(const shared *s, unsigned long long word)
{
    atomic_store_explicit(&s->at[s->rank]->said, word, memory_order_release);
}

static void add_slices(const shared *s, float *x, size_t begin, size_t end, bool pairs)
{
    float *sum = s->at[s->rank]->sum;
    for (int r = 0; r < s->size; r++) s->part[r] = r == s->rank ? x : s->at[r]->slice;
    addition_all(sum, s->part, s->size, begin, end - begin, pairs);
    memcpy(x + begin, sum, (end - begin) * sizeof *x);
}

/* Put my numbers where the owners of their slices find them; add my slice of everybody's; take the
 * sums of the others. No flag is needed before the next piece: who puts out slices has seen all
 * sums, so nobody reads slices any more, and who writes a sum has seen the next slices of all, so
 * nobody reads sums. */
static int sum_piece(shared *s, float *x, size_t n, bool pairs)
{
    size_t begin = addition_slice(n, s->rank, s->size), end = addition_slice(n, s->rank + 1, s->size);
    float *mine = s->at[s->rank]->slice;
    int    code = MPI_SUCCESS;
    unsigned long long word = 2 * ++s->pieces;
    memcpy(mine, x, begin * sizeof *x);
    memcpy(mine + end, x + end, (n - end) * sizeof *x);
    say(s, word - 1);
    for (int r = 0; r < s->size && code == MPI_SUCCESS; r++) code = await(s, r, word - 1);
    if (code != MPI_SUCCESS) return code;
    add_slices(s, x, begin, end, pairs);
    say(s, word);
    for (int i = 1; i < s->size; i++) {
        int    r = (s->rank + i) % s->size; /* not all from the same one at once */
        size_t from = addition_slice(n, r, s->size), to = addition_slice(n, r + 1, s->size);
        if ((code = await(s, r, word)) != MPI_SUCCESS) return code;
        memcpy(x + from, s->at[r]->sum, (to - from) * sizeof *x);
    }
    return MPI_SUCCESS;
}

int shared_sum(shared *s, float *x, size_t n, bool pairs)
{
    int code = MPI_SUCCESS;
    for (size_t at = 0; at < n && code == MPI_SUCCESS; at += PIECE)
        code = sum_piece(s, x + at, n - at < PIECE ? n - at : PIECE, pairs);
    return code;
}

/* Does every rank of `all` run on this host? */
static int on_one_host(MPI_Comm all, int size, bool *one)
{
    MPI_Comm node = MPI_COMM_NULL;
    int      here = 0;
    int      code = MPI_Comm_split_type(all, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    if (code == MPI_SUCCESS) code = MPI_Comm_size(node, &here);
    if (node != MPI_COMM_NULL) MPI_Comm_free(&node);
    *one = here == size; /* all ranks see the same: who is missing here sees fewer there */
    return code;
}

/* My part, zeroed by its owner before anybody looks at it, and where the others are. */
static int map_window(shared *s)
{
    place *mine;
    int    code = MPI_Win_allocate_shared(sizeof(place) + LINE, 1, MPI_INFO_NULL, s->all, &mine,
                                          &s->window);
    for (int r = 0; r < s->size && code == MPI_SUCCESS; r++) {
        MPI_Aint bytes;
        int      unit;
        char    *base;
        code = MPI_Win_shared_query(s->window, r, &bytes, &unit, &base);
        s->at[r] = (place *)(((uintptr_t)base + LINE - 1) / LINE * LINE);
    }
    if (code == MPI_SUCCESS) atomic_init(&s->at[s->rank]->said, 0);
    return code;
}

int shared_open(shared **out, MPI_Comm all)
{
    int  rank, size, fine, everywhere = 0;
    bool one = false;
    *out = NULL;
    MPI_Comm_rank(all, &rank);
    MPI_Comm_size(all, &size);
    int code = on_one_host(all, size, &one);
    if (code != MPI_SUCCESS || !one || size == 1) return code;

    shared *s = calloc(1, sizeof *s + (size_t)size * (sizeof s->at[0] + sizeof s->part[0]));
    fine = s != NULL;
    code = MPI_Allreduce(&fine, &everywhere, 1, MPI_INT, MPI_MIN, all);
    if (code != MPI_SUCCESS || !everywhere) {
        free(s);
        return code;
    }
    *s = (shared){.all = all, .window = MPI_WIN_NULL, .rank = rank, .size = size,
                  .spins = spins_for(size), .part = (const float **)(s->at + size)};
    fine = map_window(s) == MPI_SUCCESS;
    code = MPI_Allreduce(&fine, &everywhere, 1, MPI_INT, MPI_MIN, all); /* and all parts are zero */
    *out = s;
    if (code != MPI_SUCCESS || !everywhere) shared_close(out);
    return code;
}

void shared_close(shared **s)
{
    if (!*s) return;
    if ((*s)->window != MPI_WIN_NULL) MPI_Win_free(&(*s)->window);
    free(*s);
    *s = NULL;
}
