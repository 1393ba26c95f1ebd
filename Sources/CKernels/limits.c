// What the machine can do at most: multiply-adds of all threads, streaming reads, a copy. Each is the
// best of several passes, as a limit is. It knows no other kernel.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels.h"

enum { PASSES = 12, ROUNDS = 400000 };
static const size_t buffer_values = (size_t)64 << 20;  // 256 MB, far beyond the caches

typedef struct {
  const orion_kernels *kernels;
  float *values;
  size_t share;      // values of a task, a multiple of 64
  float sums[256];   // of each task, so that nothing is left out
} limit_job;

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void burn_task(void *context, size_t index) {
  limit_job *job = context;
  job->sums[index] = job->kernels->burn(ROUNDS);
}

static void read_task(void *context, size_t index) {
  limit_job *job = context;
  job->sums[index] = job->kernels->read(job->values + index * job->share, job->share);
}

// The first half of each share to its second half.
static void copy_task(void *context, size_t index) {
  const limit_job *job = context;
  float *source = job->values + index * job->share;
  job->kernels->copy(source, source + job->share / 2, job->share / 2);
}

// Units of work a second, of `units` in a pass.
static double best_rate(orion_task task, limit_job *job, double units) {
  double best = 0;
  for (int pass = 0; pass < PASSES; pass++) {
    const double start = seconds();
    orion_pool_run((size_t)orion_pool_threads(), task, job);
    const double rate = units / (seconds() - start);
    if (rate > best) best = rate;
  }
  return best;
}

bool orion_measure_limits(orion_limits *limits) {
  const size_t threads = (size_t)orion_pool_threads();
  limit_job job = {.kernels = orion_kernels_current(), .share = buffer_values / threads / 128 * 128};
  job.values = orion_allocate(buffer_values * sizeof(float));
  if (job.values == NULL) return false;
  memset(job.values, 0, buffer_values * sizeof(float));
  const double bytes = (double)(threads * job.share * sizeof(float));
  const double flops = (double)threads * ROUNDS * (double)job.kernels->burn_flops;
  limits->threads = orion_pool_threads();
  limits->multiply_add_rate = best_rate(burn_task, &job, flops);
  limits->read_rate = best_rate(read_task, &job, bytes);
  limits->copy_rate = best_rate(copy_task, &job, bytes);
  free(job.values);
  return true;
}
