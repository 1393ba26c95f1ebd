// One column against narrow weights in products of fp16 numbers, which the processor adds to fp32 sums with a
// single rounding: what widening both and a fused multiply-add give, so the bits are the same. It takes
// columns whose values fp16 can hold, as a device that rounds to fp16 has them; others are left to
// tile_kernel.h. Included by neon_fp16.c.
#ifndef ORION_HALF_TILE_KERNEL_H
#define ORION_HALF_TILE_KERNEL_H
#include "tile_kernel.h"

enum { HALF_TERMS = 512 };

// False, and nothing of use is written, when fp16 cannot hold a value or one is NaN.
static bool narrow_exactly(const float *x, size_t x_term, size_t terms, uint16_t *target) {
  for (size_t k = 0; k < terms; k += 8) {
    const size_t count = orion_min(8, terms - k);
    float8 value;
    if (x_term == 1) {
      value = load_part8(x + k, count);
    } else {
      float gathered[8] = {0};
      for (size_t i = 0; i < count; i++) gathered[i] = x[(k + i) * x_term];
      value = load8(gathered);
    }
    narrow8(target + k, value);
    if (any8(widen8(target + k) != value)) return false;
  }
  return true;
}

// The sixteen weights of one term of a panel; bytes are fp16 numbers too.
typedef struct {
  float16x8_t low, high;
} half_panel16;
INLINE half_panel16 half_weights(const orion_tile_weights type, const char *weights) {
  if (type == TILE_I8) {
    const int8x16_t bytes = vld1q_s8((const int8_t *)weights);
    return (half_panel16){vcvtq_f16_s16(vmovl_s8(vget_low_s8(bytes))),
                          vcvtq_f16_s16(vmovl_high_s8(bytes))};
  }
  const uint16_t *halves = (const uint16_t *)weights;
  return (half_panel16){vreinterpretq_f16_u16(vld1q_u16(halves)),
                        vreinterpretq_f16_u16(vld1q_u16(halves + 8))};
}

INLINE float8 half_fma8(float16x8_t weights, float16x8_t x, float8 sum) {
  return both_halves(vfmlalq_low_f16(low_half(sum), weights, x),
                     vfmlalq_high_f16(high_half(sum), weights, x));
}

INLINE void run_half_column(const orion_tile *tile, const uint16_t *x, const int panels,
                            const orion_tile_weights type) {
  panel16 sums[PANELS_MAX];
#pragma clang loop unroll(full)
  for (int p = 0; p < panels; p++) {
    const float *start = tile->sums + (size_t)p * tile->sums_panel;
    sums[p] = tile->fresh ? panel_zero() : panel_load(start);
  }
  const size_t bytes = weight_bytes(type), panel_bytes = tile->panel_step * bytes;
  const char *weights = tile->weights;
  for (size_t k = 0; k < tile->terms; k++, weights += tile->term_step * bytes) {
    const float16x8_t value = vreinterpretq_f16_u16(vdupq_n_u16(x[k]));
    if (panels == PANELS_MAX) fetch_term(weights, bytes);
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) {
      const char *from = weights + (size_t)p * panel_bytes;
      const half_panel16 each = half_weights(type, from);
      sums[p].low = half_fma8(each.low, value, sums[p].low);
      sums[p].high = half_fma8(each.high, value, sums[p].high);
    }
  }
#pragma clang loop unroll(full)
  for (int p = 0; p < panels; p++) {
    panel_store(tile->sums + (size_t)p * tile->sums_panel, sums[p]);
  }
}

static void tile_half_column(const orion_tile *tile) {
  orion_tile part = *tile;
  const size_t step = tile->term_step * weight_bytes(tile->type);
  size_t done = 0;
  do {
    part.terms = orion_min(HALF_TERMS, tile->terms - done);
    uint16_t x[HALF_TERMS];
    if (!narrow_exactly(part.x, part.x_term, part.terms, x)) {
      tile_any(&part);
    } else if (tile->type == TILE_F16) {
      part.panels == 1 ? run_half_column(&part, x, 1, TILE_F16)
                       : run_half_column(&part, x, PANELS_MAX, TILE_F16);
    } else {
      part.panels == 1 ? run_half_column(&part, x, 1, TILE_I8)
                       : run_half_column(&part, x, PANELS_MAX, TILE_I8);
    }
    part.weights = (const char *)part.weights + part.terms * step;
    part.x += part.terms * part.x_term;
    part.fresh = false;
    done += part.terms;
  } while (done < tile->terms);
}

static void tile_half_any(const orion_tile *tile) {
  const bool shape = tile->columns == 1 && (tile->panels == 1 || tile->panels == PANELS_MAX);
  return shape && tile->type != TILE_F32 ? tile_half_column(tile) : tile_any(tile);
}

#endif
