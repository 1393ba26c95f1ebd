// Scores of a task's rows against all positions, and what they become as probabilities. It knows nothing of
// values.
#include <stdatomic.h>
#include <string.h>

#include "attention.h"

enum { POSITION_PANELS = 8 };  // panels of positions scored at once where keys are not packed

static size_t panel_end(const orion_segment *segment, size_t panel) {
  return orion_min((panel + 1) * PANEL, segment->length);
}

static bool is_seen(const orion_attention_job *job, const float *mask, size_t first, size_t last) {
  return !(job->kernels->highest(mask + first, last - first) <= decisive_mask);
}

static bool is_masked(const orion_attention_job *job, const orion_attention_rows *rows,
                      const orion_segment *segment, size_t panel) {
  if (segment->mask == NULL) return false;
  for (size_t r = rows->count; r-- > 0;) {
    const float *mask = orion_attention_mask(job, rows, segment, r);
    if (is_seen(job, mask, panel * PANEL, panel_end(segment, panel))) return false;
  }
  return true;
}

// ---- scores ----

static void clear_panel(const orion_attention_job *job, const orion_attention_rows *rows,
                        const orion_segment *segment, size_t panel, float *scores) {
  const size_t first = panel * PANEL, length = panel_end(segment, panel) - first;
  for (size_t r = 0; r < rows->count; r++) {
    memset(scores + r * job->score_step + first, 0, length * sizeof(float));
  }
}

// Packed keys: tiles write to the rows, whose next segment takes the place of what is too much.
static void score_tiles(const orion_attention_job *job, const orion_attention_rows *rows,
                        const orion_product *product, orion_product_part part, float *scores) {
  const size_t step = product->terms * PANEL;
  orion_tile tile = {
      .terms = product->terms,
      .panel_step = step,
      .term_step = PANEL,
      .type = TILE_F32,
      .x_term = rows->count,
      .x_column = 1,
      .sums_panel = PANEL,
      .sums_column = job->score_step,
      .fresh = true,
  };
  for (size_t p = part.panel; p < part.panel + part.panels; p += tile.panels) {
    const size_t rest = part.panel + part.panels - p;
    tile.panels = rest < job->kernels->tile_panels ? 1 : job->kernels->tile_panels;
    tile.weights = (const float *)product->weights + p * step;
    for (size_t r = 0; r < rows->count; r += TILE_COLUMNS) {
      tile.columns = orion_min(TILE_COLUMNS, rows->count - r);
      tile.x = rows->queries + r;
      tile.sums = scores + r * job->score_step + p * PANEL;
      job->kernels->tile(&tile);
    }
  }
}

static void score_part(const orion_attention_job *job, const orion_attention_rows *rows,
                       const orion_product *product, orion_product_part part, float *scores) {
  if (product->kind == WEIGHTS_PANELS_F32) return score_tiles(job, rows, product, part, scores);
  float sums[POSITION_PANELS * ROWS_MAX * PANEL];
  orion_product written = *product;
  written.y = scores;
  written.y_channel = 1;
  written.y_column = job->score_step;
  orion_product_add(&written, part, 0, product->terms, true, sums);
  orion_product_store(&written, part, sums);
}

// Positions of the last segment up to the last that a row may see, in whole panels.
static size_t find_end(const orion_attention_job *job, const orion_attention_rows *rows,
                       const orion_segment *segment) {
  if (segment->mask == NULL) return segment->length;
  size_t end = 0;
  // The last row first: with a causal mask it sees most, and the others see nothing behind it.
  for (size_t r = rows->count; r-- > 0;) {
    const float *mask = orion_attention_mask(job, rows, segment, r);
    if (!is_seen(job, mask, end, segment->length)) continue;
    for (size_t panel = orion_ceil_div(segment->length, PANEL); panel * PANEL > end; panel--) {
      if (is_seen(job, mask, (panel - 1) * PANEL, panel_end(segment, panel - 1))) {
        end = panel_end(segment, panel - 1);
      }
    }
  }
  return end;
}

