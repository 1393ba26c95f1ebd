// Products with packed weights, and their packing. It knows nothing of where weights come from.
#include <string.h>

#include "product.h"

static size_t element_bytes(orion_packed_kind kind) {
  return kind == ORION_PACKED_F16 ? sizeof(uint16_t) : sizeof(float);
}

size_t orion_packed_bytes(orion_packed_kind kind, size_t outputs, size_t inner) {
  const size_t bytes = orion_ceil_div(outputs, PANEL) * PANEL * inner * element_bytes(kind);
  return orion_ceil_div(bytes, 64) * 64;
}

typedef struct {
  orion_packed_kind kind;
  const void *source;
  bool source_is_f16;
  size_t outputs, inner;
  void *target;
} pack_job;

// Terms [first, first + terms) of one panel, by way of fp32: exact for fp16 weights.
static void pack_block(const pack_job *job, size_t panel, size_t first, size_t terms) {
  const orion_kernels *kernels = orion_kernels_current();
  const size_t channel = panel * PANEL, channels = orion_min(PANEL, job->outputs - channel);
  const size_t start = channel * job->inner + first;
  const size_t end = (panel * job->inner + first) * PANEL;
  const float *rows = (const float *)job->source + start;
  size_t row_step = job->inner;
  if (job->source_is_f16) {
    float *wide = orion_scratch(SCRATCH_COLUMNS, PANEL * terms * sizeof(float));
    const uint16_t *half = (const uint16_t *)job->source + start;
    for (size_t c = 0; c < channels; c++) {
      kernels->widen(half + c * job->inner, wide + c * terms, terms);
    }
    rows = wide;
    row_step = terms;
  }
  if (job->kind == ORION_PACKED_F32) {
    kernels->pack(rows, row_step, 1, channels, terms, (float *)job->target + end);
    return;
  }
  float *packed = orion_scratch(SCRATCH_PANELS, PANEL * terms * sizeof(float));
  kernels->pack(rows, row_step, 1, channels, terms, packed);
  kernels->narrow(packed, (uint16_t *)job->target + end, PANEL * terms);
}

static void pack_task(void *context, size_t panel) {
  enum { TERMS = 512 };
  const pack_job *job = context;
  for (size_t k = 0; k < job->inner; k += TERMS) {
    pack_block(job, panel, k, orion_min(TERMS, job->inner - k));
  }
}

void orion_pack(orion_packed_kind kind, const void *source, bool source_is_f16, size_t outputs,
                size_t inner, void *target) {
  pack_job job = {kind, source, source_is_f16, outputs, inner, target};
  const size_t panels = orion_ceil_div(outputs, PANEL);
  orion_run_tasks(panels, outputs * inner, pack_task, &job);
  const size_t written = panels * PANEL * inner * element_bytes(kind);
  memset((char *)target + written, 0, orion_packed_bytes(kind, outputs, inner) - written);
}

typedef struct {
  orion_product product;
  orion_product_plan plan;
} linear_job;

static void linear_task(void *context, size_t index) {
  const linear_job *job = context;
  orion_product_task(&job->product, &job->plan, index);
}

void orion_linear(const orion_linear_args *args) {
  linear_job job = {
      .product =
          {
              .channels = args->outputs,
              .terms = args->inner,
              .columns = args->columns,
              .kind = args->kind == ORION_PACKED_F16 ? WEIGHTS_PANELS_F16 : WEIGHTS_PANELS_F32,
              .weights = args->weights,
              .x = args->x,
              .x_term = args->x_row,
              .x_column = args->x_column,
              .bias = args->bias,
              .y = args->y,
              .y_channel = args->y_row,
              .y_column = args->y_column,
              .rounding = args->rounding,
              .mac_limit = args->mac_limit,
          },
  };
  job.plan = orion_plan_product(&job.product, 1);
  orion_run_tasks(job.plan.panel_blocks * job.plan.column_blocks, job.plan.work, linear_task, &job);
}
