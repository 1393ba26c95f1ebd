// Reductions over one axis. Sums run in double and are rounded once, to fp32 or fp16.
#include <math.h>

#include "rows.h"

// What is folded, and what is done to the result in double.
typedef enum { FINISH_NONE, FINISH_MEAN, FINISH_ROOT, FINISH_LOG } reduce_finish;

static const struct {
  orion_row_fold fold;
  reduce_finish finish;
} reductions[] = {
    [ORION_REDUCE_SUM] = {ROW_SUM, FINISH_NONE},
    [ORION_REDUCE_MEAN] = {ROW_SUM, FINISH_MEAN},
    [ORION_REDUCE_MAX] = {ROW_MAX, FINISH_NONE},
    [ORION_REDUCE_MIN] = {ROW_MIN, FINISH_NONE},
    [ORION_REDUCE_SUM_SQUARE] = {ROW_SQUARE, FINISH_NONE},
    [ORION_REDUCE_PROD] = {ROW_PRODUCT, FINISH_NONE},
    [ORION_REDUCE_L1] = {ROW_ABS, FINISH_NONE},
    [ORION_REDUCE_L2] = {ROW_SQUARE, FINISH_ROOT},
    [ORION_REDUCE_LOG_SUM] = {ROW_SUM, FINISH_LOG},
    [ORION_REDUCE_LOG_SUM_EXP] = {ROW_EXP, FINISH_LOG},
};

typedef struct {
  orion_reduction reduction;
  const orion_kernels *kernels;
  const float *x;
  float *y;
  bool half;
} reduce_job;

static void reduce_part(const void *context, const orion_rows_part *part) {
  const reduce_job *job = context;
  const orion_row_fold fold = reductions[job->reduction].fold;
  const float *x = job->x + part->first;
  double shift[ROW_COLUMNS] = {0}, result[ROW_COLUMNS];
  if (fold == ROW_EXP) {
    job->kernels->fold(ROW_MAX, x, part->count, part->stride, part->columns, NULL, shift);
    // An infinite maximum is the result already; subtracting it would make a NaN.
    for (size_t c = 0; c < part->columns; c++) {
      if (isinf(shift[c])) shift[c] = 0;
    }
  }
  job->kernels->fold(fold, x, part->count, part->stride, part->columns, shift, result);
  for (size_t c = 0; c < part->columns; c++) {
    switch (reductions[job->reduction].finish) {
      case FINISH_NONE: break;
      case FINISH_MEAN: result[c] /= (double)part->count; break;
      case FINISH_ROOT: result[c] = sqrt(result[c]); break;
      case FINISH_LOG: result[c] = log(result[c]) + shift[c]; break;
    }
  }
  float *y = job->y + part->outer * part->stride + part->column;
  job->kernels->round_doubles(result, y, part->columns, job->half);
}

void orion_reduce(orion_reduction reduction, const float *x, float *y, size_t outer, size_t count,
                  size_t inner, orion_rounding rounding) {
  const reduce_job job = {reduction, orion_kernels_current(), x, y, rounding != ORION_ROUND_NONE};
  const size_t cost = reductions[reduction].fold == ROW_EXP ? 32 : 4;
  orion_rows_run(outer, count, inner, cost, reduce_part, &job);
}
