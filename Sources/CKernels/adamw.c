// AdamW: a step of the optimizer in one pass over memory.
#include <math.h>

#include "matrix.h"

typedef struct {
  const orion_kernels *kernels;
  const orion_adamw_args *args;
  orion_adamw_factors factors;
} adamw_job;

static size_t adamw_piece(const void *context, size_t row, size_t column, size_t first,
                          size_t count) {
  const adamw_job *job = context;
  const orion_adamw_args *args = job->args;
  uint16_t *copy = args->copy.values == NULL ? NULL : orion_matrix_at(args->copy, row, column);
  return job->kernels->adamw(&job->factors, args->weights + first, args->gradient + first,
                             args->first_moment + first, args->second_moment + first, copy, count);
}

size_t orion_adamw(const orion_adamw_args *args) {
  const double step = (double)args->step;
  const adamw_job job = {
      .kernels = orion_kernels_current(),
      .args = args,
      .factors =
          {
              .gradient_scale = args->gradient_scale,
              .keep = (float)(1 - args->learning_rate * args->weight_decay),
              .beta1_rest = (float)(1 - args->beta1),
              .beta2 = (float)args->beta2,
              .beta2_rest = (float)(1 - args->beta2),
              .root = (float)sqrt(1 - pow(args->beta2, step)),
              .epsilon = (float)args->epsilon,
              .step_size = (float)(args->learning_rate / (1 - pow(args->beta1, step))),
          },
  };
  const bool dense = args->copy.values == NULL ||
                     orion_matrix_is_dense(args->copy, args->rows, args->columns);
  return orion_run_pieces(args->rows, args->columns, dense, adamw_piece, &job);
}
