// The cases by name: one for every kernel of the table, and one for every function made of them.
#ifndef ORION_KERNELS_TEST_CASES_H
#define ORION_KERNELS_TEST_CASES_H

#include "kernels.h"
#include "record.h"

// What a table says of itself, and the kernels in it. kernels_test.c does not compile when a member of
// `orion_kernels` stands in neither list.
#define TABLE_FACTS(X) X(name) X(tile_panels) X(burn_flops)
#define TABLE_CASES(X)                                                                       \
  X(widen) X(narrow) X(round)                                               /* cases_cast.c */ \
  X(pack) X(pack_tiles) X(widen_panels) X(tile) X(store)                 /* cases_product.c */ \
  X(chain)                                                                 /* cases_chain.c */ \
  X(fold) X(round_doubles) X(affine) X(exponentials) X(norm_gradient)        /* cases_row.c */ \
  X(highest) X(probabilities) X(softmax) X(scale_mask) X(slopes)                               \
  X(panel_tops) X(panel_exponentials) X(panel_quotients)                                       \
  X(adamw) X(accumulate) X(saturate) X(count_outside)                   /* cases_training.c */ \
  X(logit_sums) X(logit_gradient) X(embed) X(scatter)                                          \
  X(burn) X(read) X(copy)                                                   /* cases_cast.c */
#define FUNCTION_CASES(X)                                                                    \
  X(casts) X(linear) X(matmul) X(attention) X(attention_gradient)  /* product_functions.c */ \
  X(chains) X(reduce) X(softmaxes) X(norms) X(norm_gradients)          /* row_functions.c */ \
  X(copies) X(hashes)                                                                          \
  X(optimizer) X(gradients) X(cross_entropy) X(embedding)         /* training_functions.c */

// A case calls the kernels it is given, or functions that use the table in use, which is that one, and
// records every result.
typedef void (*kernel_case)(const orion_kernels *kernels, recorder *out);

#define DECLARE_CASE(name) void case_##name(const orion_kernels *kernels, recorder *out);
TABLE_CASES(DECLARE_CASE)
FUNCTION_CASES(DECLARE_CASE)
#undef DECLARE_CASE

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#endif
