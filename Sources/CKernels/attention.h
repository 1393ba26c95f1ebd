// What attention.c and attention_pack.c share: the job, and keys and values as operands of
// products.
#ifndef ORION_ATTENTION_H
#define ORION_ATTENTION_H

#include "product.h"

enum { SEGMENTS_MAX = 4 };

typedef struct {
  const orion_attention_args *args;
  const orion_kernels *kernels;
  size_t rows;  // heads x queries of a group
  size_t rows_of_task;
  size_t blocks;      // tasks of a group
  size_t positions;   // of all segments
  size_t score_step;  // from a row of scores to the next
  // Panels of the keys and values of each segment, group after group, or NULL when they are used
  // where they are.
  float *keys[SEGMENTS_MAX], *values[SEGMENTS_MAX];
} orion_attention_job;

// Packs keys and values once for all tasks, if they fit in a modest amount of memory.
void orion_attention_pack(orion_attention_job *job);
// Positions are the channels, features the terms.
orion_product orion_attention_keys(const orion_attention_job *job, size_t segment, size_t group);
// Features are the channels, positions the terms.
orion_product orion_attention_values(const orion_attention_job *job, size_t segment, size_t group);

#endif
