// Which products go to the library that ORION_ACCELERATE names, and that what it computes is the result. The
// library of this test sums backwards, so that its results can be told from Orion's.
//
// Usage: accelerate_test LIBRARY to expect its calls; accelerate_test to expect that nothing is asked for.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

#pragma STDC FP_CONTRACT OFF

static const int *calls;  // of the library, or NULL
static int failures;

static void expect(bool holds, const char *what, size_t row) {
  if (holds) return;
  fprintf(stderr, "accelerate: case %zu: %s\n", row, what);
  failures++;
}

static float *filled(size_t count, uint32_t seed) {
  float *values = malloc((count + 1) * sizeof(float));
  for (size_t i = 0; i < count; i++) {
    seed = seed * 1664525 + 1013904223;
    values[i] = (float)(int32_t)seed * 0x1p-31f;
  }
  return values;
}

// The sum over w[o * w_row + k * w_column] x[k * x_row + s * x_column], in the library's order or in Orion's.
static float sum_of(const float *w, size_t w_row, size_t w_column, const float *x, size_t x_row, size_t x_column,
                    size_t inner, size_t o, size_t s, bool backwards) {
  float sum = 0;
  for (size_t i = 0; i < inner; i++) {
    const size_t k = backwards ? inner - 1 - i : i;
    const float a = w[o * w_row + k * w_column], b = x[k * x_row + s * x_column];
    sum = backwards ? sum + a * b : __builtin_fmaf(a, b, sum);
  }
  return sum;
}

// ---- products of run-time operands ----

static const struct {
  size_t m, n, k, batch;
  bool a_turned, b_turned;
  orion_rounding rounding;
  size_t gap;  // between the values of a row of a
  bool taken;
} matmuls[] = {
    {128, 128, 130, 1, false, false, ORION_ROUND_NONE, 0, true},
    {140, 130, 128, 1, true, false, ORION_ROUND_NONE, 0, true},
    {130, 140, 128, 2, false, true, ORION_ROUND_NONE, 0, true},
    {128, 150, 130, 1, true, true, ORION_ROUND_NONE, 0, true},
    // Rounded, few rows or columns as in generating, small, and in a form that the library has no word for.
    {128, 128, 130, 1, false, false, ORION_ROUND_F16, 0, false},
    {31, 300, 300, 1, false, false, ORION_ROUND_NONE, 0, false},
    {300, 8, 1000, 1, false, false, ORION_ROUND_NONE, 0, false},
    {64, 64, 64, 1, false, false, ORION_ROUND_NONE, 0, false},
    {128, 128, 130, 1, false, false, ORION_ROUND_NONE, 1, false},
};

static void test_matmul(size_t row) {
  const size_t m = matmuls[row].m, n = matmuls[row].n, k = matmuls[row].k, batch = matmuls[row].batch;
  const size_t step = 1 + matmuls[row].gap, a_size = m * k * step, c_row = n + 3;
  const size_t offsets[][2] = {{0, a_size}, {0, k * n}, {0, m * c_row}};
  const orion_matmul_args args = {
      .m = m,
      .n = n,
      .k = k,
      .batch = batch,
      .a_offsets = offsets[0],
      .b_offsets = offsets[1],
      .c_offsets = offsets[2],
      .a = filled(batch * a_size, 1),
      .a_row = matmuls[row].a_turned ? 1 : k * step,
      .a_column = matmuls[row].a_turned ? m : step,
      .b = filled(batch * k * n, 2),
      .b_row = matmuls[row].b_turned ? 1 : n,
      .b_column = matmuls[row].b_turned ? k : 1,
      .c = filled(batch * m * c_row, 3),
      .c_row = c_row,
      .rounding = matmuls[row].rounding,
  };
  const int before = calls == NULL ? 0 : *calls;
  orion_matmul(&args);
  const bool taken = calls != NULL && matmuls[row].taken;
  expect((calls == NULL ? 0 : *calls - before) == (taken ? (int)batch : 0), "wrong number of calls", row);
  bool right = matmuls[row].rounding != ORION_ROUND_NONE;
  for (size_t i = 0; !right && i < batch * m * n; i++) {
    const size_t b = i / (m * n), r = i / n % m, c = i % n;
    const float sum = sum_of(args.a + offsets[0][b], args.a_row, args.a_column, args.b + offsets[1][b],
                             args.b_row, args.b_column, k, r, c, taken);
    if (args.c[offsets[2][b] + r * c_row + c] != sum) break;
    right = i + 1 == batch * m * n;
  }
  expect(right, "a value of matmul is not the sum in the order of who computes it", row);
}

