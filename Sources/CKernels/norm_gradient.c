// The gradient of RMS norm by its operand and by its factors, in double, rounded once to fp32.
#include "orion_training_kernels.h"
#include "rows.h"

typedef struct {
  const orion_kernels *kernels;
  const orion_rms_norm_gradient_args *args;
  size_t groups;       // of columns, for one outer index
  double *gamma_sums;  // of each part [count], or NULL
} norm_gradient_job;

static void norm_gradient_part(const void *context, const orion_rows_part *part) {
  const norm_gradient_job *job = context;
  const orion_rms_norm_gradient_args *args = job->args;
  const size_t index = part->outer * job->groups + part->column / ROW_COLUMNS;
  const orion_norm_gradient_block block = {
      .x = args->x + part->first,
      .gradient = args->gradient + part->first,
      .added = args->added == NULL ? NULL : args->added + part->first,
      .y = args->x_gradient + part->first,
      .count = part->count,
      .stride = part->stride,
      .columns = part->columns,
      .gamma = args->gamma,
      .epsilon = (double)args->epsilon,
      .gamma_sums = job->gamma_sums == NULL ? NULL : job->gamma_sums + index * part->count,
  };
  job->kernels->norm_gradient(&block);
}

void orion_rms_norm_gradient(const orion_rms_norm_gradient_args *args) {
  const size_t groups = orion_ceil_div(args->inner, ROW_COLUMNS), parts = args->outer * groups;
  norm_gradient_job job = {.kernels = orion_kernels_current(), .args = args, .groups = groups};
  if (args->gamma_gradient != NULL) {
    job.gamma_sums = orion_scratch(SCRATCH_PARTIALS, parts * args->count * sizeof(double));
  }
  orion_rows_run(args->outer, args->count, args->inner, 8, norm_gradient_part, &job);
  for (size_t k = 0; args->gamma_gradient != NULL && k < args->count; k++) {
    double sum = 0;
    for (size_t p = 0; p < parts; p++) sum += job.gamma_sums[p * args->count + k];
    args->gamma_gradient[k] = (float)sum;
  }
}
