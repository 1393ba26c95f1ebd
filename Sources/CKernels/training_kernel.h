// The inner loops of a training step's host work: optimizer, gradients, cross-entropy, embedding.
// Included by the files that make a table.
#ifndef ORION_TRAINING_KERNEL_H
#define ORION_TRAINING_KERNEL_H
#include "function.h"

// ---- rows of fp16 or fp32 ----

INLINE float8 load_row8(const void *row, const bool half, size_t at, size_t count) {
  if (!half) return load_part8((const float *)row + at, count);
  const uint16_t *source = (const uint16_t *)row + at;
  if (count >= 8) return widen8(source);
  uint16_t rest[8] = {0};
  memcpy(rest, source, count * sizeof(uint16_t));
  return widen8(rest);
}

INLINE void store_row8(void *row, const bool half, size_t at, float8 value, size_t count) {
  if (!half) return store_part8((float *)row + at, value, count);
  uint16_t *target = (uint16_t *)row + at;
  if (count >= 8) return narrow8(target, value);
  uint16_t rest[8];
  narrow8(rest, value);
  memcpy(target, rest, count * sizeof(uint16_t));
}

INLINE int8 not_finite8(float8 x) { return ~(abs8(x) <= __FLT_MAX__); }

// The first `count` lanes.
INLINE int8 lanes8(size_t count) {
  return (int8){0, 1, 2, 3, 4, 5, 6, 7} < (int32_t)orion_min(count, 8);
}

// The same value, held within fp16 if it is finite; counts in `lost`, downwards, which of the first
// `count` fp16 cannot hold.
INLINE float8 saturate8(float8 x, size_t count, int8 *lost) {
  int8 outside = ~(abs8(x) < 65520);
  if (any8(outside)) outside &= lanes8(count);
  *lost += outside;
  if (!any8(outside)) return x;
  const float8 limit = (float8)(((int8)x & INT32_MIN) | (int8)all8(65504));
  return select8(outside & ~not_finite8(x), limit, x);
}

INLINE size_t count_of8(int8 lost) {
  size_t sum = 0;
  for (int i = 0; i < 8; i++) sum += (size_t)-(int64_t)lost[i];
  return sum;
}

// ---- optimizer ----

static size_t adamw_run(const orion_adamw_factors *f, float *weights, const float *gradient,
                        float *first, float *second, uint16_t *copy, size_t count) {
  int8 lost = {0};
  for (size_t i = 0; i < count; i += 8) {
    const size_t rest = count - i;
    const float8 g = load_part8(gradient + i, rest) * f->gradient_scale;
    float8 w = load_part8(weights + i, rest) * f->keep;
    float8 m = load_part8(first + i, rest), v = load_part8(second + i, rest);
    m = m + f->beta1_rest * (g - m);
    v = v * f->beta2 + f->beta2_rest * g * g;
    const float8 below = __builtin_elementwise_sqrt(v) / f->root + f->epsilon;
    w = w - f->step_size * m / below;
    store_part8(weights + i, w, rest);
    store_part8(first + i, m, rest);
    store_part8(second + i, v, rest);
    if (copy != NULL) store_row8(copy, true, i, saturate8(w, rest, &lost), rest);
  }
  return count_of8(lost);
}

// ---- gradients ----

INLINE bool accumulate_row(const void *source, const bool half, float scale, const bool fresh,
                           float *target, size_t count) {
  int8 bad = {0};
  for (size_t i = 0; i < count; i += 8) {
    const size_t rest = count - i;
    const float8 term = load_row8(source, half, i, rest) * scale;
    const float8 sum = fresh ? term : load_part8(target + i, rest) + term;
    bad |= not_finite8(sum) & lanes8(rest);
    store_part8(target + i, sum, rest);
  }
  return !any8(bad);
}

static bool accumulate_run(const void *source, bool half, float scale, bool fresh, float *target,
                           size_t count) {
  if (half) {
    return fresh ? accumulate_row(source, true, scale, true, target, count)
                 : accumulate_row(source, true, scale, false, target, count);
  }
  return fresh ? accumulate_row(source, false, scale, true, target, count)
               : accumulate_row(source, false, scale, false, target, count);
}

