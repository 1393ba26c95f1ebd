// The gradient of RMS norm by its operand and by its factors, in double, rounded once to fp32.
#include "kernels.h"
#include "orion_training_kernels.h"

typedef struct {
  const orion_kernels *kernels;
  const orion_rms_norm_gradient_args *args;
  size_t groups;       // of columns, for one outer index
  double *gamma_sums;  // of each part [count], or NULL
} norm_gradient_job;

static void norm_gradient_task(void *context, size_t index) {
  const norm_gradient_job *job = context;
  const orion_rms_norm_gradient_args *args = job->args;
  const size_t column = index % job->groups * NORM_COLUMNS;
  const size_t first = index / job->groups * args->count * args->inner + column;
  const orion_norm_gradient_block block = {
      .x = args->x + first,
      .gradient = args->gradient + first,
      .added = args->added == NULL ? NULL : args->added + first,
      .y = args->x_gradient + first,
      .count = args->count,
      .stride = args->inner,
      .columns = orion_min(NORM_COLUMNS, args->inner - column),
      .gamma = args->gamma,
      .epsilon = (double)args->epsilon,
      .gamma_sums = job->gamma_sums == NULL ? NULL : job->gamma_sums + index * args->count,
  };
  job->kernels->norm_gradient(&block);
}

void orion_rms_norm_gradient(const orion_rms_norm_gradient_args *args) {
  const size_t groups = orion_ceil_div(args->inner, NORM_COLUMNS), parts = args->outer * groups;
  norm_gradient_job job = {.kernels = orion_kernels_current(), .args = args, .groups = groups};
  if (args->gamma_gradient != NULL) {
    job.gamma_sums = orion_scratch(SCRATCH_PARTIALS, parts * args->count * sizeof(double));
  }
  const size_t values = args->outer * args->count * args->inner;
  orion_run_tasks(parts, values / 2, norm_gradient_task, &job);
  for (size_t k = 0; args->gamma_gradient != NULL && k < args->count; k++) {
    double sum = 0;
    for (size_t p = 0; p < parts; p++) sum += job.gamma_sums[p * args->count + k];
    args->gamma_gradient[k] = (float)sum;
  }
}
