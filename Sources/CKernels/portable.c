// The inner loops in plain C, for every machine: the definition of the bits that the other tables give,
// at the compiler's speed.
#include <math.h>
#include <string.h>

#include "kernels.h"

#define KERNELS_AVX2 0
#define KERNELS_AVX512 0
#define KERNELS_NEON 0
#define KERNELS_FP16 0
#define KERNELS_TILE_PANELS 1
#define KERNELS_TABLE orion_kernels_portable
#define KERNELS_NAME "c"

// Vectors wider than the machine's are passed in memory, between functions of this file alone.
#pragma clang diagnostic ignored "-Wpsabi"
#include "inner_loops.h"
