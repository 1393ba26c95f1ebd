// The inner loops of reductions, softmax, norms and attention's probabilities. Sums run in double
// over eight partial sums, element k in partial k % 8, for rows and for columns alike: a value
// does not depend on the layout. Included by the files that make a table.
#ifndef ORION_ROW_KERNEL_H
#define ORION_ROW_KERNEL_H
#include "function.h"

typedef struct {
  double4 low, high;
} double8;

INLINE double8 widen(float8 x) { return (double8){low4(x), high4(x)}; }

INLINE double4 fold_term4(const orion_row_fold fold, double4 x, double4 shift) {
  switch (fold) {
    case ROW_ABS: return abs4(x);
    case ROW_SQUARE: return x * x;
    case ROW_DEVIATION: return (x - shift) * (x - shift);
    case ROW_EXP: return exp4(x - shift);
    default: return x;
  }
}

INLINE double4 fold_join4(const orion_row_fold fold, double4 a, double4 b) {
  switch (fold) {
    case ROW_PRODUCT: return a * b;
    case ROW_MAX: return max4(a, b);
    case ROW_MIN: return min4(a, b);
    default: return a + b;
  }
}

INLINE double fold_identity(const orion_row_fold fold) {
  switch (fold) {
    case ROW_PRODUCT: return 1;
    case ROW_MAX: return -__builtin_inf();
    case ROW_MIN: return __builtin_inf();
    default: return 0;
  }
}

INLINE double fold_row(const orion_row_fold fold, const float *x, size_t count, double shift) {
  const double4 shifts = all4(shift), none = all4(fold_identity(fold));
  double4 low = none, high = none;
  size_t k = 0;
  for (; k + 8 <= count; k += 8) {
    // Far below the maximum nothing reaches the sum, which is at least 1.
    if (fold == ROW_EXP && !any8(~(load8(x + k) - (float)shift <= -110))) continue;
    const double8 value = widen(load8(x + k));
    low = fold_join4(fold, low, fold_term4(fold, value.low, shifts));
    high = fold_join4(fold, high, fold_term4(fold, value.high, shifts));
  }
  if (k < count) {
    const int64_t rest = (int64_t)(count - k);
    const double8 value = widen(load_part8(x + k, count - k));
    const int4 lane = {0, 1, 2, 3};
    const double4 term_low = fold_term4(fold, value.low, shifts);
    const double4 term_high = fold_term4(fold, value.high, shifts);
    low = select4(lane < rest, fold_join4(fold, low, term_low), low);
    high = select4(lane + 4 < rest, fold_join4(fold, high, term_high), high);
  }
  const double4 sum = fold_join4(fold, low, high);
  const double4 pairs = fold_join4(fold, sum, __builtin_shufflevector(sum, sum, 2, 3, 0, 1));
  return fold_join4(fold, pairs, __builtin_shufflevector(pairs, pairs, 1, 0, 3, 2))[0];
}

// Columns are taken a row at a time; the partial sums of all columns stay in the first-level cache.
INLINE void fold_columns(const orion_row_fold fold, const float *x, size_t count, size_t stride,
                         size_t columns, const double *shift, double *result) {
  double8 partial[ROW_LANES][ROW_COLUMNS / 8], shifts[ROW_COLUMNS / 8];
  const size_t groups = orion_ceil_div(columns, 8);
  const double4 none = all4(fold_identity(fold));
  double padded[ROW_COLUMNS] = {0};
  if (shift != NULL) memcpy(padded, shift, columns * sizeof(double));
  memcpy(shifts, padded, sizeof padded);
  for (size_t lane = 0; lane < ROW_LANES; lane++) {
    for (size_t g = 0; g < groups; g++) partial[lane][g] = (double8){none, none};
  }
  for (size_t k = 0; k < count; k++, x += stride) {
    double8 *sums = partial[k % ROW_LANES];
    for (size_t g = 0; g < groups; g++) {
      const double8 value = widen(load_part8(x + 8 * g, columns - 8 * g));
      sums[g].low = fold_join4(fold, sums[g].low, fold_term4(fold, value.low, shifts[g].low));
      sums[g].high = fold_join4(fold, sums[g].high, fold_term4(fold, value.high, shifts[g].high));
    }
  }
  // The same tree as a row's: lanes 4 apart, then 2, then 1.
  for (size_t apart = 4; apart >= 1; apart /= 2) {
    for (size_t lane = 0; lane < apart; lane++) {
      for (size_t g = 0; g < groups; g++) {
        double8 *to = &partial[lane][g];
        const double8 *from = &partial[lane + apart][g];
        *to =
            (double8){fold_join4(fold, to->low, from->low), fold_join4(fold, to->high, from->high)};
      }
    }
  }
  memcpy(result, partial[0], columns * sizeof(double));
}

#define FOLD_CASE(fold)                                               \
  case fold:                                                          \
    if (stride == 1 && columns == 1) {                                \
      *result = fold_row(fold, x, count, shift == NULL ? 0 : *shift); \
      return;                                                         \
    }                                                                 \
    return fold_columns(fold, x, count, stride, columns, shift, result);

