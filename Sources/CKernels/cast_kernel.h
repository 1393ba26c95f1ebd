// Casts of dense runs between fp32 and fp16. Included by the files that make a table.
#ifndef ORION_CAST_KERNEL_H
#define ORION_CAST_KERNEL_H
#include "vector.h"

static void widen_run(const uint16_t *source, float *target, size_t count) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) store8(target + i, widen8(source + i));
  if (i == count) return;
  uint16_t rest[8] = {0};
  memcpy(rest, source + i, (count - i) * sizeof(uint16_t));
  store_part8(target + i, widen8(rest), count - i);
}

static void narrow_run(const float *source, uint16_t *target, size_t count) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) narrow8(target + i, load8(source + i));
  if (i == count) return;
  uint16_t rest[8];
  narrow8(rest, load_part8(source + i, count - i));
  memcpy(target + i, rest, (count - i) * sizeof(uint16_t));
}

static void round_run(const float *source, float *target, size_t count) {
  for (size_t i = 0; i < count; i += 8) {
    store_part8(target + i, round_half8(load_part8(source + i, count - i)), count - i);
  }
}

#endif
