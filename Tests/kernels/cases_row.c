// Cases of the inner loops of reductions, norms, softmax and attention's probabilities.
#include <float.h>
#include <math.h>
#include <string.h>

#include "cases.h"

// Dense rows, and columns a stride apart.
static const struct {
  size_t count, stride, columns;
} layouts[] = {
    {0, 1, 1}, {1, 1, 1}, {7, 1, 1}, {8, 1, 1}, {9, 1, 1}, {16, 1, 1}, {31, 1, 1}, {100, 1, 1},
    {0, 5, 5}, {1, 1, 1}, {3, 4, 1}, {9, 3, 3}, {8, 9, 8}, {17, 13, 13}, {20, 70, 64},
};

static size_t values_of(size_t layout) {
  const size_t count = layouts[layout].count;
  return count == 0 ? 0 : (count - 1) * layouts[layout].stride + layouts[layout].columns;
}

static const char *const mixture_names[] = {"tame", "wide", "half", "wild"};

void case_fold(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(layouts) * 4; i++) {
    const size_t layout = i / 4, columns = layouts[layout].columns;
    const float *x = guarded_floats((mixture)(i % 4), values_of(layout), i);
    double *shift = guarded(columns * sizeof(double)), *result = guarded(columns * sizeof(double));
    for (int fold = ROW_SUM; fold <= ROW_MIN; fold++) {
      for (size_t c = 0; c < columns; c++) shift[c] = fold == ROW_EXP ? 50.0 * (double)c : 0.1 * (double)c;
      const bool shifts = fold == ROW_DEVIATION || fold == ROW_EXP;
      kernels->fold((orion_row_fold)fold, x, layouts[layout].count, layouts[layout].stride, columns,
                    shifts ? shift : NULL, result);
      record(out, DOUBLES, result, columns, "fold %d, layout %zu, %s", fold, layout, mixture_names[i % 4]);
    }
  }
}

void case_round_doubles(const orion_kernels *kernels, recorder *out) {
  for (size_t count = 0; count < 20; count++) {
    const float *coarse = guarded_floats(WILD, count, count);
    double *values = guarded(count * sizeof(double));
    float *target = guarded(count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
      // Some a little off a float, which may be a tie of fp16, and some beyond floats.
      static const double factors[] = {1, 1 + 0x1p-40, 1e200, 1 - 0x1p-45, 1, 1e-200};
      values[i] = (double)coarse[i] * factors[(i + count) % COUNT_OF(factors)];
    }
    for (int half = 0; half < 2; half++) {
      kernels->round_doubles(values, target, count, half);
      record(out, FLOATS, target, count, "%zu values, half %d", count, half);
    }
  }
  // Around every tie of fp16, by less than a float can tell.
  enum { TIES = 1 << 15 };
  double *ties = guarded(TIES * sizeof(double));
  float *target = guarded(TIES * sizeof(float));
  for (size_t i = 0; i < TIES; i++) {
    const double value = (double)(2 * (i % 2048) + 1) * 0x1p-25;
    ties[i] = value * (double)(1 << i / 2048) * (1 + ((double)(i % 3) - 1) * 0x1p-50);
  }
  kernels->round_doubles(ties, target, TIES, true);
  record(out, FLOATS, target, TIES, "ties");
}

typedef void (*row_map_loop)(const orion_row_map *map);

static void record_map(const char *name, row_map_loop loop, bool weighted, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(layouts) * 3 * 2; i++) {
    const size_t layout = i / 6, count = layouts[layout].count, columns = layouts[layout].columns;
    const mixture mix = i / 2 % 3 == 0 ? TAME : i / 2 % 3 == 1 ? HALF : WILD;
    double *shift = guarded(columns * sizeof(double)), *scale = guarded(columns * sizeof(double));
    for (size_t c = 0; c < columns; c++) shift[c] = 1.0 - 0.25 * (double)c, scale[c] = 1 + 0.3 * (double)c;
    const size_t values = values_of(layout);
    const orion_row_map map = {
        .x = guarded_floats(mix, values, i),
        .y = guarded(values * sizeof(float)),
        .count = count,
        .stride = layouts[layout].stride,
        .y_stride = layouts[layout].stride,
        .columns = columns,
        .shift = shift,
        .scale = scale,
        .gamma = weighted && layout % 3 != 0 ? guarded_floats(TAME, count, i + 1) : NULL,
        .beta = weighted && layout % 3 == 1 ? guarded_floats(TAME, count, i + 2) : NULL,
        .half = i % 2 == 0,
    };
    loop(&map);
    record(out, FLOATS, map.y, values, "%s, layout %zu, %s, half %d", name, layout, mixture_names[mix],
           map.half);
  }
}

void case_affine(const orion_kernels *kernels, recorder *out) {
  record_map("affine", kernels->affine, true, out);
}
void case_exponentials(const orion_kernels *kernels, recorder *out) {
  record_map("exponentials", kernels->exponentials, false, out);
}