static size_t saturate_run(const float *source, uint16_t *target, size_t count) {
  int8 lost = {0};
  for (size_t i = 0; i < count; i += 8) {
    const float8 value = saturate8(load_part8(source + i, count - i), count - i, &lost);
    store_row8(target, true, i, value, count - i);
  }
  return count_of8(lost);
}

static size_t count_outside_run(const uint16_t *values, size_t count) {
  size_t lost = 0;
  for (size_t i = 0; i < count; i++) lost += (values[i] & 0x7c00) == 0x7c00;
  return lost;
}

// ---- cross-entropy ----

enum { LOGIT_ROWS = 16 };  // rows whose maximum is found before their exponentials are added

INLINE void logit_sums_row(const orion_logit_block *block, const bool half) {
  for (size_t first = 0; first < block->rows; first += LOGIT_ROWS) {
    const size_t rows = orion_min(LOGIT_ROWS, block->rows - first);
    const char *start = (const char *)block->logits + first * block->row_bytes;
    for (size_t c = 0; c < block->columns; c += 8) {
      const size_t rest = block->columns - c;
      const float8 before = load8(block->tops + c);
      float8 top = before;
      for (size_t r = 0; r < rows; r++) {
        top = max8(load_row8(start + r * block->row_bytes, half, c, rest), top);
      }
      const float8 rescale = exp_weight8(before - top);
      double4 low = low4(rescale), high = high4(rescale);
      low *= *(const double4 *)(block->sums + c);
      high *= *(const double4 *)(block->sums + c + 4);
      for (size_t r = 0; r < rows; r++) {
        const float8 x = load_row8(start + r * block->row_bytes, half, c, rest);
        const float8 value = exp_weight8(x - top);
        low += low4(value);
        high += high4(value);
      }
      store8(block->tops + c, top);
      *(double4 *)(block->sums + c) = low;
      *(double4 *)(block->sums + c + 4) = high;
    }
  }
}

static void logit_sums(const orion_logit_block *block) {
  if (block->half) return logit_sums_row(block, true);
  logit_sums_row(block, false);
}

INLINE void logit_gradient_rows(const orion_logit_block *block, const bool half,
                                const bool gradient_half) {
  for (size_t r = 0; r < block->rows; r++) {
    const void *x = (const char *)block->logits + r * block->row_bytes;
    void *y = (char *)block->gradient + r * block->gradient_row_bytes;
    for (size_t c = 0; c < block->columns; c += 8) {
      const size_t rest = block->columns - c;
      const float8 below = load_row8(x, half, c, rest) - load8(block->tops + c);
      const float8 factor = load8(block->factors + c);
      // An exact 0 leaves a column out, whatever its logits are.
      const int8 wanted = factor != 0;
      store_row8(y, gradient_half, c, (float8)(wanted & (int8)(exp_weight8(below) * factor)), rest);
    }
  }
}

static void logit_gradient(const orion_logit_block *block) {
  if (block->half) {
    return block->gradient_half ? logit_gradient_rows(block, true, true)
                                : logit_gradient_rows(block, true, false);
  }
  return block->gradient_half ? logit_gradient_rows(block, false, true)
                              : logit_gradient_rows(block, false, false);
}

// ---- embedding ----

static void embed_square(const float *const *rows, size_t tokens, size_t channels, void *out,
                         size_t row_bytes, bool half) {
  float8 square[8];
  for (size_t s = 0; s < 8; s++) square[s] = s < tokens ? load_part8(rows[s], channels) : all8(0);
  transpose8(square);
  for (size_t c = 0; c < channels; c++) {
    store_row8((char *)out + c * row_bytes, half, 0, square[c], tokens);
  }
}

static bool scatter_square(const void *gradient, size_t row_bytes, bool half, size_t tokens,
                           size_t channels, float scale, float *const *rows) {
  float8 square[8];
  for (size_t c = 0; c < 8; c++) {
    const void *row = (const char *)gradient + c * row_bytes;
    square[c] = c < channels ? load_row8(row, half, 0, tokens) : all8(0);
  }
  transpose8(square);
  int8 bad = {0};
  for (size_t s = 0; s < tokens; s++) {
    const float8 sum = load_part8(rows[s], channels) + square[s] * scale;
    bad |= not_finite8(sum) & lanes8(channels);
    store_part8(rows[s], sum, channels);
  }
  return !any8(bad);
}

#endif
