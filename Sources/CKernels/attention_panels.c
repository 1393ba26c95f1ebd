// Attention of many queries that lie side by side: sixteen queries are a panel, keys and values are what tiles
// broadcast, from where they are. So nothing is packed or turned, and softmax runs down the panels. The
// bits are those of rows.
#include "attention.h"

#include <stdatomic.h>
#include <string.h>

enum { SCORES_MAX = 1 << 16, QUERIES_MIN = 2 * PANEL, FEATURES_MAX = 256 };

// What a panel of queries sees of a segment: positions before `plain` without a mask, none from `end` on.
typedef struct {
  size_t plain, end;
} panel_sight;

typedef struct {
  const orion_attention_job *rows;  // for queries that see nothing
  const orion_attention_args *args;
  const orion_kernels *kernels;
  size_t positions;
  size_t panels, blocks;     // of a task, and tasks of a head
  _Atomic uint64_t *sights;  // of each panel of queries and segment: plain << 32 | end + 1, or 0
} panel_job;

// Some panels of queries of one head.
typedef struct {
  const panel_job *job;
  size_t group, head;
  size_t query, panels;
  float *queries;  // [key features][panels * 16]
  float *scores;   // panels of [positions][16]
  size_t step;     // from a panel of scores to the next
  float *sums;     // [value features][panels * 16]
  // A panel sees as much as those before it and its pair.
  panel_sight sights[SEGMENTS_MAX][PANELS_MAX];
} panel_block;

bool orion_attention_fits_panels(const orion_attention_args *args) {
  bool fits = args->queries >= QUERIES_MIN && args->queries % PANEL == 0 && args->query_column == 1 &&
              args->output_column == 1 && args->key_features <= FEATURES_MAX;
  for (size_t i = 0; i < args->segment_count; i++) {
    const orion_segment *segment = &args->segments[i];
    fits = fits && segment->key_position == 1 && segment->value_position == 1 && segment->length < UINT32_MAX;
  }
  return fits;
}

// ---- what is seen ----

enum { LOOK_FAR = 256 };

// How many values without a mask a row begins with, at most `count`.
static size_t leading_zeros(const float *mask, size_t count) {
  static const float zeros[LOOK_FAR];
  size_t plain = 0;
  for (size_t width = LOOK_FAR; width >= PANEL; width /= PANEL) {
    while (plain + width <= count && memcmp(mask + plain, zeros, width * sizeof(float)) == 0) plain += width;
  }
  while (plain < count && mask[plain] == 0) plain++;
  return plain;
}

// The end of what a row sees, at least `least`.
static size_t seen_end(const panel_job *job, const float *mask, size_t least, size_t end) {
  for (size_t width = LOOK_FAR; width >= 1; width /= PANEL) {
    while (end > least) {
      const size_t count = orion_min(width, end - least);
      if (!(job->kernels->highest(mask + end - count, count) <= decisive_mask)) break;
      end -= count;
    }
  }
  return end;
}

static panel_sight find_sight(const panel_job *job, const orion_segment *segment, size_t query) {
  panel_sight sight = {segment->length, 0};
  // The last query first, which sees most of a causal mask.
  for (size_t q = PANEL; q-- > 0;) {
    const float *mask = segment->mask + (query + q) * segment->mask_query;
    sight.end = seen_end(job, mask, sight.end, segment->length);
    sight.plain = leading_zeros(mask, sight.plain);
  }
  return sight;
}

// All heads have the same masks: what one task found, others use.
static panel_sight known_sight(const panel_job *job, size_t index, size_t query) {
  const orion_segment *segment = &job->args->segments[index];
  if (segment->mask == NULL) return (panel_sight){segment->length, segment->length};
  _Atomic uint64_t *place = &job->sights[query / PANEL * SEGMENTS_MAX + index];
  const uint64_t known = atomic_load_explicit(place, memory_order_relaxed);
  if (known != 0) return (panel_sight){known >> 32, (known & UINT32_MAX) - 1};
  const panel_sight sight = find_sight(job, segment, query);
  atomic_store_explicit(place, (uint64_t)sight.plain << 32 | (sight.end + 1), memory_order_relaxed);
  return sight;
}

