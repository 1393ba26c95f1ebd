// The product that linear.c, matmul.c and attention.c are made of. It decides blocks and packing;
// the arithmetic is the tile's, and the order of a sum's terms is the same whatever is decided
// here.
#include "product.h"

#include <string.h>

enum {
  TERM_BLOCK = 256,          // terms whose panel and tile of x stay in the first-level cache
  TERM_BLOCK_NARROW = 2048,  // the same when all columns are one tile and weights are read once
  COLUMN_BLOCK = 120,
  PANEL_BLOCK = 32,
  X_NEAR = 64,  // rows of x as short as this need no packing
};

// ---- packing of x ----

// Tiles of the columns: as even as possible, at most TILE_COLUMNS wide.
static size_t tile_start(size_t columns, size_t tiles, size_t index) {
  return columns * index / tiles;
}

// The tile's columns as x[k][width], dense.
static void pack_tile(const float *x, size_t x_term, size_t x_column, size_t terms, size_t width,
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

static bool x_needs_packing(const orion_product *product) {
  if (product->x_term == 1) return false;
  return product->x_term > X_NEAR || product->x_column != 1;
}

// ---- panels ----

// Panels that one tile takes: few columns leave registers for more panels.
static size_t panels_together(size_t columns) {
  if (columns == 1) return 4;
  return columns == 2 ? 2 : 1;
}

// Panels of fp16 or bytes: widened here when several tiles use them, else by the tile.
static void find_narrow_panels(const orion_kernels *kernels, const orion_product *product,
                               size_t dense, bool used_once, orion_tile *tile) {
  const bool half = product->kind == WEIGHTS_PANELS_F16;
  const uint16_t *halves = (const uint16_t *)product->weights + dense;
  const int8_t *bytes = (const int8_t *)product->weights + dense;
  if (used_once) {
    tile->weights = half ? (const void *)halves : (const void *)bytes;
    tile->type = half ? TILE_F16 : TILE_I8;
    tile->panel_step = product->terms * PANEL;
    return;
  }
  const size_t step = tile->terms * PANEL;
  float *wide = orion_scratch(SCRATCH_PANELS, step * sizeof(float));
  if (half) {
    kernels->widen(halves, wide, step);
  } else {
    kernels->widen_bytes(bytes, wide, step);
  }
  tile->weights = wide;
  tile->panel_step = step;
}

// Points the tile at `tile->panels` panels from `panel` on, terms [first, first + tile->terms).
static void find_panels(const orion_kernels *kernels, const orion_product *product, size_t panel,
                        size_t first, bool used_once, orion_tile *tile) {
  const size_t dense = (panel * product->terms + first) * PANEL;
  tile->term_step = PANEL;
  tile->type = TILE_F32;
  if (product->kind == WEIGHTS_PANELS_F32) {
    tile->weights = (const float *)product->weights + dense;
    tile->panel_step = product->terms * PANEL;
    return;
  }
  if (product->kind != WEIGHTS_STRIDED) {
    find_narrow_panels(kernels, product, dense, used_once, tile);
    return;
  }
  const size_t channel = panel * PANEL, channels = product->channels - channel;
  const float *start = (const float *)product->weights + channel * product->channel_step +
                       first * product->term_step;
  if (used_once && product->channel_step == 1 && channels >= tile->panels * PANEL) {
    tile->weights = start;
    tile->panel_step = PANEL;
    tile->term_step = product->term_step;
    return;
  }
  const size_t step = tile->terms * PANEL;
  float *packed = orion_scratch(SCRATCH_PANELS, tile->panels * step * sizeof(float));
  for (size_t p = 0; p < tile->panels; p++) {
    kernels->pack(start + p * PANEL * product->channel_step, product->channel_step,
                  product->term_step, orion_min(PANEL, channels - p * PANEL), tile->terms,
                  packed + p * step);
  }
  tile->weights = packed;
  tile->panel_step = step;
}

// ---- a part ----

// Packed weights that are wanted after those of a panel's block of terms; none for other weights.
typedef struct {
  const char *start;
  size_t bytes;
} ahead;

static ahead find_ahead(const orion_product *product, orion_product_part part, size_t panel,
                        size_t first, size_t terms) {
  static const size_t element[] = {
      [WEIGHTS_PANELS_F32] = sizeof(float),
      [WEIGHTS_PANELS_F16] = sizeof(uint16_t),
      [WEIGHTS_PANELS_I8] = sizeof(int8_t),
  };
  if (product->kind == WEIGHTS_STRIDED) return (ahead){0};
  // The next panel, or the first one's next block.
  const bool last = panel + 1 == part.panels;
  const size_t next = part.panel + (last ? 0 : panel + 1), term = last ? first + terms : first;
  const size_t count = orion_min(terms, product->terms - term), size = element[product->kind];
  const size_t start = (next * product->terms + term) * PANEL * size;
  return (ahead){(const char *)product->weights + start, count * PANEL * size};
}

// A share of them, for each tile one, so that memory works while the tiles compute.
static void fetch_ahead(ahead wanted, size_t index, size_t shares) {
  enum { LINE = 64 };
  const size_t lines = orion_ceil_div(wanted.bytes, LINE);
  const size_t end = lines * (index + 1) / shares;
  for (size_t line = lines * index / shares; line < end; line++) {
    __builtin_prefetch(wanted.start + line * LINE, 0, 2);
  }
}

// One block of terms: all panels of the part by all its tiles.
static void add_block(const orion_kernels *kernels, const orion_product *product,
                      orion_product_part part, size_t first, size_t terms, bool fresh,
                      float *sums) {
  const size_t tiles = orion_ceil_div(part.columns, TILE_COLUMNS);
  const float *x = product->x + first * product->x_term + part.column * product->x_column;
  const bool packs = x_needs_packing(product);
  if (packs) {
    float *packed = orion_scratch(SCRATCH_COLUMNS, part.columns * terms * sizeof(float));
    for (size_t t = 0; t < tiles; t++) {
      const size_t start = tile_start(part.columns, tiles, t);
      const size_t width = tile_start(part.columns, tiles, t + 1) - start;
      pack_tile(x + start * product->x_column, product->x_term, product->x_column, terms, width,
                packed + start * terms);
    }
    x = packed;
  }
  size_t together = panels_together(part.columns);
  for (size_t p = 0; p < part.panels; p += together) {
    if (together > part.panels - p) together = 1;
    orion_tile tile = {.terms = terms, .panels = together, .fresh = fresh};
    find_panels(kernels, product, part.panel + p, first, tiles == 1, &tile);
    tile.sums_panel = part.columns * PANEL;
    const ahead wanted = tiles == 1 ? (ahead){0} : find_ahead(product, part, p, first, terms);
    for (size_t t = 0; t < tiles; t++) {
      fetch_ahead(wanted, t, tiles);
      const size_t start = tile_start(part.columns, tiles, t);
      tile.columns = tile_start(part.columns, tiles, t + 1) - start;
      tile.x = x + start * (packs ? terms : product->x_column);
      tile.x_term = packs ? tile.columns : product->x_term;
      tile.x_column = packs ? 1 : product->x_column;
      tile.sums = sums + (p * part.columns + start) * PANEL;
      kernels->tile(&tile);
    }
  }
}

void orion_product_add(const orion_product *product, orion_product_part part, size_t first,
                       size_t last, bool fresh, float *sums) {
  const orion_kernels *kernels = orion_kernels_current();
  const size_t step = part.columns > TILE_COLUMNS ? TERM_BLOCK : TERM_BLOCK_NARROW;
  if (fresh && first == last) memset(sums, 0, part.panels * part.columns * PANEL * sizeof(float));
  for (size_t k = first; k < last; k += step) {
    add_block(kernels, product, part, k, orion_min(step, last - k), fresh && k == first, sums);
  }
}

void orion_product_store(const orion_product *product, orion_product_part part, const float *sums) {
  const orion_kernels *kernels = orion_kernels_current();
  for (size_t p = 0; p < part.panels; p++) {
    const size_t channel = (part.panel + p) * PANEL;
    const orion_panel_store store = {
        .sums = sums + p * part.columns * PANEL,
        .columns = part.columns,
        .channels = orion_min(PANEL, product->channels - channel),
        .scales = product->scales == NULL ? NULL : product->scales + channel,
        .bias = product->bias == NULL ? NULL : product->bias + channel,
        .y = product->y + channel * product->y_channel + part.column * product->y_column,
        .y_channel = product->y_channel,
        .y_column = product->y_column,
        .rounding = product->rounding,
        .mac_limit = product->mac_limit,
    };
    kernels->store(&store);
  }
}

// ---- tasks ----

orion_product_plan orion_plan_product(const orion_product *product, size_t products) {
  const size_t panels = orion_ceil_div(product->channels, PANEL);
  const size_t wanted = 4 * (size_t)orion_pool_threads();
  orion_product_plan plan = {.column_blocks = orion_ceil_div(product->columns, COLUMN_BLOCK)};
  if (panels == 0 || plan.column_blocks == 0) return (orion_product_plan){0};
  plan.column_step = orion_ceil_div(product->columns, plan.column_blocks);
  if (plan.column_blocks > 1) {
    plan.column_step = orion_ceil_div(plan.column_step, TILE_COLUMNS) * TILE_COLUMNS;
  }
  plan.column_blocks = orion_ceil_div(product->columns, plan.column_step);
  const size_t others = plan.column_blocks * products;
  const size_t blocks = orion_max(1, orion_ceil_div(wanted, others));
  const size_t even = orion_ceil_div(orion_ceil_div(panels, blocks), PANELS_MAX) * PANELS_MAX;
  plan.panel_step = plan.column_step <= TILE_COLUMNS ? even : orion_min(even, PANEL_BLOCK);
  plan.panel_blocks = orion_ceil_div(panels, plan.panel_step);
  // About 32 multiply-adds, or 16 bytes of weights, in a nanosecond.
  plan.work = products * product->channels * product->terms * (product->columns + 6) / 32;
  return plan;
}

void orion_product_task(const orion_product *product, const orion_product_plan *plan,
                        size_t index) {
  const size_t panels = orion_ceil_div(product->channels, PANEL);
  // Neighbouring tasks share their weights.
  const size_t panel = index / plan->column_blocks * plan->panel_step;
  const size_t column = index % plan->column_blocks * plan->column_step;
  const orion_product_part part = {
      .panel = panel,
      .panels = orion_min(plan->panel_step, panels - panel),
      .column = column,
      .columns = orion_min(plan->column_step, product->columns - column),
  };
  float *sums = orion_scratch(SCRATCH_SUMS, part.panels * part.columns * PANEL * sizeof(float));
  orion_product_add(product, part, 0, product->terms, true, sums);
  orion_product_store(product, part, sums);
}
