// The inner loops of every product: a register tile of panels by columns, and the writing of
// finished sums. One fused multiply-add per term, in the order of the terms. Included by
// inner_loops.h after pack_kernel.h, whose transposition it uses.
#ifndef ORION_TILE_KERNEL_H
#define ORION_TILE_KERNEL_H
#include "vector.h"

// ---- finished sums ----

INLINE float8 finish8(float8 value, orion_rounding rounding, float limit) {
  if (rounding == ORION_ROUND_NONE) return value;
  const float8 rounded = round_half8(value);
  if (rounding == ORION_ROUND_F16) return rounded;
  const uint8 infinite = ((uint8)rounded & 0x80000000u) | 0x7f800000;
  return select8(abs8(rounded) >= limit, (float8)infinite, rounded);
}

// ---- the tile ----

// Weights that are read once are asked for this far ahead: the processor's own prefetching lags behind.
enum { PREFETCH_BYTES = 8192, LINE_BYTES = 64 };

INLINE size_t weight_bytes(const orion_tile_weights type) {
  return type == TILE_F32 ? sizeof(float) : type == TILE_F16 ? sizeof(uint16_t) : sizeof(int8_t);
}

// The sixteen weights of one term of a panel, or sums for them.
#if KERNELS_AVX512
typedef struct {
  float16 all;
} panel16;
INLINE panel16 panel_zero(void) { return (panel16){all16(0)}; }
INLINE panel16 panel_load(const float *from) { return (panel16){load16(from)}; }
INLINE void panel_store(float *to, panel16 value) { store16(to, value.all); }
INLINE panel16 panel_weights(const orion_tile_weights type, const char *weights) {
  if (type == TILE_F16) return (panel16){widen16((const uint16_t *)weights)};
  if (type == TILE_I8) return (panel16){widen_bytes16((const int8_t *)weights)};
  return panel_load((const float *)weights);
}
INLINE panel16 panel_fma(panel16 weights, float x, panel16 sum) {
  return (panel16){fma16(weights.all, all16(x), sum.all)};
}
INLINE panel16 panel_scale(panel16 sum, float scale, float bias) {
  return (panel16){sum.all * all16(scale) + all16(bias)};
}
INLINE panel16 panel_finish(panel16 sum, orion_rounding rounding, float limit) {
  if (rounding == ORION_ROUND_NONE) return sum;
  const float16 rounded = round_half16(sum.all);
  return (panel16){rounding == ORION_ROUND_F16 ? rounded : overflow16(rounded, limit)};
}
#else
typedef struct {
  float8 low, high;
} panel16;
INLINE panel16 panel_zero(void) { return (panel16){all8(0), all8(0)}; }
INLINE panel16 panel_load(const float *from) { return (panel16){load8(from), load8(from + 8)}; }
INLINE void panel_store(float *to, panel16 value) {
  store8(to, value.low);
  store8(to + 8, value.high);
}
INLINE panel16 panel_weights(const orion_tile_weights type, const char *weights) {
  if (type == TILE_F16) {
    const uint16_t *half = (const uint16_t *)weights;
    return (panel16){widen8(half), widen8(half + 8)};
  }
  if (type == TILE_I8) {
    const int8_t *bytes = (const int8_t *)weights;
    return (panel16){widen_bytes8(bytes), widen_bytes8(bytes + 8)};
  }
  return panel_load((const float *)weights);
}
INLINE panel16 panel_fma(panel16 weights, float x, panel16 sum) {
  const float8 value = all8(x);
  return (panel16){fma8(weights.low, value, sum.low), fma8(weights.high, value, sum.high)};
}
INLINE panel16 panel_scale(panel16 sum, float scale, float bias) {
  return (panel16){sum.low * scale + bias, sum.high * scale + bias};
}
INLINE panel16 panel_finish(panel16 sum, orion_rounding rounding, float limit) {
  return (panel16){finish8(sum.low, rounding, limit), finish8(sum.high, rounding, limit)};
}
#endif

// Asks for the term of a group of panels that is wanted some terms later, and once: it need not push others out.
INLINE void fetch_term(const char *weights, const size_t bytes) {
#pragma clang loop unroll(full)
  for (size_t line = 0; line < PANELS_MAX * PANEL * bytes; line += LINE_BYTES) {
    __builtin_prefetch(weights + PREFETCH_BYTES + line, 0, 0);
  }
}

// With one column: a term's weights of four panels beside their sums are more than the registers of NEON and
// AVX2, so each is used at once.
enum { ONE_BY_ONE = !KERNELS_AVX512 };

