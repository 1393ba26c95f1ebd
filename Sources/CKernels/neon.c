// The inner loops for every AArch64 processor: pairs of 128-bit vectors, of which a tile of one panel by six
// columns takes 24 of 32 registers.
#if defined(__aarch64__)
#include <arm_neon.h>
#include <math.h>
#include <string.h>

#include "kernels.h"

#define KERNELS_AVX2 0
#define KERNELS_AVX512 0
#define KERNELS_NEON 1
#define KERNELS_FP16 0
#define KERNELS_TILE_PANELS 1
#define KERNELS_TABLE orion_kernels_neon
#define KERNELS_NAME "neon"

// Vectors wider than the machine's are passed in memory, between functions of this file alone.
#pragma clang diagnostic ignored "-Wpsabi"
#include "inner_loops.h"

#else
typedef int orion_neon_is_for_aarch64;
#endif
