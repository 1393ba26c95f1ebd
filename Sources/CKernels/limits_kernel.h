// Loops that do nothing but what limits the machine: multiply-adds in registers, reads, copies.
// Included by the files that make a table.
#ifndef ORION_LIMITS_KERNEL_H
#define ORION_LIMITS_KERNEL_H
#include "vector.h"

#if KERNELS_AVX512
typedef float16 widest;
#define ALL_WIDEST all16
#define FMA_WIDEST fma16
#else
typedef float8 widest;
#define ALL_WIDEST all8
#define FMA_WIDEST fma8
#endif

enum { FMA_CHAINS = 12 };  // as many as hide the latency of the multiply-add

// Returns something of what was computed, so that the compiler leaves nothing out.
static float burn_run(size_t rounds) {
  widest sums[FMA_CHAINS];
  // From memory: a chain whose value the compiler sees standing still would be left out.
  static const volatile float numbers[] = {0.999f, 1e-3f};
  const widest factor = ALL_WIDEST(numbers[0]), term = ALL_WIDEST(numbers[1]);
#pragma clang loop unroll(full)
  for (int i = 0; i < FMA_CHAINS; i++) sums[i] = ALL_WIDEST((float)i);
#pragma clang loop unroll(disable)
  for (size_t round = 0; round < rounds; round++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < FMA_CHAINS; i++) sums[i] = FMA_WIDEST(sums[i], factor, term);
  }
  widest sum = sums[0];
#pragma clang loop unroll(full)
  for (int i = 1; i < FMA_CHAINS; i++) sum = sum + sums[i];
  return sum[0];
}

// `count` is a multiple of 64.
static float read_run(const float *values, size_t count) {
  float8 sums[8] = {0};
  for (size_t i = 0; i < count; i += 64) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 8; j++) sums[j] += load8(values + i + 8 * j);
  }
  float8 sum = sums[0];
  for (int j = 1; j < 8; j++) sum += sums[j];
  return sum[0];
}

static void copy_run(const float *source, float *target, size_t count) {
  for (size_t i = 0; i < count; i += 64) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 8; j++) store8(target + i + 8 * j, load8(source + i + 8 * j));
  }
}

#endif
