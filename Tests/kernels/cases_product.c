// Cases of the product's inner loops: packing, the tile, and the writing of finished sums.
#include <string.h>

#include "cases.h"

// ---- packing ----

void case_pack(const orion_kernels *kernels, recorder *out) {
  static const size_t channels[] = {1, 7, 8, 9, 15, 16, 17, 40}, terms[] = {0, 1, 7, 8, 9, 17};
  for (size_t i = 0; i < COUNT_OF(channels) * COUNT_OF(terms) * 3; i++) {
    const size_t c = channels[i / 3 % COUNT_OF(channels)];
    const size_t k = terms[i / 3 / COUNT_OF(channels)];
    // Channels next to each other, terms next to each other, neither.
    const size_t channel_step = i % 3 == 0 ? 1 : i % 3 == 1 ? k + 3 : 2;
    const size_t term_step = i % 3 == 0 ? c + 1 : i % 3 == 1 ? 1 : 2 * c + 1;
    const size_t used = k == 0 ? 0 : (c - 1) * channel_step + (k - 1) * term_step + 1;
    const size_t panels = orion_ceil_div(c, PANEL), step = k * PANEL + 16;
    float *target = guarded(panels * step * sizeof(float));
    kernels->pack(guarded_floats(WILD, used, i), channel_step, term_step, c, k, target, step);
    record(out, BYTES, target, panels * step * sizeof(float), "%zu channels, %zu terms, steps %zu and %zu",
           c, k, channel_step, term_step);
  }
}

void case_pack_tiles(const orion_kernels *kernels, recorder *out) {
  static const size_t columns[] = {1, 5, 6, 7, 12, 20}, terms[] = {0, 1, 7, 8, 9, 33};
  for (size_t i = 0; i < COUNT_OF(columns) * COUNT_OF(terms) * 3; i++) {
    const size_t s = columns[i / 3 % COUNT_OF(columns)];
    const size_t k = terms[i / 3 / COUNT_OF(columns)];
    const size_t x_term = i % 3 == 0 ? 1 : i % 3 == 1 ? s + 2 : 3 * s;
    const size_t x_column = i % 3 == 0 ? k + 1 : i % 3 == 1 ? 1 : 3;
    const size_t used = k == 0 ? 0 : (k - 1) * x_term + (s - 1) * x_column + 1;
    float *target = guarded(k * s * sizeof(float));
    kernels->pack_tiles(guarded_floats(WILD, used, i), x_term, x_column, k, s, target);
    record(out, BYTES, target, k * s * sizeof(float), "%zu columns, %zu terms, steps %zu and %zu", s,
           k, x_column, x_term);
  }
}

// ---- the tile ----

// Tables differ in how many panels they take at once: what one does not take, it is given panel by panel.
static bool takes_at_once(const orion_kernels *kernels, size_t panels, size_t columns) {
  if (panels == 1 || (panels == 2 && columns == 2) || (panels == PANELS_MAX && columns == 1)) return true;
  return columns > 1 && panels == kernels->tile_panels;
}

static void run_tile(const orion_kernels *kernels, const orion_tile *tile) {
  if (takes_at_once(kernels, tile->panels, tile->columns)) return kernels->tile(tile);
  static const size_t bytes[] = {[TILE_F32] = 4, [TILE_F16] = 2, [TILE_I8] = 1};
  orion_tile one = *tile;
  one.panels = 1;
  for (size_t p = 0; p < tile->panels; p++) {
    kernels->tile(&one);
    one.weights = (const char *)one.weights + tile->panel_step * bytes[tile->type];
    one.sums += tile->sums_panel;
  }
}

static const void *tile_weights(orion_tile_weights type, mixture mix, size_t count, uint64_t seed) {
  if (type == TILE_F32) return guarded_floats(mix, count, seed);
  if (type == TILE_F16) return guarded_halves(mix, count, seed);
  int8_t *bytes = guarded(count);
  random_source source = {seed * 77 + 1};
  for (size_t i = 0; i < count; i++) bytes[i] = (int8_t)(random_bits(&source) >> 30);
  return bytes;
}

static void record_tile(const orion_kernels *kernels, orion_tile tile, mixture mix, bool dense,
                        recorder *out) {
  static const mixture weights_of[] = {[TAME] = TAME, [WIDE] = WIDE, [HALF] = TAME, [WILD] = WILD};
  const uint64_t seed = out->mark_count + 1;
  tile.term_step = PANEL + (tile.type == TILE_F32 && !dense ? 5 : 0);
  tile.panel_step = tile.terms * tile.term_step + 3;
  tile.weights = tile_weights(tile.type, weights_of[mix], tile.panels * tile.panel_step + 13, seed);
  tile.x_column = dense ? 1 : tile.terms + 2;
  tile.x_term = dense ? tile.columns : 1;
  const size_t last = (tile.columns - 1) * tile.x_column;
  tile.x = guarded_floats(mix, tile.terms == 0 ? 0 : (tile.terms - 1) * tile.x_term + last + 1, seed + 1);
  tile.sums_column = dense ? PANEL : PANEL + 5;
  tile.sums_panel = tile.columns * tile.sums_column;
  if (tile.type == TILE_F32) {
    tile.rounding = (orion_rounding)(seed % 3);
    tile.scales = seed % 5 == 0 ? guarded_floats(TAME, tile.columns, seed + 3) : NULL;
    tile.bias = seed % 4 < 2 ? guarded_floats(TAME, tile.columns, seed + 4) : NULL;
  }
  tile.mac_limit = 2;
  const size_t sums = tile.panels * tile.sums_panel;
  tile.sums = guarded_floats(TAME, sums, seed + 2);
  run_tile(kernels, &tile);
  record(out, FLOATS, tile.sums, sums, "type %d, %zux%zu, %zu terms, mixture %d, fresh %d, dense %d, rounding %d",
         tile.type, tile.panels, tile.columns, tile.terms, mix, tile.fresh, dense, tile.rounding);
}

