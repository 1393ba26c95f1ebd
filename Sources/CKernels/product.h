// The product that linear.c, matmul.c and attention.c are made of: one axis in panels of 16
// channels, one axis of columns, and terms that are added in order. It knows nothing of weights'
// files or of heads.
#ifndef ORION_PRODUCT_H
#define ORION_PRODUCT_H

#include "kernels.h"

// Groups: as linear.c packs. Panels: [terms][16], one after the other.
typedef enum {
  WEIGHTS_GROUPS_F32,
  WEIGHTS_GROUPS_F16,
  WEIGHTS_GROUPS_I8,
  WEIGHTS_PANELS_F32,
  WEIGHTS_STRIDED,
} orion_weights_kind;

// y[c][s] = bias[c] + scales[c] * sum over k of weights[c][k] x[k][s].
typedef struct {
  size_t channels, terms, columns;
  orion_weights_kind kind;
  const void *weights;
  size_t channel_step, term_step;  // of strided weights, in elements
  const float *x;                  // x[k * x_term + s * x_column]
  size_t x_term, x_column;
  const float *scales, *bias;      // or NULL
  float *y;  // y[c * y_channel + s * y_column]
  size_t y_channel, y_column;
  orion_rounding rounding;
  float mac_limit;
  // Columns are in panels of 16; orion_linear_blocks alone knows such.
  bool x_in_panels, y_in_panels;
} orion_product;

// A rectangle of the product: panels of channels by columns.
typedef struct {
  size_t panel, panels;
  size_t column, columns;
} orion_product_part;

// How a product is cut into tasks.
typedef struct {
  size_t panel_step, panel_blocks;
  size_t column_step, column_blocks;
  size_t work;  // of the whole product, as orion_run_tasks counts it
} orion_product_plan;

// `products`: how many of this shape will run together.
orion_product_plan orion_plan_product(const orion_product *product, size_t products);
// Channels of the group that panel number `panel`, one of its first, belongs to: all but the last group have
// PANELS_MAX panels.
static inline size_t orion_group_width(size_t channels, size_t panel) {
  const size_t first = panel / PANELS_MAX * PANELS_MAX;
  return orion_min(PANELS_MAX, orion_ceil_div(channels, PANEL) - first) * PANEL;
}

// Whether orion_product_blocks takes it, which then computes the whole product on the pool.
bool orion_product_fits_blocks(const orion_product *product);
void orion_product_blocks(const orion_product *product);
// The same of packed weights, for some products of the same x.
bool orion_linear_fits_blocks(const orion_product *product);
void orion_linear_blocks(const orion_product *products, size_t count);
// Whether a task of its own may take it, or some of its columns, whose number is the second's result
// when `products` of this shape will run together.
bool orion_product_fits_task(const orion_product *product);
size_t orion_product_task_columns(const orion_product *product, size_t products);
void orion_product_run_columns(const orion_product *product, size_t column, size_t columns);
// Runs task `index` of panel_blocks * column_blocks.
void orion_product_task(const orion_product *product, const orion_product_plan *plan, size_t index);

// Adds terms [first, last) of the part to sums[panel][column][16]; `fresh` starts from 0.
void orion_product_add(const orion_product *product, orion_product_part part, size_t first,
                       size_t last, bool fresh, float *sums);
// Writes the part's finished sums to y.
void orion_product_store(const orion_product *product, orion_product_part part, const float *sums);

// Compute it with another library's product where ORION_ACCELERATE asks for one and the product is large
// and not rounded; else do nothing and return false (accelerate.c).
bool orion_accelerate_matmul(const orion_matmul_args *args);
bool orion_accelerate_linear(const orion_linear_args *args);

#endif
