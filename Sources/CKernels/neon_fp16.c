// The inner loops for AArch64 with arithmetic and products of fp16 numbers: those of neon.c, the same bits.
// machine.c asks the processor before it takes them.
#if defined(__aarch64__)
#include <arm_neon.h>
#include <math.h>
#include <string.h>

#include "kernels.h"

#define KERNELS_AVX2 0
#define KERNELS_AVX512 0
#define KERNELS_NEON 1
#define KERNELS_FP16 1
#define KERNELS_TILE_PANELS 1
#define KERNELS_TABLE orion_kernels_neon_fp16
#define KERNELS_NAME "neon-fp16"

// Vectors wider than the machine's are passed in memory, between functions of this file alone.
#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("fp16,fp16fml"))), apply_to = function)
#include "inner_loops.h"
#pragma clang attribute pop

#else
typedef int orion_neon_fp16_is_for_aarch64;
#endif
