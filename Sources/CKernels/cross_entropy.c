// Cross-entropy over the vocabulary and its gradient, for logits [V, S]. It reads the logits twice, keeps
// nothing of their size, and takes the vocabulary in blocks that depend on nothing but its length.
#include <float.h>
#include <math.h>
#include <string.h>

#include "matrix.h"

// Columns of a task: long runs of memory, which the processor can foresee.
enum { BLOCK_ROWS = 512, STRIP = 1024 };

typedef struct {
  const orion_kernels *kernels;
  const orion_logits *parts;
  size_t part_count, columns;
  const int32_t *targets;
  float scale;
  size_t blocks;       // of the whole vocabulary
  size_t step;         // columns, and room for the last strip's whole vectors
  size_t strips;
  float *tops;         // [blocks][step], then the whole vocabulary's [step]
  double *sums;        // as tops
  float *factors;      // [step]
  double *hits;        // [S] logits of the targets
} loss_job;

// Where a block of rows is.
typedef struct {
  const orion_logits *part;
  size_t first, rows;   // in the part
  size_t first_token;   // in the vocabulary
} block_place;

static block_place find_block(const loss_job *job, size_t index) {
  block_place place = {.part = job->parts};
  for (;; place.part++) {
    const size_t blocks = orion_ceil_div(place.part->rows, BLOCK_ROWS);
    if (index < blocks) break;
    index -= blocks;
    place.first_token += place.part->rows;
  }
  place.first = index * BLOCK_ROWS;
  place.rows = orion_min(BLOCK_ROWS, place.part->rows - place.first);
  place.first_token += place.first;
  return place;
}

static orion_logit_block block_at(const loss_job *job, const block_place *place, size_t column) {
  const orion_matrix logits = place->part->logits, gradient = place->part->gradient;
  return (orion_logit_block){
      .logits = orion_matrix_at(logits, place->first, column),
      .row_bytes = logits.row_bytes,
      .half = logits.half,
      .rows = place->rows,
      .columns = orion_min(STRIP, job->columns - column),
      .gradient = gradient.values == NULL ? NULL : orion_matrix_at(gradient, place->first, column),
      .gradient_row_bytes = gradient.row_bytes,
      .gradient_half = gradient.half,
  };
}

static float value_at(orion_matrix matrix, size_t row, size_t column) {
  float value;
  if (!matrix.half) return *(const float *)orion_matrix_at(matrix, row, column);
  orion_kernels_current()->widen(orion_matrix_at(matrix, row, column), &value, 1);
  return value;
}

// The row of the block that a column's target is in, or SIZE_MAX.
static size_t target_row(const loss_job *job, const block_place *place, size_t column) {
  const int64_t row = (int64_t)job->targets[column] - (int64_t)place->first_token;
  const bool inside = job->targets[column] >= 0 && row >= 0 && row < (int64_t)place->rows;
  return inside ? (size_t)row + place->first : SIZE_MAX;
}

// ---- the sums ----

static void sums_task(void *context, size_t index) {
  const loss_job *job = context;
  const size_t number = index / job->strips, column = index % job->strips * STRIP;
  const block_place place = find_block(job, number);
  orion_logit_block block = block_at(job, &place, column);
  const size_t lanes = orion_ceil_div(block.columns, 8) * 8;
  block.tops = job->tops + number * job->step + column;
  block.sums = job->sums + number * job->step + column;
  for (size_t c = 0; c < lanes; c++) block.tops[c] = -FLT_MAX;
  memset(block.sums, 0, lanes * sizeof(double));
  job->kernels->logit_sums(&block);
  for (size_t c = column; c < column + block.columns; c++) {
    const size_t row = target_row(job, &place, c);
    if (row != SIZE_MAX) job->hits[c] = value_at(place.part->logits, row, c);
  }
}

