// The gradient of attention over one run of keys and values, without the scores of all queries at once. It
// knows masks only as numbers that are added.
//
// A task takes a group: its keys and values, and all query heads that share them. Some queries at a
// time, it makes their probabilities p again, and from the gradient g of their results
//   slope = p (v g - t), t = sum over the positions of p (v g)
//   query's gradient = scale * sum over the positions of k slope
//   key's gradient = scale * sum over the queries of q slope, value's = sum over them of g p
// The last two are added up in memory of the task's own, head after head and query after query, so nothing
// depends on the number of threads. Positions behind the last that some query sees are left out.
#include <string.h>

#include "kernels.h"
#include "orion_training_kernels.h"

enum {
  ROWS_MAX = 48,
  SCORES_MAX = 1 << 17,  // of the queries taken at a time, unless one tile of them needs more
};

// A mask as low as this decides alone, whatever the score.
static const float decisive_mask = -5e8f;

typedef struct {
  const orion_attention_gradient_args *args;
  const orion_kernels *kernels;
  size_t rows;                        // queries that are taken at a time
  size_t key_panels, value_panels;    // of features
  size_t score_step;                  // positions in whole panels
} gradient_job;

// Some queries of one head, and the task's memory.
typedef struct {
  size_t group, head, first, count;
  size_t seen;  // positions up to the last that one of the queries sees
  // Panels of positions, panels of features, and sums in panels of features.
  float *keys, *values, *key_features, *key_sums, *value_sums;
  // In tiles and in panels of features: queries, and gradients of their results.
  float *queries, *gradients, *query_features, *gradient_features;
  float *scores, *slopes, *turned;  // [count][score_step], and the slopes in tiles
  float *query_sums, *scales;
} gradient_rows;

static const float *head_at(const orion_heads *heads, size_t group, size_t head, size_t column) {
  return heads->values + group * heads->group + head * heads->head + column * heads->column;
}

// ---- products ----

// What is multiplied with panels: packed in tiles, or rows of dense columns `x_term` apart.
typedef struct {
  const float *start;
  size_t x_term;  // 0: in tiles
  size_t columns;
} gradient_columns;

// Where panels' sums are: panel p, column s at p * panel + s * column.
typedef struct {
  float *start;
  size_t panel, column;
  bool fresh;
} gradient_sums;

static void multiply(const gradient_job *job, const float *panels, size_t panel_step, size_t count,
                     size_t terms, gradient_columns x, gradient_sums sums) {
  orion_tile tile = {
      .terms = terms,
      .panel_step = panel_step,
      .term_step = PANEL,
      .type = TILE_F32,
      .x_column = 1,
      .sums_panel = sums.panel,
      .sums_column = sums.column,
      .fresh = sums.fresh,
  };
  for (size_t p = 0; p < count; p += tile.panels) {
    tile.panels = count - p < job->kernels->tile_panels ? 1 : job->kernels->tile_panels;
    tile.weights = panels + p * panel_step;
    for (size_t start = 0; start < x.columns; start += TILE_COLUMNS) {
      tile.columns = orion_min(TILE_COLUMNS, x.columns - start);
      tile.x = x.start + start * (x.x_term == 0 ? terms : 1);
      tile.x_term = x.x_term == 0 ? tile.columns : x.x_term;
      tile.sums = sums.start + p * sums.panel + start * sums.column;
      job->kernels->tile(&tile);
    }
  }
}

static void store(const gradient_job *job, const float *sums, size_t channels, size_t columns,
                  const float *scales, const orion_heads *to, float *target) {
  const orion_panel_store finished = {
      .sums = sums,
      .sums_panel = columns * PANEL,
      .columns = columns,
      .channels = channels,
      .scales = scales,
      .y = target,
      .y_channel = to->feature,
      .y_column = to->column,
  };
  job->kernels->store(&finished);
}

// ---- probabilities and slopes ----

static const float *mask_row(const gradient_job *job, const gradient_rows *rows, size_t row) {
  const orion_attention_gradient_args *args = job->args;
  return args->mask == NULL ? NULL : args->mask + (rows->first + row) * args->mask_query;
}

