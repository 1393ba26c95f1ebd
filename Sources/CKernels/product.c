// The product that linear.c, matmul.c and attention.c are made of. It decides blocks and packing;
// the arithmetic is the tile's, and the order of a sum's terms is the same whatever is decided
// here.
#include "product.h"

#include <string.h>

enum {
  TERM_BLOCK = 256,          // terms whose panel and tile of x stay in the first-level cache
  X_BLOCK_NARROW = 8192,     // values of x of a block when all columns are one tile
  TASK_BYTES = 256 << 10,    // of weights, when they are read once
  COLUMN_BLOCK = 240,
  PANEL_BLOCK = 32,
  X_NEAR = 64,   // rows of x as short as this need no packing
  X_FAR = 256,   // columns of x as far apart as this do, although dense, if many panels use them
};

// ---- panels ----

static const size_t element_bytes[] = {
    [WEIGHTS_GROUPS_F32] = sizeof(float),
    [WEIGHTS_GROUPS_F16] = sizeof(uint16_t),
    [WEIGHTS_GROUPS_I8] = sizeof(int8_t),
    [WEIGHTS_PANELS_F32] = sizeof(float),
    [WEIGHTS_STRIDED] = sizeof(float),
};

static bool in_groups(const orion_product *product) {
  return product->kind < WEIGHTS_PANELS_F32;
}

// Where term `first` of a panel's group starts.
static const char *group_at(const orion_product *product, size_t panel, size_t first) {
  const size_t channel = panel / PANELS_MAX * PANELS_MAX * PANEL;
  const size_t place = channel * product->terms + first * orion_group_width(product->channels, panel);
  return (const char *)product->weights + place * element_bytes[product->kind];
}

// Panels that one tile takes: few columns leave registers for more panels.
static size_t panels_together(const orion_kernels *kernels, size_t columns) {
  if (columns == 1) return PANELS_MAX;
  return orion_max(columns == 2 ? 2 : 1, kernels->tile_panels);
}

// Groups are used where they are by a tile that takes all of one, or takes its panels once; for others
// each panel becomes a run of its own.
static void find_group(const orion_kernels *kernels, const orion_product *product, size_t panel,
                       size_t first, bool used_once, orion_tile *tile) {
  static const orion_tile_weights types[] = {
      [WEIGHTS_GROUPS_F32] = TILE_F32,
      [WEIGHTS_GROUPS_F16] = TILE_F16,
      [WEIGHTS_GROUPS_I8] = TILE_I8,
  };
  const orion_tile_weights type = types[product->kind];
  const size_t width = orion_group_width(product->channels, panel);
  const size_t bytes = element_bytes[product->kind];
  const char *weights = group_at(product, panel, first) + panel % PANELS_MAX * PANEL * bytes;
  if (used_once || (type == TILE_F32 && tile->panels * PANEL == width)) {
    tile->weights = weights;
    tile->type = type;
    tile->panel_step = PANEL;
    tile->term_step = width;
    return;
  }
  const size_t step = tile->terms * PANEL;
  float *wide = orion_scratch(SCRATCH_PANELS, tile->panels * step * sizeof(float));
  kernels->widen_panels(weights, type, tile->panels, width, tile->terms, wide);
  tile->weights = wide;
  tile->panel_step = step;
}

