// The inner loops in plain C, for every machine: the same bits as avx2.c, at the compiler's speed.
#include <math.h>
#include <string.h>

#include "kernels.h"

#define KERNELS_AVX2 0
#define KERNELS_AVX512 0
#define KERNELS_TILE_PANELS 1
#define KERNELS_TABLE orion_kernels_portable
#if defined(__aarch64__)
#define KERNELS_NAME "neon"
#else
#define KERNELS_NAME "c"
#endif

// Vectors wider than the machine's are passed in memory, between functions of this file alone.
#pragma clang diagnostic ignored "-Wpsabi"
#include "inner_loops.h"