void case_norm_gradient(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(layouts) * 3; i++) {
    const size_t layout = i / 3, count = layouts[layout].count, values = values_of(layout);
    const mixture mix = i % 3 == 0 ? TAME : i % 3 == 1 ? HALF : WILD;
    double *sums = guarded(count * sizeof(double));
    const orion_norm_gradient_block block = {
        .x = guarded_floats(mix, values, i),
        .gradient = guarded_floats(mix, values, i + 1),
        .added = layout % 2 ? guarded_floats(TAME, values, i + 2) : NULL,
        .y = guarded(values * sizeof(float)),
        .count = count,
        .stride = layouts[layout].stride,
        .columns = layouts[layout].columns,
        .gamma = layout % 3 != 0 ? guarded_floats(TAME, count, i + 3) : NULL,
        .epsilon = 1e-5,
        .gamma_sums = layout % 5 != 0 ? sums : NULL,
    };
    kernels->norm_gradient(&block);
    record(out, FLOATS, block.y, values, "layout %zu, %s", layout, mixture_names[mix]);
    record(out, DOUBLES, sums, block.gamma_sums == NULL ? 0 : count, "sums, layout %zu, %s", layout,
           mixture_names[mix]);
  }
}

// ---- softmax and attention ----

void case_softmax(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(layouts) * 4; i++) {
    const size_t layout = i / 4, values = values_of(layout);
    float *y = guarded(values * sizeof(float));
    kernels->softmax(guarded_floats((mixture)(i % 4), values, i), y, layouts[layout].count,
                     layouts[layout].stride, layouts[layout].columns);
    record(out, FLOATS, y, values, "layout %zu, %s", layout, mixture_names[i % 4]);
  }
}

static const size_t counts[] = {0, 1, 7, 8, 9, 15, 16, 17, 33, 70};

void case_highest(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(counts) * 4; i++) {
    const float *scores = guarded_floats((mixture)(i % 4), counts[i / 4], i);
    const float highest = kernels->highest(scores, counts[i / 4]);
    record(out, FLOATS, &highest, 1, "%zu scores, %s", counts[i / 4], mixture_names[i % 4]);
  }
}

void case_probabilities(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(counts) * 3; i++) {
    const size_t count = counts[i / 3];
    float *scores = guarded_floats((mixture)(i % 3), count, i);
    float highest = -FLT_MAX;
    for (size_t k = 0; k < count; k++) highest = scores[k] > highest ? scores[k] : highest;
    const double sum = kernels->probabilities(scores, count, highest);
    record(out, DOUBLES, &sum, 1, "sum of %zu, %s", count, mixture_names[i % 3]);
    record(out, FLOATS, scores, count, "%zu scores, %s", count, mixture_names[i % 3]);
  }
}

void case_scale_mask(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(counts) * 2; i++) {
    const size_t count = counts[i / 2];
    float *scores = guarded_floats(WILD, count, i);
    const float *mask = i % 2 ? guarded_floats(WILD, count, i + 1) : NULL;
    const float highest = kernels->scale_mask(scores, mask, i % 3 == 0 ? -0.125f : 0.125f, count);
    record(out, FLOATS, &highest, 1, "highest of %zu scores, mask %zu", count, i % 2);
    record(out, FLOATS, scores, count, "%zu scores, mask %zu", count, i % 2);
  }
}

void case_slopes(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(counts) * 4; i++) {
    const size_t count = counts[i / 4];
    float *weights = guarded_floats((mixture)(i % 4), count, i);
    float *slopes = guarded_floats((mixture)(i % 4), count, i + 1);
    kernels->slopes(weights, slopes, 3.7f, count);
    record(out, FLOATS, weights, count, "%zu weights, %s", count, mixture_names[i % 4]);
    record(out, FLOATS, slopes, count, "%zu slopes, %s", count, mixture_names[i % 4]);
  }
}

void case_panel_tops(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(counts) * 4; i++) {
    const size_t count = counts[i / 4], values = count * PANEL;
    float *scores = guarded_floats(i % 2 ? WILD : WIDE, values, i), *tops = guarded_floats(TAME, PANEL, i);
    const float *mask = i / 2 % 2 ? guarded_floats(WIDE, values, i + 1) : NULL;
    kernels->panel_tops(scores, mask, i % 3 == 0 ? -0.125f : 0.125f, count, tops);
    record(out, FLOATS, tops, PANEL, "tops of %zu, mask %zu", count, i / 2 % 2);
    record(out, FLOATS, scores, values, "panels of %zu, mask %zu", count, i / 2 % 2);
  }
}

void case_panel_exponentials(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(counts) * 3; i++) {
    const size_t count = counts[i / 3], values = count * PANEL;
    float *scores = guarded_floats((mixture)(i % 3), values, i), *tops = guarded(PANEL * sizeof(float));
    double sums[PANEL] = {0.25};
    for (size_t c = 0; c < PANEL; c++) tops[c] = c % 2 ? FLT_MAX : 1;
    for (size_t k = 0; k < values; k++) tops[k % PANEL] = fmaxf(tops[k % PANEL], scores[k]);
    kernels->panel_exponentials(scores, tops, count, sums);
    record(out, DOUBLES, sums, PANEL, "sums of %zu, %s", count, mixture_names[i % 3]);
    record(out, FLOATS, scores, values, "exponentials of %zu, %s", count, mixture_names[i % 3]);
  }
}

void case_panel_quotients(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(counts); i++) {
    const size_t count = counts[i], step = PANEL + i % 3, y_step = PANEL + i % 2;
    float *y = guarded((count * y_step + PANEL) * sizeof(float));
    double sums[PANEL];
    for (size_t c = 0; c < PANEL; c++) sums[c] = 1 + c / 7.0;
    kernels->panel_quotients(guarded_floats(WIDE, count * step + PANEL, i), step, sums, count, y, y_step);
    record(out, FLOATS, y, count * y_step + PANEL, "%zu quotients", count);
  }
}
