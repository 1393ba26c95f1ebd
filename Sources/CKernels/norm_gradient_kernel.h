// The inner loop of the gradient of RMS norm over some columns: two walks over rows that lie apart, in double.
// Included by inner_loops.h after row_kernel.h, whose columns it shares.
#ifndef ORION_NORM_GRADIENT_KERNEL_H
#define ORION_NORM_GRADIENT_KERNEL_H
#include "vector.h"

INLINE double8 zero_doubles(void) { return (double8){all4(0), all4(0)}; }

// 1 / sqrt(mean of x^2 + epsilon), and what of x the gradient takes away, from sums of x^2 and of x slope.
INLINE void norm_factors4(const orion_norm_gradient_block *block, double4 *squares, double4 *mixed) {
  const double4 count = all4((double)block->count);
  const double4 root = __builtin_elementwise_sqrt(*squares / count + block->epsilon);
  *squares = 1 / root;
  *mixed = *mixed / count * *squares * *squares * *squares;
}

INLINE double scale_at(const orion_norm_gradient_block *block, size_t k) {
  return block->gamma == NULL ? 1 : (double)block->gamma[k];
}

// Sums over the rows, in order.
INLINE void norm_sums(const orion_norm_gradient_block *block, double8 *squares, double8 *mixed) {
  for (size_t k = 0; k < block->count; k++) {
    const float *x = block->x + k * block->stride, *gradient = block->gradient + k * block->stride;
    const double4 scale = all4(scale_at(block, k));
    for (size_t c = 0; c < block->columns; c += 8) {
      const size_t rest = block->columns - c;
      const double8 value = widen(load_part8(x + c, rest)), slope = widen(load_part8(gradient + c, rest));
      double8 *square = &squares[c / 8], *mix = &mixed[c / 8];
      square->low = fma4(value.low, value.low, square->low);
      square->high = fma4(value.high, value.high, square->high);
      mix->low = fma4(slope.low * scale, value.low, mix->low);
      mix->high = fma4(slope.high * scale, value.high, mix->high);
    }
  }
}

static void norm_gradient_columns(const orion_norm_gradient_block *block) {
  double8 roots[ROW_COLUMNS / 8], shares[ROW_COLUMNS / 8];
  const size_t groups = orion_ceil_div(block->columns, 8);
  for (size_t g = 0; g < groups; g++) roots[g] = shares[g] = zero_doubles();
  norm_sums(block, roots, shares);
  for (size_t g = 0; g < groups; g++) {
    norm_factors4(block, &roots[g].low, &shares[g].low);
    norm_factors4(block, &roots[g].high, &shares[g].high);
  }
  for (size_t k = 0; k < block->count; k++) {
    const size_t row = k * block->stride;
    const double4 scale = all4(scale_at(block, k));
    double8 sum = zero_doubles();
    for (size_t c = 0; c < block->columns; c += 8) {
      const size_t rest = block->columns - c;
      const double8 value = widen(load_part8(block->x + row + c, rest));
      const double8 slope = widen(load_part8(block->gradient + row + c, rest));
      const double8 root = roots[c / 8], share = shares[c / 8];
      const double8 added =
          block->added == NULL ? zero_doubles() : widen(load_part8(block->added + row + c, rest));
      // Of the norm without its factors by its result.
      const double4 low = slope.low * root.low, high = slope.high * root.high;
      sum.low = fma4(low, value.low, sum.low);
      sum.high = fma4(high, value.high, sum.high);
      store_part8(block->y + row + c,
                  join8(fma4(low, scale, added.low) - value.low * share.low,
                        fma4(high, scale, added.high) - value.high * share.high),
                  rest);
    }
    if (block->gamma_sums == NULL) continue;
    const double4 pairs = sum.low + sum.high;
    block->gamma_sums[k] = (pairs[0] + pairs[1]) + (pairs[2] + pairs[3]);
  }
}

#endif
