// Holds every table of kernels that runs here to the bits of plain C, kernel by kernel and function by
// function, and prints a hash of each case's results, which is the same on every machine.
//
// Usage: kernels_test [BEST]; BEST is the name of the table that this processor must choose.
#include <stdio.h>
#include <string.h>

#include "cases.h"

// Every member of the table has a case.
#define SIZE_OF_MEMBER(name) +sizeof(((orion_kernels *)0)->name)
_Static_assert(sizeof(orion_kernels) == 0 TABLE_FACTS(SIZE_OF_MEMBER) TABLE_CASES(SIZE_OF_MEMBER),
               "a kernel of the table has no case: add it to TABLE_CASES in cases.h and write it");

#define CASE_ROW(name) {#name, case_##name},
static const struct {
  const char *name;
  kernel_case run;
} cases[] = {TABLE_CASES(CASE_ROW) FUNCTION_CASES(CASE_ROW)};

static const char *const table_names[] = {"avx512", "avx2", "neon-fp16", "neon"};

static void run_case(size_t index, const char *table, recorder *out) {
  record_clear(out);
  orion_kernels_use(table);
  cases[index].run(orion_kernels_current(), out);
  release_memory();
}

static bool check_best(const char *wanted) {
  orion_kernels_use(NULL);
  if (wanted == NULL || strcmp(wanted, orion_kernels_name()) == 0) return true;
  fprintf(stderr, "kernels: this processor chose %s, not %s\n", orion_kernels_name(), wanted);
  return false;
}

int main(int count, char **arguments) {
  if (!check_best(count > 1 ? arguments[1] : NULL)) return 1;
  orion_pool_set_threads(3);
  recorder wanted = {0}, found = {0};
  size_t failures = 0, bytes = 0, tables = 0;
  for (size_t t = 0; t < COUNT_OF(table_names); t++) tables += orion_kernels_use(table_names[t]);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    run_case(i, "c", &wanted);
    bytes += wanted.count;
    for (size_t t = 0; t < COUNT_OF(table_names); t++) {
      if (!orion_kernels_use(table_names[t])) continue;
      run_case(i, table_names[t], &found);
      char who[64];
      snprintf(who, sizeof who, "%s, %s", cases[i].name, table_names[t]);
      failures += !record_compare(&wanted, &found, who);
    }
    printf("%016llx %s\n", (unsigned long long)record_hash(&wanted), cases[i].name);
  }
  check_best(NULL);
  fprintf(stderr, "%zu cases, %zu bytes of results, plain C and %zu other tables, the best %s: %zu failures\n",
          COUNT_OF(cases), bytes, tables, orion_kernels_name(), failures);
  return failures == 0 ? 0 : 1;
}
