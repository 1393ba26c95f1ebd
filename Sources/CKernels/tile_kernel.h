// The inner loops of every product: packing a panel of 16 channels, a register tile of panels by
// columns, and the writing of finished sums. One fused multiply-add per term, in the order of the
// terms. Included by avx2.c and portable.c.
#ifndef ORION_TILE_KERNEL_H
#define ORION_TILE_KERNEL_H
#include "vector.h"

// ---- the tile ----

enum { PREFETCH_BYTES = 2048 };

INLINE size_t weight_bytes(const orion_tile_weights type) {
  return type == TILE_F32 ? sizeof(float) : type == TILE_F16 ? sizeof(uint16_t) : sizeof(int8_t);
}

// Weight number `at` and the seven after it.
INLINE float8 load_weights8(const orion_tile_weights type, const char *weights, size_t at) {
  if (type == TILE_F16) return widen8((const uint16_t *)weights + at);
  if (type == TILE_I8) return widen_bytes8((const int8_t *)weights + at);
  return load8((const float *)weights + at);
}

INLINE void run_tile(const orion_tile *tile, const int panels, const int columns,
                     const orion_tile_weights type, const bool dense) {
  float8 sums[PANELS_MAX][TILE_COLUMNS][2];
#pragma clang loop unroll(full)
  for (int p = 0; p < panels; p++) {
#pragma clang loop unroll(full)
    for (int s = 0; s < columns; s++) {
      const float *start = tile->sums + (size_t)p * tile->sums_panel + (size_t)s * PANEL;
      sums[p][s][0] = tile->fresh ? all8(0) : load8(start);
      sums[p][s][1] = tile->fresh ? all8(0) : load8(start + 8);
    }
  }
  const size_t bytes = weight_bytes(type);
  const char *weights = tile->weights;
  const size_t panel_bytes = tile->panel_step * bytes, term_bytes = tile->term_step * bytes;
  // Columns 0 to 2 and 3 to 5 are reached from two addresses; the compiler must not chain them.
  const float *near_x = tile->x, *far_x = near_x + 3 * tile->x_column;
  __asm__("" : "+r"(far_x));
  const size_t x_column = dense ? 1 : tile->x_column, x_term = tile->x_term;
  for (size_t k = 0; k < tile->terms; k++) {
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) {
      const char *from = weights + (size_t)p * panel_bytes;
      // Several streams of narrow weights outrun the processor's own prefetching.
      if (type != TILE_F32 && panels == PANELS_MAX) __builtin_prefetch(from + PREFETCH_BYTES);
      const float8 low = load_weights8(type, from, 0), high = load_weights8(type, from, 8);
#pragma clang loop unroll(full)
      for (int s = 0; s < columns; s++) {
        const float *x =
            s < 3 || dense ? near_x + (size_t)s * x_column : far_x + (size_t)(s - 3) * x_column;
        const float8 value = all8(*x);
        sums[p][s][0] = fma8(low, value, sums[p][s][0]);
        sums[p][s][1] = fma8(high, value, sums[p][s][1]);
      }
    }
    weights += term_bytes;
    near_x += x_term;
    far_x += x_term;
  }
#pragma clang loop unroll(full)
  for (int p = 0; p < panels; p++) {
#pragma clang loop unroll(full)
    for (int s = 0; s < columns; s++) {
      float *end = tile->sums + (size_t)p * tile->sums_panel + (size_t)s * PANEL;
      store8(end, sums[p][s][0]);
      store8(end + 8, sums[p][s][1]);
    }
  }
}

// Shapes with enough independent sums to hide the latency of the multiply-add, and few enough for
// the registers. `dense`: the columns of x are next to each other.
#define TILE_SHAPES(type, dense)                              \
  switch (tile->panels * 8 + tile->columns) {                 \
    case 1 * 8 + 1: return run_tile(tile, 1, 1, type, dense); \
    case 1 * 8 + 2: return run_tile(tile, 1, 2, type, dense); \
    case 1 * 8 + 3: return run_tile(tile, 1, 3, type, dense); \
    case 1 * 8 + 4: return run_tile(tile, 1, 4, type, dense); \
    case 1 * 8 + 5: return run_tile(tile, 1, 5, type, dense); \
    case 1 * 8 + 6: return run_tile(tile, 1, 6, type, dense); \
    case 2 * 8 + 2: return run_tile(tile, 2, 2, type, dense); \
    case 4 * 8 + 1: return run_tile(tile, 4, 1, type, dense); \
  }

static void tile_dense(const orion_tile *tile) { TILE_SHAPES(TILE_F32, true) }
static void tile_strided(const orion_tile *tile) { TILE_SHAPES(TILE_F32, false) }
static void tile_half_dense(const orion_tile *tile) { TILE_SHAPES(TILE_F16, true) }
static void tile_half_strided(const orion_tile *tile) { TILE_SHAPES(TILE_F16, false) }
static void tile_bytes_dense(const orion_tile *tile) { TILE_SHAPES(TILE_I8, true) }
static void tile_bytes_strided(const orion_tile *tile) { TILE_SHAPES(TILE_I8, false) }
static void tile_any(const orion_tile *tile) {
  const bool dense = tile->x_column == 1 || tile->columns == 1;
  switch (tile->type) {
    case TILE_F32: return dense ? tile_dense(tile) : tile_strided(tile);
    case TILE_F16: return dense ? tile_half_dense(tile) : tile_half_strided(tile);
    case TILE_I8: return dense ? tile_bytes_dense(tile) : tile_bytes_strided(tile);
  }
}

