// What the kernels' files share: the table of inner loops, compiled once for each machine and once in plain
// C, scratch memory, and the rule for when work is worth the pool.
#ifndef ORION_KERNELS_PRIVATE_H
#define ORION_KERNELS_PRIVATE_H

#include "orion_kernels.h"

enum {
  PANEL = 16,         // channels of a panel: the vector axis of a product
  TILE_COLUMNS = 6,   // columns of a tile: the broadcast axis of a product
  PANELS_MAX = 4,     // panels that one tile may cover
  CHAIN_BLOCK = 512,  // values of a chain's register
  ROW_LANES = 8,      // partial sums of a reduction: element k goes to partial k % 8
  ROW_COLUMNS = 64,   // columns that a reduction over a strided axis takes at once
  NORM_COLUMNS = 128, // columns that the gradient of a norm takes at once
};

// What a tile's weights are.
typedef enum { TILE_F32, TILE_F16, TILE_I8 } orion_tile_weights;

// A part of a product: `panels` x 16 channels by `columns` columns over `terms` terms. The sums
// are read from and written to `sums`, so that a product may be cut anywhere along its terms.
typedef struct {
  size_t terms;
  size_t panels, columns;
  // In elements: panel p, term k, channel c at p * panel_step + k * term_step + c.
  const void *weights;
  size_t panel_step, term_step;
  orion_tile_weights type;
  const float *x;  // x[k * x_term + s * x_column]
  size_t x_term, x_column;
  float *sums;  // panel p, column s, channel c at p * sums_panel + s * sums_column + c
  size_t sums_panel, sums_column;
  bool fresh;               // start from 0 instead of reading `sums`
  // What is done to sums of fp32 weights at the end, as orion_panel_store, but a scale and a bias for each
  // column, or NULL.
  const float *scales, *bias;
  orion_rounding rounding;
  float mac_limit;
} orion_tile;

// Writes the finished sums of some panels.
typedef struct {
  const float *sums;  // column s, channel c at c / 16 * sums_panel + s * 16 + c % 16
  size_t sums_panel;
  size_t columns, channels;
  const float *scales;  // `channels` values that the sums are multiplied by, or NULL
  const float *bias;    // `channels` values or NULL
  float *y;             // y[c * y_channel + s * y_column]
  size_t y_channel, y_column;
  orion_rounding rounding;
  float mac_limit;
} orion_panel_store;

// Terms of the sums of a row: x, |x|, x^2, (x - shift)^2, exp(x - shift); and product, maximum,
// minimum.
typedef enum {
  ROW_SUM,
  ROW_ABS,
  ROW_SQUARE,
  ROW_DEVIATION,
  ROW_EXP,
  ROW_PRODUCT,
  ROW_MAX,
  ROW_MIN,
} orion_row_fold;

// How softmax and the norms map x once the statistics of its row are known, all in double:
// (x - shift) / scale * gamma + beta; and exp(x - shift) / scale.
typedef struct {
  const float *x;
  float *y;
  size_t count, stride, columns;  // x[k * stride + c]; columns == 1 with stride 1 is a dense row
  size_t y_stride;                // of columns
  const double *shift, *scale;    // one per column
  const float *gamma, *beta;      // one per k, or NULL
  bool half;                      // round to fp16, else to fp32
} orion_row_map;

// Up to NORM_COLUMNS columns of the gradient of RMS norm, all of which are `stride` apart like x[k * stride + c].
typedef struct {
  const float *x, *gradient;
  const float *added;  // to the result, or NULL
  float *y;
  size_t count, stride, columns;
  const float *gamma;  // one per k, or NULL
  double epsilon;
  double *gamma_sums;  // over the columns, one per k, or NULL
} orion_norm_gradient_block;

// AdamW's factors, each rounded once from double.
typedef struct {
  float gradient_scale;
  float keep;  // of a weight after its decay
  float beta1_rest, beta2, beta2_rest;
  float root, epsilon, step_size;
} orion_adamw_factors;

// Some rows of the vocabulary by some columns. Statistics have room for a multiple of 8 columns.
typedef struct {
  const void *logits;
  size_t row_bytes;
  bool half;
  size_t rows, columns;
  float *tops;           // maximum of each column so far, from -FLT_MAX on
  double *sums;          // sum of exp(logit - top) so far
  const float *factors;  // the gradient is exp(logit - top) * factor; 0: exactly 0
  void *gradient;
  size_t gradient_row_bytes;
  bool gradient_half;
} orion_logit_block;