static void look(panel_block *block) {
  for (size_t i = 0; i < block->job->args->segment_count; i++) {
    panel_sight *sights = block->sights[i];
    size_t end = 0;
    for (size_t p = 0; p < block->panels; p++) {
      sights[p] = known_sight(block->job, i, block->query + p * PANEL);
      sights[p].end = end = orion_max(end, sights[p].end);
      if (p % 2 == 1) sights[p - 1].end = end;
    }
    for (size_t p = 0; p < block->panels; p++) sights[p].plain = orion_min(sights[p].plain, sights[p].end);
  }
}

// ---- scores ----

static void gather_queries(const panel_block *block) {
  const orion_attention_args *args = block->job->args;
  const float *query = args->query + block->group * args->query_group + block->head * args->query_head +
                       block->query;
  const size_t width = block->panels * PANEL;
  for (size_t d = 0; d < args->key_features; d++) {
    memcpy(block->queries + d * width, query + d * args->query_feature, width * sizeof(float));
  }
}

// Panels from `first` on, whose weights and sums are the tile's.
static void run_panels(const panel_block *block, orion_tile *tile, size_t first) {
  const orion_kernels *kernels = block->job->kernels;
  const float *weights = tile->weights;
  float *sums = tile->sums;
  for (size_t p = first; p < block->panels; p += tile->panels) {
    const size_t most = orion_min(kernels->tile_panels, block->panels - p);
    tile->panels = most == 3 ? 2 : most;
    tile->weights = weights + p * tile->panel_step;
    tile->sums = sums + p * tile->sums_panel;
    kernels->tile(tile);
  }
  tile->weights = weights;
}

static void score_segment(const panel_block *block, size_t index, float *scores) {
  const orion_segment *segment = &block->job->args->segments[index];
  const panel_sight *sights = block->sights[index];
  orion_tile tile = {
      .terms = block->job->args->key_features,
      .weights = block->queries,
      .panel_step = PANEL,
      .term_step = block->panels * PANEL,
      .type = TILE_F32,
      .x_term = segment->key_feature,
      .x_column = 1,
      .sums_panel = block->step,
      .sums_column = PANEL,
      .fresh = true,
  };
  const float *keys = segment->key + block->group * segment->key_group;
  const size_t end = sights[block->panels - 1].end;
  for (size_t position = 0, first = 0; position < end; position += TILE_COLUMNS) {
    while (sights[first].end <= position) first++;
    tile.columns = orion_min(TILE_COLUMNS, end - position);
    tile.x = keys + position;
    tile.sums = scores + position * PANEL;
    run_panels(block, &tile, first);
  }
}

// ---- probabilities ----

// False if one of the panel's queries sees nothing.
static bool weigh_panel(const panel_block *block, size_t panel, double *sums) {
  const orion_attention_args *args = block->job->args;
  const orion_kernels *kernels = block->job->kernels;
  float tops[PANEL];
  for (size_t q = 0; q < PANEL; q++) tops[q] = -__builtin_inff();
  float *scores = block->scores + panel * block->step;
  for (size_t i = 0; i < args->segment_count; scores += args->segments[i++].length * PANEL) {
    const orion_segment *segment = &args->segments[i];
    const panel_sight sight = block->sights[i][panel];
    kernels->panel_tops(scores, NULL, args->scale, sight.plain, tops);
    const size_t masked = sight.end - sight.plain;
    if (masked == 0) continue;
    float *mask = orion_scratch(SCRATCH_PANELS, masked * PANEL * sizeof(float));
    const size_t query = block->query + panel * PANEL;
    kernels->pack(segment->mask + query * segment->mask_query + sight.plain, segment->mask_query, 1, PANEL,
                  masked, mask, masked * PANEL);
    kernels->panel_tops(scores + sight.plain * PANEL, mask, args->scale, masked, tops);
  }
  for (size_t q = 0; q < PANEL; q++) {
    if (tops[q] < decisive_mask / 2) return false;
  }
  scores = block->scores + panel * block->step;
  memset(sums, 0, PANEL * sizeof(double));
  for (size_t i = 0; i < args->segment_count; scores += args->segments[i++].length * PANEL) {
    kernels->panel_exponentials(scores, tops, block->sights[i][panel].end, sums);
  }
  return true;
}

// ---- values ----

