// Cases of the casts and of the loops that measure the machine.
#include <string.h>

#include "cases.h"

static const size_t counts[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 65};

// Bits of every fp16 number, and of floats around every step of fp16's.
enum { ALL_HALVES = 1 << 16 };

void case_widen(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(counts); i++) {
    const uint16_t *source = guarded_halves(WILD, counts[i], i);
    float *target = guarded(counts[i] * sizeof(float));
    kernels->widen(source, target, counts[i]);
    record(out, BYTES, target, counts[i] * sizeof(float), "%zu values", counts[i]);
  }
  uint16_t *all = guarded(ALL_HALVES * sizeof(uint16_t));
  float *wide = guarded(ALL_HALVES * sizeof(float));
  for (size_t i = 0; i < ALL_HALVES; i++) all[i] = (uint16_t)i;
  kernels->widen(all, wide, ALL_HALVES);
  record(out, BYTES, wide, ALL_HALVES * sizeof(float), "every fp16 number");
}

// Floats whose upper bits are every one that there is, and whose lower ones lie on, below and above ties.
static float *stepping_floats(uint32_t low) {
  float *values = guarded(ALL_HALVES * sizeof(float));
  for (uint32_t i = 0; i < ALL_HALVES; i++) {
    const uint32_t bits = i << 16 | low;
    memcpy(values + i, &bits, sizeof bits);
  }
  return values;
}

static const uint32_t low_bits[] = {0x0000, 0x0001, 0x0fff, 0x1000, 0x1001, 0x2fff, 0x3000, 0xf000};

void case_narrow(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(counts); i++) {
    const float *source = guarded_floats(WILD, counts[i], i);
    uint16_t *target = guarded(counts[i] * sizeof(uint16_t));
    kernels->narrow(source, target, counts[i]);
    record(out, BYTES, target, counts[i] * sizeof(uint16_t), "%zu values", counts[i]);
  }
  for (size_t i = 0; i < COUNT_OF(low_bits); i++) {
    uint16_t *target = guarded(ALL_HALVES * sizeof(uint16_t));
    kernels->narrow(stepping_floats(low_bits[i]), target, ALL_HALVES);
    record(out, BYTES, target, ALL_HALVES * sizeof(uint16_t), "floats ending in %#x", low_bits[i]);
    release_memory();
  }
}

void case_round(const orion_kernels *kernels, recorder *out) {
  for (size_t i = 0; i < COUNT_OF(counts); i++) {
    float *values = guarded_floats(WILD, counts[i], i);
    float *target = guarded(counts[i] * sizeof(float));
    kernels->round(values, target, counts[i]);
    record(out, BYTES, target, counts[i] * sizeof(float), "%zu values", counts[i]);
    kernels->round(values, values, counts[i]);
    record(out, BYTES, values, counts[i] * sizeof(float), "%zu values in place", counts[i]);
  }
  float *values = stepping_floats(0x1000);
  kernels->round(values, values, ALL_HALVES);
  record(out, BYTES, values, ALL_HALVES * sizeof(float), "ties");
}

// ---- what limits the machine ----

void case_burn(const orion_kernels *kernels, recorder *out) {
  for (size_t rounds = 0; rounds < 4; rounds++) {
    const float sum = kernels->burn(rounds);
    record(out, FLOATS, &sum, 1, "%zu rounds", rounds);
  }
}

void case_read(const orion_kernels *kernels, recorder *out) {
  for (size_t count = 0; count <= 192; count += 64) {
    const float sum = kernels->read(guarded_floats(TAME, count, count), count);
    record(out, FLOATS, &sum, 1, "%zu values", count);
  }
}

void case_copy(const orion_kernels *kernels, recorder *out) {
  for (size_t count = 0; count <= 192; count += 64) {
    float *target = guarded(count * sizeof(float));
    kernels->copy(guarded_floats(WILD, count, count), target, count);
    record(out, BYTES, target, count * sizeof(float), "%zu values", count);
  }
}
