// How reductions, softmax and norms cut [outer][count][inner] into tasks: dense rows when inner
// is 1, else groups of columns. It knows nothing of what is done with a row.
#ifndef ORION_ROWS_H
#define ORION_ROWS_H

#include "kernels.h"

// Some columns of one outer index: element k of column c at x[first + k * stride + c].
typedef struct {
  size_t outer, column;
  size_t first;
  size_t count, stride, columns;
} orion_rows_part;

typedef void (*orion_rows_work)(const void *context, const orion_rows_part *part);

// `cost`: nanoseconds for 16 values.
void orion_rows_run(size_t outer, size_t count, size_t inner, size_t cost, orion_rows_work work,
                    const void *context);

#endif
