#include "kernels.h"
#include "sets.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>

/* Which registers the operating system saves, as XCR0 tells: a feature whose registers it does not
 * save must not be used, whatever CPUID says. */
enum { SAVES_YMM = 0x6, SAVES_ZMM = 0xe6, SAVES_TILES = 0x60000 };

enum { AVX2, FMA, AVX512F, AVX512BW, AVX512DQ, AVX512VL, AVX512_BF16, AMX_TILE, AMX_BF16, AMX_INT8,
       FEATURES };

static const struct feature {
    const char *name;
    unsigned    leaf, subleaf, reg, bit; /* reg: 0 eax, 1 ebx, 2 ecx, 3 edx */
    unsigned    saved;
} feature[FEATURES] = {
    [AVX2]        = {"avx2", 7, 0, 1, 5, SAVES_YMM},
    [FMA]         = {"fma", 1, 0, 2, 12, SAVES_YMM},
    [AVX512F]     = {"avx512f", 7, 0, 1, 16, SAVES_ZMM},
    [AVX512BW]    = {"avx512bw", 7, 0, 1, 30, SAVES_ZMM},
    [AVX512DQ]    = {"avx512dq", 7, 0, 1, 17, SAVES_ZMM},
    [AVX512VL]    = {"avx512vl", 7, 0, 1, 31, SAVES_ZMM},
    [AVX512_BF16] = {"avx512_bf16", 7, 1, 0, 5, SAVES_ZMM},
    [AMX_TILE]    = {"amx_tile", 7, 0, 3, 24, SAVES_TILES},
    [AMX_BF16]    = {"amx_bf16", 7, 0, 3, 22, SAVES_TILES},
    [AMX_INT8]    = {"amx_int8", 7, 0, 3, 25, SAVES_TILES},
};

static unsigned registers_saved(void)
{
    unsigned r[4];
    if (!__get_cpuid(1, &r[0], &r[1], &r[2], &r[3]) || !(r[2] & bit_OSXSAVE)) return 0;
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static bool has(int id)
{
    const struct feature *f = &feature[id];
    unsigned              r[4];
    if (!__get_cpuid_count(f->leaf, f->subleaf, &r[0], &r[1], &r[2], &r[3])) return false;
    return (r[f->reg] >> f->bit & 1) && (registers_saved() & f->saved) == f->saved;
}
#endif

/* Everything here is filled once and only read afterwards. */
enum { SETS_MAX = 4 };
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct {
    kernels        set[SETS_MAX]; /* best first, like `name` */
    const char    *name[SETS_MAX + 1];
    int            n;
    char           cpu[160], blas[96];
} room;

static void add_set(const char *name, const kernels *k)
{
    room.set[room.n]      = *k;
    room.set[room.n].name = name;
    room.name[room.n]     = name;
    room.n++;
}

static void describe_cpu(void)
{
#ifdef __x86_64__
    size_t len = (size_t)snprintf(room.cpu, sizeof room.cpu, "x86-64");
    for (int id = 0; id < FEATURES; id++)
        if (has(id))
            len += (size_t)snprintf(room.cpu + len, sizeof room.cpu - len, " %s",
                                    feature[id].name);
#else
    snprintf(room.cpu, sizeof room.cpu, "no instruction set this program knows");
#endif
}

static void prepare(void)
{
    kernels ref;
    ref_fill(&ref);
#ifdef __x86_64__
    kernels wide = ref;
    if (has(AVX2) && has(FMA) && has(AVX512F) && has(AVX512BW) && has(AVX512DQ) && has(AVX512VL)) {
        avx512_fill(&wide);
        add_set("avx512", &wide);
    }
    if (has(AVX2) && has(FMA)) {
        avx2_fill(&wide);
        add_set("avx2", &wide);
    }
#endif
    /* The best this processor has, but for its products. */
    kernels blas = room.n > 0 ? room.set[0] : ref;
    blas_fill(&blas);
    add_set("blas", &blas);
    add_set("ref", &ref);
    describe_cpu();
    blas_describe(room.blas, sizeof room.blas);
}

const kernels *kernels_find(const char *name)
{
    pthread_once(&once, prepare);
    for (int i = 0; i < room.n; i++)
        if (!name || strcmp(name, room.name[i]) == 0) return &room.set[i];
    return NULL;
}

const char *const *kernels_available(void)
{
    pthread_once(&once, prepare);
    return room.name;
}

const char *kernels_cpu(void)
{
    pthread_once(&once, prepare);
    return room.cpu;
}

const char *kernels_blas(void)
{
    pthread_once(&once, prepare);
    return room.blas;
}
