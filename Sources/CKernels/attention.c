// Attention of queries over up to four segments of keys and values. It knows masks only as numbers that are added.
//
// A task takes some rows (a query of a head) of one group: scores for all positions, probabilities, then the
// weighted sum of the values. Sums run over features and over positions in order.
#include <string.h>

#include "product.h"

enum {
  ROWS_MAX = 48,
  SCORES_MAX = 1 << 16,  // values of a task's scores, unless one tile of rows needs more
  POSITION_PANELS = 8,   // panels of positions scored at once
  ROW_ALIGN = 8,
};

typedef struct {
  const orion_attention_args *args;
  const orion_kernels *kernels;
  size_t rows;         // heads x queries of a group
  size_t rows_of_task;
  size_t blocks;       // tasks of a group
  size_t positions;    // of all segments
  size_t score_step;   // from a row of scores to the next
} attention_job;

// The rows of one task and its memory.
typedef struct {
  size_t group;
  size_t first, count;
  float *queries;  // [count][key_features]
  float *scores;   // [count][score_step]
  double sums[ROWS_MAX];
} attention_rows;

static void gather_queries(const attention_job *job, const attention_rows *rows) {
  const orion_attention_args *args = job->args;
  for (size_t r = 0; r < rows->count; r++) {
    const size_t head = (rows->first + r) / args->queries, column = (rows->first + r) % args->queries;
    const float *query = args->query + rows->group * args->query_group + head * args->query_head +
                         column * args->query_column;
    float *target = rows->queries + r * args->key_features;
    for (size_t d = 0; d < args->key_features; d++) target[d] = query[d * args->query_feature];
  }
}

// ---- scores ----

static void score_segment(const attention_job *job, const attention_rows *rows,
                          const orion_segment *segment, float *scores) {
  const orion_attention_args *args = job->args;
  const orion_product product = {
      .channels = segment->length,
      .terms = args->key_features,
      .columns = rows->count,
      .kind = WEIGHTS_STRIDED,
      .weights = segment->key + rows->group * segment->key_group,
      .channel_step = segment->key_position,
      .term_step = segment->key_feature,
      .x = rows->queries,
      .x_term = 1,
      .x_column = args->key_features,
      .y = scores,
      .y_channel = 1,
      .y_column = job->score_step,
  };
  const size_t panels = orion_ceil_div(segment->length, PANEL);
  float sums[POSITION_PANELS * ROWS_MAX * PANEL];
  for (size_t panel = 0; panel < panels; panel += POSITION_PANELS) {
    const orion_product_part part = {
        .panel = panel,
        .panels = orion_min(POSITION_PANELS, panels - panel),
        .columns = rows->count,
    };
    orion_product_add(&product, part, 0, product.terms, true, sums);
    orion_product_store(&product, part, sums);
  }
  for (size_t r = 0; r < rows->count; r++) {
    const size_t column = (rows->first + r) % args->queries;
    const float *mask = segment->mask == NULL ? NULL : segment->mask + column * segment->mask_query;
    job->kernels->scale_mask(scores + r * job->score_step, mask, args->scale, segment->length);
  }
}

// ---- values ----

// The positions of a segment that any row gives weight to: the others would add zeros.
typedef struct {
  size_t first, last;
} position_range;

static position_range used_positions(const attention_job *job, const attention_rows *rows,
                                     const float *scores, size_t length) {
  position_range range = {length, 0};
  for (size_t r = 0; r < rows->count; r++) {
    const float *row = scores + r * job->score_step;
    size_t first = 0, last = length;
    while (first < range.first && row[first] == 0) first++;
    while (last > range.last && row[last - 1] == 0) last--;
    range.first = orion_min(range.first, first);
    range.last = orion_max(range.last, last);
  }
  return range;
}

