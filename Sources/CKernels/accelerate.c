// Large fp32 products given to cblas_sgemm of a library that ORION_ACCELERATE names: Accelerate on a Mac. Off
// unless asked for: such a library orders its sums as it likes, so that a result may depend on how many
// columns it was computed with, which it never does otherwise. It knows nothing of tiles.
//
// ORION_ACCELERATE=1 is Apple's Accelerate, anything else but 0 a path. Nothing links against either.
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "product.h"

static const char apple_library[] = "/System/Library/Frameworks/Accelerate.framework/Accelerate";

// As the C interface to BLAS has them.
enum { ROW_MAJOR = 101, AS_IT_IS = 111, TURNED = 112 };
typedef void (*sgemm_function)(int order, int turn_a, int turn_b, int m, int n, int k, float alpha,
                               const float *a, int a_step, const float *b, int b_step, float beta,
                               float *c, int c_step);

// A step of generating has few columns: it stays with the kernels of this library, whose sums do not depend
// on how many there are. Smaller products are not worth the call.
enum { SIDE_LEAST = 32, MULTIPLICATIONS_LEAST = 1 << 21 };

static pthread_once_t looked_for = PTHREAD_ONCE_INIT;
static sgemm_function sgemm;

static void look_for(void) {
  const char *wanted = getenv("ORION_ACCELERATE");
  if (wanted == NULL || *wanted == 0 || strcmp(wanted, "0") == 0) return;
  const char *path = strcmp(wanted, "1") == 0 ? apple_library : wanted;
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library != NULL) *(void **)&sgemm = dlsym(library, "cblas_sgemm");
  if (sgemm != NULL) return;
  fprintf(stderr, "orion: ORION_ACCELERATE=%s: no cblas_sgemm in %s; products stay with Orion's kernels\n",
          wanted, path);
}

static bool is_large(size_t m, size_t n, size_t k) {
  if (m < SIDE_LEAST || n < SIDE_LEAST || m > INT_MAX || n > INT_MAX || k > INT_MAX) return false;
  return m * n >= MULTIPLICATIONS_LEAST / orion_max(k, 1);
}

// values[i * row + j * column].
typedef struct {
  const float *values;
  size_t row, column;
} operand;

// How the library is told of it: one of the steps must be 1.
typedef struct {
  int turn, step;
} layout;

static bool find_layout(operand from, size_t rows, size_t columns, layout *found) {
  const bool dense = from.column == 1 && from.row >= columns;
  const size_t step = dense ? from.row : from.column;
  if ((!dense && (from.row != 1 || from.column < rows)) || step > INT_MAX) return false;
  *found = (layout){dense ? AS_IT_IS : TURNED, (int)step};
  return true;
}

bool orion_accelerate_matmul(const orion_matmul_args *args) {
  pthread_once(&looked_for, look_for);
  if (sgemm == NULL || args->rounding != ORION_ROUND_NONE) return false;
  if (!is_large(args->m, args->n, args->k) || args->c_row < args->n || args->c_row > INT_MAX) return false;
  layout a, b;
  if (!find_layout((operand){args->a, args->a_row, args->a_column}, args->m, args->k, &a)) return false;
  if (!find_layout((operand){args->b, args->b_row, args->b_column}, args->k, args->n, &b)) return false;
  for (size_t i = 0; i < args->batch; i++) {
    sgemm(ROW_MAJOR, a.turn, b.turn, (int)args->m, (int)args->n, (int)args->k, 1,
          args->a + args->a_offsets[i], a.step, args->b + args->b_offsets[i], b.step, 0,
          args->c + args->c_offsets[i], (int)args->c_row);
  }
  return true;
}

bool orion_accelerates(void) {
  pthread_once(&looked_for, look_for);
  return sgemm != NULL;
}

// ---- packed weights ----

static void add_bias(const orion_linear_args *args, size_t first, size_t channels) {
  if (args->bias == NULL) return;
  for (size_t c = first; c < first + channels; c++) {
    float *y = args->y + c * args->y_row;
    for (size_t s = 0; s < args->columns; s++) y[s * args->y_column] += args->bias[c];
  }
}

// The weights of a group, [terms][width], as floats.
static const float *group_floats(const orion_linear_args *args, size_t first, size_t width) {
  const size_t start = first * args->inner, count = width * args->inner;
  if (args->kind == ORION_PACKED_F32) return (const float *)args->weights + start;
  float *wide = orion_scratch(SCRATCH_PANELS, count * sizeof(float));
  orion_f16_to_f32((const uint16_t *)args->weights + start, wide, count);
  return wide;
}

// A group of panels after the other; results are dense along the columns or along the channels.
bool orion_accelerate_linear(const orion_linear_args *args) {
  enum { GROUP = PANELS_MAX * PANEL };
  pthread_once(&looked_for, look_for);
  if (sgemm == NULL || args->rounding != ORION_ROUND_NONE || args->kind == ORION_PACKED_I8) return false;
  if (args->x_in_panels || args->y_in_panels) return false;
  if (!is_large(args->outputs, args->columns, args->inner)) return false;
  const bool by_channel = args->y_column == 1 && args->y_row >= args->columns;
  const size_t y_step = by_channel ? args->y_row : args->y_column;
  if ((!by_channel && (args->y_row != 1 || y_step < args->outputs)) || y_step > INT_MAX) return false;
  const size_t inner = args->inner, columns = args->columns;
  const operand x = by_channel ? (operand){args->x, args->x_row, args->x_column}
                               : (operand){args->x, args->x_column, args->x_row};
  layout found;
  if (!find_layout(x, by_channel ? inner : columns, by_channel ? columns : inner, &found)) return false;
  for (size_t first = 0; first < args->outputs; first += GROUP) {
    const size_t channels = orion_min(GROUP, args->outputs - first);
    const size_t width = orion_group_width(args->outputs, first / PANEL);
    const float *weights = group_floats(args, first, width);
    float *y = args->y + first * args->y_row;
    if (by_channel) {
      sgemm(ROW_MAJOR, TURNED, found.turn, (int)channels, (int)columns, (int)inner, 1, weights, (int)width,
            x.values, found.step, 0, y, (int)y_step);
    } else {
      sgemm(ROW_MAJOR, found.turn, AS_IT_IS, (int)columns, (int)channels, (int)inner, 1, x.values,
            found.step, weights, (int)width, 0, y, (int)y_step);
    }
    add_bias(args, first, channels);
  }
  return true;
}