// All groups' rows have the same masks: what one task found, others use.
static size_t known_end(const orion_attention_job *job, const orion_attention_rows *rows,
                        const orion_segment *segment) {
  if (job->ends == NULL) return find_end(job, rows, segment);
  _Atomic size_t *known = &job->ends[rows->first / job->rows_of_task];
  size_t found = atomic_load_explicit(known, memory_order_relaxed);
  if (found == 0) {
    found = find_end(job, rows, segment) + 1;
    atomic_store_explicit(known, found, memory_order_relaxed);
  }
  return found - 1;
}

// Panels that no row sees are left at 0; those at the end of the last segment are left as they are.
static void score_segment(const orion_attention_job *job, orion_attention_rows *rows, size_t index,
                          float *scores) {
  const orion_segment *segment = &job->args->segments[index];
  const bool last = index + 1 == job->args->segment_count;
  orion_product product = orion_attention_keys(job, index, rows->group);
  product.columns = rows->count;
  product.x = rows->queries;
  product.x_term = rows->count;
  product.x_column = 1;
  const size_t end = last ? known_end(job, rows, segment) : segment->length;
  const size_t panels = orion_ceil_div(end, PANEL);
  rows->seen[index] = 0;
  for (size_t panel = 0; panel < panels;) {
    const size_t first = panel;
    while (panel < panels && panel - first < POSITION_PANELS &&
           !is_masked(job, rows, segment, panel)) {
      panel++;
    }
    if (panel == first) {
      clear_panel(job, rows, segment, panel++, scores);
      continue;
    }
    const orion_product_part part = {
        .panel = first, .panels = panel - first, .columns = rows->count};
    score_part(job, rows, &product, part, scores);
    rows->seen[index] = panel_end(segment, panel - 1);
  }
  const size_t count = last ? rows->seen[index] : segment->length;
  for (size_t r = 0; r < rows->count; r++) {
    const float top = job->kernels->scale_mask(scores + r * job->score_step,
                                               orion_attention_mask(job, rows, segment, r), job->args->scale, count);
    // A NaN stays.
    if (index == 0 || !(top <= rows->tops[r])) rows->tops[r] = top;
  }
}

void orion_attention_score(const orion_attention_job *job, orion_attention_rows *rows) {
  float *scores = rows->scores;
  for (size_t i = 0; i < job->args->segment_count; i++) {
    score_segment(job, rows, i, scores);
    scores += job->args->segments[i].length;
  }
}

// ---- probabilities ----

// A row that sees nothing looks at all positions, those at the end too.
static float see_everything(const orion_attention_job *job, orion_attention_rows *rows, size_t row) {
  const size_t index = job->args->segment_count - 1;
  const orion_segment *segment = &job->args->segments[index];
  float *scores = rows->scores + row * job->score_step;
  float *rest = scores + job->positions - segment->length + rows->seen[index];
  const float *mask = orion_attention_mask(job, rows, segment, row);
  const size_t count = segment->length - rows->seen[index];
  memset(rest, 0, count * sizeof(float));
  job->kernels->scale_mask(rest, mask == NULL ? NULL : mask + rows->seen[index], job->args->scale, count);
  return job->kernels->highest(scores, job->positions);
}

// Positions at the end that no row sees have probability 0, unless a row sees nothing at all.
void orion_attention_weigh(const orion_attention_job *job, orion_attention_rows *rows) {
  const orion_attention_args *args = job->args;
  size_t seen = 0, start = 0;
  for (size_t i = 0; i < args->segment_count; start += args->segments[i++].length) {
    if (rows->seen[i] > 0) seen = start + rows->seen[i];
  }
  bool blind = false;
  for (size_t r = 0; r < rows->count; r++) {
    float *scores = rows->scores + r * job->score_step, highest = rows->tops[r];
    const bool all = seen == 0 || highest < decisive_mask / 2;
    if (all) highest = see_everything(job, rows, r);
    rows->sums[r] = job->kernels->probabilities(scores, all ? job->positions : seen, highest);
    rows->tops[r] = all ? 1 : 0;
    blind |= all;
  }
  if (!blind) return;
  for (size_t r = 0; r < rows->count; r++) {
    if (rows->tops[r] == 1) continue;
    memset(rows->scores + r * job->score_step + seen, 0, (job->positions - seen) * sizeof(float));
  }
  for (size_t i = 0; i < args->segment_count; i++) rows->seen[i] = args->segments[i].length;
}
