// The inner loops of softmax in fp32 and of attention's probabilities. Included by
// the files that make a table.
#ifndef ORION_SOFTMAX_KERNEL_H
#define ORION_SOFTMAX_KERNEL_H
#include "row_kernel.h"

INLINE float highest_of8(float8 x) {
  float highest = x[0];
  for (int i = 1; i < 8; i++) highest = x[i] > highest || x[i] != x[i] ? x[i] : highest;
  return highest;
}

// Lanes beyond the end become -infinity, whose exponential is 0.
INLINE float8 lowest_beyond8(float8 value, size_t count) {
  if (count >= 8) return value;
  const int8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
  return select8(lane < (int32_t)count, value, all8(-__builtin_inff()));
}
INLINE float8 load_scores8(const float *scores, size_t count) {
  return lowest_beyond8(load_part8(scores, count), count);
}

static float row_highest(const float *x, size_t count) {
  float8 highest = all8(-__builtin_inff()), other = highest;
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    highest = max8(load8(x + i), highest);
    other = max8(load8(x + i + 8), other);
  }
  for (; i < count; i += 8) highest = max8(load_scores8(x + i, count - i), highest);
  return highest_of8(max8(highest, other));
}

INLINE double sum_of4(double4 x) { return (x[0] + x[2]) + (x[1] + x[3]); }

// Multiples of 2^-34 below 2^18 add up without rounding in a double, in any order. The largest
// term is 1, so what the cut loses is lost far below fp32's last place.
INLINE double8 add_cut(double8 sum, float8 value) {
  const double cut = 0x1.8p18;
  return (double8){sum.low + ((low4(value) + cut) - cut), sum.high + ((high4(value) + cut) - cut)};
}

static double probabilities_row(float *scores, size_t count, float top) {
  double8 sum = {0};
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const float8 value = exp_weight8(load8(scores + i) - top);
    store8(scores + i, value);
    sum = add_cut(sum, value);
  }
  if (i < count) {
    const float8 value = exp_weight8(load_scores8(scores + i, count - i) - top);
    store_part8(scores + i, value, count - i);
    sum = add_cut(sum, value);
  }
  return sum_of4(sum.low + sum.high);
}

// What it returns is -infinity beyond the end.
INLINE float8 scale_mask8(float *scores, const float *mask, float scale, size_t count) {
  float8 value = load_part8(scores, count) * scale;
  if (mask != NULL) value += load_part8(mask, count);
  store_part8(scores, value, count);
  return lowest_beyond8(value, count);
}

static float scale_mask_row(float *scores, const float *mask, float scale, size_t count) {
  float8 highest = all8(-__builtin_inff()), other = highest;
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const float *added = mask == NULL ? NULL : mask + i;
    highest = max8(scale_mask8(scores + i, added, scale, 8), highest);
    other = max8(scale_mask8(scores + i + 8, added == NULL ? NULL : added + 8, scale, 8), other);
  }
  for (; i < count; i += 8) {
    const float *added = mask == NULL ? NULL : mask + i;
    highest = max8(scale_mask8(scores + i, added, scale, orion_min(8, count - i)), highest);
  }
  return highest_of8(max8(highest, other));
}

// ---- a panel: sixteen rows side by side ----

#if KERNELS_AVX512
#define SIDE_BY_SIDE(name) name##16
typedef float16 side_by_side;
typedef struct {
  double8d low, high;
} side_sums;
INLINE side_sums add_cut_side(side_sums sums, float16 value) {
  const double cut = 0x1.8p18;
  const double8d low = widen8d(__builtin_shufflevector(value, value, 0, 1, 2, 3, 4, 5, 6, 7));
  const double8d high = widen8d(__builtin_shufflevector(value, value, 8, 9, 10, 11, 12, 13, 14, 15));
  return (side_sums){sums.low + ((low + cut) - cut), sums.high + ((high + cut) - cut)};
}
#else
#define SIDE_BY_SIDE(name) name##8
typedef float8 side_by_side;
typedef double8 side_sums;
INLINE side_sums add_cut_side(side_sums sums, float8 value) { return add_cut(sums, value); }
#endif
enum { SIDES = sizeof(side_by_side) / sizeof(float) };

static void panel_tops(float *scores, const float *mask, float scale, size_t count, float *tops) {
  enum { CHAINS = 4 };
  for (size_t c = 0; c < PANEL; c += SIDES) {
    side_by_side top[CHAINS];
    for (size_t i = 0; i < CHAINS; i++) top[i] = SIDE_BY_SIDE(load)(tops + c);
    for (size_t k = 0; k < count; k += CHAINS) {
#pragma clang loop unroll(full)
      for (size_t i = 0; i < CHAINS; i++) {
        if (k + i >= count) break;
        float *place = scores + (k + i) * PANEL + c;
        side_by_side value = SIDE_BY_SIDE(load)(place) * scale;
        if (mask != NULL) value += SIDE_BY_SIDE(load)(mask + (k + i) * PANEL + c);
        SIDE_BY_SIDE(store)(place, value);
        top[i] = SIDE_BY_SIDE(max)(value, top[i]);
      }
    }
    const side_by_side a = SIDE_BY_SIDE(max)(top[0], top[1]), b = SIDE_BY_SIDE(max)(top[2], top[3]);
    SIDE_BY_SIDE(store)(tops + c, SIDE_BY_SIDE(max)(a, b));
  }
}

