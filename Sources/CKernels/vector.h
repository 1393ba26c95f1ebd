// Vectors of eight floats and of four doubles, written once: avx2.c, avx512.c, neon.c, neon_fp16.c and
// portable.c compile the same text for different machines and get the same bits. It knows no kernel.
//
// KERNELS_AVX2, KERNELS_AVX512, KERNELS_NEON and KERNELS_FP16 are defined by the files that include this,
// which also give every function the target. Where none of them is set, plain C is meant.
#ifndef ORION_VECTOR_H
#define ORION_VECTOR_H
#include <string.h>

#include "kernels.h"

// Only the fused operations that are written out: results must not depend on the machine.
#pragma STDC FP_CONTRACT OFF

#define INLINE static inline __attribute__((always_inline))

typedef float float4 __attribute__((vector_size(16)));
typedef float float8 __attribute__((vector_size(32)));
typedef int32_t int8 __attribute__((vector_size(32)));
typedef uint32_t uint8 __attribute__((vector_size(32)));
typedef double double4 __attribute__((vector_size(32)));
typedef int64_t int4 __attribute__((vector_size(32)));
typedef uint64_t uint4 __attribute__((vector_size(32)));
typedef float loose8 __attribute__((vector_size(32), aligned(4), may_alias));

INLINE float8 load8(const float *source) { return *(const loose8 *)source; }
INLINE void store8(float *target, float8 value) { *(loose8 *)target = value; }

INLINE float8 all8(float x) { return (float8){x, x, x, x, x, x, x, x}; }
INLINE double4 all4(double x) { return (double4){x, x, x, x}; }

// The first `count` values, the rest 0.
INLINE float8 load_part8(const float *source, size_t count) {
  if (count >= 8) return load8(source);
  float buffer[8] = {0};
  memcpy(buffer, source, count * sizeof(float));
  return load8(buffer);
}
INLINE void store_part8(float *target, float8 value, size_t count) {
  if (count >= 8) return store8(target, value);
  float buffer[8];
  store8(buffer, value);
  memcpy(target, buffer, count * sizeof(float));
}

INLINE float8 fma8(float8 a, float8 b, float8 c) { return __builtin_elementwise_fma(a, b, c); }
INLINE double4 fma4(double4 a, double4 b, double4 c) { return __builtin_elementwise_fma(a, b, c); }
INLINE float8 abs8(float8 x) { return (float8)((int8)x & 0x7fffffff); }
INLINE double4 abs4(double4 x) { return (double4)((int4)x & INT64_MAX); }

// Where the mask is set a, else b.
INLINE float8 select8(int8 mask, float8 a, float8 b) {
  return (float8)((mask & (int8)a) | (~mask & (int8)b));
}
INLINE double4 select4(int4 mask, double4 a, double4 b) {
  return (double4)((mask & (int4)a) | (~mask & (int4)b));
}
INLINE double4 sign_of4(double4 magnitude, double4 sign) {
  return select4((int4){INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN}, sign, magnitude);
}
#if KERNELS_NEON
// The compiler passes a vector of eight as two registers; these are they.
INLINE float32x4_t low_half(float8 x) { return __builtin_shufflevector(x, x, 0, 1, 2, 3); }
INLINE float32x4_t high_half(float8 x) { return __builtin_shufflevector(x, x, 4, 5, 6, 7); }
INLINE float64x2_t low_pair(double4 x) { return __builtin_shufflevector(x, x, 0, 1); }
INLINE float64x2_t high_pair(double4 x) { return __builtin_shufflevector(x, x, 2, 3); }
INLINE float8 both_halves(float32x4_t low, float32x4_t high) {
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
}
INLINE bool any8(int8 mask) {
  const float8 bits = (float8)mask;
  const uint32x4_t low = vreinterpretq_u32_f32(low_half(bits));
  return vmaxvq_u32(vorrq_u32(low, vreinterpretq_u32_f32(high_half(bits)))) != 0;
}
INLINE bool any4(int4 mask) {
  const double4 bits = (double4)mask;
  const uint32x4_t low = vreinterpretq_u32_f64(low_pair(bits));
  return vmaxvq_u32(vorrq_u32(low, vreinterpretq_u32_f64(high_pair(bits)))) != 0;
}
#else
INLINE bool any8(int8 mask) { return __builtin_reduce_or(mask) != 0; }
INLINE bool any4(int4 mask) { return (mask[0] | mask[1] | mask[2] | mask[3]) != 0; }
#endif

// numpy's maximum and minimum: a NaN on either side is the result.
INLINE float8 max8(float8 a, float8 b) { return select8((a >= b) | (a != a), a, b); }
INLINE float8 min8(float8 a, float8 b) { return select8((a <= b) | (a != a), a, b); }
INLINE double4 max4(double4 a, double4 b) { return select4((a >= b) | (a != a), a, b); }
INLINE double4 min4(double4 a, double4 b) { return select4((a <= b) | (a != a), a, b); }