static void fold_any(orion_row_fold fold, const float *x, size_t count, size_t stride,
                     size_t columns, const double *shift, double *result) {
  switch (fold) {
    FOLD_CASE(ROW_SUM)
    FOLD_CASE(ROW_ABS)
    FOLD_CASE(ROW_SQUARE)
    FOLD_CASE(ROW_DEVIATION)
    FOLD_CASE(ROW_EXP)
    FOLD_CASE(ROW_PRODUCT)
    FOLD_CASE(ROW_MAX)
    FOLD_CASE(ROW_MIN)
  }
}

// ---- maps ----

INLINE float8 join_rounded8(double4 low, double4 high, bool half) {
  return half ? join_half8(low, high) : join8(low, high);
}

INLINE double4 affine4(double4 x, double4 shift, double4 scale, double4 gamma, double4 beta) {
  return (x - shift) / scale * gamma + beta;
}

INLINE double8 double_or(const float *values, size_t at, size_t count, float otherwise) {
  return widen(values == NULL ? all8(otherwise) : load_part8(values + at, count));
}

static void affine_row(const orion_row_map *map) {
  const double4 shift = all4(*map->shift), scale = all4(*map->scale);
  for (size_t k = 0; k < map->count; k += 8) {
    const size_t rest = map->count - k;
    const double8 x = widen(load_part8(map->x + k, rest));
    const double8 gamma = double_or(map->gamma, k, rest, 1),
                  beta = double_or(map->beta, k, rest, -0.f);
    const double4 low = affine4(x.low, shift, scale, gamma.low, beta.low);
    const double4 high = affine4(x.high, shift, scale, gamma.high, beta.high);
    store_part8(map->y + k, join_rounded8(low, high, map->half), rest);
  }
}

INLINE double8 column_values(const double *values, size_t count) {
  double buffer[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  memcpy(buffer, values, orion_min(count, 8) * sizeof(double));
  double8 result;
  memcpy(&result, buffer, sizeof buffer);
  return result;
}

// A row at a time, as fold_columns: the lines of rows far apart share few places of the first-level cache.
static void affine_columns(const orion_row_map *map) {
  double8 shifts[ROW_COLUMNS / 8], scales[ROW_COLUMNS / 8];
  for (size_t c = 0; c < map->columns; c += 8) {
    shifts[c / 8] = column_values(map->shift + c, map->columns - c);
    scales[c / 8] = column_values(map->scale + c, map->columns - c);
  }
  for (size_t k = 0; k < map->count; k++) {
    const float *source = map->x + k * map->stride;
    float *target = map->y + k * map->y_stride;
    const double4 gamma = all4(map->gamma == NULL ? 1 : (double)map->gamma[k]);
    const double4 beta = all4(map->beta == NULL ? -0.0 : (double)map->beta[k]);
    for (size_t c = 0; c < map->columns; c += 8) {
      const size_t rest = map->columns - c;
      const double8 x = widen(load_part8(source + c, rest)), shift = shifts[c / 8], scale = scales[c / 8];
      const double4 low = affine4(x.low, shift.low, scale.low, gamma, beta);
      const double4 high = affine4(x.high, shift.high, scale.high, gamma, beta);
      store_part8(target + c, join_rounded8(low, high, map->half), rest);
    }
  }
}

static void affine_any(const orion_row_map *map) {
  if (map->stride == 1 && map->columns == 1) return affine_row(map);
  affine_columns(map);
}

static void exponentials_row(const orion_row_map *map) {
  const double4 shift = all4(*map->shift), scale = all4(*map->scale);
  const float8 top = all8((float)*map->shift), factor = all8((float)(1 / *map->scale));
  for (size_t k = 0; k < map->count; k += 8) {
    if (map->half) {
      // In fp32 where both ends of the margin round to one value, which is nearly everywhere.
      const float8 below = load_part8(map->x + k, map->count - k) - top;
      const float8 value = exp_held8(below) * factor;
      const float8 distance = min8(abs8(below), all8(40));
      const float8 reach = value * fma8(distance, all8(0x1p-23f), all8(0x1p-21f));
      const float8 result = round_half8(value - reach);
      if (!any8(result != round_half8(value + reach))) {
        store_part8(map->y + k, result, map->count - k);
        continue;
      }
    }
    const double8 x = widen(load_part8(map->x + k, map->count - k));
    const double4 low = exp4(x.low - shift) / scale, high = exp4(x.high - shift) / scale;
    store_part8(map->y + k, join_rounded8(low, high, map->half), map->count - k);
  }
}

static void exponentials_columns(const orion_row_map *map) {
  for (size_t c = 0; c < map->columns; c += 8) {
    const size_t rest = map->columns - c;
    const double8 shift = column_values(map->shift + c, rest);
    const double8 scale = column_values(map->scale + c, rest);
    for (size_t k = 0; k < map->count; k++) {
      const double8 x = widen(load_part8(map->x + k * map->stride + c, rest));
      const double4 low = exp4(x.low - shift.low) / scale.low;
      const double4 high = exp4(x.high - shift.high) / scale.high;
      store_part8(map->y + k * map->y_stride + c, join_rounded8(low, high, map->half), rest);
    }
  }
}

static void exponentials_any(const orion_row_map *map) {
  if (map->stride == 1 && map->columns == 1) return exponentials_row(map);
  exponentials_columns(map);
}

static void round_doubles(const double *values, float *target, size_t count, bool half) {
  for (size_t i = 0; i < count; i += 8) {
    const double8 value = column_values(values + i, count - i);
    store_part8(target + i, join_rounded8(value.low, value.high, half), count - i);
  }
}

#endif
