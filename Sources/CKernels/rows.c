// Cuts [outer][count][inner] into rows and groups of columns for the pool.
#include "rows.h"

typedef struct {
  size_t outer, count, inner;
  size_t groups;  // of columns, for one outer index
  size_t parts_of_task;
  orion_rows_work work;
  const void *context;
} rows_job;

static void rows_task(void *context, size_t index) {
  const rows_job *job = context;
  const size_t end = orion_min((index + 1) * job->parts_of_task, job->outer * job->groups);
  for (size_t i = index * job->parts_of_task; i < end; i++) {
    const size_t outer = i / job->groups, column = i % job->groups * ROW_COLUMNS;
    const orion_rows_part part = {
        .outer = outer,
        .column = column,
        .first = outer * job->count * job->inner + column,
        .count = job->count,
        .stride = job->inner,
        .columns = orion_min(ROW_COLUMNS, job->inner - column),
    };
    job->work(job->context, &part);
  }
}

void orion_rows_run(size_t outer, size_t count, size_t inner, size_t cost, orion_rows_work work,
                    const void *context) {
  if (outer == 0 || inner == 0) return;
  rows_job job = {.outer = outer, .count = count, .inner = inner, .work = work, .context = context};
  job.groups = orion_ceil_div(inner, ROW_COLUMNS);
  const size_t parts = outer * job.groups;
  const size_t wanted = 4 * (size_t)orion_pool_threads();
  job.parts_of_task = orion_ceil_div(parts, wanted);
  const size_t tasks = orion_ceil_div(parts, job.parts_of_task);
  orion_run_tasks(tasks, outer * count * inner * cost / 16, rows_task, &job);
}