// The inner loops. Each has a case in Tests/kernels, which holds every table to the portable one's bits.
typedef struct {
  const char *name;
  size_t tile_panels;  // panels of a tile of three columns and more
  void (*widen)(const uint16_t *source, float *target, size_t count);
  void (*narrow)(const float *source, uint16_t *target, size_t count);
  // Panels side by side, `term_step` values from term to term, as panels of [terms][16] fp32 one after
  // the other.
  void (*widen_panels)(const void *source, orion_tile_weights type, size_t panels, size_t term_step,
                       size_t terms, float *target);
  void (*round)(const float *source, float *target, size_t count);
  // Panels of [terms][16], panel_step apart: channel c of term k is
  // source[c * channel_step + k * term_step]; the last panel is filled with 0.
  void (*pack)(const float *source, size_t channel_step, size_t term_step, size_t channels,
               size_t terms, float *target, size_t panel_step);
  // Columns of x in tiles of TILE_COLUMNS, the last one perhaps narrower, each [terms][width].
  void (*pack_tiles)(const float *x, size_t x_term, size_t x_column, size_t terms, size_t columns,
                     float *target);
  void (*tile)(const orion_tile *tile);
  void (*store)(const orion_panel_store *store);
  // `count` is a multiple of 8.
  void (*chain)(const orion_chain_instruction *instruction, const float *left, const float *right,
                float *target, size_t count);
  // result[c] = fold of x[k * stride + c] over k, one per column; columns <= ROW_COLUMNS.
  void (*fold)(orion_row_fold fold, const float *x, size_t count, size_t stride, size_t columns,
               const double *shift, double *result);
  // Each rounded once, to fp16 (`half`) or fp32.
  void (*round_doubles)(const double *values, float *target, size_t count, bool half);
  void (*affine)(const orion_row_map *map);
  void (*exponentials)(const orion_row_map *map);
  void (*norm_gradient)(const orion_norm_gradient_block *block);
  // The maximum, or NaN if there is one.
  float (*highest)(const float *scores, size_t count);
  // Turns scores into exp(scores - highest) and returns their sum, which is exact, so that it
  // does not depend on where in the row a probability stands.
  double (*probabilities)(float *scores, size_t count, float highest);
  // y[k] = exp(x[k] - max) / sum, in fp32 with a sum in double; as `fold`'s columns.
  void (*softmax)(const float *x, float *y, size_t count, size_t stride, size_t columns);
  // scores = scores * scale + mask; the mask may be NULL. Returns the maximum, or NaN if there is one.
  float (*scale_mask)(float *scores, const float *mask, float scale, size_t count);
  // The same for a panel of rows, position k of row c at k * 16 + c: scales, adds a mask that lies alike, or
  // NULL, and raises `tops`, where a NaN stays; makes exponentials and adds them to `sums`; divides `count`
  // times 16 values by the sums.
  void (*panel_tops)(float *scores, const float *mask, float scale, size_t count, float *tops);
  void (*panel_exponentials)(float *scores, const float *tops, size_t count, double *sums);
  void (*panel_quotients)(const float *values, size_t step, const double *sums, size_t count, float *y,
                          size_t y_step);
  // weights = weights / sum; slopes = weights * (slopes - sum of weights * slopes).
  void (*slopes)(float *weights, float *slopes, float sum, size_t count);
  // Counts the values of the copy, which may be NULL, that fp16 cannot hold.
  size_t (*adamw)(const orion_adamw_factors *factors, float *weights, const float *gradient,
                  float *first_moment, float *second_moment, uint16_t *copy, size_t count);
  // As orion_accumulate, one row.
  bool (*accumulate)(const void *source, bool half, float scale, bool fresh, float *target,
                     size_t count);
  // Narrows finite values to finite ones; counts what fp16 cannot hold.
  size_t (*saturate)(const float *source, uint16_t *target, size_t count);
  // Infinities and NaNs among fp16 values.
  size_t (*count_outside)(const uint16_t *values, size_t count);
  void (*logit_sums)(const orion_logit_block *block);
  void (*logit_gradient)(const orion_logit_block *block);
  // Up to 8 rows of up to 8 channels each become columns of `out`, and the other way round.
  void (*embed)(const float *const *rows, size_t tokens, size_t channels, void *out,
                size_t row_bytes, bool half);
  bool (*scatter)(const void *gradient, size_t row_bytes, bool half, size_t tokens,
                  size_t channels, float scale, float *const *rows);
  // What limits the machine: `burn_flops` multiplications and additions a round, and reads and
  // copies of a multiple of 64 values.
  float (*burn)(size_t rounds);
  size_t burn_flops;
  float (*read)(const float *values, size_t count);
  void (*copy)(const float *source, float *target, size_t count);
} orion_kernels;

extern const orion_kernels orion_kernels_portable;
#if defined(__x86_64__)
extern const orion_kernels orion_kernels_avx2, orion_kernels_avx512;
#elif defined(__aarch64__)
extern const orion_kernels orion_kernels_neon, orion_kernels_neon_fp16;
// What not every AArch64 processor has (arm.c).
typedef enum { ARM_FP16, ARM_SHA256 } orion_arm_extension;
bool orion_arm_has(orion_arm_extension extension);
#endif
// The table in use.
const orion_kernels *orion_kernels_current(void);

// 64-byte aligned memory of the calling thread, kept until the thread ends; the next call with
// the same slot may move or overwrite it. Ends the process when there is no memory.
enum {
  SCRATCH_SUMS,
  SCRATCH_PANELS,
  SCRATCH_COLUMNS,
  SCRATCH_SCORES,
  SCRATCH_PACKED,
  SCRATCH_PARTIALS,
  SCRATCH_SLOTS
};
void *orion_scratch(int slot, size_t bytes);

// Runs the tasks on the pool if `work`, in units of about a nanosecond, repays waking it, or is worth sharing with
// threads that are awake; else here.
void orion_run_tasks(size_t count, size_t work, orion_task task, void *context);

// Whether workers look for a region now and none has to be woken.
bool orion_pool_is_awake(void);

static inline size_t orion_ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }
static inline size_t orion_min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t orion_max(size_t a, size_t b) { return a > b ? a : b; }

#endif
