// One instruction of an element-wise chain over a block of values. Included by
// the files that make a table.
#ifndef ORION_CHAIN_KERNEL_H
#define ORION_CHAIN_KERNEL_H
#include "function.h"

// Arithmetic whose fp32 result, rounded to fp16, is the exact result rounded once when the
// operands are fp16.
#define EACH(expression)                                               \
  for (size_t i = 0; i < count; i += 8) {                              \
    const float8 x = load8(left + i);                                  \
    store8(target + i, half ? round_half8(expression) : (expression)); \
  }                                                                    \
  return
#define EACH_PAIR(expression)                                          \
  for (size_t i = 0; i < count; i += 8) {                              \
    const float8 x = load8(left + i), y = load8(right + i);            \
    store8(target + i, half ? round_half8(expression) : (expression)); \
  }                                                                    \
  return
// Functions computed in double and rounded once.
#define EACH_WIDE(function)                                              \
  for (size_t i = 0; i < count; i += 8) {                                \
    const float8 x = load8(left + i);                                    \
    const double4 low = function(low4(x)), high = function(high4(x));    \
    store8(target + i, half ? join_half8(low, high) : join8(low, high)); \
  }                                                                      \
  return

// The same of functions that come in every width.
#if KERNELS_AVX512
#define DOUBLED(function, x, half) \
  ((half) ? join_half8d(function##8d(widen8d(x))) : join8d(function##8d(widen8d(x))))
#else
#define DOUBLED(function, x, half)                                  \
  ((half) ? join_half8(function##4(low4(x)), function##4(high4(x))) \
          : join8(function##4(low4(x)), function##4(high4(x))))
#endif
#define EACH_DOUBLED(function)                                    \
  for (size_t i = 0; i < count; i += 8) {                         \
    store8(target + i, DOUBLED(function, load8(left + i), half)); \
  }                                                               \
  return

// The same, rounded to fp16: in fp32 where both ends of its margin round to one value, which is
// nearly everywhere. Eight doubles at once are faster than both ends.
#if KERNELS_AVX512
#define EACH_NEAR(near, function) EACH_DOUBLED(function)
#else
#define EACH_NEAR(near, function)                                               \
  if (half) {                                                                   \
    for (size_t i = 0; i < count; i += 8) {                                     \
      const float8 x = load8(left + i);                                         \
      const near8 found = near(x);                                              \
      const float8 reach = found.value * found.margin;                          \
      const float8 result = round_half8(found.value + reach); /* keeps -0 */    \
      const int8 sure = (result == round_half8(found.value - reach)) &          \
                        (abs8(x) <= 65504);                                     \
      store8(target + i, result);                                               \
      if (!any8(~sure)) continue;                                               \
      store8(target + i, DOUBLED(function, x, true));                           \
    }                                                                           \
    return;                                                                     \
  }                                                                             \
  EACH_DOUBLED(function)
#endif

INLINE float8 sign8(float8 x) {
  return select8(x > 0, all8(1), select8(x < 0, all8(-1), select8(x == 0, all8(0), x)));
}
INLINE float8 relu8(float8 x) { return select8((x > 0) | (x != x), x, all8(0)); }

// x^y through the C library, but for squares.
INLINE double4 power4(double4 x, double4 y) {
  double4 result = x * x;
  const int4 other = y != 2;
  if (!any4(other)) return result;
  for (int i = 0; i < 4; i++) {
    if (other[i]) result[i] = pow(x[i], y[i]);
  }
  return result;
}

INLINE void power_block(const float *left, const float *right, float *target, size_t count,
                        bool half) {
  for (size_t i = 0; i < count; i += 8) {
    const float8 x = load8(left + i), y = load8(right + i);
    const double4 low = power4(low4(x), low4(y)), high = power4(high4(x), high4(y));
    store8(target + i, half ? join_half8(low, high) : join8(low, high));
  }
}

INLINE void run_instruction(const orion_chain_instruction *instruction, const float *left,
                            const float *right, float *target, size_t count, const bool half) {
  const float first = instruction->immediate[0], second = instruction->immediate[1];
#define INVERSE_ROOT(v) (1 / __builtin_elementwise_sqrt((v) + (double)first))
#define INVERSE(v) (1 / ((v) + (double)first))
#define LOG(v) log4((v) + (double)first)
#define SINE(v) sine4(v, 0)
#define COSINE(v) sine4(v, 1)
  switch (instruction->op) {
    case ORION_ADD: EACH_PAIR(x + y);
    case ORION_SUB: EACH_PAIR(x - y);
    case ORION_MUL: EACH_PAIR(x * y);
    case ORION_DIV: EACH_PAIR(x / y);
    case ORION_MAX: EACH_PAIR(max8(x, y));
    case ORION_MIN: EACH_PAIR(min8(x, y));
    case ORION_POW: return power_block(left, right, target, count, half);
    case ORION_ABS: EACH(abs8(x));
    case ORION_NEG: EACH(-x);
    case ORION_SQUARE: EACH(x * x);
    case ORION_SQRT: EACH(__builtin_elementwise_sqrt(x));
    case ORION_RSQRT: EACH_WIDE(INVERSE_ROOT);
    case ORION_INVERSE: EACH_WIDE(INVERSE);
    case ORION_EXP: EACH_NEAR(exp_near8, exp);
    case ORION_EXP2: EACH_WIDE(exp2_4);
    case ORION_LOG: EACH_WIDE(LOG);
    case ORION_SIN: EACH_WIDE(SINE);
    case ORION_COS: EACH_WIDE(COSINE);
    case ORION_TANH: EACH_DOUBLED(tanh);
    case ORION_SIGMOID: EACH_NEAR(sigmoid_near8, sigmoid);
    case ORION_SILU: EACH_NEAR(silu_near8, silu);
    case ORION_RELU: EACH(relu8(x));
    case ORION_ERF: EACH_DOUBLED(erf);
    case ORION_GELU_EXACT: EACH_DOUBLED(gelu_exact);
    case ORION_GELU_TANH: EACH_NEAR(gelu_tanh_near8, gelu_tanh);
    case ORION_GELU_SIGMOID: EACH_DOUBLED(gelu_sigmoid);
    case ORION_FLOOR: EACH(__builtin_elementwise_floor(x));
    case ORION_CEIL: EACH(__builtin_elementwise_ceil(x));
    case ORION_ROUND_EVEN: EACH(__builtin_elementwise_roundeven(x));
    case ORION_SIGN: EACH(sign8(x));
    case ORION_CLIP: EACH(min8(max8(x, all8(first)), all8(second)));
    case ORION_MOVE: EACH(x);
  }
}

static void chain_exact(const orion_chain_instruction *instruction, const float *left,
                        const float *right, float *target, size_t count) {
  run_instruction(instruction, left, right, target, count, false);
}
static void chain_half(const orion_chain_instruction *instruction, const float *left,
                       const float *right, float *target, size_t count) {
  run_instruction(instruction, left, right, target, count, true);
}
static void chain_any(const orion_chain_instruction *instruction, const float *left,
                      const float *right, float *target, size_t count) {
  if (instruction->rounding == ORION_ROUND_NONE) {
    chain_exact(instruction, left, right, target, count);
  } else {
    chain_half(instruction, left, right, target, count);
  }
}

#endif
