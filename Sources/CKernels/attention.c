// Attention of queries over up to four segments of keys and values. It knows masks only as numbers
// that are added.
//
// A task takes some rows (a query of a head) of one group: scores for all positions, probabilities,
// then the weighted sum of the values. Sums run over features and over positions in order.
#include "attention.h"

#include <string.h>

enum { SCORES_MAX = 1 << 16 };  // values of a task's scores, unless one tile of rows needs more

// Rows of one head are next to each other; heads are not.
static size_t rows_of_head(const orion_attention_job *job, const orion_attention_rows *rows, size_t row) {
  const size_t column = (rows->first + row) % job->args->queries;
  return orion_min(job->args->queries - column, rows->count - row);
}

static void gather_queries(const orion_attention_job *job, const orion_attention_rows *rows) {
  const orion_attention_args *args = job->args;
  for (size_t r = 0, run; r < rows->count; r += run) {
    const size_t head = (rows->first + r) / args->queries, column = (rows->first + r) % args->queries;
    const float *query = args->query + rows->group * args->query_group + head * args->query_head +
                         column * args->query_column;
    float *target = rows->queries + r;
    run = rows_of_head(job, rows, r);
    if (rows->count == 1) {
      for (size_t d = 0; d < args->key_features; d++) target[d] = query[d * args->query_feature];
      continue;
    }
    for (size_t d = 0; d < args->key_features; d++, target += rows->count, query += args->query_feature) {
      if (args->query_column == 1) {
        memcpy(target, query, run * sizeof(float));
      } else {
        for (size_t i = 0; i < run; i++) target[i] = query[i * args->query_column];
      }
    }
  }
}

// ---- values ----

// Divides by the sums of the probabilities and writes to the heads' columns.
static void store_output(const orion_attention_job *job, orion_attention_rows *rows,
                         orion_product product, orion_product_part part, float *sums) {
  const orion_attention_args *args = job->args;
  for (size_t p = 0; p < part.panels; p++) {
    for (size_t r = 0; r < rows->count; r++) {
      float *values = sums + (p * rows->count + r) * PANEL;
      const float divisor = (float)rows->sums[r];
      for (size_t c = 0; c < PANEL; c++) values[c] /= divisor;
    }
  }
  product.channels = args->value_features;
  product.y_channel = args->output_feature;
  product.y_column = args->output_column;
  for (size_t r = 0, run; r < rows->count; r += run) {
    const size_t row = rows->first + r, head = row / args->queries, column = row % args->queries;
    run = rows_of_head(job, rows, r);
    size_t place = column * args->output_column;
    if (args->output_panel != 0) {
      run = orion_min(run, PANEL - column % PANEL);
      place = column / PANEL * args->output_panel + column % PANEL;
    }
    product.y = args->output + rows->group * args->output_group + head * args->output_head + place;
    for (size_t p = 0; p < part.panels; p++) {
      const orion_product_part panel = {.panel = part.panel + p, .panels = 1, .columns = run};
      orion_product_store(&product, panel, sums + (p * rows->count + r) * PANEL);
    }
  }
}

static void weigh_values(const orion_attention_job *job, orion_attention_rows *rows) {
  const orion_attention_args *args = job->args;
  const size_t panels = orion_ceil_div(args->value_features, PANEL);
  const orion_product_part part = {.panels = panels, .columns = rows->count};
  const size_t bytes = panels * rows->count * PANEL * sizeof(float);
  float *sums = orion_scratch(SCRATCH_SUMS, bytes);
  memset(sums, 0, bytes);
  const float *scores = rows->scores;
  for (size_t i = 0; i < args->segment_count; scores += args->segments[i++].length) {
    orion_product product = orion_attention_values(job, i, rows->group);
    product.columns = rows->count;
    product.x = scores;
    product.x_term = 1;
    product.x_column = job->score_step;
    orion_product_add(&product, part, 0, rows->seen[i], false, sums);
  }
  store_output(job, rows, (orion_product){0}, part, sums);
}

// ---- tasks ----

static void run_rows(const orion_attention_job *job, orion_attention_rows rows) {
  const size_t query_values = orion_ceil_div(rows.count * job->args->key_features, PANEL) * PANEL;
  const size_t score_values = rows.count * job->score_step;
  rows.queries = orion_scratch(SCRATCH_SCORES, (query_values + score_values) * sizeof(float));
  rows.scores = rows.queries + query_values;
  gather_queries(job, &rows);
  const bool few = job->blocks == 1 && rows.count <= TILE_COLUMNS;
  if (few) orion_attention_fetch_values(job, &rows);
  orion_attention_score(job, &rows);
  if (few) orion_attention_fetch_keys(job, &rows);
  orion_attention_weigh(job, &rows);
  weigh_values(job, &rows);
}

void orion_attention_run_rows(const orion_attention_job *job, size_t group, size_t first, size_t count) {
  for (size_t done = 0, run; done < count; done += run) {
    run = orion_min(job->rows_of_task, count - done);
    run_rows(job, (orion_attention_rows){.group = group, .first = first + done, .count = run});
  }
}

static void attention_task(void *context, size_t index) {
  const orion_attention_job *job = context;
  const size_t first = index % job->blocks * job->rows_of_task;
  const size_t count = orion_min(job->rows_of_task, job->rows - first);
  run_rows(job, (orion_attention_rows){.group = index / job->blocks, .first = first, .count = count});
}

void orion_attention(const orion_attention_args *args) {
  orion_attention_job job = {
      .args = args,
      .kernels = orion_kernels_current(),
      .rows = args->heads * args->queries,
  };
  for (size_t i = 0; i < args->segment_count; i++) job.positions += args->segments[i].length;
  if (job.rows == 0 || args->groups == 0) return;
  // Room for a whole panel at the end, and rows that do not fall on the same lines of the cache.
  job.score_step = (orion_ceil_div(job.positions + PANEL, PANEL) | 1) * PANEL;
  const size_t fitting = SCORES_MAX / job.score_step / TILE_COLUMNS * TILE_COLUMNS;
  job.rows_of_task = orion_min(ROWS_MAX, orion_max(TILE_COLUMNS, fitting));
  job.rows_of_task = orion_min(job.rows_of_task, job.rows);
  if (orion_attention_fits_panels(args)) return orion_attention_by_panels(&job);
  job.blocks = orion_ceil_div(job.rows, job.rows_of_task);
  if (job.blocks > 1) orion_attention_pack(&job);
  job.ends = orion_scratch(SCRATCH_PARTIALS, job.blocks * sizeof(*job.ends));
  memset(job.ends, 0, job.blocks * sizeof(*job.ends));
  const size_t features = args->key_features + args->value_features;
  const size_t work = args->groups * (job.rows + 4) * job.positions * (features + 32) / 32;
  orion_run_tasks(args->groups * job.blocks, work, attention_task, &job);
}