// Positions [first, last) of a segment, which panels from `panel` on see.
static void weigh_values(const panel_block *block, const orion_segment *segment, const float *scores,
                         size_t panel, size_t first, size_t last) {
  const orion_attention_args *args = block->job->args;
  orion_tile tile = {
      .terms = last - first,
      .weights = scores + first * PANEL,
      .panel_step = block->step,
      .term_step = PANEL,
      .type = TILE_F32,
      .x_term = 1,
      .x_column = segment->value_feature,
      .sums_panel = PANEL,
      .sums_column = block->panels * PANEL,
  };
  const float *values = segment->value + block->group * segment->value_group + first;
  for (size_t feature = 0; feature < args->value_features; feature += TILE_COLUMNS) {
    tile.columns = orion_min(TILE_COLUMNS, args->value_features - feature);
    tile.x = values + feature * segment->value_feature;
    tile.sums = block->sums + feature * block->panels * PANEL;
    run_panels(block, &tile, panel);
  }
}

static void weigh_all_values(const panel_block *block) {
  const orion_attention_args *args = block->job->args;
  memset(block->sums, 0, args->value_features * block->panels * PANEL * sizeof(float));
  const float *scores = block->scores;
  for (size_t i = 0; i < args->segment_count; scores += args->segments[i++].length * PANEL) {
    for (size_t panel = 0, first = 0; panel < block->panels; panel++) {
      const size_t end = block->sights[i][panel].end;
      if (end == first) continue;
      weigh_values(block, &args->segments[i], scores, panel, first, end);
      first = end;
    }
  }
}

// ---- tasks ----

static void panel_task(void *context, size_t index) {
  const panel_job *job = context;
  const orion_attention_args *args = job->args;
  // The last block of a head first: a causal mask leaves it most, and what comes last should be short.
  const size_t head = index / job->blocks, number = job->blocks - 1 - index % job->blocks;
  panel_block block = {
      .job = job,
      .group = head / args->heads,
      .head = head % args->heads,
      .query = number * job->panels * PANEL,
      .step = job->positions * PANEL,
  };
  block.panels = orion_min(job->panels, args->queries / PANEL - number * job->panels);
  const size_t width = block.panels * PANEL, query_values = args->key_features * width;
  const size_t score_values = job->positions * width, sum_values = args->value_features * width;
  block.queries = orion_scratch(SCRATCH_SCORES, (query_values + score_values + sum_values) * sizeof(float));
  block.scores = block.queries + query_values;
  block.sums = block.scores + score_values;
  look(&block);
  gather_queries(&block);
  float *scores = block.scores;
  for (size_t i = 0; i < args->segment_count; scores += args->segments[i++].length * PANEL) {
    score_segment(&block, i, scores);
  }
  double sums[PANELS_MAX][PANEL];
  for (size_t p = 0; p < block.panels; p++) {
    if (weigh_panel(&block, p, sums[p])) continue;
    const size_t row = block.head * args->queries + block.query;
    return orion_attention_run_rows(job->rows, block.group, row, block.panels * PANEL);
  }
  weigh_all_values(&block);
  const size_t y_panel = args->output_panel == 0 ? PANEL : args->output_panel;
  float *output = args->output + block.group * args->output_group + block.head * args->output_head +
                  block.query / PANEL * y_panel;
  for (size_t p = 0; p < block.panels; p++) {
    job->kernels->panel_quotients(block.sums + p * PANEL, width, sums[p], args->value_features,
                                  output + p * y_panel, args->output_feature);
  }
}

void orion_attention_by_panels(const orion_attention_job *rows) {
  const orion_attention_args *args = rows->args;
  panel_job job = {.rows = rows, .args = args, .kernels = rows->kernels, .positions = rows->positions};
  const size_t panels = args->queries / PANEL, fitting = SCORES_MAX / PANEL / orion_max(1, job.positions);
  job.panels = orion_min(PANELS_MAX, orion_max(1, fitting));
  job.blocks = orion_ceil_div(panels, job.panels);
  const size_t bytes = panels * SEGMENTS_MAX * sizeof(*job.sights);
  job.sights = orion_scratch(SCRATCH_PARTIALS, bytes);
  memset(job.sights, 0, bytes);
  const size_t features = args->key_features + args->value_features;
  const size_t work = args->groups * rows->rows * job.positions * (features + 16) / 32;
  orion_run_tasks(args->groups * args->heads * job.blocks, work, panel_task, &job);
}
