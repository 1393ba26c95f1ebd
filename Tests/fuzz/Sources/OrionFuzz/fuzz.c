// What libFuzzer calls; the targets are Swift's.
#include <stddef.h>
#include <stdint.h>

int orion_fuzz_start(int *argc, char ***argv);
int orion_fuzz_run(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv) { return orion_fuzz_start(argc, argv); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return orion_fuzz_run(data, size); }
