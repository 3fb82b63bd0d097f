/* AVX-512 F, BW, DQ and VL: sixteen floats at once, tails by mask registers. */
#ifdef __x86_64__

#include "sets.h"

#include <immintrin.h>

/* Attention: a block of 6 x 4 accumulators, 4 vectors of b and one of a, 29 of 32 registers.
 * Linear: 6 x 4 accumulators, 6 vectors of a and one of w, 31. */
enum { LANES = 16, GROUP = 6, VECS = 4, DOT_ROWS = 6 };

typedef __m512  vf;
typedef __m512d vd;

INLINE __mmask16 first(int n)
{
    return (__mmask16)((1u << n) - 1);
}

INLINE __mmask8 first_doubles(int n)
{
    return (__mmask8)((1u << n) - 1);
}

INLINE vf vf_set(float x) { return _mm512_set1_ps(x); }
INLINE vf vf_load(const float *x) { return _mm512_loadu_ps(x); }
INLINE void vf_store(float *x, vf v) { _mm512_storeu_ps(x, v); }
INLINE vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
INLINE vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
INLINE vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
INLINE vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }   /* a b + c */
INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); } /* c - a b */
INLINE vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); } /* b where one of them is NaN */
INLINE vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); } /* the same */
INLINE float vf_largest(vf v) { return _mm512_reduce_max_ps(v); }

INLINE vf vf_round(vf x)
{
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* Halves onto halves: the compiler's own reduction is free to choose another order. */
INLINE float vf_sum(vf v)
{
    __m256 y = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 x = _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
    x        = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}

/* The sums of four vectors at once: pairs of lanes across, then quarters onto quarters. */
INLINE void vf_sum_each(float *sum, vf a, vf b, vf c, vf d)
{
    vf ab    = vf_add(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    vf cd    = vf_add(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    vf low   = _mm512_shuffle_ps(ab, cd, 0x44);
    vf all   = vf_add(low, _mm512_shuffle_ps(ab, cd, 0xee));
    __m256 y = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
    _mm_storeu_ps(sum, _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1)));
}

INLINE vf vf_load_part(const float *x, int n, float fill)
{
    return _mm512_mask_loadu_ps(_mm512_set1_ps(fill), first(n), x);
}

INLINE void vf_store_part(float *x, vf v, int n)
{
    _mm512_mask_storeu_ps(x, first(n), v);
}

/* v 2^n */
INLINE vf vf_times_power(vf v, vf n)
{
    return _mm512_scalef_ps(v, n);
}

/* v, but 0 where x < limit; NaN is not below anything. */
INLINE vf vf_zero_below(vf v, vf x, vf limit)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, limit, _CMP_NLT_UQ), v);
}

INLINE vd vd_set(double x) { return _mm512_set1_pd(x); }
INLINE vd vd_add(vd a, vd b) { return _mm512_add_pd(a, b); }
INLINE vd vd_sub(vd a, vd b) { return _mm512_sub_pd(a, b); }
INLINE vd vd_mul(vd a, vd b) { return _mm512_mul_pd(a, b); }
INLINE vd vd_fma(vd a, vd b, vd c) { return _mm512_fmadd_pd(a, b, c); }
INLINE vd vd_fnma(vd a, vd b, vd c) { return _mm512_fnmadd_pd(a, b, c); }
INLINE vd vd_min(vd a, vd b) { return _mm512_min_pd(a, b); }
INLINE vd vd_max(vd a, vd b) { return _mm512_max_pd(a, b); }

INLINE double vd_sum(vd v)
{
    __m256d y = _mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1));
    __m128d x = _mm_add_pd(_mm256_castpd256_pd128(y), _mm256_extractf128_pd(y, 1));
    return _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x)));
}

INLINE vd vd_round(vd x)
{
    return _mm512_roundscale_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

INLINE vd vd_times_power(vd v, vd n)
{
    return _mm512_scalef_pd(v, n);
}

INLINE vd vd_load(const double *x) { return _mm512_loadu_pd(x); }
INLINE void vd_store(double *x, vd v) { _mm512_storeu_pd(x, v); }
INLINE vd vd_from_floats(const float *x) { return _mm512_cvtps_pd(_mm256_loadu_ps(x)); }

INLINE vd vd_load_part(const double *x, int n)
{
    return _mm512_maskz_loadu_pd(first_doubles(n), x);
}

INLINE void vd_store_part(double *x, vd v, int n)
{
    _mm512_mask_storeu_pd(x, first_doubles(n), v);
}

INLINE vd vd_from_floats_part(const float *x, int n)
{
    return _mm512_cvtps_pd(_mm256_maskz_loadu_ps(first_doubles(n), x));
}

#include "wide.inc"

#include "wide_attend.inc"
#include "wide_linear.inc"

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

#endif
