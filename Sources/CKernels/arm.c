// Which extensions an AArch64 processor has, as the operating system tells. It knows no kernel.
#if defined(__aarch64__)
#include "kernels.h"

#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
int sysctlbyname(const char *name, void *old, size_t *old_size, void *new, size_t new_size);
#endif

// Bits of AT_HWCAP on Linux, and names on macOS, all of which must be set.
static const struct {
  unsigned long linux_bits;
  const char *apple_names[2];
} extensions[] = {
    // ASIMDHP and ASIMDFHM.
    [ARM_FP16] = {1UL << 10 | 1UL << 23,
                  {"hw.optional.arm.FEAT_FP16", "hw.optional.arm.FEAT_FHM"}},
    [ARM_SHA256] = {1UL << 6, {"hw.optional.arm.FEAT_SHA256"}},
};

bool orion_arm_has(orion_arm_extension extension) {
#if defined(__linux__)
  const unsigned long wanted = extensions[extension].linux_bits;
  return (getauxval(AT_HWCAP) & wanted) == wanted;
#elif defined(__APPLE__)
  for (int i = 0; i < 2 && extensions[extension].apple_names[i] != NULL; i++) {
    int has = 0;
    size_t size = sizeof has;
    const char *name = extensions[extension].apple_names[i];
    if (sysctlbyname(name, &has, &size, NULL, 0) != 0 || has == 0) return false;
  }
  return true;
#else
  return false;
#endif
}

#else
typedef int orion_arm_is_for_aarch64;
#endif
