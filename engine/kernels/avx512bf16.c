/* AVX-512 with AVX512_BF16: two products of bf16 and their sum in each of sixteen places at once. The
 * instruction takes denormal numbers for 0. */
#ifdef __x86_64__

#include "avx512.inc"

#include "wide.inc"

#include "wide_strip.inc"

typedef uint16_t left;

INLINE __m256i narrowed(vf v)
{
    return (__m256i)_mm512_cvtneps_pbh(v);
}

INLINE void left_store(left *to, vf v, int n)
{
    if (n >= LANES)
        _mm256_storeu_si256((__m256i *)to, narrowed(v));
    else
        _mm256_mask_storeu_epi16(to, first(n), narrowed(v));
}

INLINE void left_keep(left *to, vf v)
{
    left_store(to, v, LANES);
}

/* A half that is not multiplied becomes 0: beside it, whatever the left side holds is a number. */
INLINE __m512bh pairs_of(const uint32_t *w, places which)
{
    __m512i both = _mm512_loadu_si512(w);
    if (which == HIGH) both = _mm512_and_si512(both, _mm512_set1_epi32((int)0xffff0000));
    if (which == LOW) both = _mm512_and_si512(both, _mm512_set1_epi32(0xffff));
    return (__m512bh)both;
}

INLINE void dot_pair(vf c[GROUP][VECS], const left *a, int a_stride, const uint32_t *w, int rows,
                     int vecs, places which)
{
    __m512bh b[VECS];
    UNROLL for (int v = 0; v < vecs; v++)
        b[v] = pairs_of(w + v * LANES, which);
    UNROLL for (int r = 0; r < rows; r++) {
        int both;
        memcpy(&both, a + r * a_stride, sizeof both);
        __m512bh x = (__m512bh)_mm512_set1_epi32(both);
        UNROLL for (int v = 0; v < vecs; v++)
            c[r][v] = _mm512_dpbf16_ps(c[r][v], x, b[v]);
    }
}

#include "wide_bf16.inc"

#include "wide_attend_bf16.inc"

/* As many chains as hide the latency of one. */
static double pairs_only(float *sink, int rounds)
{
    enum { CHAINS = PAIRS_SINK / LANES };
    vf       sum[CHAINS];
    __m512bh half = (__m512bh)_mm512_set1_epi32(0x3f003f00);
    for (int c = 0; c < CHAINS; c++)
        sum[c] = vf_set((float)c);
    for (int r = 0; r < rounds; r++)
        UNROLL for (int c = 0; c < CHAINS; c++)
            sum[c] = _mm512_dpbf16_ps(sum[c], half, half);
    for (int c = 0; c < CHAINS; c++)
        vf_store(sink + c * LANES, sum[c]);
    return 4.0 * PAIRS_SINK * rounds;
}

void avx512bf16_fill(kernels *k)
{
    k->norm          = norm;
    k->gelu          = gelu;
    k->residual      = residual;
    k->rotate        = rotate;
    k->max           = max;
    k->exponentials  = exponentials;
    k->columns       = PANEL_COLUMNS;
    k->left_bytes    = sizeof(left);
    k->operand       = operand;
    k->linear_packed = linear_packed;
    k->attend        = attend_narrow;
    k->pairs_only    = pairs_only;
}

#endif