static void panel_exponentials(float *scores, const float *tops, size_t count, double *sums) {
  for (size_t c = 0; c < PANEL; c += SIDES) {
    const side_by_side top = SIDE_BY_SIDE(load)(tops + c);
    side_sums sum;
    memcpy(&sum, sums + c, sizeof sum);
    for (size_t k = 0; k < count; k++) {
      float *place = scores + k * PANEL + c;
      const side_by_side value = SIDE_BY_SIDE(exp_weight)(SIDE_BY_SIDE(load)(place) - top);
      SIDE_BY_SIDE(store)(place, value);
      sum = add_cut_side(sum, value);
    }
    memcpy(sums + c, &sum, sizeof sum);
  }
}

static void panel_quotients(const float *values, size_t step, const double *sums, size_t count, float *y,
                            size_t y_step) {
  float divisors[PANEL];
  for (size_t c = 0; c < PANEL; c++) divisors[c] = (float)sums[c];
  for (size_t k = 0; k < count; k++, values += step, y += y_step) {
    for (size_t c = 0; c < PANEL; c += SIDES) {
      SIDE_BY_SIDE(store)(y + c, SIDE_BY_SIDE(load)(values + c) / SIDE_BY_SIDE(load)(divisors + c));
    }
  }
}

// ---- rows ----

// The sum runs in double over eight partial sums.
static void slopes_row(float *weights, float *slopes, float sum, size_t count) {
  double8 partial = {0};
  for (size_t i = 0; i < count; i += 8) {
    const float8 weight = load_part8(weights + i, count - i) / sum;
    const float8 slope = load_part8(slopes + i, count - i);
    store_part8(weights + i, weight, count - i);
    partial.low += low4(weight) * low4(slope);
    partial.high += high4(weight) * high4(slope);
  }
  const float mean = (float)sum_of4(partial.low + partial.high);
  for (size_t i = 0; i < count; i += 8) {
    const float8 weight = load_part8(weights + i, count - i);
    const float8 slope = load_part8(slopes + i, count - i);
    store_part8(slopes + i, weight * (slope - mean), count - i);
  }
}

static void softmax_row(const float *x, float *y, size_t count) {
  const float top = row_highest(x, count);
  double8 sum = {0};
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const float8 value = exp_weight8(load8(x + i) - top);
    store8(y + i, value);
    sum = (double8){sum.low + low4(value), sum.high + high4(value)};
  }
  if (i < count) {
    const float8 value = exp_weight8(load_scores8(x + i, count - i) - top);
    store_part8(y + i, value, count - i);
    sum = (double8){sum.low + low4(value), sum.high + high4(value)};
  }
  const float total = (float)sum_of4(sum.low + sum.high);
  for (i = 0; i + 8 <= count; i += 8) store8(y + i, load8(y + i) / total);
  for (; i < count; i++) y[i] /= total;
}

// Eight columns, in the order of a row's partial sums.
static void softmax_columns(const float *x, float *y, size_t count, size_t stride, size_t columns) {
  float8 top = all8(-__builtin_inff());
  for (size_t k = 0; k < count; k++) top = max8(load_part8(x + k * stride, columns), top);
  double8 partial[ROW_LANES] = {0};
  for (size_t k = 0; k < count; k++) {
    const float8 value = exp_weight8(load_part8(x + k * stride, columns) - top);
    store_part8(y + k * stride, value, columns);
    partial[k % ROW_LANES].low += low4(value);
    partial[k % ROW_LANES].high += high4(value);
  }
  for (size_t apart = 4; apart >= 1; apart /= 2) {
    for (size_t lane = 0; lane < apart; lane++) {
      partial[lane].low += partial[lane + apart].low;
      partial[lane].high += partial[lane + apart].high;
    }
  }
  const float8 total = join8(partial[0].low, partial[0].high);
  for (size_t k = 0; k < count; k++) {
    store_part8(y + k * stride, load_part8(y + k * stride, columns) / total, columns);
  }
}

static void softmax_any(const float *x, float *y, size_t count, size_t stride, size_t columns) {
  if (stride == 1 && columns == 1) return softmax_row(x, y, count);
  for (size_t c = 0; c < columns; c += 8) {
    softmax_columns(x + c, y + c, count, stride, orion_min(8, columns - c));
  }
}

#endif
