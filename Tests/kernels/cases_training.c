// Cases of the inner loops of a training step's host work.
#include <float.h>
#include <string.h>

#include "cases.h"

static const size_t counts[] = {0, 1, 7, 8, 9, 16, 23, 100};

static void record_flag(recorder *out, size_t value, const char *what, size_t count) {
  const uint64_t wide = value;
  record(out, BYTES, &wide, sizeof wide, "%s of %zu", what, count);
}

void case_adamw(const orion_kernels *kernels, recorder *out) {
  const orion_adamw_factors factors = {0.5f, 0.9999f, 0.1f, 0.95f, 0.05f, 0.3f, 1e-8f, 3e-4f};
  for (size_t i = 0; i < COUNT_OF(counts) * 3 * 2; i++) {
    const size_t count = counts[i / 6];
    const mixture mix = i / 2 % 3 == 0 ? TAME : i / 2 % 3 == 1 ? WIDE : WILD;
    float *weights = guarded_floats(mix, count, i), *gradient = guarded_floats(mix, count, i + 1);
    float *first = guarded_floats(TAME, count, i + 2), *second = guarded_floats(mix, count, i + 3);
    for (size_t k = 0; k < count; k++) second[k] = second[k] < 0 ? -second[k] : second[k];
    uint16_t *copy = i % 2 ? guarded(count * sizeof(uint16_t)) : NULL;
    const size_t lost = kernels->adamw(&factors, weights, gradient, first, second, copy, count);
    record_flag(out, lost, "lost", count);
    record(out, FLOATS, weights, count, "%zu weights, mixture %d", count, mix);
    record(out, FLOATS, first, count, "first moment of %zu, mixture %d", count, mix);
    record(out, FLOATS, second, count, "second moment of %zu, mixture %d", count, mix);
    if (copy != NULL) record(out, HALVES, copy, count, "copy of %zu, mixture %d", count, mix);
  }
}

void case_accumulate(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(counts) * 8; i++) {
    const size_t count = counts[i / 8];
    const bool half = i % 2 == 0, fresh = i / 2 % 2 == 0;
    const mixture mix = i / 4 % 2 == 0 ? WIDE : WILD;
    const void *source = half ? (void *)guarded_halves(mix, count, i) : guarded_floats(mix, count, i);
    float *target = guarded_floats(TAME, count, i + 1);
    const bool finite = kernels->accumulate(source, half, 0.37f, fresh, target, count);
    record_flag(out, finite, "finite", count);
    record(out, FLOATS, target, count, "%zu values, half %d, fresh %d, mixture %d", count, half, fresh, mix);
  }
}

void case_saturate(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(counts) * 2; i++) {
    const size_t count = counts[i / 2];
    uint16_t *target = guarded(count * sizeof(uint16_t));
    const float *source = guarded_floats(i % 2 ? WILD : WIDE, count, i);
    record_flag(out, kernels->saturate(source, target, count), "lost", count);
    record(out, HALVES, target, count, "%zu values", count);
  }
}

void case_count_outside(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(counts); i++) {
    const uint16_t *values = guarded_halves(WILD, counts[i], i);
    record_flag(out, kernels->count_outside(values, counts[i]), "outside", counts[i]);
  }
}

// ---- cross-entropy ----

static orion_logit_block logits_of(size_t rows, size_t columns, unsigned variant, uint64_t seed) {
  const bool half = variant % 2 == 0;
  const mixture mix = variant / 2 % 2 ? WILD : TAME;
  const size_t step = columns + 3, used = rows == 0 ? 0 : (rows - 1) * step + columns;
  const size_t lanes = orion_ceil_div(columns, 8) * 8;
  // Whole vectors, which must lie as the allocator would put them.
  double *sums = guarded(orion_ceil_div(lanes, 8) * 8 * sizeof(double));
  orion_logit_block block = {
      .logits = half ? (void *)guarded_halves(mix, used, seed) : guarded_floats(mix, used, seed),
      .row_bytes = step * (half ? sizeof(uint16_t) : sizeof(float)),
      .half = half,
      .rows = rows,
      .columns = columns,
      .tops = guarded(lanes * sizeof(float)),
      .sums = sums,
      .gradient_half = variant / 4 % 2 == 0,
  };
  for (size_t c = 0; c < lanes; c++) block.tops[c] = -FLT_MAX, block.sums[c] = 0;
  return block;
}

