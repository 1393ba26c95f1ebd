// Copies between dense and strided arrays of 4-byte elements, and of rows of bytes. It knows nothing of what
// they mean.
#include <string.h>

#include "kernels.h"

enum { SQUARE = 16 };  // side of the squares in which two crossed axes are copied

typedef struct {
  const uint32_t *source;
  uint32_t *target;
  size_t axes;
  size_t shape[ORION_CHAIN_AXES];
  size_t from[ORION_CHAIN_AXES], to[ORION_CHAIN_AXES];  // strides of source and target
  size_t planes;                                        // products of all axes but the last two
} copy_job;

static void swap_axes(copy_job *job, size_t a, size_t b) {
  const size_t shape = job->shape[a], from = job->from[a], to = job->to[a];
  job->shape[a] = job->shape[b], job->from[a] = job->from[b], job->to[a] = job->to[b];
  job->shape[b] = shape, job->from[b] = from, job->to[b] = to;
}

static void append_axis(copy_job *job, size_t size, size_t from, size_t to) {
  if (size == 1) return;
  if (job->axes > 0) {
    const size_t last = job->axes - 1;
    if (job->from[last] == from * size && job->to[last] == to * size) {
      job->shape[last] *= size, job->from[last] = from, job->to[last] = to;
      return;
    }
  }
  job->shape[job->axes] = size, job->from[job->axes] = from, job->to[job->axes] = to;
  job->axes++;
}

// The order of a copy is free: the axis that is dense in the target goes last, and before it the
// one that is closest in the source.
static void order_axes(copy_job *job) {
  const size_t last = job->axes - 1;
  for (size_t axis = 0; axis < last; axis++) {
    if (job->to[axis] < job->to[last]) swap_axes(job, axis, last);
  }
  for (size_t axis = 0; axis + 1 < last; axis++) {
    if (job->from[axis] < job->from[last - 1]) swap_axes(job, axis, last - 1);
  }
}

static void copy_rows(const copy_job *job, const uint32_t *source, uint32_t *target) {
  const size_t row = job->axes - 2, column = job->axes - 1;
  for (size_t i = 0; i < job->shape[row]; i++) {
    memcpy(target + i * job->to[row], source + i * job->from[row],
           job->shape[column] * sizeof(uint32_t));
  }
}

static void copy_plane(const copy_job *job, const uint32_t *source, uint32_t *target) {
  const size_t row = job->axes - 2, column = job->axes - 1;
  const size_t from = job->from[column], to = job->to[column];
  if (from == 1 && to == 1) return copy_rows(job, source, target);
  for (size_t i = 0; i < job->shape[row]; i += SQUARE) {
    const size_t rows = orion_min(SQUARE, job->shape[row] - i);
    for (size_t j = 0; j < job->shape[column]; j += SQUARE) {
      const size_t columns = orion_min(SQUARE, job->shape[column] - j);
      for (size_t r = i; r < i + rows; r++) {
        const uint32_t *read = source + r * job->from[row] + j * from;
        uint32_t *write = target + r * job->to[row] + j * to;
        for (size_t c = 0; c < columns; c++) write[c * to] = read[c * from];
      }
    }
  }
}

static void copy_task(void *context, size_t index) {
  const copy_job *job = context;
  const uint32_t *source = job->source;
  uint32_t *target = job->target;
  for (size_t axis = job->axes - 2; axis-- > 0; index /= job->shape[axis]) {
    const size_t position = index % job->shape[axis];
    source += position * job->from[axis];
    target += position * job->to[axis];
  }
  copy_plane(job, source, target);
}

static void copy(const void *source, void *target, size_t axes, const size_t *shape,
                 const size_t *from, const size_t *to) {
  copy_job job = {.source = source, .target = target, .planes = 1};
  size_t count = 1;
  for (size_t axis = 0; axis < axes; axis++) {
    count *= shape[axis];
    append_axis(&job, shape[axis], from[axis], to[axis]);
  }
  if (count == 0) return;
  // A plane has two axes; a missing one has length 1 and is never the closest.
  for (; job.axes < 2; job.axes++) {
    job.shape[job.axes] = 1, job.from[job.axes] = SIZE_MAX, job.to[job.axes] = SIZE_MAX;
  }
  order_axes(&job);
  for (size_t axis = 0; axis + 2 < job.axes; axis++) job.planes *= job.shape[axis];
  orion_run_tasks(job.planes, job.planes < 4 ? 0 : count / 2, copy_task, &job);
}

