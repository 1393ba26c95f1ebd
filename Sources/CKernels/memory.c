// Memory for tensors and packed operands: whole cache lines, and large pages where there is much of it, so
// that rows far apart cost no walk through the page tables. It knows nothing of what it is for.
#define _GNU_SOURCE  // madvise
#include <stdlib.h>
#if defined(__GLIBC__) && defined(__linux__)
#include <malloc.h>
#endif
#include <sys/mman.h>

#include "kernels.h"

enum { LINE = 64, LARGE_PAGE = 2 << 20 };

void *orion_allocate(size_t bytes) {
  const bool large = bytes >= 2 * LARGE_PAGE;
  void *address = NULL;
  if (posix_memalign(&address, large ? LARGE_PAGE : LINE, bytes == 0 ? 1 : bytes) != 0) return NULL;
#if defined(MADV_HUGEPAGE)
  if (large) madvise(address, bytes / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);  // a wish
#endif
  return address;
}

void *orion_reserve(size_t bytes) {
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

void orion_give_up(void *memory, size_t bytes) { munmap(memory, bytes); }

void orion_return_memory(void) {
#if defined(__GLIBC__) && defined(__linux__)
  malloc_trim(0);
#endif
}