void case_logit_sums(const orion_kernels *kernels, recorder *out) {
  static const size_t rows[] = {0, 1, 15, 16, 17, 40}, columns[] = {1, 7, 8, 9, 24};
  for (size_t i = 0; i < COUNT_OF(rows) * COUNT_OF(columns) * 4; i++) {
    const size_t r = rows[i / 4 % COUNT_OF(rows)], c = columns[i / 4 / COUNT_OF(rows)];
    const orion_logit_block block = logits_of(r, c, i % 4, i);
    kernels->logit_sums(&block);
    record(out, FLOATS, block.tops, c, "tops, %zu rows, %zu columns, variant %zu", r, c, i % 4);
    record(out, DOUBLES, block.sums, c, "sums, %zu rows, %zu columns, variant %zu", r, c, i % 4);
  }
}

void case_logit_gradient(const orion_kernels *kernels, recorder *out) {
  static const size_t rows[] = {0, 1, 5}, columns[] = {1, 7, 8, 9, 24};
  for (size_t i = 0; i < COUNT_OF(rows) * COUNT_OF(columns) * 8; i++) {
    const size_t r = rows[i / 8 % COUNT_OF(rows)], c = columns[i / 8 / COUNT_OF(rows)];
    orion_logit_block block = logits_of(r, c, i % 8, i);
    kernels->logit_sums(&block);
    const size_t lanes = orion_ceil_div(c, 8) * 8, step = c + 1;
    float *factors = guarded_floats(TAME, lanes, i + 1);
    for (size_t k = 0; k < lanes; k += 3) factors[k] = 0;
    const size_t bytes = block.gradient_half ? sizeof(uint16_t) : sizeof(float);
    const size_t used = r == 0 ? 0 : (r - 1) * step + c;
    block.factors = factors;
    block.gradient = guarded(used * bytes);
    block.gradient_row_bytes = step * bytes;
    kernels->logit_gradient(&block);
    record(out, block.gradient_half ? HALVES : FLOATS, block.gradient, used,
           "%zu rows, %zu columns, variant %zu", r, c, i % 8);
  }
}

// ---- embedding ----

enum { SIDE = 8 };

void case_embed(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < SIDE * SIDE * 2; i++) {
    const size_t tokens = i / 2 % SIDE + 1, channels = i / 2 / SIDE + 1, step = tokens + 2;
    const bool half = i % 2 == 0;
    const float *rows[SIDE];
    for (size_t s = 0; s < tokens; s++) rows[s] = guarded_floats(WILD, channels, i + s);
    const size_t used = (channels - 1) * step + tokens, bytes = half ? 2 : 4;
    void *target = guarded(used * bytes);
    kernels->embed(rows, tokens, channels, target, step * bytes, half);
    record(out, half ? HALVES : FLOATS, target, used, "%zu tokens, %zu channels", tokens, channels);
    release_memory();
  }
}

void case_scatter(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < SIDE * SIDE * 4; i++) {
    const size_t tokens = i / 4 % SIDE + 1, channels = i / 4 / SIDE + 1, step = tokens + 2;
    const bool half = i % 2 == 0;
    const mixture mix = i / 2 % 2 ? WILD : TAME;
    const size_t used = (channels - 1) * step + tokens;
    const void *gradient = half ? (void *)guarded_halves(mix, used, i) : guarded_floats(mix, used, i);
    float *rows[SIDE];
    // Two tokens of one row are added one after the other.
    for (size_t s = 0; s < tokens; s++) rows[s] = s % 3 == 2 ? rows[0] : guarded_floats(TAME, channels, i + s);
    const bool finite = kernels->scatter(gradient, step * (half ? 2 : 4), half, tokens, channels, 0.7f, rows);
    record_flag(out, finite, "finite", tokens);
    for (size_t s = 0; s < tokens; s++) {
      record(out, FLOATS, rows[s], channels, "row %zu of %zu, %zu channels", s, tokens, channels);
    }
    release_memory();
  }
}