// Divides by the sums of the probabilities and writes to the heads' columns.
static void store_output(const attention_job *job, attention_rows *rows, orion_product product,
                         orion_product_part part, float *sums) {
  const orion_attention_args *args = job->args;
  for (size_t p = 0; p < part.panels; p++) {
    for (size_t r = 0; r < rows->count; r++) {
      float *values = sums + (p * rows->count + r) * PANEL;
      const float divisor = (float)rows->sums[r];
      for (size_t c = 0; c < PANEL; c++) values[c] /= divisor;
    }
  }
  // Rows of one head are columns a fixed step apart; heads are not.
  for (size_t r = 0; r < rows->count;) {
    const size_t head = (rows->first + r) / args->queries, column = (rows->first + r) % args->queries;
    const size_t run = orion_min(args->queries - column, rows->count - r);
    product.y = args->output + rows->group * args->output_group + head * args->output_head +
                column * args->output_column;
    for (size_t p = 0; p < part.panels; p++) {
      const orion_product_part panel = {.panel = part.panel + p, .panels = 1, .columns = run};
      orion_product_store(&product, panel, sums + (p * rows->count + r) * PANEL);
    }
    r += run;
  }
}

static void weigh_values(const attention_job *job, attention_rows *rows) {
  const orion_attention_args *args = job->args;
  const size_t panels = orion_ceil_div(args->value_features, PANEL);
  const orion_product_part part = {.panels = panels, .columns = rows->count};
  float *sums = orion_scratch(SCRATCH_SUMS, panels * rows->count * PANEL * sizeof(float));
  memset(sums, 0, panels * rows->count * PANEL * sizeof(float));
  orion_product product = {
      .channels = args->value_features,
      .columns = rows->count,
      .kind = WEIGHTS_STRIDED,
      .x_term = 1,
      .x_column = job->score_step,
      .y_channel = args->output_feature,
      .y_column = args->output_column,
  };
  const float *scores = rows->scores;
  for (size_t i = 0; i < args->segment_count; scores += args->segments[i++].length) {
    const orion_segment *segment = &args->segments[i];
    product.weights = segment->value + rows->group * segment->value_group;
    product.channel_step = segment->value_feature;
    product.term_step = segment->value_position;
    product.terms = segment->length;
    product.x = scores;
    const position_range range = used_positions(job, rows, scores, segment->length);
    if (range.first >= range.last) continue;
    orion_product_add(&product, part, range.first, range.last, false, sums);
  }
  store_output(job, rows, product, part, sums);
}

// ---- tasks ----

static void attention_task(void *context, size_t index) {
  const attention_job *job = context;
  const orion_attention_args *args = job->args;
  attention_rows rows = {
      .group = index / job->blocks,
      .first = index % job->blocks * job->rows_of_task,
  };
  rows.count = orion_min(job->rows_of_task, job->rows - rows.first);
  const size_t query_values = orion_ceil_div(rows.count * args->key_features, PANEL) * PANEL;
  const size_t score_values = rows.count * job->score_step;
  rows.queries = orion_scratch(SCRATCH_SCORES, (query_values + score_values) * sizeof(float));
  rows.scores = rows.queries + query_values;
  gather_queries(job, &rows);
  float *scores = rows.scores;
  for (size_t i = 0; i < args->segment_count; i++) {
    score_segment(job, &rows, &args->segments[i], scores);
    scores += args->segments[i].length;
  }
  for (size_t r = 0; r < rows.count; r++) {
    rows.sums[r] = job->kernels->probabilities(rows.scores + r * job->score_step, job->positions);
  }
  weigh_values(job, &rows);
}

void orion_attention(const orion_attention_args *args) {
  attention_job job = {
      .args = args,
      .kernels = orion_kernels_current(),
      .rows = args->heads * args->queries,
  };
  for (size_t i = 0; i < args->segment_count; i++) job.positions += args->segments[i].length;
  if (job.rows == 0 || args->groups == 0) return;
  job.score_step = orion_ceil_div(job.positions + 1, ROW_ALIGN) * ROW_ALIGN;
  const size_t fitting = SCORES_MAX / job.score_step / TILE_COLUMNS * TILE_COLUMNS;
  job.rows_of_task = orion_min(ROWS_MAX, orion_max(TILE_COLUMNS, fitting));
  job.rows_of_task = orion_min(job.rows_of_task, job.rows);
  job.blocks = orion_ceil_div(job.rows, job.rows_of_task);
  const size_t features = args->key_features + args->value_features;
  const size_t work = args->groups * (job.rows + 4) * job.positions * (features + 32) / 32;
  orion_run_tasks(args->groups * job.blocks, work, attention_task, &job);
}
