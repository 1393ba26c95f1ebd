// Element-wise chains: a block of values goes through all instructions before the next block is
// read. It knows shapes and strides; the arithmetic is chain_kernel.h's.
#include <string.h>

#include "kernels.h"

enum { OPERANDS_MAX = 128, BLOCKS_OF_TASK_MAX = 32 };

// Where an operand's values lie, once axes that are one in memory for all operands were joined.
typedef struct {
  const float *start;
  size_t strides[ORION_CHAIN_AXES];
  bool dense;  // as the results
} chain_operand;

typedef struct {
  const orion_chain_args *args;
  const orion_kernels *kernels;
  size_t count;
  size_t task_count;  // of a task
  size_t axes;
  size_t shape[ORION_CHAIN_AXES];
  chain_operand operands[OPERANDS_MAX];
} chain_job;

// ---- axes ----

static bool axes_join(const chain_job *job, size_t inner_axis, size_t size) {
  for (size_t i = 0; i < job->args->operand_count; i++) {
    const size_t *strides = job->operands[i].strides;
    if (strides[inner_axis - 1] != strides[inner_axis] * size) return false;
  }
  return true;
}

// Appends an axis, or makes the last one longer when the two are one in memory.
static void append_axis(chain_job *job, size_t axis) {
  const orion_chain_args *args = job->args;
  const size_t size = args->shape[axis];
  if (size == 1) return;
  const size_t last = job->axes;
  for (size_t i = 0; i < args->operand_count; i++) {
    job->operands[i].strides[last] = args->strides[i][axis];
  }
  if (last > 0 && axes_join(job, last, size)) {
    for (size_t i = 0; i < args->operand_count; i++) {
      job->operands[i].strides[last - 1] = job->operands[i].strides[last];
    }
    job->shape[last - 1] *= size;
    return;
  }
  job->shape[last] = size;
  job->axes++;
}

static void prepare_job(chain_job *job) {
  const orion_chain_args *args = job->args;
  job->count = 1;
  job->axes = 0;
  for (size_t axis = 0; axis < args->axes; axis++) {
    job->count *= args->shape[axis];
    append_axis(job, axis);
  }
  if (job->axes == 0) {
    job->axes = 1;
    job->shape[0] = 1;
    for (size_t i = 0; i < args->operand_count; i++) job->operands[i].strides[0] = 1;
  }
  for (size_t i = 0; i < args->operand_count; i++) {
    chain_operand *operand = &job->operands[i];
    operand->start = args->operands[i];
    operand->dense = true;
    size_t stride = 1;
    for (size_t axis = job->axes; axis-- > 0; stride *= job->shape[axis]) {
      if (operand->strides[axis] != stride) operand->dense = false;
    }
  }
}

// ---- operands ----

static void copy_run(const float *source, size_t stride, size_t count, float *target) {
  if (stride == 1) {
    memcpy(target, source, count * sizeof(float));
    return;
  }
  for (size_t i = 0; i < count; i++) target[i] = source[i * stride];
}

// Writes the operand's values [first, first + count), in the order of the results.
static void gather_operand(const chain_job *job, const chain_operand *operand, size_t first,
                           size_t count, float *target) {
  size_t position[ORION_CHAIN_AXES];
  size_t rest = first, offset = 0;
  for (size_t axis = job->axes; axis-- > 0; rest /= job->shape[axis]) {
    position[axis] = rest % job->shape[axis];
    offset += position[axis] * operand->strides[axis];
  }
  const size_t last = job->axes - 1, size = job->shape[last], stride = operand->strides[last];
  for (size_t done = 0; done < count;) {
    const size_t run = orion_min(size - position[last], count - done);
    copy_run(operand->start + offset, stride, run, target + done);
    done += run;
    offset -= position[last] * stride;
    position[last] = 0;
    for (size_t axis = last; axis-- > 0;) {
      offset += operand->strides[axis];
      if (++position[axis] < job->shape[axis]) break;
      offset -= position[axis] * operand->strides[axis];
      position[axis] = 0;
    }
  }
}

// ---- blocks ----

typedef struct {
  float registers[ORION_CHAIN_REGISTERS][CHAIN_BLOCK];
  float gathered[2][CHAIN_BLOCK];
} chain_memory;

static const float *find_source(const chain_job *job, chain_memory *memory, int8_t source, int side,
                                size_t first, size_t count) {
  if (source >= 0) return memory->registers[source];
  const chain_operand *operand = &job->operands[-1 - source];
  if (operand->dense && count % 8 == 0) return operand->start + first;
  float *gathered = memory->gathered[side];
  gather_operand(job, operand, first, count, gathered);
  for (size_t i = count; i % 8 != 0; i++) gathered[i] = 0;
  return gathered;
}

static void run_block(const chain_job *job, chain_memory *memory, size_t first, size_t count) {
  const orion_chain_args *args = job->args;
  const size_t padded = orion_ceil_div(count, 8) * 8;
  const size_t last = args->instruction_count - 1;
  // The last instruction may write to a result at once: no operand is read after it.
  const int8_t direct_register = args->instructions[last].target;
  float *direct = NULL;
  for (size_t i = 0; i < args->result_count && count == padded; i++) {
    if (args->result_registers[i] == direct_register) direct = args->results[i] + first;
  }
  for (size_t i = 0; i <= last; i++) {
    const orion_chain_instruction *instruction = &args->instructions[i];
    const float *left = find_source(job, memory, instruction->left, 0, first, count);
    const float *right = instruction->op <= ORION_POW
                             ? find_source(job, memory, instruction->right, 1, first, count)
                             : left;
    float *target = memory->registers[instruction->target];
    if (i == last && direct != NULL) target = direct;
    job->kernels->chain(instruction, left, right, target, padded);
  }
  for (size_t i = 0; i < args->result_count; i++) {
    float *target = args->results[i] + first;
    const int8_t source = args->result_registers[i];
    if (target == direct) continue;
    const bool written = source == direct_register && direct != NULL;
    memcpy(target, written ? direct : memory->registers[source], count * sizeof(float));
  }
}

static void chain_task(void *context, size_t index) {
  const chain_job *job = context;
  chain_memory memory;
  const size_t start = index * job->task_count;
  const size_t end = orion_min(job->count, start + job->task_count);
  for (size_t first = start; first < end; first += CHAIN_BLOCK) {
    run_block(job, &memory, first, orion_min(CHAIN_BLOCK, end - first));
  }
}

// Eighths of a nanosecond for one value.
static size_t instruction_cost(orion_chain_op op) {
  if (op == ORION_POW) return 200;
  const bool arithmetic = op < ORION_RSQRT || op == ORION_RELU || op >= ORION_FLOOR;
  return arithmetic ? 1 : 16;
}

void orion_chain(const orion_chain_args *args) {
  if (args->instruction_count == 0 || args->operand_count > OPERANDS_MAX) return;
  chain_job job;  // large: only what is used is written
  job.args = args;
  job.kernels = orion_kernels_current();
  prepare_job(&job);
  if (job.count == 0) return;
  size_t cost = 1;
  for (size_t i = 0; i < args->instruction_count; i++) {
    cost += instruction_cost(args->instructions[i].op);
  }
  const size_t even = orion_ceil_div(job.count, 4 * (size_t)orion_pool_threads() * CHAIN_BLOCK);
  job.task_count = orion_min(even, BLOCKS_OF_TASK_MAX) * CHAIN_BLOCK;
  const size_t tasks = orion_ceil_div(job.count, job.task_count);
  orion_run_tasks(tasks, job.count * cost / 8, chain_task, &job);
}
