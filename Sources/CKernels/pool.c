// The thread pool: runs the indices of one region at a time on the caller and its workers. It knows
// nothing of what the tasks do, and no task may rely on which thread runs it.
#define _GNU_SOURCE  // sched_getaffinity
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "kernels.h"

enum { THREADS_MAX = 256, SPINS_BETWEEN_CLOCKS = 64, SHARES_MAX = 16 };
static const int64_t idle_spin_nanoseconds = 100 * 1000;
static const int64_t busy_spin_nanoseconds = 50 * 1000;

// The gate says in one word which region is open and how many workers are inside, so that a
// worker that comes too late can never join: number of the region << 32 | OPEN | workers inside.
static const uint64_t gate_open = UINT64_C(1) << 31;
static const uint64_t gate_inside = (UINT64_C(1) << 31) - 1;

// A stretch of a region's indices, which threads that begin with it take in order.
typedef struct {
  _Alignas(64) _Atomic size_t next;
  size_t end;
} pool_share;

typedef struct {
  uint64_t seen;  // the region before its first
  size_t share;   // where it begins
} worker_start;

static struct {
  pthread_mutex_t region;  // held by the caller whose region runs
  pthread_mutex_t sleep;
  pthread_cond_t wake;
  atomic_int threads;  // 0: not yet decided
  int workers;         // started; under `region`
  pthread_t handles[THREADS_MAX];
  worker_start starts[THREADS_MAX];
  atomic_bool stop;
  atomic_int sleepers;
  orion_task task;
  void *context;
  size_t share_count;
  _Alignas(64) _Atomic uint64_t gate;
  pool_share shares[SHARES_MAX];
} pool = {
    .region = PTHREAD_MUTEX_INITIALIZER,
    .sleep = PTHREAD_MUTEX_INITIALIZER,
    .wake = PTHREAD_COND_INITIALIZER,
};

static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static _Thread_local bool inside_region;
static _Thread_local size_t own_share;  // where this thread begins

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Cores this process may use: a container or taskset may leave fewer than the machine has.
static int core_count(void) {
  long count = 0;
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
#endif
  if (count < 1) count = sysconf(_SC_NPROCESSORS_ONLN);
  if (count < 1) return 1;
  return count > THREADS_MAX ? THREADS_MAX : (int)count;
}

// A fork copies the pool's memory but not its workers, and perhaps in the middle of a region of
// another thread: the child starts with a new pool of the same size.
static void forget_workers(void) {
  pthread_mutex_init(&pool.region, NULL);
  pthread_mutex_init(&pool.sleep, NULL);
  pthread_cond_init(&pool.wake, NULL);
  pool.workers = 0;
  atomic_store(&pool.stop, false);
  atomic_store(&pool.sleepers, 0);
  atomic_store(&pool.gate, 0);
}

static void prepare(void) {
  pthread_atfork(NULL, NULL, forget_workers);
  atomic_store(&pool.threads, core_count());
}

// Cuts a region into as many shares as there are threads, up to a few. A thread runs its own share in order, whose
// tasks are likely neighbours in memory, and then helps with the others.
static void cut_shares(size_t count, size_t threads) {
  const size_t shares = orion_min(threads, SHARES_MAX);
  for (size_t i = 0; i < shares; i++) {
    atomic_store_explicit(&pool.shares[i].next, count * i / shares, memory_order_relaxed);
    pool.shares[i].end = count * (i + 1) / shares;
  }
  pool.share_count = shares;
}

static void take_indices(orion_task task, void *context) {
  const size_t shares = pool.share_count;
  inside_region = true;
  for (size_t i = 0; i < shares; i++) {
    pool_share *share = &pool.shares[(own_share + i) % shares];
    for (;;) {
      const size_t index = atomic_fetch_add_explicit(&share->next, 1, memory_order_relaxed);
      if (index >= share->end) break;
      task(context, index);
    }
  }
  inside_region = false;
}

static void sleep_until_region(uint64_t seen) {
  pthread_mutex_lock(&pool.sleep);
  atomic_fetch_add(&pool.sleepers, 1);
  while (atomic_load(&pool.gate) >> 32 == seen && !atomic_load(&pool.stop)) {
    pthread_cond_wait(&pool.wake, &pool.sleep);
  }
  atomic_fetch_sub(&pool.sleepers, 1);
  pthread_mutex_unlock(&pool.sleep);
}

