// The kernels that a training step runs on the host: optimizer, gradients' arithmetic, casts of strided
// rows, cross-entropy and embedding. Plain memory; nothing is checked here.
//
// Legend: V vocabulary, C channels, S columns (tokens). A matrix is `rows` rows of `columns` dense values;
// rows are `row_bytes` apart, a multiple of the value's size. Sums run over blocks of a fixed size, whose
// results are added in order: they never depend on the number of threads.
#ifndef ORION_TRAINING_KERNELS_H
#define ORION_TRAINING_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Values and where their rows are; `half`: fp16, else fp32.
typedef struct {
  void *values;
  size_t row_bytes;
  bool half;
} orion_matrix;

// ---- AdamW (adamw.c) --------------------------------------------------------------------------

typedef struct {
  double learning_rate, beta1, beta2, epsilon, weight_decay;
  float gradient_scale;  // every gradient is multiplied by it first
  uint64_t step;         // 1 for the first
  size_t rows, columns;
  // Dense, rows x columns each.
  float *weights;
  const float *gradient;
  float *first_moment, *second_moment;
  orion_matrix copy;  // fp16 rows that receive the new weights; values NULL: none
} orion_adamw_args;

// One pass over memory. Each operation is rounded to fp32, each factor once from double, with
// g = gradient_scale gradient:
//   w = w (1 - learning_rate weight_decay)
//   m = m + (1 - beta1) (g - m)
//   v = beta2 v + ((1 - beta2) g) g
//   w = w - (learning_rate / (1 - beta1^step) m) / (sqrt(v) / sqrt(1 - beta2^step) + epsilon)
// A gradient that is not finite makes its weight so too: look before. Returns how many values of the
// copy fp16 cannot hold; it is filled as orion_convert fills it.
size_t orion_adamw(const orion_adamw_args *args);

// ---- arithmetic of gradients (gradients.c) ------------------------------------------------------

// Sum of squares in double; finite exactly when all values are.
double orion_sum_of_squares(const float *values, size_t count);
// target = target + scale * source, each operation rounded to fp32; `fresh`: target = scale * source, and
// target is not read. target is dense. Whether all results are finite.
bool orion_accumulate(orion_matrix source, size_t rows, size_t columns, float scale, bool fresh,
                      float *target);
// Copies rows, rounding fp32 to fp16 half to even. Finite values from 65520 on become 65504 with their
// sign; infinities and NaNs stay. Returns how many values of both kinds an fp16 target was given.
size_t orion_convert(orion_matrix source, orion_matrix target, size_t rows, size_t columns);

// ---- cross-entropy (cross_entropy.c) --------------------------------------------------------------

// Logits of `rows` tokens of the vocabulary; a vocabulary is one or several of these, one after the other.
typedef struct {
  orion_matrix logits;    // [rows, S]
  orion_matrix gradient;  // [rows, S], values NULL: not wanted; or the logits themselves
  size_t rows;
} orion_logits;

// loss = sum over the columns of log(sum of exp(logits)) - logit of the target; gradient = scale
// (softmax(logits) - 1 at the target). Targets are from 0 to V - 1; columns whose target is below 0 are left
// out of the loss and have gradient 0. Exponentials in fp32, sums in double. A column with a NaN or +infinity
// among its logits has loss and gradient NaN. fp16 gradients that are too large become infinite. Returns how
// many columns counted.
size_t orion_cross_entropy(const orion_logits *parts, size_t part_count, size_t columns,
                           const int32_t *targets, float scale, double *loss);

// ---- embedding (embedding.c) ----------------------------------------------------------------------

// out[c][s] = table[tokens[s]][c]; out is [C, S], the table [V, C] in fp32. Values too large for an fp16 out
// become infinite.
void orion_embedding_gather(orion_matrix table, size_t channels, const int32_t *tokens,
                            size_t token_count, orion_matrix out);
// table[tokens[s]][c] += scale * gradient[c][s], in the order of the tokens, each operation rounded to fp32.
// Whether all results are finite.
bool orion_embedding_scatter_add(orion_matrix gradient, size_t channels, const int32_t *tokens,
                                 size_t token_count, float scale, orion_matrix table);

// ---- attention (attention_gradient.c) ---------------------------------------------------------------

// values[group * group + head * head + feature * feature + column * column]; of keys and values the columns
// are positions, and heads share them.
typedef struct {
  float *values;
  size_t group, head, feature, column;
} orion_heads;

typedef struct {
  size_t groups;     // key/value heads
  size_t heads;      // query heads of one group
  size_t queries, positions;
  size_t key_features, value_features;
  float scale;
  // `gradient` is that of orion_attention's result; these are read.
  orion_heads query, gradient, key, value;
  const float *mask;  // mask[query * mask_query + position], or NULL
  size_t mask_query;
  // Written.
  orion_heads query_gradient, key_gradient, value_gradient;
} orion_attention_gradient_args;

// Gradients of softmax(scale q k + mask) v, as orion_attention computes it, by queries, keys and values. All
// sizes are at least 1. Sums over queries and positions run in order.
void orion_attention_gradient(const orion_attention_gradient_args *args);
// What each thread needs for it besides: it grows with the positions and not with their square.
size_t orion_attention_gradient_bytes(const orion_attention_gradient_args *args);

// ---- norms (norm_gradient.c) ------------------------------------------------------------------------

typedef struct {
  size_t outer, count, inner;  // all arrays but gamma's are [outer][count][inner]
  const float *x;
  const float *gamma;     // `count` values, or NULL
  float epsilon;
  const float *gradient;  // of orion_rms_norm's result
  const float *added;     // to the gradient by x, or NULL
  float *x_gradient;
  float *gamma_gradient;  // `count` values, or NULL
} orion_rms_norm_gradient_args;

// Gradients of orion_rms_norm by x and gamma; sums over a row of x run in order, those for gamma over 128
// columns at a time.
void orion_rms_norm_gradient(const orion_rms_norm_gradient_args *args);

#ifdef __cplusplus
}
#endif
#endif
