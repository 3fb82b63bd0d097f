/* AVX-512 F, BW, DQ and VL. Numbers of bf16 are widened, a half of each pair at a time. */
#ifdef __x86_64__

#include "avx512.inc"

#include "wide.inc"

#include "wide_strip.inc"

#include "wide_attend.inc"
#include "wide_linear.inc"

typedef float left;

INLINE vf rounded(vf v)
{
    __m512i bits = _mm512_castps_si512(v), one = _mm512_set1_epi32(1);
    __m512i even = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
    __m512i near = _mm512_add_epi32(bits, _mm512_add_epi32(even, _mm512_set1_epi32(0x7fff)));
    __mmask16 none = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    near = _mm512_mask_or_epi32(near, none, bits, _mm512_set1_epi32(0x400000));
    return _mm512_castsi512_ps(_mm512_and_si512(near, _mm512_set1_epi32((int)0xffff0000)));
}

INLINE void left_store(left *to, vf v, int n)
{
    store(to, rounded(v), n);
}

/* Where a product need not be of two bf16, the left side keeps all its bits. */
INLINE void left_keep(left *to, vf v)
{
    vf_store(to, v);
}

INLINE vf widened(const uint32_t *pairs, bool high)
{
    __m512i both = _mm512_loadu_si512(pairs);
    if (high) return _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32((int)0xffff0000)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
}

#include "wide_widened.inc"

#include "wide_bf16.inc"

#include "wide_attend_bf16.inc"

void avx512_fill(kernels *k)
{
    k->linear       = linear;
    k->norm         = norm;
    k->gelu         = gelu;
    k->residual     = residual;
    k->rotate       = rotate;
    k->key_store    = key_store;
    k->key_copy     = key_copy;
    k->attend       = attend;
    k->max          = max;
    k->exponentials = exponentials;
}


void avx512_fill_bf16(kernels *k)
{
    k->columns       = PANEL_COLUMNS;
    k->left_bytes    = sizeof(left);
    k->operand       = operand;
    k->linear_packed = linear_packed;
    k->attend        = attend_narrow;
}

#endif
