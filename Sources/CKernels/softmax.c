// Softmax over one axis: exp(x - max) over its sum.
#include "rows.h"

typedef struct {
  const orion_kernels *kernels;
  const float *x;
  float *y;
} softmax_job;

static void softmax_part(const void *context, const orion_rows_part *part) {
  const softmax_job *job = context;
  job->kernels->softmax(job->x + part->first, job->y + part->first, part->count, part->stride,
                        part->columns);
}

// In double to the end, for one rounding to fp16.
static void softmax_half_part(const void *context, const orion_rows_part *part) {
  const softmax_job *job = context;
  double highest[ROW_COLUMNS], sum[ROW_COLUMNS];
  const float *x = job->x + part->first;
  const orion_kernels *kernels = job->kernels;
  kernels->fold(ROW_MAX, x, part->count, part->stride, part->columns, NULL, highest);
  kernels->fold(ROW_EXP, x, part->count, part->stride, part->columns, highest, sum);
  const orion_row_map map = {
      .x = x,
      .y = job->y + part->first,
      .count = part->count,
      .stride = part->stride,
      .y_stride = part->stride,
      .columns = part->columns,
      .shift = highest,
      .scale = sum,
      .half = true,
  };
  kernels->exponentials(&map);
}

void orion_softmax(const float *x, float *y, size_t outer, size_t count, size_t inner,
                   orion_rounding rounding) {
  const softmax_job job = {orion_kernels_current(), x, y};
  if (rounding == ORION_ROUND_NONE) {
    orion_rows_run(outer, count, inner, 16, softmax_part, &job);
  } else {
    orion_rows_run(outer, count, inner, 64, softmax_half_part, &job);
  }
}

float orion_highest(const float *x, size_t count) {
  return orion_kernels_current()->highest(x, count);
}
