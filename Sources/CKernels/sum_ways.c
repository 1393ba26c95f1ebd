// Products as some engines sum and round them: in tiles of four terms, with ties away from zero. The plain
// product runs first; what an engine does otherwise is worked out again, one sum at a time. It is for being
// right, not fast, and it knows no chip.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

// y[c][s] = bias[c] + sum over k of w[c][k] x[k][s], with strides of elements.
typedef struct {
  size_t channels, terms, columns;
  const float *w;
  size_t w_channel, w_term;
  const float *x;
  size_t x_term, x_column;
  const float *bias;  // or NULL
  float *y;
  size_t y_channel, y_column;
} product;

static float largest(const float *values, size_t rows, size_t row, size_t columns, size_t column) {
  float most = 0;
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j++) {
      const float size = fabsf(values[i * row + j * column]);
      if (!(size <= most)) most = size;  // a NaN stays the largest
    }
  }
  return most;
}

static float round_half(float value, bool away) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint32_t sign = bits & 0x80000000u;
  uint32_t size = bits & 0x7fffffffu;
  if (size >= 0x7f800000u) return value;
  if (size < 0x38800000u) {  // subnormal in fp16: multiples of 2^-24
    const float steps = fabsf(value) * 0x1p24f;
    return copysignf((away ? floorf(steps + 0.5f) : nearbyintf(steps)) * 0x1p-24f, value);
  }
  size += away ? 0x1000u : 0xfffu + ((size >> 13) & 1u);
  size &= ~0x1fffu;
  if (size > 0x477fe000u) size = 0x7f800000u;
  bits = sign | size;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// The sum of one channel and column in tiles, where a tile is larger than `above`; else what `sum` was.
static bool sum_tiles(const product *p, size_t c, size_t s, float above, float *sum) {
  const float *w = p->w + c * p->w_channel, *x = p->x + s * p->x_column;
  float total = 0;
  bool seen = false;
  for (size_t k = 0; k < p->terms; k += 4) {
    float tile = 0;
    for (size_t i = k; i < p->terms && i < k + 4; i++) {
      tile = fmaf(w[i * p->w_term], x[i * p->x_term], tile);
    }
    if (fabsf(tile) > above) {
      tile = round_half(tile, false);
      seen = true;
    }
    total += tile;
  }
  if (seen) *sum = total;
  return seen;
}

static void redo_tiles(const product *p, float above, float largest_x) {
  const float largest_w = largest(p->w, p->channels, p->w_channel, p->terms, p->w_term);
  if (4 * largest_w * largest_x <= above) return;
  for (size_t c = 0; c < p->channels; c++) {
    for (size_t s = 0; s < p->columns; s++) {
      float sum;
      if (!sum_tiles(p, c, s, above, &sum)) continue;
      p->y[c * p->y_channel + s * p->y_column] = p->bias == NULL ? sum : sum + p->bias[c];
    }
  }
}

static void round_sums(const product *p, orion_rounding rounding, float limit, bool away) {
  if (rounding == ORION_ROUND_NONE) return;
  for (size_t c = 0; c < p->channels; c++) {
    for (size_t s = 0; s < p->columns; s++) {
      float *y = p->y + c * p->y_channel + s * p->y_column;
      *y = round_half(*y, away);
      if (rounding == ORION_ROUND_F16_MAC && fabsf(*y) >= limit) *y = copysignf(INFINITY, *y);
    }
  }
}

// ---- packed weights ----

typedef struct {
  const orion_linear_args *args;
  const orion_sum_ways *ways;
  float largest_x;
} linear_job;

static void widen_panel(const orion_linear_args *args, size_t panel, float *target) {
  const size_t count = args->inner * PANEL, first = panel * count;
  if (args->kind == ORION_PACKED_F16) {
    orion_f16_to_f32((const uint16_t *)args->weights + first, target, count);
  } else {
    memcpy(target, (const float *)args->weights + first, count * sizeof(float));
  }
}

static void redo_panel(void *context, size_t panel) {
  const linear_job *job = context;
  const orion_linear_args *args = job->args;
  const size_t channel = panel * PANEL;
  product p = {
      .channels = orion_min(PANEL, args->outputs - channel),
      .terms = args->inner,
      .columns = args->columns,
      .w_channel = 1,
      .w_term = PANEL,
      .x = args->x,
      .x_term = args->x_row,
      .x_column = args->x_column,
      .bias = args->bias == NULL ? NULL : args->bias + channel,
      .y = args->y + channel * args->y_row,
      .y_channel = args->y_row,
      .y_column = args->y_column,
  };
  // An engine's weights are fp16 numbers; the bytes of the host are not summed in tiles.
  if (job->ways->tiles_above < INFINITY && args->kind != ORION_PACKED_I8) {
    float *wide = malloc((args->inner * PANEL + 1) * sizeof(float));
    if (wide != NULL) {
      widen_panel(args, panel, wide);
      p.w = wide;
      redo_tiles(&p, job->ways->tiles_above, job->largest_x);
      free(wide);
    }
  }
  round_sums(&p, args->rounding, args->mac_limit, job->ways->ties_away);
}

void orion_linear_by(const orion_linear_args *args, const orion_sum_ways *ways) {
  orion_linear_args plain = *args;
  plain.rounding = ORION_ROUND_NONE;
  orion_linear(&plain);
  linear_job job = {args, ways, INFINITY};
  if (ways->tiles_above < INFINITY) {
    job.largest_x = largest(args->x, args->inner, args->x_row, args->columns, args->x_column);
  }
  orion_pool_run(orion_ceil_div(args->outputs, PANEL), redo_panel, &job);
}

// ---- run-time operands ----

typedef struct {
  const orion_matmul_args *args;
  const orion_sum_ways *ways;
} matmul_job;

static void redo_product(void *context, size_t index) {
  const matmul_job *job = context;
  const orion_matmul_args *args = job->args;
  const product p = {
      .channels = args->m,
      .terms = args->k,
      .columns = args->n,
      .w = args->a + args->a_offsets[index],
      .w_channel = args->a_row,
      .w_term = args->a_column,
      .x = args->b + args->b_offsets[index],
      .x_term = args->b_row,
      .x_column = args->b_column,
      .y = args->c + args->c_offsets[index],
      .y_channel = args->c_row,
      .y_column = 1,
  };
  if (job->ways->tiles_above < INFINITY) {
    redo_tiles(&p, job->ways->tiles_above,
               largest(p.x, p.terms, p.x_term, p.columns, p.x_column));
  }
  round_sums(&p, args->rounding, args->mac_limit, job->ways->ties_away);
}

void orion_matmul_by(const orion_matmul_args *args, const orion_sum_ways *ways) {
  orion_matmul_args plain = *args;
  plain.rounding = ORION_ROUND_NONE;
  orion_matmul(&plain);
  matmul_job job = {args, ways};
  orion_pool_run(args->batch, redo_product, &job);
}
