// A product with packed weights and many columns that lie side by side. Columns are the panels here and
// outputs what tiles broadcast, so that sums are kept where the results belong. Columns are packed once, by
// all threads, a stretch of terms at a time, unless they are in panels already; each task then takes a group of
// outputs, widens a block of its weights into its own cache, and runs all panels over it. It knows nothing of the
// arithmetic, which is the tile's; a sum's order is that of every other product.
#include "product.h"

enum {
  GROUP = PANELS_MAX * PANEL,
  TERM_BLOCK = 384,           // terms of a tile
  STRETCH_VALUES = 1 << 20,   // of packed columns
};

typedef struct {
  const orion_kernels *kernels;
  const orion_product *products;
  size_t count;
  const float *columns;  // panels of [terms][16]
  float *packed;         // the same, unless they are in panels already
  size_t first, terms;   // the stretch
} block_job;

bool orion_linear_fits_blocks(const orion_product *product) {
  return product->kind < WEIGHTS_PANELS_F32 && product->terms > 0 && product->columns >= GROUP &&
         product->columns % PANEL == 0 && (product->x_in_panels || product->x_column == 1) &&
         (product->y_in_panels || product->y_column == 1);
}

// ---- columns ----

static void pack_task(void *context, size_t index) {
  const block_job *job = context;
  const orion_product *product = job->products;
  const size_t column = index * GROUP;
  job->kernels->pack(product->x + job->first * product->x_term + column, 1, product->x_term,
                     orion_min(GROUP, product->columns - column), job->terms,
                     job->packed + column * job->terms, PANEL * job->terms);
}

// ---- groups of outputs ----

// A share of the weights that are wanted next, for each tile one, so that memory works while the tiles
// compute.
static void fetch_ahead(const char *weights, size_t bytes, size_t done, size_t more, size_t all) {
  enum { LINE = 64 };
  const size_t lines = bytes / LINE, end = lines * orion_min(done + more, all) / all;
  for (size_t line = lines * done / all; line < end; line++) {
    __builtin_prefetch(weights + line * LINE, 0, 2);
  }
}

// A block of terms of one group, [terms][width].
typedef struct {
  size_t channel, channels, width;
  size_t first, terms;
  const float *weights;
  const char *next;  // those that follow, of `bytes`
  size_t bytes;
} group_block;

static void run_group(const block_job *job, const orion_product *product, const group_block *block) {
  const size_t panels = product->columns / PANEL, step = job->terms * PANEL;
  const bool last = job->first + block->first + block->terms == product->terms;
  const size_t y_panel = product->y_in_panels ? product->channels * PANEL : PANEL;
  const size_t y_channel = product->y_in_panels ? PANEL : product->y_channel;
  orion_tile tile = {
      .terms = block->terms,
      .panel_step = step,
      .term_step = PANEL,
      .type = TILE_F32,
      .x_term = block->width,
      .x_column = 1,
      .sums_panel = y_panel,
      .sums_column = y_channel,
      .fresh = job->first + block->first == 0,
      .rounding = last ? product->rounding : ORION_ROUND_NONE,
      .mac_limit = product->mac_limit,
  };
  for (size_t p = 0; p < panels; p += tile.panels) {
    tile.panels = panels - p < job->kernels->tile_panels ? 1 : job->kernels->tile_panels;
    tile.weights = job->columns + p * step + block->first * PANEL;
    for (size_t start = 0; start < block->channels; start += TILE_COLUMNS) {
      const size_t output = block->channel + start;
      fetch_ahead(block->next, block->bytes, p * block->channels + start * tile.panels,
                  TILE_COLUMNS * tile.panels, panels * block->channels);
      tile.columns = orion_min(TILE_COLUMNS, block->channels - start);
      tile.x = block->weights + start;
      tile.scales = last && product->scales != NULL ? product->scales + output : NULL;
      tile.bias = last && product->bias != NULL ? product->bias + output : NULL;
      tile.sums = product->y + output * y_channel + p * y_panel;
      job->kernels->tile(&tile);
    }
  }
}

static void add_block(const block_job *job, const orion_product *product, size_t channel, size_t first,
                      size_t terms) {
  static const orion_tile_weights types[] = {TILE_F32, TILE_F16, TILE_I8};
  static const size_t bytes[] = {sizeof(float), sizeof(uint16_t), sizeof(int8_t)};
  const size_t width = orion_group_width(product->channels, channel / PANEL), values = width * terms;
  const size_t place = channel * product->terms + (job->first + first) * width;
  const char *weights = (const char *)product->weights + place * bytes[product->kind];
  const float *wide = (const float *)weights;
  if (types[product->kind] != TILE_F32) {
    float *target = orion_scratch(SCRATCH_COLUMNS, values * sizeof(float));
    job->kernels->widen_panels(weights, types[product->kind], 1, PANEL, values / PANEL, target);
    wide = target;
  }
  const group_block block = {
      .channel = channel,
      .channels = orion_min(width, product->channels - channel),
      .width = width,
      .first = first,
      .terms = terms,
      .weights = wide,
      .next = weights + values * bytes[product->kind],
      .bytes = values * bytes[product->kind],
  };
  run_group(job, product, &block);
}

static size_t count_groups(const orion_product *product) { return orion_ceil_div(product->channels, GROUP); }

static void block_task(void *context, size_t index) {
  const block_job *job = context;
  const orion_product *product = job->products;
  for (size_t tasks; index >= (tasks = count_groups(product)); product++) index -= tasks;
  for (size_t k = 0; k < job->terms; k += TERM_BLOCK) {
    add_block(job, product, index * GROUP, k, orion_min(TERM_BLOCK, job->terms - k));
  }
}

// Terms that are packed at a time.
static size_t find_stretch(size_t terms, size_t columns) {
  const size_t fitting = STRETCH_VALUES / columns / TERM_BLOCK * TERM_BLOCK;
  return orion_min(orion_max(fitting, TERM_BLOCK), terms);
}

void orion_linear_blocks(const orion_product *products, size_t count) {
  const size_t terms = products->terms, columns = products->columns;
  const bool ready = products->x_in_panels;
  const size_t stretch = ready ? terms : find_stretch(terms, columns);
  block_job job = {
      .kernels = orion_kernels_current(),
      .products = products,
      .count = count,
      .packed = ready ? NULL : orion_scratch(SCRATCH_PACKED, columns * stretch * sizeof(float)),
  };
  job.columns = ready ? products->x : job.packed;
  size_t channels = 0, tasks = 0;
  for (size_t i = 0; i < count; i++) {
    channels += products[i].channels;
    tasks += count_groups(&products[i]);
  }
  for (; job.first < terms; job.first += job.terms) {
    job.terms = orion_min(stretch, terms - job.first);
    if (!ready) orion_run_tasks(orion_ceil_div(columns, GROUP), columns * job.terms / 4, pack_task, &job);
    orion_run_tasks(tasks, channels * job.terms * columns / 32, block_task, &job);
  }
}
