// Cases of the chain's instructions: every operation, rounded and not, on all kinds of numbers.
#include "cases.h"

enum { HALF_STEP = 9, HALVES_TAKEN = 7288, VALUES = 512 };

static void record_operation(const orion_kernels *kernels, orion_chain_op op, orion_rounding rounding,
                             mixture mix, recorder *out) {
  const orion_chain_instruction instruction = {
      .op = op,
      .rounding = rounding,
      .immediate = {op == ORION_CLIP ? -0.75f : 1e-5f, 6},
  };
  float *left = guarded_floats(mix, VALUES, (uint64_t)op + 1);
  float *right = guarded_floats(mix, VALUES, (uint64_t)op + 100);
  // Squares, which have a way of their own, equal operands, and exponents that keep powers finite.
  for (size_t i = 0; i < VALUES; i += 4) right[i] = i % 8 == 0 ? 2 : left[i];
  for (size_t i = 1; op == ORION_POW && i < VALUES; i += 2) right[i] = (float)(i % 7) * 0.5f - 1.5f;
  float *target = guarded(VALUES * sizeof(float));
  kernels->chain(&instruction, left, right, target, VALUES);
  record(out, FLOATS, target, VALUES, "operation %d, rounding %d, mixture %d", op, rounding, mix);
  kernels->chain(&instruction, left, right, left, 8);
  record(out, FLOATS, left, 16, "operation %d in place", op);
}

// Functions of one fp16 number have few arguments: a ninth of them all.
static void record_halves(const orion_kernels *kernels, orion_chain_op op, recorder *out) {
  const orion_chain_instruction instruction = {.op = op, .rounding = ORION_ROUND_F16};
  uint16_t *bits = guarded(HALVES_TAKEN * sizeof(uint16_t));
  float *x = guarded(HALVES_TAKEN * sizeof(float)), *y = guarded(HALVES_TAKEN * sizeof(float));
  for (size_t i = 0; i < HALVES_TAKEN; i++) bits[i] = (uint16_t)(HALF_STEP * i);
  kernels->widen(bits, x, HALVES_TAKEN);
  kernels->chain(&instruction, x, x, y, HALVES_TAKEN);
  record(out, FLOATS, y, HALVES_TAKEN, "operation %d on fp16 numbers", op);
}

void case_chain(const orion_kernels *kernels, recorder *out) {
  for (int op = ORION_ADD; op <= ORION_MOVE; op++) {
    for (int mix = TAME; mix <= WILD; mix++) {
      record_operation(kernels, (orion_chain_op)op, ORION_ROUND_NONE, (mixture)mix, out);
      record_operation(kernels, (orion_chain_op)op, ORION_ROUND_F16, (mixture)mix, out);
    }
    if (op > ORION_POW) record_halves(kernels, (orion_chain_op)op, out);
    release_memory();
  }
}
