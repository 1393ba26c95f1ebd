// Products with packed weights, and their packing. It knows nothing of where weights come from.
#include <string.h>

#include "product.h"

enum { GROUP = PANELS_MAX * PANEL };

static size_t panel_bytes(orion_packed_kind kind, size_t outputs, size_t inner) {
  static const size_t element[] = {
      [ORION_PACKED_F32] = sizeof(float),
      [ORION_PACKED_F16] = sizeof(uint16_t),
      [ORION_PACKED_I8] = sizeof(int8_t),
  };
  return orion_ceil_div(outputs, PANEL) * PANEL * inner * element[kind];
}

static size_t rounded_up(size_t bytes) { return orion_ceil_div(bytes, 64) * 64; }

size_t orion_packed_bytes(orion_packed_kind kind, size_t outputs, size_t inner) {
  const size_t panels = rounded_up(panel_bytes(kind, outputs, inner));
  return kind == ORION_PACKED_I8 ? panels + panel_bytes(ORION_PACKED_F32, outputs, 1) : panels;
}

typedef struct {
  orion_packed_kind kind;
  const void *source;
  bool source_is_f16;
  size_t outputs, inner;
  void *target;
} pack_job;

// Panels of [terms][16] side by side, [terms][width].
static void put_side_by_side(const float *panels, size_t width, size_t terms, float *target) {
  for (size_t k = 0; k < terms; k++, panels += PANEL) {
    for (size_t c = 0; c < width; c += PANEL, target += PANEL) {
      memcpy(target, panels + c * terms, PANEL * sizeof(float));
    }
  }
}

// Terms [first, first + terms) of one group, by way of fp32: exact for fp16 weights.
static void pack_block(const pack_job *job, size_t group, size_t first, size_t terms) {
  const orion_kernels *kernels = orion_kernels_current();
  const size_t channel = group * GROUP, channels = orion_min(GROUP, job->outputs - channel);
  const size_t width = orion_group_width(job->outputs, group * PANELS_MAX);
  const size_t start = channel * job->inner + first;
  const size_t end = start + first * (width - 1);
  const float *rows = (const float *)job->source + start;
  size_t row_step = job->inner;
  if (job->source_is_f16) {
    float *wide = orion_scratch(SCRATCH_COLUMNS, channels * terms * sizeof(float));
    const uint16_t *half = (const uint16_t *)job->source + start;
    for (size_t c = 0; c < channels; c++) {
      kernels->widen(half + c * job->inner, wide + c * terms, terms);
    }
    rows = wide;
    row_step = terms;
  }
  float *panels = orion_scratch(SCRATCH_PANELS, width * terms * sizeof(float));
  kernels->pack(rows, row_step, 1, channels, terms, panels, PANEL * terms);
  if (job->kind == ORION_PACKED_F32) {
    put_side_by_side(panels, width, terms, (float *)job->target + end);
    return;
  }
  float *packed = orion_scratch(SCRATCH_COLUMNS, width * terms * sizeof(float));
  put_side_by_side(panels, width, terms, packed);
  kernels->narrow(packed, (uint16_t *)job->target + end, width * terms);
}

static void pack_task(void *context, size_t group) {
  enum { TERMS = 512 };
  const pack_job *job = context;
  for (size_t k = 0; k < job->inner; k += TERMS) {
    pack_block(job, group, k, orion_min(TERMS, job->inner - k));
  }
}

void orion_pack(orion_packed_kind kind, const void *source, bool source_is_f16, size_t outputs,
                size_t inner, void *target) {
  pack_job job = {kind, source, source_is_f16, outputs, inner, target};
  orion_run_tasks(orion_ceil_div(outputs, GROUP), outputs * inner, pack_task, &job);
  const size_t written = panel_bytes(kind, outputs, inner);
  memset((char *)target + written, 0, orion_packed_bytes(kind, outputs, inner) - written);
}

// ---- bytes ----

typedef struct {
  const int8_t *source;
  size_t output_step, inner_step;
  size_t outputs, inner;
  int8_t *target;
} pack_bytes_job;

static void pack_bytes_task(void *context, size_t panel) {
  const pack_bytes_job *job = context;
  const size_t channels = orion_min(PANEL, job->outputs - panel * PANEL);
  const int8_t *source = job->source + panel * PANEL * job->output_step;
  const size_t width = orion_group_width(job->outputs, panel);
  int8_t *target = job->target + panel / PANELS_MAX * GROUP * job->inner + panel % PANELS_MAX * PANEL;
  for (size_t k = 0; k < job->inner; k++, target += width) {
    for (size_t c = 0; c < PANEL; c++) {
      target[c] = c < channels ? source[c * job->output_step + k * job->inner_step] : 0;
    }
  }
}

