// The kernels of the engine: matrix products, norms, softmax, element-wise chains, casts, copies,
// hashes, and the thread pool; those of a training step stand in orion_training_kernels.h, memory and copies in
// orion_memory_kernels.h. C11, no state but the pool's. Chooses at run time AVX-512 or AVX2+FMA+F16C on x86-64, NEON with products
// of fp16 numbers or without on AArch64, else plain C. Pointers must be valid for the sizes given;
// nothing is checked here.
//
// Legend: O output channels, K inner dimension, S columns (tokens). Strides count elements unless
// named `bytes`. Float values are fp32 in memory; a value of type fp16 is an fp32 number that
// fp16 can hold.
//
// Order of summation: every product sum runs over k = 0, 1, 2, ... with one fused multiply-add
// each, in fp32, starting from +0. It never depends on S, on the batch, on tiles or on the number
// of threads.
#ifndef ORION_KERNELS_H
#define ORION_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orion_memory_kernels.h"
#include "orion_training_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- thread pool (pool.c) -------------------------------------------------------------------

typedef void (*orion_task)(void *context, size_t index);

// Threads that work on a region, the caller included. At first the number of cores.
int orion_pool_threads(void);
// From 1 to 256. Not while a region runs.
void orion_pool_set_threads(int count);
// Runs task(context, i) for every i in [0, count), in any order, on the pool; returns when all
// are done. Workers spin for some microseconds before they sleep, so that back-to-back regions
// cost little. Regions from several threads run one after the other. A nested call runs on the
// calling thread alone.
void orion_pool_run(size_t count, orion_task task, void *context);

// ---- rounding -------------------------------------------------------------------------------

// What is done to a result before it is stored.
typedef enum {
  ORION_ROUND_NONE = 0,
  // To fp16, half to even; magnitudes from 65520 become infinite; subnormals are kept.
  ORION_ROUND_F16 = 1,
  // To fp16, and then infinite from the magnitude `mac_limit` on (matmul and convolution results).
  ORION_ROUND_F16_MAC = 2,
} orion_rounding;

// ---- casts (cast.c) -------------------------------------------------------------------------

void orion_f16_to_f32(const uint16_t *source, float *target, size_t count);
void orion_f32_to_f16(const float *source, uint16_t *target, size_t count);
void orion_bf16_to_f32(const uint16_t *source, float *target, size_t count);
// In place allowed.
void orion_round_f16(const float *source, float *target, size_t count);

// ---- products with packed weights (linear.c) ------------------------------------------------

// How packed weights are stored: panels of 16 output channels, the last one filled with 0, four side by
// side, [ceil(O/64)][K][64], so that a product of few columns reads one run of memory. The last group has
// as many panels as are left.
typedef enum {
  ORION_PACKED_F32 = 0,
  ORION_PACKED_F16 = 1,
  // Integers, and after the panels, from a multiple of 64 bytes on, an fp32 scale for each channel
  // of the panels.
  ORION_PACKED_I8 = 2,
} orion_packed_kind;

// Bytes of O x K packed weights; a multiple of 64.
size_t orion_packed_bytes(orion_packed_kind kind, size_t outputs, size_t inner);
// Packs row-major [O][K] weights as floats. `source_is_f16`: fp16 elements, else fp32.
void orion_pack(orion_packed_kind kind, const void *source, bool source_is_f16, size_t outputs,
                size_t inner, void *target);
// Packs weight (o, k) = scales[o] * source[o * output_step + k * inner_step] as ORION_PACKED_I8.
void orion_pack_i8(const int8_t *source, size_t output_step, size_t inner_step,
                   const float *scales, size_t outputs, size_t inner, void *target);

typedef struct {
  orion_packed_kind kind;
  const void *weights;   // packed, 64-byte aligned
  size_t outputs;        // O
  size_t inner;          // K
  size_t columns;        // S
  const float *bias;     // O values or NULL; added in fp32 before rounding
  const float *x;        // x[k * x_row + s * x_column]
  size_t x_row, x_column;
  float *y;              // y[o * y_row + s * y_column]
  size_t y_row, y_column;
  orion_rounding rounding;
  float mac_limit;       // for ORION_ROUND_F16_MAC
  // x or y is in panels of 16 columns, [S / 16][K][16] or [S / 16][O][16], which spares the next product packing
  // them; S is then a multiple of 16 and at least 64, and the other one's columns lie side by side.
  bool x_in_panels, y_in_panels;
} orion_linear_args;