// ---- products with packed weights ----

static const struct {
  size_t outputs, inner, columns;
  orion_packed_kind kind;
  bool by_channel, x_by_term, biased, taken;
} linears[] = {
    {130, 140, 128, ORION_PACKED_F32, true, true, false, true},
    {150, 130, 128, ORION_PACKED_F32, false, false, true, true},
    {130, 140, 130, ORION_PACKED_F16, true, false, true, true},
    {200, 130, 100, ORION_PACKED_F16, false, true, false, true},
    // One token, a few, and bytes.
    {600, 600, 1, ORION_PACKED_F32, true, true, false, false},
    {600, 600, 16, ORION_PACKED_F32, true, true, true, false},
    {130, 140, 128, ORION_PACKED_I8, true, true, false, false},
};

static void test_linear(size_t row) {
  const size_t o = linears[row].outputs, k = linears[row].inner, s = linears[row].columns;
  const orion_packed_kind kind = linears[row].kind;
  float *weights = filled(o * k, 4);
  orion_round_f16(weights, weights, o * k);
  void *packed = aligned_alloc(64, orion_packed_bytes(kind, o, k));
  if (kind == ORION_PACKED_I8) {
    orion_pack_i8((const int8_t *)weights, k, 1, filled(o, 5), o, k, packed);
  } else {
    orion_pack(kind, weights, false, o, k, packed);
  }
  const orion_linear_args args = {
      .kind = kind,
      .weights = packed,
      .outputs = o,
      .inner = k,
      .columns = s,
      .bias = linears[row].biased ? filled(o, 6) : NULL,
      .x = filled(k * s, 7),
      .x_row = linears[row].x_by_term ? s : 1,
      .x_column = linears[row].x_by_term ? 1 : k,
      .y = filled(o * s, 8),
      .y_row = linears[row].by_channel ? s : 1,
      .y_column = linears[row].by_channel ? 1 : o,
  };
  const int before = calls == NULL ? 0 : *calls;
  orion_linear(&args);
  const bool taken = calls != NULL && linears[row].taken;
  expect(((calls == NULL ? 0 : *calls - before) > 0) == taken, "wrong number of calls", row);
  bool right = kind == ORION_PACKED_I8;
  for (size_t i = 0; !right && i < o * s; i++) {
    const size_t c = i / s, column = i % s;
    const float sum = sum_of(weights, k, 1, args.x, args.x_row, args.x_column, k, c, column, taken);
    const float bias = args.bias == NULL ? 0 : args.bias[c];
    if (args.y[c * args.y_row + column * args.y_column] != sum + bias) break;
    right = i + 1 == o * s;
  }
  expect(right, "a value of linear is not the sum in the order of who computes it", row);
}

int main(int count, char **arguments) {
  if (count > 1) {
    void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    calls = library == NULL ? NULL : dlsym(library, "fake_blas_calls");
    if (calls == NULL) return fprintf(stderr, "accelerate: %s\n", dlerror()), 2;
  }
  for (size_t i = 0; i < sizeof matmuls / sizeof *matmuls; i++) test_matmul(i);
  for (size_t i = 0; i < sizeof linears / sizeof *linears; i++) test_linear(i);
  fprintf(stderr, "accelerate: %d calls, %d failures\n", calls == NULL ? 0 : *calls, failures);
  return failures == 0 ? 0 : 1;
}