// ---- packing ----

// Rows of eight become columns.
INLINE void transpose8(float8 rows[8]) {
  float8 pairs[8], quads[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = __builtin_shufflevector(rows[i], rows[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    pairs[i + 1] = __builtin_shufflevector(rows[i], rows[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 4) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 2; j++) {
      const float8 a = pairs[i + j], b = pairs[i + j + 2];
      quads[i + 2 * j] = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
      quads[i + 2 * j + 1] = __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++) {
    rows[i] = __builtin_shufflevector(quads[i], quads[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    rows[i + 4] = __builtin_shufflevector(quads[i], quads[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

static void pack_rows(const float *source, size_t term_step, size_t channels, size_t terms,
                      float *target) {
  const size_t tail = channels < 8 ? 0 : channels - 8;
  for (size_t k = 0; k < terms; k++, source += term_step, target += PANEL) {
    store8(target, load_part8(source, channels));
    store8(target + 8, tail == 0 ? all8(0) : load_part8(source + 8, tail));
  }
}

static void pack_any(const float *source, size_t channel_step, size_t term_step, size_t channels,
                     size_t terms, float *target) {
  for (size_t k = 0; k < terms; k++, target += PANEL) {
    for (size_t c = 0; c < PANEL; c++) {
      target[c] = c < channels ? source[c * channel_step + k * term_step] : 0;
    }
  }
}

static void pack_panel(const float *source, size_t channel_step, size_t term_step, size_t channels,
                       size_t terms, float *target) {
  if (channel_step == 1) return pack_rows(source, term_step, channels, terms, target);
  size_t done = 0;
  if (term_step == 1 && channels == PANEL) {
    for (; done + 8 <= terms; done += 8) {
      for (size_t half = 0; half < PANEL; half += 8) {
        float8 rows[8];
#pragma clang loop unroll(full)
        for (size_t c = 0; c < 8; c++) rows[c] = load8(source + (half + c) * channel_step + done);
        transpose8(rows);
#pragma clang loop unroll(full)
        for (size_t k = 0; k < 8; k++) store8(target + (done + k) * PANEL + half, rows[k]);
      }
    }
  }
  pack_any(source + done * term_step, channel_step, term_step, channels, terms - done,
           target + done * PANEL);
}

// ---- finished sums ----

INLINE float8 finish8(float8 sum, float8 scale, float8 bias, orion_rounding rounding,
                      float limit) {
  const float8 value = sum * scale + bias;
  if (rounding == ORION_ROUND_NONE) return value;
  const float8 rounded = round_half8(value);
  if (rounding == ORION_ROUND_F16) return rounded;
  const uint8 infinite = ((uint8)rounded & 0x80000000u) | 0x7f800000;
  return select8(abs8(rounded) >= limit, (float8)infinite, rounded);
}

// Up to eight columns of up to eight channels.
static void store_square(const orion_panel_store *store, size_t first_channel,
                         size_t first_column) {
  const size_t channels = orion_min(8, store->channels - first_channel);
  const size_t columns = orion_min(8, store->columns - first_column);
  const float8 none = all8(0);
  const bool has_bias = store->bias != NULL;
  const float8 bias = has_bias ? load_part8(store->bias + first_channel, channels) : none;
  const float8 scale =
      store->scales == NULL ? all8(1) : load_part8(store->scales + first_channel, channels);
  const float *sums = store->sums + first_column * PANEL + first_channel;
  float *y = store->y + first_channel * store->y_channel + first_column * store->y_column;
  float8 rows[8];
  for (size_t s = 0; s < 8; s++) {
    const float8 sum = s < columns ? load8(sums + s * PANEL) : none;
    // A sum of -0 stays -0 without a bias.
    rows[s] = finish8(sum, scale, has_bias ? bias : -none, store->rounding, store->mac_limit);
  }
  if (store->y_channel == 1) {
    for (size_t s = 0; s < columns; s++) store_part8(y + s * store->y_column, rows[s], channels);
    return;
  }
  transpose8(rows);
  for (size_t c = 0; c < channels; c++) {
    float *target = y + c * store->y_channel;
    if (store->y_column == 1) {
      store_part8(target, rows[c], columns);
    } else {
      for (size_t s = 0; s < columns; s++) target[s * store->y_column] = rows[c][s];
    }
  }
}

static void store_panel(const orion_panel_store *store) {
  for (size_t c = 0; c < store->channels; c += 8) {
    for (size_t s = 0; s < store->columns; s += 8) store_square(store, c, s);
  }
}

#endif