void orion_pack_i8(const int8_t *source, size_t output_step, size_t inner_step,
                   const float *scales, size_t outputs, size_t inner, void *target) {
  pack_bytes_job job = {source, output_step, inner_step, outputs, inner, target};
  orion_run_tasks(orion_ceil_div(outputs, PANEL), outputs * inner, pack_bytes_task, &job);
  const size_t panels = panel_bytes(ORION_PACKED_I8, outputs, inner);
  const size_t end = orion_packed_bytes(ORION_PACKED_I8, outputs, inner);
  char *rest = (char *)target + panels;
  memset(rest, 0, end - panels);
  memcpy((char *)target + rounded_up(panels), scales, outputs * sizeof(float));
}

// ---- the product ----

enum { JOBS_MAX = 8 };

typedef struct {
  orion_product product;
  orion_product_plan plan;
  size_t tasks;
} linear_job;

// Products one after the other, all in one region of the pool.
typedef struct {
  linear_job jobs[JOBS_MAX];
} linear_batch;

static void linear_task(void *context, size_t index) {
  const linear_job *job = ((const linear_batch *)context)->jobs;
  for (; index >= job->tasks; job++) index -= job->tasks;
  orion_product_task(&job->product, &job->plan, index);
}

static orion_product linear_product(const orion_linear_args *args) {
  static const orion_weights_kind kinds[] = {
      [ORION_PACKED_F32] = WEIGHTS_GROUPS_F32,
      [ORION_PACKED_F16] = WEIGHTS_GROUPS_F16,
      [ORION_PACKED_I8] = WEIGHTS_GROUPS_I8,
  };
  const size_t panels = rounded_up(panel_bytes(args->kind, args->outputs, args->inner));
  const void *after = (const char *)args->weights + panels;
  return (orion_product){
      .channels = args->outputs,
      .terms = args->inner,
      .columns = args->columns,
      .kind = kinds[args->kind],
      .weights = args->weights,
      .x = args->x,
      .x_term = args->x_row,
      .x_column = args->x_column,
      .scales = args->kind == ORION_PACKED_I8 ? after : NULL,
      .bias = args->bias,
      .y = args->y,
      .y_channel = args->y_row,
      .y_column = args->y_column,
      .rounding = args->rounding,
      .mac_limit = args->mac_limit,
      .x_in_panels = args->x_in_panels,
      .y_in_panels = args->y_in_panels,
  };
}

static void run_batch(const orion_linear_args *args, size_t count) {
  linear_batch batch;
  size_t tasks = 0, work = 0;
  for (size_t i = 0; i < count; i++) {
    linear_job *job = &batch.jobs[i];
    job->product = linear_product(&args[i]);
    job->plan = orion_plan_product(&job->product, 1);
    job->tasks = job->plan.panel_blocks * job->plan.column_blocks;
    tasks += job->tasks;
    work += job->plan.work;
  }
  orion_run_tasks(tasks, work, linear_task, &batch);
}

static bool same_columns(const orion_linear_args *a, const orion_linear_args *b) {
  return a->x == b->x && a->x_row == b->x_row && a->x_column == b->x_column &&
         a->columns == b->columns && a->inner == b->inner && a->x_in_panels == b->x_in_panels;
}

// Products of many columns that begin the list; 0 when there are none.
static size_t run_blocks(const orion_linear_args *args, size_t count) {
  orion_product products[JOBS_MAX];
  size_t found = 0;
  for (; found < orion_min(count, JOBS_MAX) && same_columns(args, args + found); found++) {
    products[found] = linear_product(&args[found]);
    if (!orion_linear_fits_blocks(&products[found])) break;
  }
  if (found > 0) orion_linear_blocks(products, found);
  return found;
}

void orion_linear(const orion_linear_args *args) { orion_linears(args, 1); }

void orion_linears(const orion_linear_args *args, size_t count) {
  for (; count > 0 && orion_accelerate_linear(args); count--) args++;
  while (count > 0) {
    size_t done = run_blocks(args, count);
    if (done == 0) {
      done = orion_min(JOBS_MAX, count);
      run_batch(args, done);
    }
    args += done;
    count -= done;
  }
}