// ---- fp16 ----

#if KERNELS_AVX2
INLINE float8 widen8(const uint16_t *source) {
  return (float8)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)source));
}
INLINE void narrow8(uint16_t *target, float8 value) {
  _mm_storeu_si128((__m128i *)target, _mm256_cvtps_ph((__m256)value, _MM_FROUND_TO_NEAREST_INT));
}
INLINE float8 round_half8(float8 value) {
  return (float8)_mm256_cvtph_ps(_mm256_cvtps_ph((__m256)value, _MM_FROUND_TO_NEAREST_INT));
}
#elif KERNELS_NEON
INLINE float8 widen_halves(float16x8_t halves) {
  return both_halves(vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves));
}
INLINE float16x8_t to_halves(float8 value) {
  return vcvt_high_f16_f32(vcvt_f16_f32(low_half(value)), high_half(value));
}
INLINE float8 widen8(const uint16_t *source) {
  return widen_halves(vreinterpretq_f16_u16(vld1q_u16(source)));
}
INLINE void narrow8(uint16_t *target, float8 value) {
  vst1q_u16(target, vreinterpretq_u16_f16(to_halves(value)));
}
INLINE float8 round_half8(float8 value) { return widen_halves(to_halves(value)); }
#else
INLINE float8 widen8(const uint16_t *source) {
  typedef uint16_t half8 __attribute__((vector_size(16), aligned(2), may_alias));
  const uint8 bits = __builtin_convertvector(*(const half8 *)source, uint8);
  const uint8 sign = (bits & 0x8000) << 16, rest = (bits & 0x7fff) << 13;
  const uint8 exponent = rest & 0x0f800000;
  const uint8 normal = rest + (112u << 23);
  // A subnormal is put below 1.0's exponent of the same spacing, and that is subtracted again.
  const uint8 small = (uint8)((float8)(rest + (113u << 23)) - (float8)(rest - rest + (113u << 23)));
  const uint8 special = (rest + (224u << 23)) | ((uint8)((rest & 0x7fffff) != 0) & 0x400000);
  uint8 magnitude = (uint8)select8(exponent == 0, (float8)small, (float8)normal);
  magnitude = (uint8)select8(exponent == 0x0f800000, (float8)special, (float8)magnitude);
  return (float8)(sign | magnitude);
}
INLINE float8 round_half8(float8 value) {
  const uint8 bits = (uint8)value;
  const uint8 sign = bits & 0x80000000u, magnitude = bits & 0x7fffffff;
  const uint8 even = (magnitude >> 13) & 1;
  const uint8 normal = (magnitude + 0xfff + even) & ~0x1fffu;
  // Below 2^-14 the spacing is 2^-24, which is that of floats from 0.5 on.
  const uint8 small = (uint8)(((float8)magnitude + 0.5f) - 0.5f);
  const uint8 infinite = magnitude - magnitude + 0x7f800000;
  const uint8 nan = (magnitude & ~0x1fffu) | 0x400000;
  float8 result = select8(magnitude < 0x38800000, (float8)small, (float8)normal);
  result = select8(magnitude >= 0x477ff000, (float8)infinite, result);
  result = select8(magnitude > 0x7f800000, (float8)nan, result);
  return (float8)(sign | (uint8)result);
}
INLINE void narrow8(uint16_t *target, float8 value) {
  const uint8 bits = (uint8)round_half8(value);
  const uint8 magnitude = bits & 0x7fffffff;
  const uint8 normal = (magnitude - (112u << 23)) >> 13;
  const uint8 small = (uint8)((float8)magnitude + 0.5f) - 0x3f000000;
  const uint8 special = 0x7c00 | ((magnitude >> 13) & 0x3ff);
  uint8 result = (uint8)select8(magnitude < 0x38800000, (float8)small, (float8)normal);
  result = (uint8)select8(magnitude >= 0x7f800000, (float8)special, (float8)result);
  result |= (bits >> 16) & 0x8000;
  typedef uint16_t half8 __attribute__((vector_size(16), aligned(2), may_alias));
  *(half8 *)target = __builtin_convertvector(result, half8);
}
#endif

// ---- bytes ----

INLINE float8 widen_bytes8(const int8_t *source) {
  typedef int8_t bytes8 __attribute__((vector_size(8), aligned(1), may_alias));
  return __builtin_convertvector(__builtin_convertvector(*(const bytes8 *)source, int8), float8);
}

// ---- sixteen at once ----