// y[o][s] = bias[o] + sum over k of w[o][k] x[k][s]. Uses the pool. Of ORION_PACKED_I8 weights the
// integers are summed up, and the sum is multiplied by its channel's scale: bias + scale * sum,
// each rounded to fp32.
void orion_linear(const orion_linear_args *args);
// The same for several products, none of which reads what another writes, waking the pool once.
void orion_linears(const orion_linear_args *args, size_t count);
// Whether large products go to another library (ORION_ACCELERATE), which takes no panels.
bool orion_accelerates(void);

// ---- products of run-time operands (matmul.c) -----------------------------------------------

typedef struct {
  size_t m, n, k;
  // For each of `batch` products: element offsets of its operands from a, b and c.
  size_t batch;
  const size_t *a_offsets, *b_offsets, *c_offsets;
  const float *a;        // a[i * a_row + p * a_column]
  size_t a_row, a_column;
  const float *b;        // b[p * b_row + j * b_column]
  size_t b_row, b_column;
  float *c;              // c[i * c_row + j]
  size_t c_row;
  orion_rounding rounding;
  float mac_limit;
} orion_matmul_args;

// c = a b for every product of the batch. Uses the pool.
void orion_matmul(const orion_matmul_args *args);

// ---- sums as some engines make them (sum_ways.c) ----------------------------------------------

typedef struct {
  // Four neighbouring terms are summed first, and sums of four above this magnitude are rounded to fp16 on
  // their own; INFINITY: none are.
  float tiles_above;
  // What lies midway between two fp16 numbers goes away from zero.
  bool ties_away;
} orion_sum_ways;

// The products above, slowly. Without tiles and ties the results are the same.
void orion_linear_by(const orion_linear_args *args, const orion_sum_ways *ways);
void orion_matmul_by(const orion_matmul_args *args, const orion_sum_ways *ways);

// ---- element-wise chains (chain.c) ----------------------------------------------------------

typedef enum {
  // two operands
  ORION_ADD, ORION_SUB, ORION_MUL, ORION_DIV, ORION_MAX, ORION_MIN, ORION_POW,
  // one operand; clip takes its bounds from immediate[0], immediate[1]; rsqrt, inverse and log
  // first add immediate[0] to their operand
  ORION_ABS, ORION_NEG, ORION_SQUARE, ORION_SQRT, ORION_RSQRT, ORION_INVERSE, ORION_EXP, ORION_EXP2,
  ORION_LOG, ORION_SIN, ORION_COS, ORION_TANH, ORION_SIGMOID, ORION_SILU, ORION_RELU, ORION_ERF,
  ORION_GELU_EXACT, ORION_GELU_TANH, ORION_GELU_SIGMOID, ORION_FLOOR, ORION_CEIL, ORION_ROUND_EVEN,
  ORION_SIGN, ORION_CLIP,
  // copies its operand; with rounding set, a cast to fp16
  ORION_MOVE,
} orion_chain_op;

// Registers 0..7 hold a block of values each. A source below 0 is operand number -1 - source.
typedef struct {
  orion_chain_op op;
  int8_t target;
  int8_t left, right;
  orion_rounding rounding; // NONE or F16, applied to this instruction's result
  float immediate[2];
} orion_chain_instruction;

enum { ORION_CHAIN_REGISTERS = 8, ORION_CHAIN_AXES = 6 };

typedef struct {
  // Result shape, `axes` of at most ORION_CHAIN_AXES; results are dense and row-major.
  size_t axes;
  size_t shape[ORION_CHAIN_AXES];
  size_t operand_count;
  const float *const *operands;
  // operand_count rows of ORION_CHAIN_AXES element strides; 0 repeats.
  const size_t (*strides)[ORION_CHAIN_AXES];
  size_t instruction_count;
  const orion_chain_instruction *instructions;
  size_t result_count;
  float *const *results;
  const int8_t *result_registers;
} orion_chain_args;

// One pass over memory for a whole chain. Exact to less than 1 unit in the last place of fp32 for
// the functions, and equal to the double-precision function rounded once when the instruction
// rounds to fp16. Uses the pool for large shapes.
void orion_chain(const orion_chain_args *args);

// ---- reductions, softmax, norms (reduce.c, softmax.c, norm.c)
// ---------------------------------- x is [outer][count][inner], dense. Sums run in double, over
// eight partial sums (element k in k % 8) whatever the layout, and are rounded once; only softmax
// without rounding exponentiates and divides in fp32.