INLINE void run_tile(const orion_tile *tile, const int panels, const int columns,
                     const orion_tile_weights type, const bool dense) {
  panel16 sums[PANELS_MAX][TILE_COLUMNS];
#pragma clang loop unroll(full)
  for (int p = 0; p < panels; p++) {
#pragma clang loop unroll(full)
    for (int s = 0; s < columns; s++) {
      const float *start =
          tile->sums + (size_t)p * tile->sums_panel + (size_t)s * tile->sums_column;
      sums[p][s] = tile->fresh ? panel_zero() : panel_load(start);
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
    panel16 each[PANELS_MAX];
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) {
      each[p] = panel_weights(type, weights + (size_t)p * panel_bytes);
      if (ONE_BY_ONE && columns == 1) sums[p][0] = panel_fma(each[p], *near_x, sums[p][0]);
    }
    if (panels == PANELS_MAX && (type != TILE_F32 || columns == 1)) fetch_term(weights, bytes);
#pragma clang loop unroll(full)
    for (int s = ONE_BY_ONE && columns == 1; s < columns; s++) {
      const float *x =
          s < 3 || dense ? near_x + (size_t)s * x_column : far_x + (size_t)(s - 3) * x_column;
#pragma clang loop unroll(full)
      for (int p = 0; p < panels; p++) sums[p][s] = panel_fma(each[p], *x, sums[p][s]);
    }
    weights += term_bytes;
    near_x += x_term;
    far_x += x_term;
  }
#pragma clang loop unroll(full)
  for (int p = 0; p < panels; p++) {
#pragma clang loop unroll(full)
    for (int s = 0; s < columns; s++) {
      float *target = tile->sums + (size_t)p * tile->sums_panel + (size_t)s * tile->sums_column;
      panel_store(target, sums[p][s]);
    }
  }
}

// Shapes with enough independent sums to hide the latency of the multiply-add, and few enough for
// the registers. `dense`: the columns of x are next to each other.
#define TILE_SHAPE(panels, columns, type, dense) \
  case panels * 8 + columns: return run_tile(tile, panels, columns, type, dense);
#if KERNELS_AVX512
#define WIDE_TILE_SHAPES(type, dense) \
  TILE_SHAPE(4, 2, type, dense)       \
  TILE_SHAPE(4, 3, type, dense)       \
  TILE_SHAPE(4, 4, type, dense)       \
  TILE_SHAPE(4, 5, type, dense)       \
  TILE_SHAPE(4, 6, type, dense)
#else
#define WIDE_TILE_SHAPES(type, dense)
#endif
// Two panels where a causal mask leaves no more.
#if KERNELS_AVX512
#define PART_TILE_SHAPES(dense)      \
  TILE_SHAPE(2, 1, TILE_F32, dense)  \
  TILE_SHAPE(2, 3, TILE_F32, dense)  \
  TILE_SHAPE(2, 4, TILE_F32, dense)  \
  TILE_SHAPE(2, 5, TILE_F32, dense)  \
  TILE_SHAPE(2, 6, TILE_F32, dense)
#else
#define PART_TILE_SHAPES(dense)
#endif
#define TILE_SHAPES(type, dense, ...)         \
  switch (tile->panels * 8 + tile->columns) { \
    TILE_SHAPE(1, 1, type, dense)             \
    TILE_SHAPE(1, 2, type, dense)             \
    TILE_SHAPE(1, 3, type, dense)             \
    TILE_SHAPE(1, 4, type, dense)             \
    TILE_SHAPE(1, 5, type, dense)             \
    TILE_SHAPE(1, 6, type, dense)             \
    TILE_SHAPE(2, 2, type, dense)             \
    TILE_SHAPE(4, 1, type, dense)             \
    WIDE_TILE_SHAPES(type, dense)             \
    __VA_ARGS__                               \
  }

static void tile_dense(const orion_tile *tile) { TILE_SHAPES(TILE_F32, true, PART_TILE_SHAPES(true)) }
static void tile_strided(const orion_tile *tile) { TILE_SHAPES(TILE_F32, false, PART_TILE_SHAPES(false)) }
static void tile_half_dense(const orion_tile *tile) { TILE_SHAPES(TILE_F16, true, ) }
static void tile_half_strided(const orion_tile *tile) { TILE_SHAPES(TILE_F16, false, ) }
static void tile_bytes_dense(const orion_tile *tile) { TILE_SHAPES(TILE_I8, true, ) }
static void tile_bytes_strided(const orion_tile *tile) { TILE_SHAPES(TILE_I8, false, ) }

