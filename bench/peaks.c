#include "peaks.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Twelve chains of dependent multiply-adds hide a latency of up to six cycles on two units;
 * eight sums do the same for additions. More would not fit sixteen registers. Four places are
 * read in turn, far apart, because that is what keeps a prefetcher busiest. */
enum { CHAINS = 12, ROUNDS = 4096, STREAMS = 4, PAGE = 2 << 20 };

typedef struct loop {
    float *data;
    size_t bytes; /* a multiple of STREAMS * 256 */
    float  sink[16 * CHAINS];
} loop;

/* The two loops in vectors of `width` bytes, compiled for `isa`. */
#define LOOPS(name, width, isa)                                                   \
    typedef float   vector_##name __attribute__((vector_size(width), may_alias)); \
    isa static void fma_##name(loop *l)                                           \
    {                                                                             \
        enum { LANES = (width) / sizeof(float) };                                 \
        vector_##name sum[CHAINS], half, one;                                     \
        for (int i = 0; i < LANES; i++) {                                         \
            half[i] = l->data[i];                                                 \
            one[i] = l->data[LANES + i];                                          \
        }                                                                         \
        for (int c = 0; c < CHAINS; c++) sum[c] = half + (float)c;                \
        for (int r = 0; r < ROUNDS; r++)                                          \
            for (int c = 0; c < CHAINS; c++) sum[c] = sum[c] * half + one;        \
        memcpy(l->sink, sum, sizeof sum);                                         \
    }                                                                             \
    isa static void read_##name(loop *l)                                          \
    {                                                                             \
        enum { SUMS = 2 };                                                        \
        size_t               n = l->bytes / STREAMS / (width);                    \
        const vector_##name *at = (const vector_##name *)l->data;                 \
        vector_##name        sum[STREAMS][SUMS] = {{{0}}};                        \
        for (size_t i = 0; i < n; i += SUMS)                                      \
            for (size_t s = 0; s < STREAMS; s++)                                  \
                for (size_t j = 0; j < SUMS; j++) sum[s][j] += at[s * n + i + j]; \
        memcpy(l->sink, sum, sizeof sum);                                         \
    }

LOOPS(plain, 16, )
#ifdef __x86_64__
LOOPS(avx2, 32, __attribute__((target("avx2,fma"))))
LOOPS(avx512, 64, __attribute__((target("avx512f,avx2,fma"))))
#endif

typedef struct width {
    const char *isa;
    int         lanes;
    void (*fma)(loop *l);
    void (*read)(loop *l);
} width;

/* The widths this CPU has, narrow to wide. */
static int widths(width out[PEAKS_FMA_MAX])
{
    int n = 0;
    out[n++] = (width){"plain", 4, fma_plain, read_plain};
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        out[n++] = (width){"avx2", 8, fma_avx2, read_avx2};
    if (__builtin_cpu_supports("avx512f"))
        out[n++] = (width){"avx512", 16, fma_avx512, read_avx512};
#endif
    return n;
}

/* What measure_task calls. */
typedef struct stroke {
    void (*run)(loop *l);
    loop *over;
} stroke;

static status run_stroke(void *context)
{
    stroke *s = context;
    s->run(s->over);
    return DID_OK;
}

static status time_stroke(measured *out, void (*run)(loop *l), loop *l, const effort *e,
                          comm *world)
{
    stroke s = {run, l};
    task   t = {.context = &s, .run = run_stroke};
    return measure_task(out, &t, e, world);
}

static status measure_fma(peak_fma *out, const width *w, loop *l, const effort *e, comm *world)
{
    out->isa = w->isa;
    TRY(time_stroke(&out->time, w->fma, l, e, world));
    out->gflops = 2e-9 * CHAINS * ROUNDS * w->lanes / out->time.min;
    return DID_OK;
}

_Static_assert(PAIRS_SINK <= 16 * CHAINS, "pairs leave their sums where the others do");

static void dot_pairs(loop *l)
{
    kernels_of(PRECISION_BF16, NULL)->pairs_only(l->sink, ROUNDS);
}