// One column's sums become the whole vocabulary's.
static void join_column(const loss_job *job, size_t column) {
  float top = -FLT_MAX;
  for (size_t b = 0; b < job->blocks; b++) {
    const float other = job->tops[b * job->step + column];
    if (other > top || other != other) top = other;
    if (top != top) break;
  }
  double sum = 0;
  for (size_t b = 0; b < job->blocks; b++) {
    const size_t at = b * job->step + column;
    const double below = (double)job->tops[at] - (double)top;
    // What is smaller does not reach the sum, which is at least 1.
    if (!(below < -100)) sum += job->sums[at] * exp(below);
  }
  job->tops[job->blocks * job->step + column] = top;
  job->sums[job->blocks * job->step + column] = sum;
  const bool counts = job->targets[column] >= 0;
  job->factors[column] = counts ? (float)((double)job->scale / sum) : 0;
}

static void join_task(void *context, size_t strip) {
  const loss_job *job = context;
  const size_t first = strip * STRIP, end = orion_min(first + STRIP, job->columns);
  for (size_t column = first; column < end; column++) join_column(job, column);
  // Lanes beyond the last column.
  for (size_t c = end; c < orion_ceil_div(end, 8) * 8; c++) {
    job->tops[job->blocks * job->step + c] = 0;
    job->factors[c] = 0;
  }
}

// ---- the gradient ----

static void store_target(const loss_job *job, orion_matrix gradient, size_t row, size_t column) {
  const double sum = job->sums[job->blocks * job->step + column];
  const double top = job->tops[job->blocks * job->step + column];
  const float value = (float)(job->scale * (exp(job->hits[column] - top) / sum - 1));
  void *target = orion_matrix_at(gradient, row, column);
  if (gradient.half) {
    job->kernels->narrow(&value, target, 1);
  } else {
    *(float *)target = value;
  }
}

static void gradient_task(void *context, size_t index) {
  const loss_job *job = context;
  const size_t column = index % job->strips * STRIP;
  const block_place place = find_block(job, index / job->strips);
  orion_logit_block block = block_at(job, &place, column);
  if (block.gradient == NULL) return;
  block.tops = job->tops + job->blocks * job->step + column;
  block.factors = job->factors + column;
  job->kernels->logit_gradient(&block);
  for (size_t c = column; c < column + block.columns; c++) {
    const size_t row = target_row(job, &place, c);
    if (row != SIZE_MAX) store_target(job, place.part->gradient, row, c);
  }
}

size_t orion_cross_entropy(const orion_logits *parts, size_t part_count, size_t columns,
                           const int32_t *targets, float scale, double *loss) {
  loss_job job = {
      .kernels = orion_kernels_current(),
      .parts = parts,
      .part_count = part_count,
      .columns = columns,
      .targets = targets,
      .scale = scale,
      .step = orion_ceil_div(columns, 8) * 8,
      .strips = orion_ceil_div(columns, STRIP),
  };
  size_t rows = 0;
  bool wanted = false;
  for (size_t i = 0; i < part_count; i++) {
    rows += parts[i].rows;
    job.blocks += orion_ceil_div(parts[i].rows, BLOCK_ROWS);
    wanted |= parts[i].gradient.values != NULL;
  }
  const size_t cells = (job.blocks + 1) * job.step;
  const size_t bytes = cells * (sizeof(double) + sizeof(float)) +
                       job.step * (sizeof(double) + sizeof(float));
  job.sums = orion_scratch(SCRATCH_PARTIALS, bytes);
  job.hits = job.sums + cells;
  job.tops = (float *)(job.hits + job.step);
  job.factors = job.tops + cells;
  const size_t work = rows * columns;
  orion_run_tasks(job.blocks * job.strips, work, sums_task, &job);
  orion_run_tasks(job.strips, job.blocks * columns * 4, join_task, &job);
  size_t count = 0;
  *loss = 0;
  for (size_t column = 0; column < columns; column++) {
    if (targets[column] < 0) continue;
    const size_t at = job.blocks * job.step + column;
    *loss += log(job.sums[at]) + (double)job.tops[at] - job.hits[column];
    count++;
  }
  if (wanted) orion_run_tasks(job.blocks * job.strips, work, gradient_task, &job);
  return count;
}
