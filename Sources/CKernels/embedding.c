// Rows of a table as columns, and columns added back to rows. It knows nothing of what the rows mean.
#include <stdatomic.h>

#include "matrix.h"

enum { SIDE = 8, TOKENS_OF_TASK = 16, CHANNELS_OF_TASK = 64 };

typedef struct {
  const orion_kernels *kernels;
  orion_matrix table;
  orion_matrix columns;  // [C, S]
  size_t channels, token_count;
  const int32_t *tokens;
  float scale;
  atomic_bool finite;
} embedding_job;

// The table's rows of up to eight tokens from `token` on, from `channel` on.
static size_t find_rows(const embedding_job *job, size_t token, size_t channel, float **rows) {
  const size_t count = orion_min(SIDE, job->token_count - token);
  for (size_t s = 0; s < count; s++) {
    rows[s] = orion_matrix_at(job->table, (size_t)job->tokens[token + s], channel);
  }
  return count;
}

static void gather_task(void *context, size_t index) {
  const embedding_job *job = context;
  const size_t first = index * TOKENS_OF_TASK;
  const size_t end = orion_min(first + TOKENS_OF_TASK, job->token_count);
  for (size_t c = 0; c < job->channels; c += SIDE) {
    for (size_t s = first; s < end; s += SIDE) {
      float *rows[SIDE];
      const size_t tokens = find_rows(job, s, c, rows);
      job->kernels->embed((const float *const *)rows, tokens, orion_min(SIDE, job->channels - c),
                          orion_matrix_at(job->columns, c, s), job->columns.row_bytes,
                          job->columns.half);
    }
  }
}

void orion_embedding_gather(orion_matrix table, size_t channels, const int32_t *tokens,
                            size_t token_count, orion_matrix out) {
  embedding_job job = {orion_kernels_current(), table, out, channels, token_count, tokens, 1, true};
  orion_run_tasks(orion_ceil_div(token_count, TOKENS_OF_TASK), channels * token_count, gather_task,
                  &job);
}

// A task has some channels of all tokens, so that no two tasks write to one place.
static void scatter_task(void *context, size_t index) {
  embedding_job *job = context;
  const size_t first = index * CHANNELS_OF_TASK;
  const size_t end = orion_min(first + CHANNELS_OF_TASK, job->channels);
  bool finite = true;
  for (size_t s = 0; s < job->token_count; s += SIDE) {
    for (size_t c = first; c < end; c += SIDE) {
      float *rows[SIDE];
      const size_t tokens = find_rows(job, s, c, rows);
      finite &= job->kernels->scatter(orion_matrix_at(job->columns, c, s), job->columns.row_bytes,
                                      job->columns.half, tokens, orion_min(SIDE, end - c),
                                      job->scale, rows);
    }
  }
  if (!finite) atomic_store(&job->finite, false);
}

bool orion_embedding_scatter_add(orion_matrix gradient, size_t channels, const int32_t *tokens,
                                 size_t token_count, float scale, orion_matrix table) {
  embedding_job job = {orion_kernels_current(), table, gradient, channels, token_count, tokens,
                       scale,                   true};
  orion_run_tasks(orion_ceil_div(channels, CHANNELS_OF_TASK), channels * token_count, scatter_task,
                  &job);
  return atomic_load(&job.finite);
}
