// Uses the C interface as a C program would, on each device named on the command line.
#include "check.h"

int failures = 0;

int main(int count, char **arguments) {
  if (count < 3) {
    printf("usage: abi_test DIRECTORY DEVICE...\n");
    return 2;
  }
  char weights[4096];
  snprintf(weights, sizeof weights, "%s/weights.bin", arguments[1]);
  write_weights(weights);
  CHECK(orion_abi_version() == ORION_ABI_VERSION);
  CHECK(strcmp(orion_last_error(), "") == 0);
  char *json = NULL;
  GIVES(orion_profile_names(&json), "\"m4-macos15\"");
  GIVES(orion_profile_json("m4-macos15", &json), "\"width_multiple\": 32");
  GIVES(orion_file_sha256("/dev/null", &json), "e3b0c44298fc1c149afbf4c8996fb924");
  test_diagnosis();
  test_kernels();
  test_states();
  test_cancelling();
  GIVES(orion_kernel_limits(&json), "\"multiply_add_gflops\": ");
  for (int i = 2; i < count; i += 1) {
    test_misuse(arguments[i], weights);
    test_session_misuse(arguments[i]);
    test_programs(arguments[i], weights);
    test_patching(arguments[i], weights);
    printf("%s: %s\n", arguments[i], failures == 0 ? "ok" : "FAILED");
  }
  GIVES(orion_cache_json(NULL, &json), "\"kind\": \"models\"");
  return failures == 0 ? 0 : 1;
}