static status measure_dot(peak_fma *out, loop *l, const effort *e, comm *world)
{
    const kernels *k = kernels_of(PRECISION_BF16, NULL);
    if (!k->pairs_only) return DID_OK;
    out->isa = k->name;
    TRY(time_stroke(&out->time, dot_pairs, l, e, world));
    out->gflops = 1e-9 * k->pairs_only(l->sink, ROUNDS) / out->time.min;
    return DID_OK;
}

/* In memory the widest vectors are not always the fastest way to read. */
static status measure_read(peak_read *out, const width *w, int n, loop *l, const effort *e,
                           comm *world)
{
    out->bytes = l->bytes;
    for (int i = 0; i < n; i++) {
        measured m;
        TRY(time_stroke(&m, w[i].read, l, e, world));
        if (i == 0 || m.min < out->time.min) out->time = m;
    }
    out->gbs = 1e-9 * (double)l->bytes / out->time.min;
    return DID_OK;
}

static const size_t SIZES[] = {(size_t)24 << 10,  (size_t)256 << 10, (size_t)1 << 20,
                               (size_t)4 << 20,   (size_t)16 << 20,  (size_t)64 << 20,
                               (size_t)170 << 20, (size_t)512 << 20};

static const int N_SIZES = sizeof SIZES / sizeof *SIZES;
_Static_assert(sizeof SIZES / sizeof *SIZES <= PEAKS_READ_MAX, "every size has a place");

static status measure_all(peaks *out, loop *l, size_t bytes_max, const effort *e, comm *world)
{
    width w[PEAKS_FMA_MAX];
    int   n = widths(w);
    for (int i = 0; i < n; i++) TRY(measure_fma(&out->fma[out->n_fma++], &w[i], l, e, world));
    TRY(measure_dot(&out->dot, l, e, world));
    for (int i = 0; i < N_SIZES && SIZES[i] <= bytes_max; i++) {
        l->bytes = SIZES[i];
        TRY(measure_read(&out->read[out->n_read++], w, n, l, e, world));
    }
    return DID_OK;
}

status peaks_measure(peaks *out, size_t bytes_max, const effort *e, comm *world)
{
    loop   l = {0};
    size_t size = (bytes_max + PAGE - 1) / PAGE * PAGE;
    *out = (peaks){0};
    l.data = aligned_alloc(PAGE, size);
    status s = l.data ? DID_OK : status_fail(DID_ENOMEM, "cannot get %zu bytes to read", size);
    s = comm_agree(world, s);
    if (s == DID_OK) {
        /* Large pages, where the system gives them on request: a limit should not pay for small
         * ones. */
        madvise(l.data, size, MADV_HUGEPAGE);
        for (size_t i = 0; i < size / sizeof *l.data; i++) l.data[i] = 0.5f;
        s = measure_all(out, &l, bytes_max, e, world);
    }
    free(l.data);
    return s;
}

double peaks_gflops(const peaks *p)
{
    double best = 0;
    for (int i = 0; i < p->n_fma; i++)
        if (p->fma[i].gflops > best) best = p->fma[i].gflops;
    return best;
}

double peaks_gflops_of(const peaks *p, const kernels *k)
{
    return k->pairs_only && p->dot.isa ? p->dot.gflops : peaks_gflops(p);
}

double peaks_gbs(const peaks *p, size_t bytes)
{
    int i = 0;
    while (i < p->n_read && p->read[i].bytes < bytes) i++;
    if (i == p->n_read) return p->read[i - 1].gbs;
    if (i == 0 || p->read[i].bytes == bytes) return p->read[i].gbs;
    const peak_read *a = &p->read[i - 1], *b = &p->read[i];
    double way = log((double)bytes / (double)a->bytes) / log((double)b->bytes / (double)a->bytes);
    return a->gbs + way * (b->gbs - a->gbs);
}

standing peaks_standing(const peaks *p, const kernels *k, double flops, double bytes,
                        size_t working_set, double seconds)
{
    const char *unit = k->pairs_only && p->dot.isa ? "dot" : "fma";
    double      computing = 1e-9 * flops / peaks_gflops_of(p, k);
    double      reading = 1e-9 * bytes / peaks_gbs(p, working_set);
    return (standing){.gflops = 1e-9 * flops / seconds,
                      .gbs = 1e-9 * bytes / seconds,
                      .of_peak = (computing > reading ? computing : reading) / seconds,
                      .limit = computing > reading ? unit : "read"};
}