typedef enum {
  ORION_REDUCE_SUM, ORION_REDUCE_MEAN, ORION_REDUCE_MAX, ORION_REDUCE_MIN, ORION_REDUCE_SUM_SQUARE,
  ORION_REDUCE_PROD, ORION_REDUCE_L1, ORION_REDUCE_L2, ORION_REDUCE_LOG_SUM,
  ORION_REDUCE_LOG_SUM_EXP,
} orion_reduction;

// y is [outer][inner].
void orion_reduce(orion_reduction reduction, const float *x, float *y, size_t outer, size_t count,
                  size_t inner, orion_rounding rounding);
// The largest of `count` values, at least one; NaN if there is one.
float orion_highest(const float *x, size_t count);
// Subtracts the maximum first.
void orion_softmax(const float *x, float *y, size_t outer, size_t count, size_t inner,
                   orion_rounding rounding);
// gamma and beta have `count` values or are NULL. `y_in_panels`: y is [inner / 16][count][16] for each outer index,
// inner a multiple of 16.
void orion_layer_norm(const float *x, float *y, const float *gamma, const float *beta,
                      float epsilon, size_t outer, size_t count, size_t inner,
                      orion_rounding rounding, bool y_in_panels);
// x / sqrt(mean(x^2) + epsilon) * gamma.
void orion_rms_norm(const float *x, float *y, const float *gamma, float epsilon, size_t outer,
                    size_t count, size_t inner, orion_rounding rounding, bool y_in_panels);

// ---- attention (attention.c) ------------------------------------------------------------------

// A run of keys and values; queries see the segments one after the other.
typedef struct {
  size_t length;         // positions L
  const float *key;      // key[group * key_group + d * key_feature + l * key_position]
  size_t key_group, key_feature, key_position;
  const float *value;
  size_t value_group, value_feature, value_position;
  const float *mask;     // added to the scaled scores; mask[s * mask_query + l], or NULL
  size_t mask_query;
} orion_segment;

typedef struct {
  size_t groups;         // key/value heads
  size_t heads;          // query heads of one group
  size_t queries;        // S
  size_t key_features, value_features;
  // query[group * query_group + head * query_head + d * query_feature + s * query_column]
  const float *query;
  size_t query_group, query_head, query_feature, query_column;
  float scale;
  size_t segment_count;  // at most 4
  orion_segment segments[4];
  float *output;         // as query, with value features
  size_t output_group, output_head, output_feature, output_column;
  // Or 0; else queries are a multiple of 16, side by side in panels of 16 that are this far apart.
  size_t output_panel;
} orion_attention_args;

// softmax(scale q k + mask) v, fp32. Positions whose probability is exactly 0 change nothing: the
// result does not depend on how many masked positions a segment ends with, nor on which segment a
// position is in.
void orion_attention(const orion_attention_args *args);

// ---- hashes (checksum.c, sha256.c)
// ----------------------------------------------------------------

// 64-bit checksum at memory speed; finds damage, resists nobody.
uint64_t orion_checksum(const void *bytes, size_t count, uint64_t seed);

typedef struct {
  uint32_t state[8];
  uint64_t length;
  uint8_t block[64];
} orion_sha256;

void orion_sha256_start(orion_sha256 *hash);
void orion_sha256_add(orion_sha256 *hash, const void *bytes, size_t count);
void orion_sha256_finish(orion_sha256 *hash, uint8_t digest[32]);

// ---- machine (machine.c)
// ----------------------------------------------------------------------------

// "avx512", "avx2", "neon-fp16", "neon" or "c": the kernels in use, which are the best ones or those that
// ORION_KERNELS names. Where the processor has none such, that is said once on standard error.
const char *orion_kernels_name(void);
// Uses the kernels of this name from now on, or with NULL the best ones, for tests that compare
// them: all give the same bits. False, and nothing happens, where the processor has none such.
bool orion_kernels_use(const char *name);

// ---- limits (limits.c)
// -----------------------------------------------------------------------------

typedef struct {
  int threads;
  double multiply_add_rate;  // fp32 multiplications and additions a second, all threads
  double read_rate;          // bytes a second
  double copy_rate;          // bytes read and bytes written a second
} orion_limits;

// Takes about a second. False without the memory for it, 256 MB.
bool orion_measure_limits(orion_limits *limits);

#ifdef __cplusplus
}
#endif
#endif
