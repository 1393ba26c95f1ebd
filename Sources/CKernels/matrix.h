// Work on matrices of strided rows in blocks of a fixed number of values: what gradients.c and adamw.c
// share. It knows no arithmetic.
#ifndef ORION_MATRIX_H
#define ORION_MATRIX_H

#include "kernels.h"

enum { MATRIX_BLOCK = 1 << 15 };  // values of a task

// Calls `run` for pieces that cross no row, in blocks on the pool; `dense`: all rows are one. The sum of the
// results. `first` counts values from the matrix's first, row and column are the piece's.
typedef size_t (*orion_piece_run)(const void *context, size_t row, size_t column, size_t first,
                                  size_t count);
size_t orion_run_pieces(size_t rows, size_t columns, bool dense, orion_piece_run run,
                        const void *context);

static inline size_t orion_value_bytes(orion_matrix matrix) {
  return matrix.half ? sizeof(uint16_t) : sizeof(float);
}
static inline void *orion_matrix_at(orion_matrix matrix, size_t row, size_t column) {
  return (char *)matrix.values + row * matrix.row_bytes + column * orion_value_bytes(matrix);
}
static inline bool orion_matrix_is_dense(orion_matrix matrix, size_t rows, size_t columns) {
  return rows <= 1 || matrix.row_bytes == columns * orion_value_bytes(matrix);
}

#endif
