// The functions of one variable, in double, accurate to a few units in its last place: rounding
// their result to fp32 or fp16 gives the nearest value but for rare near-ties. And the
// exponential in fp32 for softmax.
#ifndef ORION_FUNCTION_H
#define ORION_FUNCTION_H
#include "vector.h"

#define POLYNOMIAL(x, terms) LANES(polynomial)(x, terms, sizeof(terms) / sizeof *(terms))

static const double exp_shift = 0x1.8p52;  // adding it rounds to an integer
static const double exp_lowest = -708, exp_highest = 709;

#define DOUBLES double4
#define DOUBLES_BITS uint4
#define LANES(name) name##4
#include "exponential.h"
#if KERNELS_AVX512
#define DOUBLES double8d
#define DOUBLES_BITS uint8d
#define LANES(name) name##8d
#include "exponential.h"
#endif
#define LANES(name) name##4

INLINE double4 exp2_4(double4 x) {
  const double4 held = select4(x < -1021, all4(-1021), select4(x > 1023, all4(1023), x));
  const double4 shifted = held + exp_shift;
  const exp_in_parts4 parts =
      exp_from_parts4(shifted, (held - (shifted - exp_shift)) * 0x1.62e42fefa39efp-1);
  const double4 inner = fma4(parts.power, parts.rest, parts.power);
  return select4(x < -1021, all4(0), select4(x >= 1024, infinity4(), inner));
}

// ---- logarithm ----

// For finite doubles that are 0 or at least the smallest normal one, which widened floats are.
INLINE double4 log4(double4 x) {
  // x = m 2^e with m from sqrt(1/2) to sqrt(2); log m = 2 atanh(s), s = (m - 1) / (m + 1).
  static const double terms[] = {2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13, 2.0 / 11,
                                 2.0 / 9,  2.0 / 7,  2.0 / 5,  2.0 / 3};
  const uint64_t root = 0x3fe6a09e667f3bcd, one = 0x3ff0000000000000;
  const uint4 bits = (uint4)x + (one - root);
  const double4 e = (double4)((bits >> 52) | 0x4330000000000000) - (0x1p52 + 1023);
  const double4 m = (double4)((bits & 0x000fffffffffffff) + root);
  const double4 s = (m - 1) / (m + 1), square = s * s;
  const double4 log_m = fma4(s * square, POLYNOMIAL(square, terms), 2 * s);
  const double4 inner =
      fma4(e, all4(0x1.62e42fefa39efp-1), fma4(e, all4(0x1.abc9e3b39803fp-56), log_m));
  const double4 outer = select4(x == 0, -infinity4(), select4(x > 0, x, all4(__builtin_nan(""))));
  return select4((x > 0) & (x < infinity4()), inner, select4(x != x, x, outer));
}

// ---- sine and cosine ----

// sin(x + quarter pi/2) for |x| < 2^30; the C library beyond.
INLINE double4 sine4(double4 x, int64_t quarter) {
  static const double sine[] = {1.605904383682161e-10,  -2.505210838544172e-08,
                                2.7557319223985893e-06, -1.984126984126984e-04,
                                8.333333333333333e-03,  -1.6666666666666666e-01};
  static const double cosine[] = {4.779477332387385e-14,  -1.1470745597729725e-11,
                                  2.08767569878681e-09,   -2.755731922398589e-07,
                                  2.48015873015873e-05,   -1.3888888888888889e-03,
                                  4.1666666666666664e-02, -0.5};
  const double4 shifted = fma4(x, all4(0x1.45f306dc9c883p-1), all4(exp_shift));
  const double4 n = shifted - exp_shift;
  double4 r = fma4(n, all4(-0x1.921fb54442d18p+0), x);
  r = fma4(n, all4(-0x1.1a62633145c07p-54), r);
  const double4 square = r * r;
  const double4 as_sine = fma4(r * square, POLYNOMIAL(square, sine), r);
  const double4 as_cosine = fma4(square, POLYNOMIAL(square, cosine), all4(1));
  const int4 turn = (int4)shifted + quarter;
  double4 result = select4((turn & 1) != 0, as_cosine, as_sine);
  result = select4((turn & 2) != 0, -result, result);
  if (quarter == 0) result = select4(x == 0, x, result);  // keeps the sign of 0
  const int4 far = ~(abs4(x) < 0x1p30);
  if (!any4(far)) return result;
  for (int i = 0; i < 4; i++) {
    if (far[i]) result[i] = quarter == 0 ? sin(x[i]) : cos(x[i]);
  }
  return result;
}

// ---- the exponential in fp32 ----

#undef LANES
#define FLOATS float8
#define FLOATS_BITS int8
#define LANES(name) name##8
#include "float_exponential.h"
#if KERNELS_AVX512
#define FLOATS float16
#define FLOATS_BITS int16
#define LANES(name) name##16
#include "float_exponential.h"
#endif

// ---- functions in fp32 that come close enough for fp16, mostly ----

// A value that is off by at most `margin` of itself.
typedef struct {
  float8 value, margin;
} near8;

// x is held within what fp16 can tell apart.
INLINE float8 exp_held8(float8 x) {
  const float_exp_parts8 parts = float_exp_in_parts8(min8(max8(x, all8(-40)), all8(40)));
  return parts.fraction * (float8)((parts.power + 127) << 23);
}
INLINE near8 exp_near8(float8 x) { return (near8){exp_held8(x), all8(0x1p-21f)}; }
INLINE near8 sigmoid_near8(float8 x) {
  return (near8){1 / (1 + exp_held8(-x)), all8(0x1p-20f)};
}
INLINE near8 silu_near8(float8 x) { return (near8){x / (1 + exp_held8(-x)), all8(0x1p-20f)}; }
INLINE near8 gelu_tanh_near8(float8 x) {
  const float8 u = x * fma8(x * x, all8(0.044715f), all8(1)) * (2 * 0.79788456080286535588f);
  // The error of u is one of the exponential, relative.
  const float8 held = min8(abs8(u), all8(40));
  return (near8){x / (1 + exp_held8(-u)), fma8(held, all8(0x1p-21f), all8(0x1p-20f))};
}

#endif