#if KERNELS_AVX512
typedef float float16 __attribute__((vector_size(64)));
typedef int32_t int16 __attribute__((vector_size(64)));
typedef float loose16 __attribute__((vector_size(64), aligned(4), may_alias));
INLINE float16 load16(const float *source) { return *(const loose16 *)source; }
INLINE void store16(float *target, float16 value) { *(loose16 *)target = value; }
INLINE float16 all16(float x) { return (float16){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }
INLINE float16 fma16(float16 a, float16 b, float16 c) { return __builtin_elementwise_fma(a, b, c); }
INLINE float16 select16(int16 mask, float16 a, float16 b) {
  return (float16)((mask & (int16)a) | (~mask & (int16)b));
}
INLINE float16 max16(float16 a, float16 b) { return select16((a >= b) | (a != a), a, b); }
INLINE float16 widen16(const uint16_t *source) {
  return (float16)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)source));
}
INLINE float16 round_half16(float16 value) {
  return (float16)_mm512_cvtph_ps(_mm512_cvtps_ph((__m512)value, _MM_FROUND_TO_NEAREST_INT));
}
// Infinite of its sign where the magnitude has reached the limit.
INLINE float16 overflow16(float16 value, float limit) {
  const __m512i bits = (__m512i)value, infinity = _mm512_set1_epi32(0x7f800000);
  const __m512i sign = _mm512_andnot_si512(_mm512_set1_epi32(INT32_MAX), bits);
  const __m512 magnitude = (__m512)_mm512_andnot_si512(_mm512_set1_epi32(INT32_MIN), bits);
  const __mmask16 over = _mm512_cmp_ps_mask(magnitude, _mm512_set1_ps(limit), _CMP_GE_OQ);
  return (float16)_mm512_mask_or_epi32(bits, over, sign, infinity);
}
INLINE float16 widen_bytes16(const int8_t *source) {
  const __m128i bytes = _mm_loadu_si128((const __m128i *)source);
  return (float16)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}
#endif

// ---- floats and doubles ----

INLINE double4 low4(float8 x) {
  return __builtin_convertvector(__builtin_shufflevector(x, x, 0, 1, 2, 3), double4);
}
INLINE double4 high4(float8 x) {
  return __builtin_convertvector(__builtin_shufflevector(x, x, 4, 5, 6, 7), double4);
}
INLINE float8 join8(double4 low, double4 high) {
  const float4 a = __builtin_convertvector(low, float4), b = __builtin_convertvector(high, float4);
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
}
// Cuts a double to a float's 24 bits, setting the last one if anything was lost ("round to odd"):
// rounding that to fp16 gives what rounding the double once would give.
#if KERNELS_NEON
INLINE float32x4_t odd4(double4 x) {
  return vcvtx_high_f32_f64(vcvtx_f32_f64(low_pair(x)), high_pair(x));
}
INLINE float8 join_half8(double4 low, double4 high) {
  return round_half8(both_halves(odd4(low), odd4(high)));
}
#else
INLINE double4 odd4(double4 x) {
  const uint64_t lost = (UINT64_C(1) << 29) - 1;
  const uint4 bits = (uint4)x;
  return (double4)((bits & ~lost) | (((bits & lost) + lost) & (lost + 1)));
}
INLINE float8 join_half8(double4 low, double4 high) {
  return round_half8(join8(odd4(low), odd4(high)));
}
#endif

// ---- eight doubles at once ----

#if KERNELS_AVX512
typedef double double8d __attribute__((vector_size(64)));
typedef int64_t int8d __attribute__((vector_size(64)));
typedef uint64_t uint8d __attribute__((vector_size(64)));
INLINE double8d all8d(double x) { return (double8d){x, x, x, x, x, x, x, x}; }
INLINE double8d fma8d(double8d a, double8d b, double8d c) { return __builtin_elementwise_fma(a, b, c); }
INLINE double8d abs8d(double8d x) { return (double8d)((int8d)x & INT64_MAX); }
INLINE double8d select8d(int8d mask, double8d a, double8d b) {
  return (double8d)((mask & (int8d)a) | (~mask & (int8d)b));
}
INLINE double8d sign_of8d(double8d magnitude, double8d sign) {
  return select8d((int8d)all8d(-0.0), sign, magnitude);
}
INLINE double8d widen8d(float8 x) { return __builtin_convertvector(x, double8d); }
INLINE float8 join8d(double8d x) { return __builtin_convertvector(x, float8); }
INLINE float8 join_half8d(double8d x) {
  const uint64_t lost = (UINT64_C(1) << 29) - 1;
  const uint8d bits = (uint8d)x;
  return round_half8(join8d((double8d)((bits & ~lost) | (((bits & lost) + lost) & (lost + 1)))));
}
#endif

#endif
