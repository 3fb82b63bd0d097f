/* AVX2 and FMA: eight floats at once, tails by loads and stores under a mask. */
#ifdef __x86_64__

#include "sets.h"

#include <immintrin.h>

/* Attention: a block of 6 x 2 accumulators, 2 vectors of b and one of a, 15 of 16 registers.
 * Linear: 3 x 4 accumulators, 3 vectors of a and one of w, all 16. */
enum { LANES = 8, GROUP = 6, VECS = 2, DOT_ROWS = 3 };

typedef __m256  vf;
typedef __m256d vd;

/* All ones in the first n of 8 lanes. */
INLINE __m256i first(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* The same for 4 lanes of a double, or of a float in the half register. */
INLINE __m256i first_doubles(int n)
{
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}

INLINE __m128i first_half(int n)
{
    return _mm_cmpgt_epi32(_mm_set1_epi32(n), _mm_setr_epi32(0, 1, 2, 3));
}

INLINE vf vf_set(float x) { return _mm256_set1_ps(x); }
INLINE vf vf_load(const float *x) { return _mm256_loadu_ps(x); }
INLINE void vf_store(float *x, vf v) { _mm256_storeu_ps(x, v); }
INLINE vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
INLINE vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
INLINE vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
INLINE vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }   /* a b + c */
INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); } /* c - a b */
INLINE vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); } /* b where one of them is NaN */
INLINE vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); } /* the same */

INLINE vf vf_round(vf x)
{
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

INLINE float vf_sum(vf v)
{
    __m128 x = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    x        = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}

INLINE float vf_largest(vf v)
{
    __m128 x = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    x        = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}

/* The sums of four vectors at once: pairs of lanes across, then half onto half. */
INLINE void vf_sum_each(float *sum, vf a, vf b, vf c, vf d)
{
    vf all = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    _mm_storeu_ps(sum, _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1)));
}

INLINE vf vf_load_part(const float *x, int n, float fill)
{
    __m256i mask = first(n);
    return _mm256_blendv_ps(vf_set(fill), _mm256_maskload_ps(x, mask), _mm256_castsi256_ps(mask));
}

INLINE void vf_store_part(float *x, vf v, int n)
{
    _mm256_maskstore_ps(x, first(n), v);
}

/* v 2^n by writing n into an exponent: for n from -126 to 127, and infinity for 128. */
INLINE vf vf_times_power(vf v, vf n)
{
    __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return vf_mul(v, _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23)));
}

/* v, but 0 where x < limit; NaN is not below anything. */
INLINE vf vf_zero_below(vf v, vf x, vf limit)
{
    return _mm256_andnot_ps(_mm256_cmp_ps(x, limit, _CMP_LT_OQ), v);
}

INLINE vd vd_set(double x) { return _mm256_set1_pd(x); }
INLINE vd vd_add(vd a, vd b) { return _mm256_add_pd(a, b); }
INLINE vd vd_sub(vd a, vd b) { return _mm256_sub_pd(a, b); }
INLINE vd vd_mul(vd a, vd b) { return _mm256_mul_pd(a, b); }
INLINE vd vd_fma(vd a, vd b, vd c) { return _mm256_fmadd_pd(a, b, c); }
INLINE vd vd_fnma(vd a, vd b, vd c) { return _mm256_fnmadd_pd(a, b, c); }
INLINE vd vd_min(vd a, vd b) { return _mm256_min_pd(a, b); }
INLINE vd vd_max(vd a, vd b) { return _mm256_max_pd(a, b); }

INLINE vd vd_round(vd x)
{
    return _mm256_round_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

INLINE double vd_sum(vd v)
{
    __m128d x = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x)));
}

/* 2^n for a normal result. */
INLINE vd power(__m128i n)
{
    __m256i biased = _mm256_add_epi64(_mm256_cvtepi32_epi64(n), _mm256_set1_epi64x(1023));
    return _mm256_castsi256_pd(_mm256_slli_epi64(biased, 52));
}

/* v 2^n in two steps, since 2^n alone may lie outside the doubles where v 2^n does not. */
INLINE vd vd_times_power(vd v, vd n)
{
    __m128i whole = _mm256_cvtpd_epi32(n), half = _mm_srai_epi32(whole, 1);
    return vd_mul(vd_mul(v, power(half)), power(_mm_sub_epi32(whole, half)));
}

INLINE vd vd_load(const double *x) { return _mm256_loadu_pd(x); }
INLINE void vd_store(double *x, vd v) { _mm256_storeu_pd(x, v); }
INLINE vd vd_from_floats(const float *x) { return _mm256_cvtps_pd(_mm_loadu_ps(x)); }

INLINE vd vd_load_part(const double *x, int n)
{
    return _mm256_maskload_pd(x, first_doubles(n));
}

INLINE void vd_store_part(double *x, vd v, int n)
{
    _mm256_maskstore_pd(x, first_doubles(n), v);
}

INLINE vd vd_from_floats_part(const float *x, int n)
{
    return _mm256_cvtps_pd(_mm_maskload_ps(x, first_half(n)));
}

#include "wide.inc"

#include "wide_strip.inc"

#include "wide_attend.inc"
#include "wide_linear.inc"

typedef float left;

INLINE vf rounded(vf v)
{
    __m256i bits = _mm256_castps_si256(v);
    __m256i even = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i near = _mm256_add_epi32(bits, _mm256_add_epi32(even, _mm256_set1_epi32(0x7fff)));
    __m256i none = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    __m256i kept = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    near         = _mm256_blendv_epi8(near, kept, none);
    return _mm256_castsi256_ps(_mm256_and_si256(near, _mm256_set1_epi32((int)0xffff0000)));
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
    __m256i both = _mm256_loadu_si256((const __m256i *)pairs);
    if (high) return _mm256_castsi256_ps(_mm256_and_si256(both, _mm256_set1_epi32((int)0xffff0000)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(both, 16));
}

#include "wide_widened.inc"

#include "wide_bf16.inc"

#include "wide_attend_bf16.inc"

void avx2_fill(kernels *k)
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

void avx2_fill_bf16(kernels *k)
{
    k->columns       = PANEL_COLUMNS;
    k->left_bytes    = sizeof(left);
    k->operand       = operand;
    k->linear_packed = linear_packed;
    k->attend        = attend_narrow;
}

#endif
