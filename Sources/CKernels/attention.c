// Attention of queries over up to four segments of keys and values. It knows masks only as numbers
// that are added.
//
// A task takes some rows (a query of a head) of one group: scores for all positions, probabilities,
// then the weighted sum of the values. Sums run over features and over positions in order.
#include "attention.h"

#include <string.h>

enum {
  ROWS_MAX = 48,
  SCORES_MAX = 1 << 16,  // values of a task's scores, unless one tile of rows needs more
  POSITION_PANELS = 8,   // panels of positions scored at once
};

// A mask as low as this decides alone, whatever the score.
static const float decisive_mask = -5e8f;

// The rows of one task and its memory.
typedef struct {
  size_t group;
  size_t first, count;
  float *queries;             // [count][key_features]
  float *scores;              // [count][score_step]
  size_t seen[SEGMENTS_MAX];  // positions of each segment up to the last that a row may see
  double sums[ROWS_MAX];
} attention_rows;

static void gather_queries(const orion_attention_job *job, const attention_rows *rows) {
  const orion_attention_args *args = job->args;
  for (size_t r = 0; r < rows->count; r++) {
    const size_t row = rows->first + r, head = row / args->queries, column = row % args->queries;
    const float *query = args->query + rows->group * args->query_group + head * args->query_head +
                         column * args->query_column;
    float *target = rows->queries + r * args->key_features;
    for (size_t d = 0; d < args->key_features; d++) target[d] = query[d * args->query_feature];
  }
}

// ---- scores ----

static const float *mask_row(const orion_attention_job *job, const attention_rows *rows,
                             const orion_segment *segment, size_t row) {
  if (segment->mask == NULL) return NULL;
  return segment->mask + (rows->first + row) % job->args->queries * segment->mask_query;
}

static bool panel_is_masked(const orion_attention_job *job, const attention_rows *rows,
                            const orion_segment *segment, size_t panel) {
  if (segment->mask == NULL) return false;
  const size_t first = panel * PANEL, last = orion_min(first + PANEL, segment->length);
  // The last row first: with a causal mask it sees most.
  for (size_t r = rows->count; r-- > 0;) {
    const float *mask = mask_row(job, rows, segment, r);
    int seen = 0;
    for (size_t i = first; i < last; i++) seen |= !(mask[i] <= decisive_mask);
    if (seen) return false;
  }
  return true;
}

static void clear_panel(const orion_attention_job *job, const attention_rows *rows,
                        const orion_segment *segment, size_t panel, float *scores) {
  const size_t first = panel * PANEL, length = orion_min(PANEL, segment->length - first);
  for (size_t r = 0; r < rows->count; r++) {
    memset(scores + r * job->score_step + first, 0, length * sizeof(float));
  }
}

// Panels that no row sees are left at 0 before the mask is added.
static void score_segment(const orion_attention_job *job, attention_rows *rows, size_t index,
                          float *scores) {
  const orion_segment *segment = &job->args->segments[index];
  orion_product product = orion_attention_keys(job, index, rows->group);
  product.columns = rows->count;
  product.x = rows->queries;
  product.x_term = 1;
  product.x_column = product.terms;
  product.y = scores;
  product.y_channel = 1;
  product.y_column = job->score_step;
  const size_t panels = orion_ceil_div(segment->length, PANEL);
  float sums[POSITION_PANELS * ROWS_MAX * PANEL];
  rows->seen[index] = 0;
  for (size_t panel = 0; panel < panels;) {
    orion_product_part part = {.panel = panel, .columns = rows->count};
    while (part.panels < POSITION_PANELS && panel < panels &&
           !panel_is_masked(job, rows, segment, panel)) {
      part.panels++;
      panel++;
    }
    if (part.panels == 0) {
      clear_panel(job, rows, segment, panel++, scores);
      continue;
    }
    orion_product_add(&product, part, 0, product.terms, true, sums);
    orion_product_store(&product, part, sums);
    rows->seen[index] = orion_min(panel * PANEL, segment->length);
  }
  for (size_t r = 0; r < rows->count; r++) {
    job->kernels->scale_mask(scores + r * job->score_step, mask_row(job, rows, segment, r),
                             job->args->scale, segment->length);
  }
}

// ---- probabilities ----

// Positions at the end that no row sees have probability 0, unless a row sees nothing at all.
static void find_probabilities(const orion_attention_job *job, attention_rows *rows) {
  const orion_attention_args *args = job->args;
  size_t seen = 0, start = 0;
  for (size_t i = 0; i < args->segment_count; start += args->segments[i++].length) {
    if (rows->seen[i] > 0) seen = start + rows->seen[i];
  }
  for (size_t r = 0; r < rows->count; r++) {
    float *scores = rows->scores + r * job->score_step;
    size_t count = seen;
    float highest = job->kernels->highest(scores, seen);
    if (highest < decisive_mask / 2) {
      count = job->positions;
      highest = job->kernels->highest(scores, count);
      for (size_t i = 0; i < args->segment_count; i++) rows->seen[i] = args->segments[i].length;
    }
    rows->sums[r] = job->kernels->probabilities(scores, count, highest);
    memset(scores + count, 0, (job->positions - count) * sizeof(float));
  }
}

// ---- values ----

// Divides by the sums of the probabilities and writes to the heads' columns.
static void store_output(const orion_attention_job *job, attention_rows *rows,
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
  // Rows of one head are columns a fixed step apart; heads are not.
  for (size_t r = 0; r < rows->count;) {
    const size_t row = rows->first + r, head = row / args->queries, column = row % args->queries;
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

static void weigh_values(const orion_attention_job *job, attention_rows *rows) {
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

static void attention_task(void *context, size_t index) {
  const orion_attention_job *job = context;
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
    score_segment(job, &rows, i, scores);
    scores += args->segments[i].length;
  }
  find_probabilities(job, &rows);
  weigh_values(job, &rows);
}

void orion_attention(const orion_attention_args *args) {
  orion_attention_job job = {
      .args = args,
      .kernels = orion_kernels_current(),
      .rows = args->heads * args->queries,
  };
  for (size_t i = 0; i < args->segment_count; i++) job.positions += args->segments[i].length;
  if (job.rows == 0 || args->groups == 0) return;
  job.score_step = orion_ceil_div(job.positions + 1, 8) * 8;
  const size_t fitting = SCORES_MAX / job.score_step / TILE_COLUMNS * TILE_COLUMNS;
  job.rows_of_task = orion_min(ROWS_MAX, orion_max(TILE_COLUMNS, fitting));
  job.rows_of_task = orion_min(job.rows_of_task, job.rows);
  job.blocks = orion_ceil_div(job.rows, job.rows_of_task);
  if (job.blocks > 1) orion_attention_pack(&job);
  const size_t features = args->key_features + args->value_features;
  const size_t work = args->groups * (job.rows + 4) * job.positions * (features + 32) / 32;
  orion_run_tasks(args->groups * job.blocks, work, attention_task, &job);
}
