// The inner loop of the gradient of RMS norm over some columns: two walks over rows that lie apart, in double.
// Included by inner_loops.h after row_kernel.h, whose doubles it uses.
#ifndef ORION_NORM_GRADIENT_KERNEL_H
#define ORION_NORM_GRADIENT_KERNEL_H
#include "vector.h"

enum { NORM_ROWS = 4 };  // rows that are read together: few places of the first-level cache are theirs

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

// The next rows: too short, and too far apart, for the processor to foresee.
INLINE void fetch_norm_rows(const float *values, size_t columns, size_t stride, size_t rows) {
  enum { LINE = 16 };
  for (size_t r = 0; r < orion_min(rows, NORM_ROWS); r++) {
    for (size_t c = 0; c < columns; c += LINE) __builtin_prefetch(values + r * stride + c);
  }
}

// Some rows' share of the sums over the rows, which are added up in order.
INLINE void add_norm_rows(const orion_norm_gradient_block *block, size_t first, const size_t rows,
                          double8 *squares, double8 *mixed) {
  const float *x = block->x + first * block->stride, *gradient = block->gradient + first * block->stride;
  for (size_t c = 0; c < block->columns; c += 8) {
    const size_t rest = block->columns - c;
    double8 square = squares[c / 8], mix = mixed[c / 8];
    for (size_t r = 0; r < rows; r++) {
      const double4 scale = all4(scale_at(block, first + r));
      const size_t at = r * block->stride + c;
      const double8 value = widen(load_part8(x + at, rest)), slope = widen(load_part8(gradient + at, rest));
      square.low = fma4(value.low, value.low, square.low);
      square.high = fma4(value.high, value.high, square.high);
      mix.low = fma4(slope.low * scale, value.low, mix.low);
      mix.high = fma4(slope.high * scale, value.high, mix.high);
    }
    squares[c / 8] = square;
    mixed[c / 8] = mix;
  }
}

INLINE void norm_sums(const orion_norm_gradient_block *block, double8 *squares, double8 *mixed) {
  size_t k = 0;
  for (; k + NORM_ROWS <= block->count; k += NORM_ROWS) {
    const size_t next = (k + NORM_ROWS) * block->stride, rest = block->count - k - NORM_ROWS;
    fetch_norm_rows(block->x + next, block->columns, block->stride, rest);
    fetch_norm_rows(block->gradient + next, block->columns, block->stride, rest);
    add_norm_rows(block, k, NORM_ROWS, squares, mixed);
  }
  add_norm_rows(block, k, block->count - k, squares, mixed);
}

static void norm_gradient_columns(const orion_norm_gradient_block *block) {
  double8 roots[NORM_COLUMNS / 8], shares[NORM_COLUMNS / 8];
  const size_t groups = orion_ceil_div(block->columns, 8);
  for (size_t g = 0; g < groups; g++) roots[g] = shares[g] = zero_doubles();
  norm_sums(block, roots, shares);
  for (size_t g = 0; g < groups; g++) {
    norm_factors4(block, &roots[g].low, &shares[g].low);
    norm_factors4(block, &roots[g].high, &shares[g].high);
  }
  for (size_t k = 0; k < block->count; k++) {
    const size_t row = k * block->stride;
    if (k % NORM_ROWS == 0) {
      const size_t next = row + NORM_ROWS * block->stride;
      const size_t rest = block->count - orion_min(block->count, k + NORM_ROWS);
      fetch_norm_rows(block->x + next, block->columns, block->stride, rest);
      fetch_norm_rows(block->gradient + next, block->columns, block->stride, rest);
      if (block->added != NULL) fetch_norm_rows(block->added + next, block->columns, block->stride, rest);
    }
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
