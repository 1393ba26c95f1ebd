// A large product of two run-time operands whose results lie panel beside panel: sums are kept where
// the results belong, and each operand is packed once. Weights are packed by all threads, a stretch
// of terms at a time, small enough for the last cache; each task then takes some columns, packs a
// block of their terms into its own cache, and runs all panels over it. It knows nothing of the
// arithmetic, which is the tile's.
#include "product.h"

enum {
  TERMS_MAX = 1024,           // of a tile, so that sums are seldom put down and taken up again
  X_VALUES = 132 * 1024,      // of packed columns, which stay in a core's own cache
  STRETCH_VALUES = 1 << 20,   // of packed weights
  PANELS_OF_TASK = 8,         // that a packing task takes
};

typedef struct {
  const orion_kernels *kernels;
  const orion_product *product;
  float *packed;         // panels of [terms][16]
  size_t first, terms;   // the stretch
  size_t block;          // terms of a tile
  size_t column_step;    // of a task
} block_job;

bool orion_product_fits_blocks(const orion_product *product) {
  return product->kind == WEIGHTS_STRIDED && product->y_channel == 1 && product->terms > 0 &&
         product->channels % PANEL == 0 && product->columns > 2 * TILE_COLUMNS &&
         product->scales == NULL && product->bias == NULL;
}

static void pack_task(void *context, size_t index) {
  const block_job *job = context;
  const orion_product *product = job->product;
  const size_t channel = index * PANELS_OF_TASK * PANEL;
  const float *source = (const float *)product->weights + channel * product->channel_step +
                        job->first * product->term_step;
  const size_t channels = orion_min(PANELS_OF_TASK * PANEL, product->channels - channel);
  job->kernels->pack(source, product->channel_step, product->term_step, channels, job->terms,
                     job->packed + channel * job->terms, PANEL * job->terms);
}

// The sums of the next columns lie far apart, where the processor does not foresee them.
static void fetch_sums(const orion_tile *tile, size_t columns) {
  const float *next = tile->sums + TILE_COLUMNS * tile->sums_column;
  for (size_t s = 0; s < orion_min(TILE_COLUMNS, columns); s++) {
    for (size_t p = 0; p < tile->panels; p++) {
      __builtin_prefetch(next + s * tile->sums_column + p * tile->sums_panel, 1);
    }
  }
}

// All panels by the columns over one block of terms, whose columns were packed into `x`.
static void run_block(const block_job *job, size_t column, size_t columns, size_t first,
                      size_t terms, const float *x) {
  const orion_product *product = job->product;
  const size_t panels = product->channels / PANEL, step = job->terms * PANEL;
  const bool last = job->first + first + terms == product->terms;
  const size_t tiles = orion_ceil_div(columns, TILE_COLUMNS);
  orion_tile tile = {
      .terms = terms,
      .panel_step = step,
      .term_step = PANEL,
      .type = TILE_F32,
      .x_column = 1,
      .sums_panel = PANEL,
      .sums_column = product->y_column,
      .fresh = job->first + first == 0,
      .rounding = last ? product->rounding : ORION_ROUND_NONE,
      .mac_limit = product->mac_limit,
  };
  for (size_t p = 0; p < panels; p += tile.panels) {
    tile.panels = panels - p < job->kernels->tile_panels ? 1 : job->kernels->tile_panels;
    tile.weights = job->packed + p * step + first * PANEL;
    for (size_t t = 0; t < tiles; t++) {
      const size_t start = t * TILE_COLUMNS;
      tile.columns = orion_min(TILE_COLUMNS, columns - start);
      tile.x = x + start * terms;
      tile.x_term = tile.columns;
      tile.sums = product->y + (column + start) * product->y_column + p * PANEL;
      if (!tile.fresh) fetch_sums(&tile, columns - start - tile.columns);
      job->kernels->tile(&tile);
    }
  }
}

// The stretch's terms of some columns.
static void run_columns(const block_job *job, size_t column, size_t columns) {
  const orion_product *product = job->product;
  float *x = orion_scratch(SCRATCH_COLUMNS, columns * job->block * sizeof(float));
  for (size_t k = 0; k < job->terms; k += job->block) {
    const size_t terms = orion_min(job->block, job->terms - k);
    const float *source =
        product->x + (job->first + k) * product->x_term + column * product->x_column;
    job->kernels->pack_tiles(source, product->x_term, product->x_column, terms, columns, x);
    run_block(job, column, columns, k, terms, x);
  }
}

static void block_task(void *context, size_t index) {
  const block_job *job = context;
  const size_t column = index * job->column_step;
  run_columns(job, column, orion_min(job->column_step, job->product->columns - column));
}

// Blocks of terms of one size.
static size_t find_block(const orion_product *product) {
  const size_t blocks = orion_ceil_div(product->terms, TERMS_MAX);
  return orion_ceil_div(orion_ceil_div(product->terms, blocks), PANEL) * PANEL;
}

// As many blocks for each thread, so that all end at the same time.
static size_t find_column_step(const orion_product *product, size_t tasks) {
  const size_t fitting = orion_ceil_div(product->columns, X_VALUES / find_block(product));
  const size_t blocks = orion_ceil_div(fitting, tasks) * tasks;
  return orion_ceil_div(orion_ceil_div(product->columns, blocks), TILE_COLUMNS) * TILE_COLUMNS;
}

void orion_product_blocks(const orion_product *product) {
  const size_t block = find_block(product);
  const size_t fitting = STRETCH_VALUES / product->channels / block * block;
  const size_t stretch = orion_min(orion_max(fitting, block), product->terms);
  block_job job = {
      .kernels = orion_kernels_current(),
      .product = product,
      .packed = orion_scratch(SCRATCH_PACKED, product->channels * stretch * sizeof(float)),
      .block = block,
      .column_step = find_column_step(product, 4 * (size_t)orion_pool_threads()),
  };
  const size_t packs = orion_ceil_div(product->channels, PANELS_OF_TASK * PANEL);
  const size_t tasks = orion_ceil_div(product->columns, job.column_step);
  for (; job.first < product->terms; job.first += job.terms) {
    job.terms = orion_min(stretch, product->terms - job.first);
    const size_t work = product->channels * job.terms / 4;
    orion_run_tasks(packs, work, pack_task, &job);
    orion_run_tasks(tasks, work * product->columns / 8, block_task, &job);
  }
}

// ---- one of a batch ----

bool orion_product_fits_task(const orion_product *product) {
  return orion_product_fits_blocks(product) &&
         product->channels * product->terms <= STRETCH_VALUES / 4;
}

size_t orion_product_task_columns(const orion_product *product, size_t products) {
  return find_column_step(product,
                          orion_ceil_div(2 * (size_t)orion_pool_threads(), products));
}

void orion_product_run_columns(const orion_product *product, size_t column, size_t columns) {
  const size_t step = PANEL * product->terms, values = product->channels * product->terms;
  const block_job job = {
      .kernels = orion_kernels_current(),
      .product = product,
      .packed = orion_scratch(SCRATCH_PACKED, values * sizeof(float)),
      .terms = product->terms,
      .block = find_block(product),
  };
  job.kernels->pack(product->weights, product->channel_step, product->term_step,
                    product->channels, product->terms, job.packed, step);
  run_columns(&job, column, columns);
}