// Points the tile at `tile->panels` panels from `panel` on, terms [first, first + tile->terms).
static void find_panels(const orion_kernels *kernels, const orion_product *product, size_t panel,
                        size_t first, bool used_once, orion_tile *tile) {
  const size_t dense = (panel * product->terms + first) * PANEL;
  tile->term_step = PANEL;
  tile->type = TILE_F32;
  if (in_groups(product)) return find_group(kernels, product, panel, first, used_once, tile);
  if (product->kind == WEIGHTS_PANELS_F32) {
    tile->weights = (const float *)product->weights + dense;
    tile->panel_step = product->terms * PANEL;
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
  kernels->pack(start, product->channel_step, product->term_step,
                orion_min(tile->panels * PANEL, channels), tile->terms, packed, step);
  tile->weights = packed;
  tile->panel_step = step;
}

// ---- a part ----

// Packed weights that are wanted after those of a block of terms; none for other weights.
typedef struct {
  const char *start;
  size_t bytes, panels, panel_bytes;
} ahead;

static ahead find_ahead(const orion_product *product, orion_product_part part, size_t panel,
                        size_t together, size_t first, size_t terms) {
  if (product->kind == WEIGHTS_STRIDED) return (ahead){0};
  // The next panels, or the first ones' next block.
  const size_t rest = PANELS_MAX - (part.panel + panel) % PANELS_MAX;
  const size_t step = in_groups(product) ? rest : together;
  const bool last = panel + step >= part.panels;
  const size_t next = last ? 0 : panel + step, term = last ? first + terms : first;
  const size_t count = orion_min(terms, product->terms - term), size = element_bytes[product->kind];
  if (in_groups(product)) {
    const size_t width = orion_group_width(product->channels, part.panel + next);
    return (ahead){group_at(product, part.panel + next, term), count * width * size, 1, 0};
  }
  const size_t start = ((part.panel + next) * product->terms + term) * PANEL * size;
  return (ahead){
      .start = (const char *)product->weights + start,
      .bytes = count * PANEL * size,
      .panels = orion_min(together, part.panels - next),
      .panel_bytes = product->terms * PANEL * size,
  };
}

// A share of them, for each tile one, so that memory works while the tiles compute.
static void fetch_ahead(ahead wanted, size_t index, size_t shares) {
  enum { LINE = 64 };
  const size_t lines = orion_ceil_div(wanted.bytes, LINE);
  const size_t end = lines * (index + 1) / shares;
  for (size_t p = 0; p < wanted.panels; p++) {
    for (size_t line = lines * index / shares; line < end; line++) {
      __builtin_prefetch(wanted.start + p * wanted.panel_bytes + line * LINE, 0, 2);
    }
  }
}

// The columns of x for a block of terms, in tiles.
typedef struct {
  const float *start;
  size_t step;  // from a column to the next
  bool packed;  // as pack_tiles does
  size_t x_term, x_column;
} tiled;

static tiled find_tiles(const orion_kernels *kernels, const orion_product *product,
                        orion_product_part part, size_t first, size_t terms) {
  const float *x = product->x + first * product->x_term + part.column * product->x_column;
  const size_t term = product->x_term, column = product->x_column;
  const bool many = part.panels > 2 * kernels->tile_panels;
  const bool far = term == 1 ? many && column >= X_FAR : term > X_NEAR || column != 1;
  if (!far) return (tiled){x, column, false, term, column};
  float *packed = orion_scratch(SCRATCH_COLUMNS, part.columns * terms * sizeof(float));
  kernels->pack_tiles(x, term, column, terms, part.columns, packed);
  return (tiled){.start = packed, .step = terms, .packed = true};
}

// One block of terms: all panels of the part by all its tiles.
static void add_block(const orion_kernels *kernels, const orion_product *product,
                      orion_product_part part, size_t first, size_t terms, bool fresh,
                      float *sums) {
  const size_t tiles = orion_ceil_div(part.columns, TILE_COLUMNS);
  const tiled x = find_tiles(kernels, product, part, first, terms);
  size_t together = panels_together(kernels, part.columns);
  for (size_t p = 0; p < part.panels; p += together) {
    if (together > part.panels - p) together = 1;
    orion_tile tile = {
        .terms = terms, .panels = together, .fresh = fresh, .sums_column = PANEL};
    find_panels(kernels, product, part.panel + p, first, tiles == 1, &tile);
    tile.sums_panel = part.columns * PANEL;
    const ahead wanted =
        tiles == 1 ? (ahead){0} : find_ahead(product, part, p, together, first, terms);
    // The panels of a group fetch the next group together.
    const size_t turns = in_groups(product) ? PANELS_MAX / together : 1;
    const size_t turn = (part.panel + p) / together % turns;
    for (size_t t = 0; t < tiles; t++) {
      fetch_ahead(wanted, turn * tiles + t, turns * tiles);
      const size_t start = t * TILE_COLUMNS;
      tile.columns = orion_min(TILE_COLUMNS, part.columns - start);
      tile.x = x.start + start * x.step;
      tile.x_term = x.packed ? tile.columns : x.x_term;
      tile.x_column = x.packed ? 1 : x.x_column;
      tile.sums = sums + (p * part.columns + start) * PANEL;
      kernels->tile(&tile);
    }
  }
}

void orion_product_add(const orion_product *product, orion_product_part part, size_t first,
                       size_t last, bool fresh, float *sums) {
  const orion_kernels *kernels = orion_kernels_current();
  const size_t step = part.columns > TILE_COLUMNS ? TERM_BLOCK : X_BLOCK_NARROW / part.columns;
  if (fresh && first == last) memset(sums, 0, part.panels * part.columns * PANEL * sizeof(float));
  for (size_t k = first; k < last; k += step) {
    add_block(kernels, product, part, k, orion_min(step, last - k), fresh && k == first, sums);
  }
}

void orion_product_store(const orion_product *product, orion_product_part part, const float *sums) {
  const size_t channel = part.panel * PANEL;
  const orion_panel_store store = {
      .sums = sums,
      .sums_panel = part.columns * PANEL,
      .columns = part.columns,
      .channels = orion_min(part.panels * PANEL, product->channels - channel),
      .scales = product->scales == NULL ? NULL : product->scales + channel,
      .bias = product->bias == NULL ? NULL : product->bias + channel,
      .y = product->y + channel * product->y_channel + part.column * product->y_column,
      .y_channel = product->y_channel,
      .y_column = product->y_column,
      .rounding = product->rounding,
      .mac_limit = product->mac_limit,
  };
  orion_kernels_current()->store(&store);
}

// ---- tasks ----

// Panels of a task that reads weights once: few enough that the threads end at the same time.
static size_t most_panels_once(const orion_product *product) {
  const size_t bytes = product->terms * PANEL * element_bytes[product->kind];
  return orion_max(1, TASK_BYTES / orion_max(bytes, 1) / PANELS_MAX) * PANELS_MAX;
}

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
  const bool once = plan.column_step <= TILE_COLUMNS;
  plan.panel_step = orion_min(even, once ? most_panels_once(product) : PANEL_BLOCK);
  plan.panel_blocks = orion_ceil_div(panels, plan.panel_step);
  // About 32 multiply-adds, or 16 bytes of weights, in a nanosecond.
  plan.work = products * product->channels * product->terms * (product->columns + 6) / 32;
  return plan;
}

// What the sums are finished with is asked for before they are summed: it is read once, from memory as far as the
// weights, and memory would wait with the thread.
static void fetch_finish(const float *values, orion_product_part part) {
  if (values == NULL) return;
  for (size_t p = part.panel; p < part.panel + part.panels; p++) __builtin_prefetch(values + p * PANEL);
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
  fetch_finish(product->scales, part);
  fetch_finish(product->bias, part);
  float *sums = orion_scratch(SCRATCH_SUMS, part.panels * part.columns * PANEL * sizeof(float));
  orion_product_add(product, part, 0, product->terms, true, sums);
  orion_product_store(product, part, sums);
}