static bool is_seen(const gradient_job *job, const gradient_rows *rows, size_t first, size_t last) {
  // The last row first: with a causal mask it sees most.
  for (size_t r = rows->count; r-- > 0;) {
    const float *mask = mask_row(job, rows, r);
    int seen = 0;
    for (size_t i = first; i < last; i++) seen |= !(mask[i] <= decisive_mask);
    if (seen) return true;
  }
  return false;
}

static size_t count_seen(const gradient_job *job, const gradient_rows *rows) {
  size_t seen = job->args->positions;
  while (job->args->mask != NULL && seen > 0) {
    const size_t first = (seen - 1) / PANEL * PANEL;
    if (is_seen(job, rows, first, seen)) break;
    seen = first;
  }
  return seen;
}

// False when a row sees nothing: then it takes all positions alike, and none may be left out.
static bool find_slopes(const gradient_job *job, gradient_rows *rows) {
  const orion_kernels *kernels = job->kernels;
  const size_t panels = orion_ceil_div(rows->seen, PANEL), step = job->score_step;
  const orion_attention_gradient_args *args = job->args;
  multiply(job, rows->keys, args->key_features * PANEL, panels, args->key_features,
           (gradient_columns){rows->queries, 0, rows->count},
           (gradient_sums){rows->scores, PANEL, step, true});
  multiply(job, rows->values, args->value_features * PANEL, panels, args->value_features,
           (gradient_columns){rows->gradients, 0, rows->count},
           (gradient_sums){rows->slopes, PANEL, step, true});
  for (size_t r = 0; r < rows->count; r++) {
    float *scores = rows->scores + r * step;
    const float *mask = mask_row(job, rows, r);
    const float highest = kernels->scale_mask(scores, mask, args->scale, rows->seen);
    if (highest < decisive_mask / 2 && rows->seen < args->positions) return false;
    const double sum = kernels->probabilities(scores, rows->seen, highest);
    kernels->slopes(scores, rows->slopes + r * step, (float)sum, rows->seen);
  }
  return true;
}

// ---- a task ----

static void run_rows(const gradient_job *job, gradient_rows *rows) {
  const orion_attention_gradient_args *args = job->args;
  const orion_heads *query = &args->query, *gradient = &args->gradient;
  const float *q = head_at(query, rows->group, rows->head, rows->first);
  const float *g = head_at(gradient, rows->group, rows->head, rows->first);
  const size_t count = rows->count, step = count * PANEL, length = args->positions * PANEL;
  const orion_kernels *kernels = job->kernels;
  kernels->pack_tiles(q, query->feature, query->column, args->key_features, count, rows->queries);
  kernels->pack_tiles(g, gradient->feature, gradient->column, args->value_features, count,
                      rows->gradients);
  kernels->pack(q, query->feature, query->column, args->key_features, count,
                rows->query_features, step);
  kernels->pack(g, gradient->feature, gradient->column, args->value_features, count,
                rows->gradient_features, step);
  rows->seen = count_seen(job, rows);
  if (!find_slopes(job, rows)) {
    rows->seen = args->positions;
    find_slopes(job, rows);
  }
  kernels->pack_tiles(rows->slopes, 1, job->score_step, rows->seen, count, rows->turned);
  multiply(job, rows->key_features, length, job->key_panels, rows->seen,
           (gradient_columns){rows->turned, 0, count},
           (gradient_sums){rows->query_sums, step, PANEL, true});
  store(job, rows->query_sums, args->key_features, count, rows->scales, &args->query_gradient,
        (float *)head_at(&args->query_gradient, rows->group, rows->head, rows->first));
  multiply(job, rows->query_features, step, job->key_panels, count,
           (gradient_columns){rows->slopes, job->score_step, rows->seen},
           (gradient_sums){rows->key_sums, length, PANEL, false});
  multiply(job, rows->gradient_features, step, job->value_panels, count,
           (gradient_columns){rows->scores, job->score_step, rows->seen},
           (gradient_sums){rows->value_sums, length, PANEL, false});
}

