// Casts of dense arrays between number formats.
#include <string.h>

#include "kernels.h"

enum { CAST_BLOCK = 1 << 16 };

typedef void (*cast_run)(const orion_kernels *kernels, const void *source, void *target,
                         size_t from, size_t count);

typedef struct {
  cast_run run;
  const orion_kernels *kernels;
  const void *source;
  void *target;
  size_t count;
} cast_job;

static void cast_task(void *context, size_t index) {
  const cast_job *job = context;
  const size_t from = index * CAST_BLOCK;
  job->run(job->kernels, job->source, job->target, from, orion_min(CAST_BLOCK, job->count - from));
}

static void cast(cast_run run, const void *source, void *target, size_t count) {
  cast_job job = {run, orion_kernels_current(), source, target, count};
  orion_run_tasks(orion_ceil_div(count, CAST_BLOCK), count / 4, cast_task, &job);
}

static void widen(const orion_kernels *kernels, const void *source, void *target, size_t from,
                  size_t count) {
  kernels->widen((const uint16_t *)source + from, (float *)target + from, count);
}

static void narrow(const orion_kernels *kernels, const void *source, void *target, size_t from,
                   size_t count) {
  kernels->narrow((const float *)source + from, (uint16_t *)target + from, count);
}

static void round_each(const orion_kernels *kernels, const void *source, void *target, size_t from,
                       size_t count) {
  kernels->round((const float *)source + from, (float *)target + from, count);
}

static void widen_bf16(const orion_kernels *kernels, const void *source, void *target, size_t from,
                       size_t count) {
  (void)kernels;
  const uint16_t *bits = (const uint16_t *)source + from;
  float *values = (float *)target + from;
  for (size_t i = 0; i < count; i++) {
    const uint32_t wide = (uint32_t)bits[i] << 16;
    memcpy(values + i, &wide, sizeof wide);
  }
}

void orion_f16_to_f32(const uint16_t *source, float *target, size_t count) {
  cast(widen, source, target, count);
}

void orion_f32_to_f16(const float *source, uint16_t *target, size_t count) {
  cast(narrow, source, target, count);
}

void orion_bf16_to_f32(const uint16_t *source, float *target, size_t count) {
  cast(widen_bf16, source, target, count);
}

void orion_round_f16(const float *source, float *target, size_t count) {
  cast(round_each, source, target, count);
}
