// Keys and values asked for before they are needed. With a few queries the arithmetic is short and memory decides:
// values come while scores are computed, and the next group's keys while values are weighed. It computes nothing.
#include "attention.h"

// The first `seen` positions of each row of memory, which is too short for the processor to foresee the next one.
static void fetch_rows(const float *start, size_t rows, size_t row_step, size_t seen) {
  enum { LINE_VALUES = 16 };
  for (size_t row = 0; row < rows; row++, start += row_step) {
    for (size_t i = 0; i < seen; i += LINE_VALUES) __builtin_prefetch(start + i, 0, 2);
    if (seen > 0) __builtin_prefetch(start + seen - 1, 0, 2);
  }
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
    if (segment->value_position != 1 || job->values[i] != NULL) continue;
    fetch_rows(segment->value + rows->group * segment->value_group, args->value_features,
               segment->value_feature, seen_by_last(job, rows, segment));
  }
}

void orion_attention_fetch_keys(const orion_attention_job *job, const orion_attention_rows *rows) {
  const orion_attention_args *args = job->args;
  if (rows->group + 1 == args->groups) return;
  for (size_t i = 0; i < args->segment_count; i++) {
    const orion_segment *segment = &args->segments[i];
    if (segment->key_position != 1 || job->keys[i] != NULL) continue;
    fetch_rows(segment->key + (rows->group + 1) * segment->key_group, args->key_features,
               segment->key_feature, rows->seen[i]);
  }
}
