// Cases of the functions that a training step runs on the host.
#include <string.h>

#include "cases.h"

static orion_matrix matrix_of(void *values, size_t columns, bool half) {
  return (orion_matrix){.values = values, .row_bytes = columns * (half ? 2 : 4), .half = half};
}

static const size_t sizes[][2] = {{1, 1}, {3, 7}, {40, 33}, {300, 256}};

void case_optimizer(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  for (size_t i = 0; i < COUNT_OF(sizes) * 2; i++) {
    const size_t rows = sizes[i / 2][0], columns = sizes[i / 2][1], count = rows * columns;
    uint16_t *copy = guarded(rows * (columns + 2) * sizeof(uint16_t));
    orion_adamw_args args = {
        .learning_rate = 3e-4,
        .beta1 = 0.9,
        .beta2 = 0.95,
        .epsilon = 1e-8,
        .weight_decay = 0.1,
        .gradient_scale = 0.25f,
        .rows = rows,
        .columns = columns,
        .weights = guarded_floats(WIDE, count, i),
        .gradient = guarded_floats(TAME, count, i + 1),
        .first_moment = memset(guarded(count * sizeof(float)), 0, count * sizeof(float)),
        .second_moment = memset(guarded(count * sizeof(float)), 0, count * sizeof(float)),
        .copy = i % 2 ? matrix_of(copy, columns + 2, true) : (orion_matrix){0},
    };
    for (args.step = 1; args.step <= 3; args.step++) {
      const uint64_t lost = orion_adamw(&args);
      record(out, BYTES, &lost, sizeof lost, "lost at step %zu", (size_t)args.step);
      record(out, FLOATS, args.weights, count, "weights at step %zu", (size_t)args.step);
    }
    record(out, FLOATS, args.first_moment, count, "first moment");
    record(out, FLOATS, args.second_moment, count, "second moment");
    record(out, HALVES, copy, rows * (columns + 2), "copy");
  }
}

void case_gradients(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  for (size_t i = 0; i < COUNT_OF(sizes) * 4; i++) {
    const size_t rows = sizes[i / 4][0], columns = sizes[i / 4][1], count = rows * columns;
    const bool from_half = i % 2, to_half = i / 2 % 2;
    void *source = from_half ? (void *)guarded_halves(WILD, count, i) : guarded_floats(WILD, count, i);
    float *sum = guarded_floats(TAME, count, i);
    const bool finite = orion_accumulate(matrix_of(source, columns, from_half), rows, columns, 3, false, sum);
    record(out, BYTES, &finite, 1, "finite, %zux%zu", rows, columns);
    record(out, FLOATS, sum, count, "sum, %zux%zu, half %d", rows, columns, from_half);
    const double squares = orion_sum_of_squares(guarded_floats(WIDE, count, i), count);
    record(out, DOUBLES, &squares, 1, "sum of %zu squares", count);
    const size_t step = columns + 1, used = (rows - 1) * step + columns;
    void *target = guarded(used * (to_half ? 2 : 4));
    const uint64_t lost = orion_convert(matrix_of(source, columns, from_half),
                                        matrix_of(target, step, to_half), rows, columns);
    record(out, BYTES, &lost, sizeof lost, "lost, %zux%zu", rows, columns);
    record(out, to_half ? HALVES : FLOATS, target, used, "converted, %zux%zu, half %d to %d", rows, columns,
           from_half, to_half);
  }
}

void case_cross_entropy(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  static const size_t vocabularies[][2] = {{1, 1}, {17, 30}, {600, 300}}, columns[] = {1, 9, 130};
  for (size_t i = 0; i < COUNT_OF(vocabularies) * COUNT_OF(columns) * 4; i++) {
    const size_t *rows = vocabularies[i / 4 % 3], s = columns[i / 12];
    const bool half = i % 2;
    const mixture mix = i / 2 % 2 ? WIDE : TAME;
    orion_logits parts[2];
    for (size_t p = 0; p < 2; p++) {
      const size_t count = rows[p] * s;
      void *logits = half ? (void *)guarded_halves(mix, count, i + p) : guarded_floats(mix, count, i + p);
      void *gradient = guarded(count * (half ? 2 : 4));
      parts[p] = (orion_logits){matrix_of(logits, s, half), matrix_of(gradient, s, half), rows[p]};
    }
    int32_t *targets = guarded(s * sizeof(int32_t));
    for (size_t c = 0; c < s; c++) {
      targets[c] = c % 5 == 4 ? -1 : (int32_t)(c * 37 % (rows[0] + rows[1]));
    }
    double loss = 0;
    const uint64_t counted = orion_cross_entropy(parts, 2, s, targets, 8, &loss);
    // The C library's logarithm may differ in its last place from one machine to another.
    const float rounded = (float)loss;
    record(out, BYTES, &counted, sizeof counted, "columns that count of %zu", s);
    record(out, FLOATS, &rounded, 1, "loss of %zu columns", s);
    for (size_t p = 0; p < 2; p++) {
      record(out, half ? HALVES : FLOATS, parts[p].gradient.values, rows[p] * s,
             "gradient, %zu rows, %zu columns, half %d, mixture %d", rows[p], s, half, mix);
    }
    release_memory();
  }
}

void case_embedding(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  enum { VOCABULARY = 19 };
  static const size_t channels[] = {1, 7, 70}, tokens[] = {1, 8, 37};
  for (size_t i = 0; i < COUNT_OF(channels) * COUNT_OF(tokens) * 2; i++) {
    const size_t c = channels[i / 2 % 3], s = tokens[i / 6];
    const bool half = i % 2;
    float *table = guarded_floats(WIDE, VOCABULARY * c, i);
    int32_t *ids = guarded(s * sizeof(int32_t));
    for (size_t k = 0; k < s; k++) ids[k] = (int32_t)(k * 7 % VOCABULARY);
    void *columns = guarded(c * s * (half ? 2 : 4));
    orion_embedding_gather(matrix_of(table, c, false), c, ids, s, matrix_of(columns, s, half));
    record(out, half ? HALVES : FLOATS, columns, c * s, "gathered, %zu channels, %zu tokens", c, s);
    const bool finite = orion_embedding_scatter_add(matrix_of(columns, s, half), c, ids, s, 0.5f,
                                                    matrix_of(table, c, false));
    record(out, BYTES, &finite, 1, "finite, %zu channels, %zu tokens", c, s);
    record(out, FLOATS, table, VOCABULARY * c, "table, %zu channels, %zu tokens", c, s);
  }
}
