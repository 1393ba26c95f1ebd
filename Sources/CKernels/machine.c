// Which kernels run here, the scratch memory of each thread, and when work is worth the pool. It
// knows nothing of the kernels but their table.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

static bool always(void) { return true; }
#if defined(__x86_64__)
static bool has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c");
}
static bool has_avx512(void) {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}
#elif defined(__aarch64__)
static bool has_fp16(void) { return orion_arm_has(ARM_FP16); }
#endif

// Best first.
static const struct {
  const orion_kernels *kernels;
  bool (*runs_here)(void);
} tables[] = {
#if defined(__x86_64__)
    {&orion_kernels_avx512, has_avx512},
    {&orion_kernels_avx2, has_avx2},
#elif defined(__aarch64__)
    {&orion_kernels_neon_fp16, has_fp16},
    {&orion_kernels_neon, always},
#endif
    {&orion_kernels_portable, always},
};

static _Atomic(const orion_kernels *) current;

bool orion_kernels_use(const char *name) {
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    if (name != NULL && strcmp(name, tables[i].kernels->name) != 0) continue;
    if (!tables[i].runs_here()) continue;
    atomic_store_explicit(&current, tables[i].kernels, memory_order_relaxed);
    return true;
  }
  return false;
}

static pthread_once_t chosen_once = PTHREAD_ONCE_INIT;

static void choose(void) {
  const char *wanted = getenv("ORION_KERNELS");
  if (wanted == NULL || *wanted == 0) wanted = NULL;
  if (orion_kernels_use(wanted)) return;
  orion_kernels_use(NULL);
  fprintf(stderr, "orion: ORION_KERNELS=%s: this processor has no such kernels; taking %s of", wanted,
          atomic_load_explicit(&current, memory_order_relaxed)->name);
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    if (tables[i].runs_here()) fprintf(stderr, " %s", tables[i].kernels->name);
  }
  fputc('\n', stderr);
}

const orion_kernels *orion_kernels_current(void) {
  const orion_kernels *found = atomic_load_explicit(&current, memory_order_relaxed);
  if (found != NULL) return found;
  pthread_once(&chosen_once, choose);
  return atomic_load_explicit(&current, memory_order_relaxed);
}

const char *orion_kernels_name(void) { return orion_kernels_current()->name; }

// ---- scratch ----

typedef struct {
  void *memory[SCRATCH_SLOTS];
  size_t bytes[SCRATCH_SLOTS];
} scratch;

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static _Thread_local scratch *thread_scratch;

static void scratch_free(void *value) {
  scratch *mine = value;
  for (int slot = 0; slot < SCRATCH_SLOTS; slot++) free(mine->memory[slot]);
  free(mine);
  thread_scratch = NULL;
}

static void scratch_prepare(void) { pthread_key_create(&scratch_key, scratch_free); }

static void *must(void *memory, size_t bytes) {
  if (memory != NULL) return memory;
  fprintf(stderr, "orion: no memory for %zu bytes of scratch\n", bytes);
  abort();
}

void *orion_scratch(int slot, size_t bytes) {
  if (thread_scratch == NULL) {
    pthread_once(&scratch_once, scratch_prepare);
    thread_scratch = must(calloc(1, sizeof(scratch)), sizeof(scratch));
    pthread_setspecific(scratch_key, thread_scratch);
  }
  if (thread_scratch->bytes[slot] < bytes) {
    const size_t rounded = orion_ceil_div(bytes, 4096) * 4096;
    free(thread_scratch->memory[slot]);
    thread_scratch->memory[slot] = must(orion_allocate(rounded), rounded);
    thread_scratch->bytes[slot] = rounded;
  }
  return thread_scratch->memory[slot];
}

// ---- work ----

void orion_run_tasks(size_t count, size_t work, orion_task task, void *context) {
  enum { WORTH_WAKING = 15000, WORTH_SHARING = 4000 };
  if (work >= WORTH_WAKING || (work >= WORTH_SHARING && orion_pool_is_awake())) {
    return orion_pool_run(count, task, context);
  }
  for (size_t i = 0; i < count; i++) task(context, i);
}
