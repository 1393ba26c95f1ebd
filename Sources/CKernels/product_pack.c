// Operands of a product in the order in which tiles read them, packed once for all tasks. It knows
// nothing of what the tasks do with them.
#include "product.h"

enum { PACKED_BYTES_MAX = 8 << 20, PANELS_OF_TASK = 4, TILES_OF_TASK = 8 };

typedef struct {
  const orion_kernels *kernels;
  const orion_product *product;
  float *panels, *tiles;  // or NULL
  size_t panel_tasks;
} pack_job;

static void pack_task(void *context, size_t index) {
  const pack_job *job = context;
  const orion_product *product = job->product;
  const size_t terms = product->terms;
  if (index < job->panel_tasks) {
    const size_t first = index * PANELS_OF_TASK * PANEL;
    const size_t channels = orion_min(PANELS_OF_TASK * PANEL, product->channels - first);
    const float *source = (const float *)product->weights + first * product->channel_step;
    job->kernels->pack(source, product->channel_step, product->term_step, channels, terms,
                       job->panels + first * terms, PANEL * terms);
    return;
  }
  const size_t first = (index - job->panel_tasks) * TILES_OF_TASK * TILE_COLUMNS;
  const size_t columns = orion_min(TILES_OF_TASK * TILE_COLUMNS, product->columns - first);
  job->kernels->pack_tiles(product->x + first * product->x_column, product->x_term,
                           product->x_column, terms, columns, job->tiles + first * terms);
}

void orion_product_pack(orion_product *product, const orion_product_plan *plan) {
  const size_t panels = orion_ceil_div(product->channels, PANEL) * PANEL * product->terms;
  const size_t tiles = product->columns * product->terms;
  const size_t most = PACKED_BYTES_MAX / sizeof(float);
  const bool packs_panels =
      product->kind == WEIGHTS_STRIDED && plan->column_blocks > 1 && panels <= most;
  const bool packs_tiles = plan->column_step > TILE_COLUMNS && plan->panel_blocks > 1 && tiles <= most;
  if (!packs_panels && !packs_tiles) return;
  const size_t values = (packs_panels ? panels : 0) + (packs_tiles ? tiles : 0);
  float *memory = orion_scratch(SCRATCH_PACKED, values * sizeof(float));
  const orion_product source = *product;
  pack_job job = {.kernels = orion_kernels_current(), .product = &source};
  size_t tasks = 0;
  if (packs_panels) {
    job.panels = memory;
    memory += panels;
    job.panel_tasks = tasks = orion_ceil_div(product->channels, PANELS_OF_TASK * PANEL);
    product->kind = WEIGHTS_PANELS_F32;
    product->weights = job.panels;
  }
  if (packs_tiles) {
    job.tiles = memory;
    tasks += orion_ceil_div(product->columns, TILES_OF_TASK * TILE_COLUMNS);
    product->x_tiles = true;
    product->x = job.tiles;
  }
  orion_run_tasks(tasks, values / 4, pack_task, &job);
}
