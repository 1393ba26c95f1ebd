// The host's share of a training step, on plain memory.
#include "check.h"

#include <math.h>

// The kernels of a training step, and their refusals.
void test_kernels(void) {
  float weights[2] = {1, 2}, gradient[2] = {1, -1}, first[2] = {0}, second[2] = {0};
  float logits[4] = {0, 0, 0, 0};
  uint16_t halves[4] = {0};
  int32_t ids[2] = {1, -1};
  size_t counted = 7;
  double sum = 7;
  bool finite = false;
  orion_adamw_options options = {.struct_size = sizeof options, .gradient_scale = 1,
                                 .learning_rate = 0.5, .beta1 = 0.9, .beta2 = 0.999, .step = 1};
  orion_kernel_matrix copy = {halves, 1, 2, 4, ORION_FP16, 0};
  orion_kernel_matrix matrix = {logits, 2, 2, 8, ORION_FP32, 0};
  CHECK(orion_kernel_adamw(&options, 2, weights, gradient, first, second, &copy, &counted) == ORION_OK);
  CHECK(counted == 0 && fabsf(weights[0] - 0.5f) < 1e-6f && fabsf(weights[1] - 2.5f) < 1e-6f);
  CHECK(full(halves[1]) == 2.5f);
  CHECK(orion_kernel_sum_of_squares(gradient, 2, &sum) == ORION_OK && sum == 2);
  CHECK(orion_kernel_accumulate(&copy, 2, true, weights, 2, &finite) == ORION_OK && finite);
  CHECK(weights[0] == 1 && weights[1] == 5);
  CHECK(orion_kernel_cross_entropy(1, &matrix, &matrix, 2, ids, 4, &sum, &counted) == ORION_OK);
  CHECK(counted == 1 && fabs(sum - log(2)) < 1e-6 && logits[0] == 2 && logits[2] == -2);
  CHECK(logits[1] == 0 && logits[3] == 0);
  orion_kernel_matrix narrow = {halves, 2, 2, 4, ORION_FP16, 0};
  CHECK(orion_kernel_convert(&matrix, &narrow, &counted) == ORION_OK && full(halves[2]) == -2);
  ids[1] = 0;
  CHECK(orion_kernel_embedding_gather(&matrix, 2, ids, &narrow) == ORION_OK && full(halves[1]) == 2);
  CHECK(orion_kernel_embedding_scatter_add(&narrow, 2, ids, 1, &matrix, &finite) == ORION_OK);
  CHECK(finite && logits[0] == 4 && logits[2] == -4);
  counted = 7;
  REFUSES(orion_kernel_adamw(NULL, 0, NULL, NULL, NULL, NULL, NULL, &counted), ORION_ERROR_ARGUMENT,
          "options: null");
  REFUSES(orion_kernel_adamw(&options, 2, weights, weights, first, second, NULL, &counted),
          ORION_ERROR_ARGUMENT, "gradient: overlaps weights");
  REFUSES(orion_kernel_accumulate(&copy, 1, true, weights, 3, &finite), ORION_ERROR_ARGUMENT,
          "expected 3 values");
  REFUSES(orion_kernel_cross_entropy(1, &matrix, NULL, 2, NULL, 1, &sum, &counted),
          ORION_ERROR_ARGUMENT, "targets: null");
  ids[0] = 2;
  REFUSES(orion_kernel_embedding_gather(&matrix, 2, ids, &narrow), ORION_ERROR_ARGUMENT,
          "tokens: 2 at position 0, expected 0 to 1");
  CHECK(counted == 7);
}
