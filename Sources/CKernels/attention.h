// What attention's files share: the job, a task's rows, and keys and values as operands of products.
#ifndef ORION_ATTENTION_H
#define ORION_ATTENTION_H

#include "product.h"

enum { SEGMENTS_MAX = 4, ROWS_MAX = 48 };

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
  // Of each block: one more than the positions of the last segment that it sees, or 0. NULL: not kept.
  _Atomic size_t *ends;
} orion_attention_job;

// The rows (a query of a head) of one task and its memory.
typedef struct {
  size_t group;
  size_t first, count;
  float *queries;             // [key_features][count]
  float *scores;              // [count][score_step]
  size_t seen[SEGMENTS_MAX];  // positions of each segment up to the last that a row may see
  float tops[ROWS_MAX];       // the highest score of each row
  double sums[ROWS_MAX];      // of its probabilities
} orion_attention_rows;

// At most ROWS_MAX rows of a group at a time, with what is in the calling thread's scratch memory.
void orion_attention_run_rows(const orion_attention_job *job, size_t group, size_t first, size_t count);
// The same for queries that lie side by side (attention_panels.c); the job is without blocks.
bool orion_attention_fits_panels(const orion_attention_args *args);
void orion_attention_by_panels(const orion_attention_job *job);

// Fills scores, seen and tops.
void orion_attention_score(const orion_attention_job *job, orion_attention_rows *rows);
// Makes probabilities of the scores, and their sums.
void orion_attention_weigh(const orion_attention_job *job, orion_attention_rows *rows);

// A mask as low as this decides alone, whatever the score.
static const float decisive_mask = -5e8f;
static inline const float *orion_attention_mask(const orion_attention_job *job,
                                                const orion_attention_rows *rows,
                                                const orion_segment *segment, size_t row) {
  if (segment->mask == NULL) return NULL;
  return segment->mask + (rows->first + row) % job->args->queries * segment->mask_query;
}

// Ask memory for the values of the rows' group, and for the keys of the next one, which this thread is likely to
// take, where they are used where they lie. No result depends on it.
void orion_attention_fetch_values(const orion_attention_job *job, const orion_attention_rows *rows);
void orion_attention_fetch_keys(const orion_attention_job *job, const orion_attention_rows *rows);

// Packs keys and values once for all tasks, if they fit in a modest amount of memory.
void orion_attention_pack(orion_attention_job *job);
// Positions are the channels, features the terms.
orion_product orion_attention_keys(const orion_attention_job *job, size_t segment, size_t group);
// Features are the channels, positions the terms.
orion_product orion_attention_values(const orion_attention_job *job, size_t segment, size_t group);

#endif
