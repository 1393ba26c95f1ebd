// Layer norm and RMS norm over one axis, in double, rounded once to fp32 or fp16.
#include <math.h>

#include "rows.h"

typedef struct {
  const orion_kernels *kernels;
  const float *x;
  float *y;
  const float *gamma, *beta;
  double epsilon;
  bool centred;  // layer norm subtracts the mean
  bool half;
  bool in_panels;
} norm_job;

static void norm_part(const void *context, const orion_rows_part *part) {
  const norm_job *job = context;
  double mean[ROW_COLUMNS] = {0}, deviation[ROW_COLUMNS];
  const float *x = job->x + part->first;
  const double count = (double)part->count;
  if (job->centred) {
    job->kernels->fold(ROW_SUM, x, part->count, part->stride, part->columns, NULL, mean);
    for (size_t c = 0; c < part->columns; c++) mean[c] /= count;
  }
  job->kernels->fold(ROW_DEVIATION, x, part->count, part->stride, part->columns, mean, deviation);
  for (size_t c = 0; c < part->columns; c++) {
    deviation[c] = sqrt(deviation[c] / count + job->epsilon);
  }
  orion_row_map map = {
      .x = x,
      .y = job->y + part->first,
      .count = part->count,
      .stride = part->stride,
      .y_stride = part->stride,
      .columns = part->columns,
      .shift = mean,
      .scale = deviation,
      .gamma = job->gamma,
      .beta = job->beta,
      .half = job->half,
  };
  if (!job->in_panels) return job->kernels->affine(&map);
  map.y_stride = map.columns = PANEL;
  float *y = job->y + part->first - part->column;
  for (size_t c = 0; c < part->columns; c += PANEL) {
    map.x = x + c;
    map.y = y + (part->column + c) * part->count;
    map.shift = mean + c;
    map.scale = deviation + c;
    job->kernels->affine(&map);
  }
}

void orion_layer_norm(const float *x, float *y, const float *gamma, const float *beta,
                      float epsilon, size_t outer, size_t count, size_t inner,
                      orion_rounding rounding, bool y_in_panels) {
  const norm_job job = {orion_kernels_current(), x, y, gamma, beta, (double)epsilon, true,
                        rounding != ORION_ROUND_NONE, y_in_panels};
  orion_rows_run(outer, count, inner, 24, norm_part, &job);
}

void orion_rms_norm(const float *x, float *y, const float *gamma, float epsilon, size_t outer,
                    size_t count, size_t inner, orion_rounding rounding, bool y_in_panels) {
  const norm_job job = {orion_kernels_current(), x, y, gamma, NULL, (double)epsilon, false,
                        rounding != ORION_ROUND_NONE, y_in_panels};
  orion_rows_run(outer, count, inner, 20, norm_part, &job);
}