// Cuts the task's memory; with `start` NULL only counts its values.
static size_t divide(const gradient_job *job, gradient_rows *rows, float *start) {
  const orion_attention_gradient_args *args = job->args;
  const size_t key = job->key_panels * PANEL, value = job->value_panels * PANEL;
  const size_t scores = job->rows * job->score_step;
  const struct {
    float **part;
    size_t values;
  } parts[] = {
      {&rows->keys, job->score_step * args->key_features},
      {&rows->values, job->score_step * args->value_features},
      {&rows->key_features, key * args->positions},
      {&rows->key_sums, key * args->positions},
      {&rows->value_sums, value * args->positions},
      {&rows->queries, job->rows * args->key_features},
      {&rows->gradients, job->rows * args->value_features},
      {&rows->query_features, job->rows * key},
      {&rows->gradient_features, job->rows * value},
      {&rows->scores, scores},
      {&rows->slopes, scores},
      {&rows->turned, scores},
      {&rows->query_sums, job->rows * key},
      {&rows->scales, key},
  };
  size_t total = 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (start != NULL) *parts[i].part = start + total;
    total += orion_ceil_div(parts[i].values, PANEL) * PANEL;
  }
  return total;
}

static void gradient_task(void *context, size_t group) {
  const gradient_job *job = context;
  const orion_attention_gradient_args *args = job->args;
  gradient_rows rows = {.group = group};
  divide(job, &rows, orion_scratch(SCRATCH_SCORES, divide(job, &rows, NULL) * sizeof(float)));
  const orion_heads *key = &args->key, *value = &args->value;
  const float *k = head_at(key, group, 0, 0), *v = head_at(value, group, 0, 0);
  job->kernels->pack(k, key->column, key->feature, args->positions, args->key_features, rows.keys,
                     args->key_features * PANEL);
  job->kernels->pack(v, value->column, value->feature, args->positions, args->value_features,
                     rows.values, args->value_features * PANEL);
  job->kernels->pack(k, key->feature, key->column, args->key_features, args->positions,
                     rows.key_features, args->positions * PANEL);
  memset(rows.key_sums, 0, job->key_panels * PANEL * args->positions * sizeof(float));
  memset(rows.value_sums, 0, job->value_panels * PANEL * args->positions * sizeof(float));
  for (size_t d = 0; d < args->key_features; d++) rows.scales[d] = args->scale;
  for (rows.head = 0; rows.head < args->heads; rows.head++) {
    for (rows.first = 0; rows.first < args->queries; rows.first += rows.count) {
      rows.count = orion_min(job->rows, args->queries - rows.first);
      run_rows(job, &rows);
    }
  }
  store(job, rows.key_sums, args->key_features, args->positions, rows.scales, &args->key_gradient,
        (float *)head_at(&args->key_gradient, group, 0, 0));
  store(job, rows.value_sums, args->value_features, args->positions, NULL, &args->value_gradient,
        (float *)head_at(&args->value_gradient, group, 0, 0));
}

static gradient_job prepare(const orion_attention_gradient_args *args) {
  gradient_job job = {
      .args = args,
      .kernels = orion_kernels_current(),
      .key_panels = orion_ceil_div(args->key_features, PANEL),
      .value_panels = orion_ceil_div(args->value_features, PANEL),
      .score_step = orion_ceil_div(args->positions, PANEL) * PANEL,
  };
  const size_t fitting = SCORES_MAX / job.score_step / TILE_COLUMNS * TILE_COLUMNS;
  const size_t rows = orion_min(ROWS_MAX, orion_max(TILE_COLUMNS, fitting));
  job.rows = orion_min(rows, args->queries);
  return job;
}

size_t orion_attention_gradient_bytes(const orion_attention_gradient_args *args) {
  const gradient_job job = prepare(args);
  gradient_rows rows;
  return divide(&job, &rows, NULL) * sizeof(float);
}

void orion_attention_gradient(const orion_attention_gradient_args *args) {
  gradient_job job = prepare(args);
  const size_t features = 3 * args->key_features + 2 * args->value_features;
  const size_t scores = args->heads * args->queries * args->positions;
  orion_run_tasks(args->groups, args->groups * scores * (features + 64) / 32, gradient_task, &job);
}
