// Products of two run-time operands, batched. It knows nothing of layouts but strides.
#include "product.h"

typedef struct {
  const orion_matmul_args *args;
  orion_product product;  // of the first operands; each batch index moves it
  bool swapped;
  orion_product_plan plan;
  size_t column_step, column_blocks;  // of tasks that take all channels
} matmul_job;

static orion_product product_at(const matmul_job *job, size_t batch) {
  const orion_matmul_args *args = job->args;
  const float *a = args->a + args->a_offsets[batch], *b = args->b + args->b_offsets[batch];
  orion_product product = job->product;
  product.weights = job->swapped ? a : b;
  product.x = job->swapped ? b : a;
  product.y = args->c + args->c_offsets[batch];
  return product;
}

static void part_task(void *context, size_t index) {
  const matmul_job *job = context;
  const size_t tasks = job->plan.panel_blocks * job->plan.column_blocks;
  const orion_product product = product_at(job, index / tasks);
  orion_product_task(&product, &job->plan, index % tasks);
}

static void columns_task(void *context, size_t index) {
  const matmul_job *job = context;
  const orion_product product = product_at(job, index / job->column_blocks);
  const size_t column = index % job->column_blocks * job->column_step;
  const size_t columns = orion_min(job->column_step, product.columns - column);
  orion_product_run_columns(&product, column, columns);
}

// Columns of b in panels, rows of a as columns.
static orion_product rows_by_panels(const orion_matmul_args *args) {
  return (orion_product){
      .channels = args->n,
      .columns = args->m,
      .channel_step = args->b_column,
      .term_step = args->b_row,
      .x_term = args->a_column,
      .x_column = args->a_row,
      .y_channel = 1,
      .y_column = args->c_row,
  };
}

// Rows of a in panels: for an n that would leave most of a panel empty.
static orion_product panels_by_columns(const orion_matmul_args *args) {
  return (orion_product){
      .channels = args->m,
      .columns = args->n,
      .channel_step = args->a_row,
      .term_step = args->a_column,
      .x_term = args->b_row,
      .x_column = args->b_column,
      .y_channel = args->c_row,
      .y_column = 1,
  };
}

void orion_matmul(const orion_matmul_args *args) {
  if (orion_accelerate_matmul(args)) return;
  const bool swapped = args->n < PANEL && args->m > args->n;
  matmul_job job = {
      .args = args,
      .product = swapped ? panels_by_columns(args) : rows_by_panels(args),
      .swapped = swapped,
  };
  job.product.terms = args->k;
  job.product.kind = WEIGHTS_STRIDED;
  job.product.rounding = args->rounding;
  job.product.mac_limit = args->mac_limit;
  if (args->batch == 1 && orion_product_fits_blocks(&job.product)) {
    const orion_product product = product_at(&job, 0);
    return orion_product_blocks(&product);
  }
  job.plan = orion_plan_product(&job.product, args->batch);
  if (orion_product_fits_task(&job.product)) {
    job.column_step = orion_product_task_columns(&job.product, args->batch);
    job.column_blocks = orion_ceil_div(job.product.columns, job.column_step);
    return orion_run_tasks(args->batch * job.column_blocks, job.plan.work, columns_task, &job);
  }
  const size_t tasks = job.plan.panel_blocks * job.plan.column_blocks;
  orion_run_tasks(args->batch * tasks, job.plan.work, part_task, &job);
}
