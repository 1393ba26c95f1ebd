// Cases of chains, reductions, softmax, norms, copies and hashes as the engine calls them.
#include <string.h>

#include "cases.h"
#include "orion_training_kernels.h"

// (x + row) * column, silu of it, and both kept: broadcast operands, registers and two results.
void case_chains(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  static const size_t shapes[][3] = {{1, 1, 1}, {2, 3, 5}, {1, 7, 129}, {3, 40, 64}, {0, 4, 4}, {2, 130, 70}};
  for (size_t i = 0; i < COUNT_OF(shapes) * 2; i++) {
    const size_t *shape = shapes[i / 2], count = shape[0] * shape[1] * shape[2];
    const orion_rounding rounding = i % 2 ? ORION_ROUND_F16 : ORION_ROUND_NONE;
    const orion_chain_instruction instructions[] = {
        {.op = ORION_ADD, .target = 0, .left = -1, .right = -2, .rounding = rounding},
        {.op = ORION_MUL, .target = 1, .left = 0, .right = -3, .rounding = rounding},
        {.op = ORION_SILU, .target = 2, .left = 1, .right = 1, .rounding = rounding},
    };
    const float *operands[] = {guarded_floats(WILD, count, i), guarded_floats(TAME, shape[2], i + 1),
                               guarded_floats(WIDE, shape[1], i + 2)};
    const size_t strides[][ORION_CHAIN_AXES] = {
        {shape[1] * shape[2], shape[2], 1}, {0, 0, 1}, {0, 1, 0}};
    float *results[] = {guarded(count * sizeof(float)), guarded(count * sizeof(float))};
    const int8_t registers[] = {1, 2};
    const orion_chain_args args = {
        .axes = 3,
        .shape = {shape[0], shape[1], shape[2]},
        .operand_count = 3,
        .operands = operands,
        .strides = strides,
        .instruction_count = COUNT_OF(instructions),
        .instructions = instructions,
        .result_count = 2,
        .results = results,
        .result_registers = registers,
    };
    orion_chain(&args);
    for (size_t r = 0; r < 2; r++) record(out, FLOATS, results[r], count, "shape %zu, result %zu", i / 2, r);
  }
}

// [outer][count][inner], and one long row for several tasks.
static const size_t shapes[][3] = {{1, 1, 1}, {3, 7, 1}, {5, 64, 1}, {2, 9, 3}, {1, 40, 70}, {4, 33, 8}, {900, 20, 1}};

static size_t count_of(const size_t *shape) { return shape[0] * shape[1] * shape[2]; }

void case_reduce(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  for (size_t i = 0; i < COUNT_OF(shapes) * 3; i++) {
    const size_t *shape = shapes[i / 3], results = shape[0] * shape[2];
    const mixture mix = i % 3 == 0 ? TAME : i % 3 == 1 ? HALF : WILD;
    const float *x = guarded_floats(mix, count_of(shape), i);
    float *y = guarded(results * sizeof(float));
    for (int reduction = ORION_REDUCE_SUM; reduction <= ORION_REDUCE_LOG_SUM_EXP; reduction++) {
      const orion_rounding rounding = reduction % 2 ? ORION_ROUND_F16 : ORION_ROUND_NONE;
      orion_reduce((orion_reduction)reduction, x, y, shape[0], shape[1], shape[2], rounding);
      record(out, FLOATS, y, results, "reduction %d, shape %zu, mixture %d", reduction, i / 3, mix);
    }
  }
}

void case_softmaxes(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  for (size_t i = 0; i < COUNT_OF(shapes) * 2 * 2; i++) {
    const size_t *shape = shapes[i / 4];
    const mixture mix = i / 2 % 2 ? WILD : HALF;
    float *y = guarded(count_of(shape) * sizeof(float));
    orion_softmax(guarded_floats(mix, count_of(shape), i), y, shape[0], shape[1], shape[2],
                  i % 2 ? ORION_ROUND_F16 : ORION_ROUND_NONE);
    record(out, FLOATS, y, count_of(shape), "shape %zu, mixture %d, half %zu", i / 4, mix, i % 2);
  }
}