// A single value that fp16 cannot hold, at every place of a column that else is fp16's.
static void record_odd_values(const orion_kernels *kernels, recorder *out) {
  enum { TERMS = 19 };
  for (size_t odd = 0; odd < TERMS; odd++) {
    float *x = guarded_floats(HALF, TERMS, odd);
    x[odd] = odd % 3 == 0 ? __builtin_nanf("") : odd % 3 == 1 ? 65520 : 0x1.002p0f;
    const orion_tile tile = {.terms = TERMS, .panels = 1, .columns = 1, .type = TILE_F16, .fresh = true,
                             .weights = guarded_halves(TAME, TERMS * PANEL, odd), .term_step = PANEL,
                             .panel_step = TERMS * PANEL, .x = x, .x_term = 1, .x_column = 1,
                             .sums = guarded(PANEL * sizeof(float)), .sums_panel = PANEL};
    kernels->tile(&tile);
    record(out, FLOATS, tile.sums, PANEL, "term %zu is no fp16 number", odd);
  }
}

void case_widen_panels(const orion_kernels *kernels, recorder *out) {
  enum { TERMS = 5, VALUES = PANELS_MAX * PANEL * TERMS };
  int8_t *bytes = guarded(VALUES);
  for (int i = 0; i < VALUES; i++) bytes[i] = (int8_t)(i - 128);
  const void *sources[] = {
      [TILE_F32] = guarded_floats(WIDE, VALUES, 1),
      [TILE_F16] = guarded_halves(HALF, VALUES, 2),
      [TILE_I8] = bytes,
  };
  for (orion_tile_weights type = TILE_F32; type <= TILE_I8; type++) {
    for (size_t panels = 0; panels <= PANELS_MAX; panels++) {
      float *target = guarded((panels * TERMS + 1) * PANEL * sizeof(float));
      kernels->widen_panels(sources[type], type, panels, PANELS_MAX * PANEL, TERMS, target);
      record(out, FLOATS, target, (panels * TERMS + 1) * PANEL, "%zu panels, type %d", panels, type);
    }
  }
}

void case_tile(const orion_kernels *kernels, recorder *out) {
  static const size_t terms[] = {0, 1, 2, 9, 40, 520};
  static const struct {
    size_t panels, columns;
  } shapes[] = {{1, 1}, {1, 2}, {1, 3}, {1, 4}, {1, 5}, {1, 6}, {2, 1}, {2, 2}, {2, 5}, {2, 6}, {4, 1}, {4, 2}, {4, 3},
              {4, 6}};
  for (size_t shape = 0; shape < COUNT_OF(shapes); shape++) {
    for (size_t t = 0; t < COUNT_OF(terms); t++) {
      for (unsigned variant = 0; variant < 3 * 4 * 2; variant++) {
        const mixture mix = (mixture)(variant / 3 % 4);
        const orion_tile tile = {
            .terms = terms[t],
            .panels = shapes[shape].panels,
            .columns = shapes[shape].columns,
            .type = (orion_tile_weights)(variant % 3),
            .fresh = (variant + t) % 2 == 0,
        };
        if (terms[t] > 100 && tile.columns > 1) continue;
        record_tile(kernels, tile, mix, variant >= 12, out);
      }
      release_memory();
    }
  }
  record_odd_values(kernels, out);
}

// ---- finished sums ----

static void record_store(const orion_kernels *kernels, size_t channels, size_t columns, unsigned variant,
                         recorder *out) {
  const uint64_t seed = out->mark_count;
  const size_t panels = orion_ceil_div(channels, PANEL);
  // Channels, columns, or neither next to each other.
  const size_t y_channel = variant % 3 == 0 ? 1 : variant % 3 == 1 ? columns + 1 : 2;
  const size_t y_column = variant % 3 == 0 ? channels + 2 : variant % 3 == 1 ? 1 : 2 * channels + 1;
  const size_t used = (channels - 1) * y_channel + (columns - 1) * y_column + 1;
  const orion_panel_store store = {
      .sums = guarded_floats(variant / 3 % 2 ? WILD : WIDE, panels * columns * PANEL, seed),
      .sums_panel = columns * PANEL,
      .columns = columns,
      .channels = channels,
      .scales = variant / 6 % 2 ? guarded_floats(WIDE, channels, seed + 1) : NULL,
      .bias = variant / 12 % 2 ? guarded_floats(WIDE, channels, seed + 2) : NULL,
      .y = guarded(used * sizeof(float)),
      .y_channel = y_channel,
      .y_column = y_column,
      .rounding = (orion_rounding)(variant / 24),
      .mac_limit = 32768,
  };
  kernels->store(&store);
  record(out, FLOATS, store.y, used, "%zu channels, %zu columns, variant %u", channels, columns, variant);
}

void case_store(const orion_kernels *kernels, recorder *out) {
  static const size_t channels[] = {1, 7, 8, 16, 19, 33}, columns[] = {1, 2, 6, 8, 9};
  for (size_t i = 0; i < COUNT_OF(channels) * COUNT_OF(columns); i++) {
    for (unsigned variant = 0; variant < 3 * 2 * 2 * 2 * 3; variant++) {
      record_store(kernels, channels[i % COUNT_OF(channels)], columns[i / COUNT_OF(channels)], variant, out);
    }
    release_memory();
  }
}
