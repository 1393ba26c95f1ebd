// Operands of a product in the order in which tiles read them: panels of 16 channels, tiles of
// columns. It knows no arithmetic. Included by inner_loops.h.
#ifndef ORION_PACK_KERNEL_H
#define ORION_PACK_KERNEL_H
#include "vector.h"

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

enum { ROWS_AHEAD = 24 };

// Panels whose channels are next to each other in memory. Rows are too short, and too far apart, for the
// processor to foresee them.
static void pack_rows(const float *source, size_t term_step, size_t channels, size_t terms,
                      float *target, size_t panel_step) {
  for (size_t k = 0; k < terms; k++, source += term_step, target += PANEL) {
    size_t c = 0;
    float *panel = target;
    for (; c + PANEL <= channels; c += PANEL, panel += panel_step) {
      __builtin_prefetch(source + ROWS_AHEAD * term_step + c);
      store8(panel, load8(source + c));
      store8(panel + 8, load8(source + c + 8));
    }
    if (c == channels) continue;
    const size_t rest = channels - c, tail = rest < 8 ? 0 : rest - 8;
    store8(panel, load_part8(source + c, rest));
    store8(panel + 8, tail == 0 ? all8(0) : load_part8(source + c + 8, tail));
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

static void pack_panels(const float *source, size_t channel_step, size_t term_step,
                        size_t channels, size_t terms, float *target, size_t panel_step) {
  if (channel_step == 1) {
    return pack_rows(source, term_step, channels, terms, target, panel_step);
  }
  for (size_t c = 0; c < channels; c += PANEL, target += panel_step) {
    pack_panel(source + c * channel_step, channel_step, term_step,
               orion_min(PANEL, channels - c), terms, target);
  }
}

// One tile of columns that are dense along the terms: squares are turned. Meanwhile memory brings
// the next tile, whose start the processor cannot foresee.
static void turn_tile(const float *x, size_t x_column, size_t terms, float *target) {
  size_t k = 0;
  for (; k + 8 <= terms; k += 8) {
    float8 rows[8] = {0};
#pragma clang loop unroll(full)
    for (size_t s = 0; s < TILE_COLUMNS && k % 16 == 0; s++) {
      __builtin_prefetch(x + (TILE_COLUMNS + s) * x_column + k);
    }
#pragma clang loop unroll(full)
    for (size_t s = 0; s < TILE_COLUMNS; s++) rows[s] = load8(x + s * x_column + k);
    transpose8(rows);
    // Two values too many, which the next row takes the place of; the last one ends exactly.
#pragma clang loop unroll(full)
    for (size_t r = 0; r < 7; r++) store8(target + (k + r) * TILE_COLUMNS, rows[r]);
    memcpy(target + (k + 7) * TILE_COLUMNS, &rows[7], TILE_COLUMNS * sizeof(float));
  }
  for (; k < terms; k++) {
    for (size_t s = 0; s < TILE_COLUMNS; s++) target[k * TILE_COLUMNS + s] = x[s * x_column + k];
  }
}

// Rows of columns that are next to each other: two values too many are read and written, which the
// next row takes the place of; the last one ends exactly.
INLINE void pack_dense(const float *x, size_t x_term, size_t terms, float *target) {
#pragma clang loop unroll(full)
  for (size_t k = 0; k + 1 < terms; k++) store8(target + k * TILE_COLUMNS, load8(x + k * x_term));
  const size_t last = terms - 1;
  memcpy(target + last * TILE_COLUMNS, x + last * x_term, TILE_COLUMNS * sizeof(float));
}

// Some terms of one tile.
INLINE void pack_tile(const float *x, size_t x_term, size_t x_column, size_t terms, size_t width,
                      float *target) {
  if (x_column == 1 && width == TILE_COLUMNS) {
    for (size_t k = 0; k < terms; k++) {
      memcpy(target + k * TILE_COLUMNS, x + k * x_term, TILE_COLUMNS * sizeof(float));
    }
    return;
  }
  for (size_t k = 0; k < terms; k++) {
    for (size_t s = 0; s < width; s++) target[k * width + s] = x[k * x_term + s * x_column];
  }
}

enum { ROWS = 8 };  // rows of x that are read together

// The next rows: too short, and too far apart, for the processor to foresee.
INLINE void fetch_rows(const float *x, size_t x_term, size_t columns, size_t rows) {
  enum { LINE = 16 };
  for (size_t r = 0; r < ROWS && r < rows; r++) {
    for (size_t s = 0; s < columns; s += LINE) __builtin_prefetch(x + r * x_term + s);
  }
}

static void pack_tiles(const float *x, size_t x_term, size_t x_column, size_t terms,
                       size_t columns, float *target) {
  const size_t whole = x_term == 1 ? columns / TILE_COLUMNS * TILE_COLUMNS : 0;
  for (size_t start = 0; start < whole; start += TILE_COLUMNS) {
    turn_tile(x + start * x_column, x_column, terms, target + start * terms);
  }
  for (size_t first = 0; first < terms; first += ROWS) {
    const size_t rows = orion_min(ROWS, terms - first);
    if (x_column == 1) fetch_rows(x + (first + ROWS) * x_term, x_term, columns, terms - first - rows);
    for (size_t start = whole; start < columns; start += TILE_COLUMNS) {
      const size_t width = orion_min(TILE_COLUMNS, columns - start);
      const float *from = x + first * x_term + start * x_column;
      float *to = target + start * terms + first * width;
      if (rows == ROWS && x_column == 1 && start + 8 <= columns) {
        pack_dense(from, x_term, ROWS, to);
      } else if (rows == ROWS) {
        pack_tile(from, x_term, x_column, ROWS, width, to);
      } else {
        pack_tile(from, x_term, x_column, rows, width, to);
      }
    }
  }
}

#endif
