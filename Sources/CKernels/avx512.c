// The inner loops for x86-64 with AVX-512: those of avx2.c, the same bits, with tiles twice as wide.
// machine.c asks the processor before it takes them.
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels.h"

#define KERNELS_AVX2 1
#define KERNELS_AVX512 1
#define KERNELS_NEON 0
#define KERNELS_FP16 0
#define KERNELS_TILE_PANELS 4
#define KERNELS_TABLE orion_kernels_avx512
#define KERNELS_NAME "avx512"

#pragma clang attribute push(                                              \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512vl,avx512bw,avx512dq"))), \
    apply_to = function)
#include "inner_loops.h"
#pragma clang attribute pop

#else
typedef int orion_avx512_is_for_x86_64;
#endif
