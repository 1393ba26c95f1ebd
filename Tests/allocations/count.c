// Counts the heap allocations that one library asks for; preloaded into a process (LD_PRELOAD, glibc). It knows
// no Orion: whose allocations count is told by a part of the library's file name.
#define _GNU_SOURCE
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

enum { DEPTH = 24, KEPT = 16 };

static atomic_bool counting;
static atomic_size_t counted;
// Code of the libraries that are watched.
static struct {
  uintptr_t first, last;
} watched[16];
static size_t watched_count;
static struct {
  void *frames[DEPTH];
  int depth;
} kept[KEPT];
// backtrace() allocates.
static _Thread_local bool is_inside;

static void count(const void *caller) {
  if (!atomic_load_explicit(&counting, memory_order_relaxed) || is_inside) return;
  for (size_t i = 0; i < watched_count; i++) {
    if ((uintptr_t)caller < watched[i].first || (uintptr_t)caller >= watched[i].last) continue;
    const size_t number = atomic_fetch_add(&counted, 1);
    if (number >= KEPT) return;
    is_inside = true;
    kept[number].depth = backtrace(kept[number].frames, DEPTH);
    is_inside = false;
    return;
  }
}

static int watch(struct dl_phdr_info *object, size_t size, void *part) {
  (void)size;
  if (strstr(object->dlpi_name, part) == NULL) return 0;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X)) continue;
    if (watched_count == sizeof watched / sizeof watched[0]) return 1;
    watched[watched_count].first = object->dlpi_addr + segment->p_vaddr;
    watched[watched_count].last = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
    watched_count++;
  }
  return 0;
}

// Allocations of libraries whose path holds `part` count from now on; returns how many pieces of code those have.
size_t allocations_watch(char *part) {
  dl_iterate_phdr(watch, part);
  void *frame;
  backtrace(&frame, 1);  // loads what it needs
  return watched_count;
}

void allocations_begin(void) {
  atomic_store(&counted, 0);
  atomic_store(&counting, true);
}

// How many there were since `allocations_begin`, of all threads.
size_t allocations_end(void) {
  atomic_store(&counting, false);
  return atomic_load(&counted);
}

// Writes where the first ones came from.
void allocations_write(int file) {
  const size_t most = atomic_load(&counted) < KEPT ? atomic_load(&counted) : KEPT;
  for (size_t i = 0; i < most; i++) {
    backtrace_symbols_fd(kept[i].frames, kept[i].depth, file);
    if (write(file, "\n", 1) != 1) return;
  }
}

void *malloc(size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_calloc(number, bytes);
}

void *realloc(void *memory, size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_realloc(memory, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
  count(__builtin_return_address(0));
  void *made = __libc_memalign(alignment, bytes);
  if (made == NULL) return ENOMEM;
  *memory = made;
  return 0;
}

// C++'s operator new, which the Swift runtime uses.
void *_Znwm(size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_malloc(bytes);
}

void *_ZnwmSt11align_val_t(size_t bytes, size_t alignment) {
  count(__builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}
