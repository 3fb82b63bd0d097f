#include "bf16.h"
#include "kernels.h"
#include "sets.h"
#include "trial.h"

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
enum { SETS_MAX = 5, PRECISIONS = 2 };
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct shelf {
    kernels     set[SETS_MAX]; /* best first, like `name` */
    const char *name[SETS_MAX + 1];
    int         n;
} shelves[PRECISIONS];
static struct {
    char cpu[160], blas[96], refused[256];
} room;

static void add_set(precision p, const char *name, const kernels *k)
{
    struct shelf *s        = &shelves[p];
    s->set[s->n]           = *k;
    s->set[s->n].name      = name;
    s->set[s->n].precision = p;
    s->name[s->n]          = name;
    s->n++;
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

/* A set of f32, with what bf16 puts in place of its own. */
static void add_narrow(const char *name, const kernels *f32, void (*fill)(kernels *k))
{
    kernels k = *f32;
    ref_fill_bf16(&k);
    if (fill) fill(&k);
    add_set(PRECISION_BF16, name, &k);
}

#ifdef __x86_64__
/* Instructions that few processors have are believed when they have multiplied. */
static void add_amx(const kernels *wide)
{
    char    why[sizeof room.refused - 8];
    kernels ref = *wide, amx;
    if (!has(AMX_TILE) || !has(AMX_BF16) || !amx_permitted()) return;
    ref_fill_bf16(&ref);
    amx = ref;
    amx_fill(&amx);
    if (trial_passes(&amx, &ref, why, sizeof why))
        add_set(PRECISION_BF16, "amx", &amx);
    else
        snprintf(room.refused, sizeof room.refused, "amx: %s", why);
}
#endif

#ifdef __x86_64__
/* The sets of this processor, f32 and bf16; `wide` becomes the best of f32. */
static void add_wide(kernels *wide)
{
    if (!has(AVX2) || !has(FMA)) return;
    bool z = has(AVX512F) && has(AVX512BW) && has(AVX512DQ) && has(AVX512VL);
    kernels narrow = *wide;
    avx2_fill(&narrow);
    *wide = narrow;
    if (z) {
        avx512_fill(wide);
        add_set(PRECISION_F32, "avx512", wide);
        if (has(AVX512_BF16)) add_amx(wide);
        if (has(AVX512_BF16)) add_narrow("avx512bf16", wide, avx512bf16_fill);
        add_narrow("avx512", wide, avx512_fill_bf16);
    }
    add_set(PRECISION_F32, "avx2", &narrow);
    add_narrow("avx2", &narrow, avx2_fill_bf16);
}
#endif

static void prepare(void)
{
    kernels ref;
    ref_fill(&ref);
    kernels blas = ref;
#ifdef __x86_64__
    add_wide(&blas);
#endif
    /* The best this processor has, but for its products. */
    blas_fill(&blas);
    add_set(PRECISION_F32, "blas", &blas);
    add_set(PRECISION_F32, "ref", &ref);
    add_narrow("ref", &ref, NULL);
    describe_cpu();
    blas_describe(room.blas, sizeof room.blas);
}

const kernels *kernels_of(precision p, const char *name)
{
    pthread_once(&once, prepare);
    for (int i = 0; i < shelves[p].n; i++)
        if (!name || strcmp(name, shelves[p].name[i]) == 0) return &shelves[p].set[i];
    return NULL;
}

const char *const *kernels_names(precision p)
{
    pthread_once(&once, prepare);
    return shelves[p].name;
}

const kernels *kernels_find(const char *name)
{
    return kernels_of(PRECISION_F32, name);
}

const char *const *kernels_available(void)
{
    return kernels_names(PRECISION_F32);
}

size_t key_tile_bytes(precision p, int head_size)
{
    if (p == PRECISION_F32) return (size_t)KEY_TILE * (size_t)head_size * sizeof(float);
    return (size_t)KEY_TILE * (size_t)bf16_padded(head_size) * sizeof(uint16_t);
}

size_t packed_bytes(int n, int k)
{
    size_t panels = ((size_t)n + COLUMNS_MAX - 1) / COLUMNS_MAX;
    return panels * COLUMNS_MAX * ((size_t)k + (size_t)k % 2) * sizeof(uint16_t);
}

size_t operand_bytes(const kernels *k, int width)
{
    if (k->left_lines) return bf16_lines(width);
    return ((size_t)width + (size_t)width % 2) * (size_t)k->left_bytes;
}

size_t operand_bytes_max(int width)
{
    size_t plain = ((size_t)width + (size_t)width % 2) * sizeof(float), lines = bf16_lines(width);
    return plain > lines ? plain : lines;
}

const char *kernels_refused(void)
{
    pthread_once(&once, prepare);
    return room.refused;
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
