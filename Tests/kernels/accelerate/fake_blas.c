// A library with cblas_sgemm for accelerate_test.c: sums from the last term to the first, which no kernel of
// Orion does, and counts its calls.
#include <stddef.h>

#pragma STDC FP_CONTRACT OFF

int fake_blas_calls;

void cblas_sgemm(int order, int turn_a, int turn_b, int m, int n, int k, float alpha, const float *a,
                 int a_step, const float *b, int b_step, float beta, float *c, int c_step) {
  fake_blas_calls++;
  // Row-major, as it is or turned; nothing is read from c.
  if (order != 101 || alpha != 1 || beta != 0) return;
  for (int i = 0; i < m; i++) {
    for (int j = 0; j < n; j++) {
      float sum = 0;
      for (int p = k - 1; p >= 0; p--) {
        const float left = turn_a == 112 ? a[(size_t)p * a_step + i] : a[(size_t)i * a_step + p];
        const float right = turn_b == 112 ? b[(size_t)j * b_step + p] : b[(size_t)p * b_step + j];
        sum += left * right;
      }
      c[(size_t)i * c_step + j] = sum;
    }
  }
}