// Returns when a region newer than `seen` was opened or the pool stops.
static void await_region(uint64_t seen) {
  const int64_t start = nanoseconds();
  for (;;) {
    for (int spin = 0; spin < SPINS_BETWEEN_CLOCKS; spin++) {
      if (atomic_load_explicit(&pool.gate, memory_order_acquire) >> 32 != seen) return;
      if (atomic_load_explicit(&pool.stop, memory_order_relaxed)) return;
      relax();
    }
    if (nanoseconds() - start > idle_spin_nanoseconds) return sleep_until_region(seen);
  }
}

static void *work(void *argument) {
  const worker_start *start = argument;
  uint64_t seen = start->seen;
  own_share = start->share;
  for (;;) {
    await_region(seen);
    if (atomic_load(&pool.stop)) return NULL;
    uint64_t gate = atomic_load(&pool.gate);
    seen = gate >> 32;
    bool joined = false;
    while (!joined && (gate & gate_open) != 0 && gate >> 32 == seen) {
      joined = atomic_compare_exchange_weak(&pool.gate, &gate, gate + 1);
    }
    if (!joined) continue;
    take_indices(pool.task, pool.context);
    atomic_fetch_sub_explicit(&pool.gate, 1, memory_order_release);
  }
}

// Under `region`. Fewer workers than asked for is no error: the caller does the work.
static void start_workers(int wanted) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals belong to the user's threads
  const uint64_t seen = atomic_load(&pool.gate) >> 32;
  while (pool.workers < wanted) {
    worker_start *start = &pool.starts[pool.workers];
    *start = (worker_start){seen, (size_t)pool.workers + 1};  // the caller begins with 0
    if (pthread_create(&pool.handles[pool.workers], NULL, work, start) != 0) break;
    pool.workers++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void stop_workers(void) {
  pthread_mutex_lock(&pool.sleep);
  atomic_store(&pool.stop, true);
  pthread_cond_broadcast(&pool.wake);
  pthread_mutex_unlock(&pool.sleep);
  for (int i = 0; i < pool.workers; i++) pthread_join(pool.handles[i], NULL);
  pool.workers = 0;
  atomic_store(&pool.stop, false);
}

int orion_pool_threads(void) {
  pthread_once(&prepared, prepare);
  return atomic_load_explicit(&pool.threads, memory_order_relaxed);
}

void orion_pool_set_threads(int count) {
  if (orion_pool_threads() == count || count < 1 || count > THREADS_MAX) return;
  pthread_mutex_lock(&pool.region);
  stop_workers();
  atomic_store(&pool.threads, count);
  pthread_mutex_unlock(&pool.region);
}

// A region was run, none is now, and no worker sleeps.
bool orion_pool_is_awake(void) {
  const uint64_t gate = atomic_load_explicit(&pool.gate, memory_order_relaxed);
  return gate >> 32 != 0 && (uint32_t)gate == 0 &&
         atomic_load_explicit(&pool.sleepers, memory_order_relaxed) == 0;
}

static void wake_workers(size_t wanted) {
  const int asleep = atomic_load(&pool.sleepers);
  if (asleep == 0) return;
  pthread_mutex_lock(&pool.sleep);
  if (wanted >= (size_t)asleep) {
    pthread_cond_broadcast(&pool.wake);
  } else {
    for (size_t i = 0; i < wanted; i++) pthread_cond_signal(&pool.wake);
  }
  pthread_mutex_unlock(&pool.sleep);
}

// Waits for the workers that joined; one that never woke is not waited for.
static void await_workers(void) {
  const int64_t start = nanoseconds();
  for (int spin = 1;; spin++) {
    if ((atomic_load_explicit(&pool.gate, memory_order_acquire) & gate_inside) == 0) return;
    relax();
    if (spin % SPINS_BETWEEN_CLOCKS != 0) continue;
    if (nanoseconds() - start > busy_spin_nanoseconds) sched_yield();
  }
}

void orion_pool_run(size_t count, orion_task task, void *context) {
  const int threads = orion_pool_threads();
  if (count <= 1 || threads == 1 || inside_region) {
    for (size_t i = 0; i < count; i++) task(context, i);
    return;
  }
  pthread_mutex_lock(&pool.region);
  if (pool.workers < threads - 1) start_workers(threads - 1);
  pool.task = task;
  pool.context = context;
  cut_shares(count, (size_t)threads);
  const uint64_t region = ((atomic_load(&pool.gate) >> 32) + 1) & UINT32_MAX;
  atomic_store(&pool.gate, region << 32 | gate_open);
  wake_workers(count - 1);
  take_indices(task, context);
  atomic_fetch_and(&pool.gate, ~gate_open);
  await_workers();
  pthread_mutex_unlock(&pool.region);
}
