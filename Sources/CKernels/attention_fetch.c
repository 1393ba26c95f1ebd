// Keys and values asked for before they are needed. With a few queries the arithmetic is short and memory decides:
// values come while scores are computed, and the next group's keys while values are weighed. It computes nothing.
#include "attention.h"

// Rows of memory too short for the processor to foresee the next one.
static void fetch_rows(const float *start, size_t rows, size_t row_step, size_t values) {
  enum { LINE = 64 };
  for (size_t row = 0; row < rows && values > 0; row++, start += row_step) {
    const char *line = (const char *)start - (uintptr_t)start % LINE;
    for (; line < (const char *)(start + values); line += LINE) __builtin_prefetch(line, 0, 2);
  }
}

// The first `seen` positions, where either positions or features are dense.
static void fetch_walk(const float *start, size_t features, size_t feature_step, size_t seen,
                       size_t position_step) {
  if (position_step == 1) return fetch_rows(start, features, feature_step, seen);
  if (feature_step == 1) fetch_rows(start, seen, position_step, features);
}

// Positions up to the last that the last row sees.
static size_t seen_by_last(const orion_attention_job *job, const orion_attention_rows *rows,
                           const orion_segment *segment) {
  const float *mask = orion_attention_mask(job, rows, segment, rows->count - 1);
  size_t seen = segment->length;
  while (mask != NULL && seen > 0 && mask[seen - 1] <= decisive_mask) seen--;
  return seen;
}

void orion_attention_fetch_values(const orion_attention_job *job, const orion_attention_rows *rows) {
  const orion_attention_args *args = job->args;
  for (size_t i = 0; i < args->segment_count; i++) {
    const orion_segment *segment = &args->segments[i];
    if (job->values[i] != NULL) continue;
    fetch_walk(segment->value + rows->group * segment->value_group, args->value_features,
               segment->value_feature, seen_by_last(job, rows, segment), segment->value_position);
  }
}

void orion_attention_fetch_keys(const orion_attention_job *job, const orion_attention_rows *rows) {
  const orion_attention_args *args = job->args;
  if (rows->group + 1 == args->groups) return;
  for (size_t i = 0; i < args->segment_count; i++) {
    const orion_segment *segment = &args->segments[i];
    if (job->keys[i] != NULL) continue;
    fetch_walk(segment->key + (rows->group + 1) * segment->key_group, args->key_features,
               segment->key_feature, rows->seen[i], segment->key_position);
  }
}