// Apart from the tile, whose sums then keep all registers. A sum of -0 stays -0 without a bias.
static __attribute__((noinline)) void finish_tile(const orion_tile *tile) {
  for (size_t s = 0; s < tile->columns; s++) {
    const float scale = tile->scales == NULL ? 1 : tile->scales[s];
    const float bias = tile->bias == NULL ? -0.f : tile->bias[s];
    for (size_t p = 0; p < tile->panels; p++) {
      float *sums = tile->sums + p * tile->sums_panel + s * tile->sums_column;
      const panel16 sum = panel_scale(panel_load(sums), scale, bias);
      panel_store(sums, panel_finish(sum, tile->rounding, tile->mac_limit));
    }
  }
}

static void tile_of_type(const orion_tile *tile) {
  const bool dense = tile->x_column == 1 || tile->columns == 1;
  switch (tile->type) {
    case TILE_F32: return dense ? tile_dense(tile) : tile_strided(tile);
    case TILE_F16: return dense ? tile_half_dense(tile) : tile_half_strided(tile);
    case TILE_I8: return dense ? tile_bytes_dense(tile) : tile_bytes_strided(tile);
  }
}
static void tile_any(const orion_tile *tile) {
  tile_of_type(tile);
  const bool plain = tile->scales == NULL && tile->bias == NULL;
  if (!plain || tile->rounding != ORION_ROUND_NONE) finish_tile(tile);
}

static void widen_panels(const void *source, orion_tile_weights type, size_t panels,
                         size_t term_step, size_t terms, float *target) {
  const size_t bytes = weight_bytes(type);
  for (size_t p = 0; p < panels; p++) {
    const char *from = (const char *)source + p * PANEL * bytes;
    for (size_t k = 0; k < terms; k++, from += term_step * bytes, target += PANEL) {
      panel_store(target, panel_weights(type, from));
    }
  }
}

// ---- writing sums ----

INLINE float8 scales_at(const orion_panel_store *store, size_t channel, size_t channels) {
  return store->scales == NULL ? all8(1) : load_part8(store->scales + channel, channels);
}

// A sum of -0 stays -0 without a bias.
INLINE float8 biases_at(const orion_panel_store *store, size_t channel, size_t channels) {
  return store->bias == NULL ? all8(-0.f) : load_part8(store->bias + channel, channels);
}

INLINE const float *sums_at(const orion_panel_store *store, size_t channel, size_t column) {
  return store->sums + channel / PANEL * store->sums_panel + column * PANEL + channel % PANEL;
}

// Up to eight columns of up to eight channels.
static void store_square(const orion_panel_store *store, size_t first_channel,
                         size_t first_column) {
  const size_t channels = orion_min(8, store->channels - first_channel);
  const size_t columns = orion_min(8, store->columns - first_column);
  const float8 bias = biases_at(store, first_channel, channels);
  const float8 scale = scales_at(store, first_channel, channels);
  const float *sums = sums_at(store, first_channel, first_column);
  float *y = store->y + first_channel * store->y_channel + first_column * store->y_column;
  float8 rows[8];
  for (size_t s = 0; s < 8; s++) {
    const float8 sum = s < columns ? load8(sums + s * PANEL) : all8(0);
    rows[s] = finish8(sum * scale + bias, store->rounding, store->mac_limit);
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

// All channels of a column, which are next to each other, before the next column: few pages of the
// result are in use at a time.
INLINE void store_columns(const orion_panel_store *store, const bool plain) {
  for (size_t s = 0; s < store->columns; s++) {
    float *y = store->y + s * store->y_column;
    for (size_t c = 0; c < store->channels; c += 8) {
      const size_t channels = orion_min(8, store->channels - c);
      const float8 sum = load8(sums_at(store, c, s));
      const float8 value = plain ? sum
                                 : finish8(sum * scales_at(store, c, channels) +
                                               biases_at(store, c, channels),
                                           store->rounding, store->mac_limit);
      store_part8(y + c, value, channels);
    }
  }
}

static void store_panels(const orion_panel_store *store) {
  if (store->y_channel == 1) {
    const bool plain =
        store->scales == NULL && store->bias == NULL && store->rounding == ORION_ROUND_NONE;
    return plain ? store_columns(store, true) : store_columns(store, false);
  }
  for (size_t c = 0; c < store->channels; c += 8) {
    for (size_t s = 0; s < store->columns; s += 8) store_square(store, c, s);
  }
}

#endif
