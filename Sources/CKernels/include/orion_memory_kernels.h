// Memory for tensors and packed operands, and copies between arrays. Pointers must be valid for the sizes given;
// nothing is checked here. Included by orion_kernels.h.
#ifndef ORION_MEMORY_KERNELS_H
#define ORION_MEMORY_KERNELS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- memory (memory.c) ----------------------------------------------------------------------

// At least 64-byte aligned, on large pages where that is worth it; `free` gives it back. NULL without memory.
void *orion_allocate(size_t bytes);
// Zeroed memory that the system gives page by page, when something is written there; `orion_give_up` gives it back.
// NULL without room.
void *orion_reserve(size_t bytes);
void orion_give_up(void *memory, size_t bytes);
// Gives the system what `free` kept for later, where the C library can; for moments after which much less is
// needed, as it looks at all of the heap.
void orion_return_memory(void);

// ---- copies (copy.c) ----------------------------------------------------------------------------

// target[dense, row-major] = source[strided]; elements of 4 bytes; at most ORION_CHAIN_AXES axes.
void orion_gather_copy(const void *source, void *target, size_t axes, const size_t *shape,
                       const size_t *source_strides);
// target[strided] = source[dense].
void orion_scatter_copy(const void *source, void *target, size_t axes, const size_t *shape,
                        const size_t *target_strides);

// Rows of `bytes`, a step apart in bytes; 0 rows are none. `turned` is 0, or the bytes (2 or 4) of an element: then
// the rows of the source become columns of the target, whose rows are the target's step apart.
typedef struct {
  const void *source;
  size_t source_step;
  void *target;
  size_t target_step;
  size_t rows, bytes;
  size_t turned;
} orion_row_copy;

// Targets do not overlap anything else of the copies. Uses the pool.
void orion_copy_rows(const orion_row_copy *copies, size_t count);

#ifdef __cplusplus
}
#endif
#endif
