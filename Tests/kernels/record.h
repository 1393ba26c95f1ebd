// What the cases share: hostile numbers that repeat, memory that ends where an unreadable page begins, and
// a record of results that is compared bit for bit. It knows no kernel.
#ifndef ORION_KERNELS_TEST_RECORD_H
#define ORION_KERNELS_TEST_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- numbers ----

typedef struct {
  uint64_t state;
} random_source;

uint64_t random_bits(random_source *source);
float random_float(random_source *source);  // from -1 to 1

typedef enum {
  TAME,  // from -1 to 1
  WIDE,  // finite, of all magnitudes, with zeros, subnormals, and ties of fp16
  HALF,  // finite fp16 numbers, subnormals among them
  WILD,  // WIDE with infinities and NaNs
} mixture;

// ---- memory ----

// Writable memory that ends where an unreadable page begins, filled with a pattern; kept until
// release_memory.
void *guarded(size_t bytes);
float *guarded_floats(mixture mix, size_t count, uint64_t seed);
uint16_t *guarded_halves(mixture mix, size_t count, uint64_t seed);
void release_memory(void);

// ---- results ----

// How values are compared: bytes as they are, numbers with all NaNs taken for one, whose sign and
// payload differ between processors.
typedef enum { BYTES, HALVES, FLOATS, DOUBLES } value_kind;

typedef struct {
  size_t first, count;  // bytes
  value_kind kind;
  char label[88];
} record_mark;

typedef struct {
  uint8_t *bytes;
  size_t count, capacity;
  record_mark *marks;
  size_t mark_count, mark_capacity;
} recorder;

__attribute__((format(printf, 5, 6))) void record(recorder *out, value_kind kind,
                                                  const void *values, size_t count,
                                                  const char *label, ...);
void record_clear(recorder *out);
uint64_t record_hash(const recorder *out);
// Says on stderr where they part, if they do.
bool record_compare(const recorder *wanted, const recorder *found, const char *who);

#endif