void case_norms(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  for (size_t i = 0; i < COUNT_OF(shapes) * 2 * 2; i++) {
    const size_t *shape = shapes[i / 4];
    const orion_rounding rounding = i % 2 ? ORION_ROUND_F16 : ORION_ROUND_NONE;
    const float *x = guarded_floats(i / 2 % 2 ? WILD : WIDE, count_of(shape), i);
    const float *gamma = guarded_floats(TAME, shape[1], i + 1), *beta = guarded_floats(TAME, shape[1], i + 2);
    float *y = guarded(count_of(shape) * sizeof(float));
    orion_layer_norm(x, y, gamma, i % 4 < 2 ? beta : NULL, 1e-5f, shape[0], shape[1], shape[2], rounding, false);
    record(out, FLOATS, y, count_of(shape), "layer norm, shape %zu, case %zu", i / 4, i % 4);
    orion_rms_norm(x, y, gamma, 1e-6f, shape[0], shape[1], shape[2], rounding, false);
    record(out, FLOATS, y, count_of(shape), "RMS norm, shape %zu, case %zu", i / 4, i % 4);
  }
  enum { OUTER = 2, COUNT = 30, INNER = 80, VALUES = OUTER * COUNT * INNER };
  float *y = guarded(VALUES * sizeof(float));
  orion_layer_norm(guarded_floats(WIDE, VALUES, 1), y, NULL, NULL, 1e-5f, OUTER, COUNT, INNER, ORION_ROUND_NONE, true);
  record(out, FLOATS, y, VALUES, "layer norm in panels");
}

void case_norm_gradients(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  for (size_t i = 0; i < COUNT_OF(shapes) * 4; i++) {
    const size_t *shape = shapes[i / 4], count = count_of(shape);
    float *gamma_gradient = guarded(shape[1] * sizeof(float));
    const orion_rms_norm_gradient_args args = {
        .outer = shape[0],
        .count = shape[1],
        .inner = shape[2],
        .x = guarded_floats(i % 4 == 3 ? WILD : WIDE, count, i),
        .gamma = i % 4 == 1 ? NULL : guarded_floats(TAME, shape[1], i + 1),
        .epsilon = 1e-5f,
        .gradient = guarded_floats(TAME, count, i + 2),
        .added = i % 4 == 2 ? NULL : guarded_floats(WIDE, count, i + 3),
        .x_gradient = guarded(count * sizeof(float)),
        .gamma_gradient = i % 4 == 1 ? NULL : gamma_gradient,
    };
    orion_rms_norm_gradient(&args);
    record(out, FLOATS, args.x_gradient, count, "by x, shape %zu, case %zu", i / 4, i % 4);
    record(out, FLOATS, gamma_gradient, args.gamma_gradient == NULL ? 0 : shape[1],
           "by gamma, shape %zu, case %zu", i / 4, i % 4);
  }
}

// ---- copies and hashes ----

void case_copies(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  const size_t shape[] = {3, 5, 40, 33}, count = 3 * 5 * 40 * 33;
  const size_t orders[][4] = {{6600, 1320, 33, 1}, {1, 3, 15, 600}, {6600, 33, 165, 1}, {200, 1, 5, 600}};
  const float *source = guarded_floats(WILD, count, 1);
  for (size_t i = 0; i < COUNT_OF(orders); i++) {
    float *target = guarded(count * sizeof(float));
    orion_gather_copy(source, target, 4, shape, orders[i]);
    record(out, BYTES, target, count * sizeof(float), "gather, order %zu", i);
    orion_scatter_copy(source, target, 4, shape, orders[i]);
    record(out, BYTES, target, count * sizeof(float), "scatter, order %zu", i);
  }
}

void case_hashes(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  static const size_t lengths[] = {0, 1, 7, 55, 56, 63, 64, 65, 127, 128, 1000, 4097};
  for (size_t i = 0; i < COUNT_OF(lengths); i++) {
    const uint8_t *bytes = (const uint8_t *)guarded_halves(WILD, (lengths[i] + 1) / 2, i) + lengths[i] % 2;
    const uint64_t sum = orion_checksum(bytes, lengths[i], i);
    record(out, BYTES, &sum, sizeof sum, "checksum of %zu", lengths[i]);
    orion_sha256 hash;
    uint8_t digest[32];
    orion_sha256_start(&hash);
    // In three pieces that end anywhere.
    orion_sha256_add(&hash, bytes, lengths[i] / 3);
    orion_sha256_add(&hash, bytes + lengths[i] / 3, lengths[i] / 2);
    const size_t taken = lengths[i] / 3 + lengths[i] / 2;
    orion_sha256_add(&hash, bytes + taken, lengths[i] - taken);
    orion_sha256_finish(&hash, digest);
    record(out, BYTES, digest, sizeof digest, "SHA-256 of %zu", lengths[i]);
  }
}