static void dense_strides(size_t axes, const size_t *shape, size_t *strides) {
  size_t stride = 1;
  for (size_t axis = axes; axis-- > 0; stride *= shape[axis]) strides[axis] = stride;
}

void orion_gather_copy(const void *source, void *target, size_t axes, const size_t *shape,
                       const size_t *source_strides) {
  size_t dense[ORION_CHAIN_AXES];
  dense_strides(axes, shape, dense);
  copy(source, target, axes, shape, source_strides, dense);
}

void orion_scatter_copy(const void *source, void *target, size_t axes, const size_t *shape,
                        const size_t *target_strides) {
  size_t dense[ORION_CHAIN_AXES];
  dense_strides(axes, shape, dense);
  copy(source, target, axes, shape, dense, target_strides);
}

// ---- rows ----

// Eight rows by a line of each at a time, so that lines of both sides are used whole while they are at hand.
static void turn_words(const orion_row_copy *copy) {
  enum { SIDE = 8, LINE_WORDS = 16 };
  const orion_kernels *kernels = orion_kernels_current();
  const size_t words = copy->bytes / sizeof(float);
  for (size_t line = 0; line < words; line += LINE_WORDS) {
    for (size_t r = 0; r < copy->rows; r += SIDE) {
      const size_t rows = orion_min(SIDE, copy->rows - r);
      for (size_t w = line; w < orion_min(line + LINE_WORDS, words); w += SIDE) {
        const float *from[SIDE];
        for (size_t i = 0; i < rows; i++) {
          from[i] = (const float *)((const char *)copy->source + (r + i) * copy->source_step) + w;
        }
        float *to = (float *)((char *)copy->target + w * copy->target_step) + r;
        kernels->embed(from, rows, orion_min(SIDE, words - w), to, copy->target_step, false);
      }
    }
  }
}

static void turn_halves(const orion_row_copy *copy) {
  for (size_t r = 0; r < copy->rows; r++) {
    const uint16_t *from = (const uint16_t *)((const char *)copy->source + r * copy->source_step);
    for (size_t c = 0; c < copy->bytes / sizeof *from; c++) {
      ((uint16_t *)((char *)copy->target + c * copy->target_step))[r] = from[c];
    }
  }
}

static void turn_rows(const orion_row_copy *copy) {
  if (copy->bytes == copy->turned && copy->source_step == copy->turned) {
    memcpy(copy->target, copy->source, copy->rows * copy->turned);  // one column, as of every decoded token
  } else if (copy->turned == sizeof(float)) {
    turn_words(copy);
  } else {
    turn_halves(copy);
  }
}

static void copy_row_task(void *context, size_t index) {
  const orion_row_copy *copy = (const orion_row_copy *)context + index;
  if (copy->turned != 0) return turn_rows(copy);
  const char *from = copy->source;
  char *to = copy->target;
  for (size_t row = 0; row < copy->rows; row++, from += copy->source_step, to += copy->target_step) {
    // What every decoded token does, thousands of times.
    if (copy->bytes == 4) {
      memcpy(to, from, 4);
    } else if (copy->bytes == 2) {
      memcpy(to, from, 2);
    } else {
      memcpy(to, from, copy->bytes);
    }
  }
}

void orion_copy_rows(const orion_row_copy *copies, size_t count) {
  size_t work = 0;
  for (size_t i = 0; i < count; i++) {
    const orion_row_copy *copy = &copies[i];
    // A row is a line of memory that was not at hand, and a nanosecond for each 16 bytes.
    work += copy->turned == 0 ? copy->rows * (4 + copy->bytes / 16) : copy->rows * copy->bytes / 4;
  }
  orion_run_tasks(count, work, copy_row_task, (void *)(uintptr_t)copies);
}
