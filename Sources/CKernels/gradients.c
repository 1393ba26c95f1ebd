// Arithmetic of gradients and casts of strided rows. It knows nothing of losses or optimizers.
#include <stdatomic.h>
#include <string.h>

#include "matrix.h"

// ---- blocks of values ----

typedef struct {
  size_t rows, columns;
  orion_piece_run run;
  const void *context;
  atomic_size_t sum;
} pieces_job;

static void pieces_task(void *context, size_t index) {
  pieces_job *job = context;
  size_t first = index * MATRIX_BLOCK, sum = 0;
  const size_t end = orion_min(first + MATRIX_BLOCK, job->rows * job->columns);
  while (first < end) {
    const size_t row = first / job->columns, column = first % job->columns;
    const size_t count = orion_min(job->columns - column, end - first);
    sum += job->run(job->context, row, column, first, count);
    first += count;
  }
  atomic_fetch_add_explicit(&job->sum, sum, memory_order_relaxed);
}

size_t orion_run_pieces(size_t rows, size_t columns, bool dense, orion_piece_run run,
                        const void *context) {
  const size_t count = rows * columns;
  pieces_job job = {dense ? 1 : rows, dense ? count : columns, run, context, 0};
  orion_run_tasks(orion_ceil_div(count, MATRIX_BLOCK), count / 2, pieces_task, &job);
  return atomic_load(&job.sum);
}

// ---- sum of squares ----

typedef struct {
  const float *values;
  size_t count;
  double *sums;
} squares_job;

static void squares_task(void *context, size_t index) {
  const squares_job *job = context;
  const size_t first = index * MATRIX_BLOCK;
  orion_kernels_current()->fold(ROW_SQUARE, job->values + first,
                                orion_min(MATRIX_BLOCK, job->count - first), 1, 1, NULL,
                                &job->sums[index]);
}

double orion_sum_of_squares(const float *values, size_t count) {
  const size_t blocks = orion_ceil_div(count, MATRIX_BLOCK);
  squares_job job = {values, count, orion_scratch(SCRATCH_PARTIALS, blocks * sizeof(double))};
  orion_run_tasks(blocks, count / 4, squares_task, &job);
  double sum = 0;
  for (size_t i = 0; i < blocks; i++) sum += job.sums[i];
  return sum;
}

// ---- accumulation ----

typedef struct {
  const orion_kernels *kernels;
  orion_matrix source;
  float scale;
  bool fresh;
  float *target;
} accumulate_job;

static size_t accumulate_piece(const void *context, size_t row, size_t column, size_t first,
                               size_t count) {
  const accumulate_job *job = context;
  const bool finite = job->kernels->accumulate(orion_matrix_at(job->source, row, column),
                                               job->source.half, job->scale, job->fresh,
                                               job->target + first, count);
  return !finite;
}

bool orion_accumulate(orion_matrix source, size_t rows, size_t columns, float scale, bool fresh,
                      float *target) {
  const accumulate_job job = {orion_kernels_current(), source, scale, fresh, target};
  const bool dense = orion_matrix_is_dense(source, rows, columns);
  return orion_run_pieces(rows, columns, dense, accumulate_piece, &job) == 0;
}

// ---- casts ----

typedef struct {
  const orion_kernels *kernels;
  orion_matrix source, target;
} convert_job;

static size_t convert_piece(const void *context, size_t row, size_t column, size_t first,
                            size_t count) {
  (void)first;
  const convert_job *job = context;
  const void *source = orion_matrix_at(job->source, row, column);
  void *target = orion_matrix_at(job->target, row, column);
  if (!job->source.half && job->target.half) return job->kernels->saturate(source, target, count);
  if (job->source.half && !job->target.half) {
    job->kernels->widen(source, target, count);
    return 0;
  }
  memcpy(target, source, count * orion_value_bytes(job->source));
  return job->target.half ? job->kernels->count_outside(target, count) : 0;
}

size_t orion_convert(orion_matrix source, orion_matrix target, size_t rows, size_t columns) {
  const convert_job job = {orion_kernels_current(), source, target};
  const bool dense = orion_matrix_is_dense(source, rows, columns) &&
                     orion_matrix_is_dense(target, rows, columns);
  return orion_run_pieces(rows, columns, dense, convert_piece, &job);
}
