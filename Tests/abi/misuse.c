// Uses everything wrongly: each call is refused with its reason.
#include "check.h"

// Wrong use that needs no program.
void test_misuse(const char *device_name, const char *weights) {
  orion_handle device = 7, tensor = 7, program = 7;
  char *json = (char *)"untouched";
  REFUSES(orion_device_open(NULL, NULL, &device), ORION_ERROR_ARGUMENT, "name: null");
  REFUSES(orion_device_open("gpu", NULL, &device), ORION_ERROR_ARGUMENT, "\"gpu\": unknown");
  REFUSES(orion_device_open("sim:m9", NULL, &device), ORION_ERROR_ARGUMENT, "sim:m4-macos15");
  REFUSES(orion_device_open("\xff\xfe", NULL, &device), ORION_ERROR_ARGUMENT, "not UTF-8");
  REFUSES(orion_device_open(device_name, NULL, NULL), ORION_ERROR_ARGUMENT, "device: null");
  orion_device_options options = {.struct_size = 4};
  REFUSES(orion_device_open(device_name, &options, &device), ORION_ERROR_ARGUMENT, "struct_size");
  options.struct_size = sizeof options;
  options.threads = 100000;
  REFUSES(orion_device_open(device_name, &options, &device), ORION_ERROR_ARGUMENT, "threads");
  options.threads = 0;
  options.route = 9;
  REFUSES(orion_device_open(device_name, &options, &device), ORION_ERROR_ARGUMENT, "options.route");
  options.route = ORION_ROUTE_DEFAULT;
  options.cache_directory = "/dev/null/cache";
  REFUSES(orion_device_open(device_name, &options, &device), ORION_ERROR_FILE, "/dev/null/cache");
  CHECK(device == 7);
  REFUSES(orion_device_json(0, &json), ORION_ERROR_HANDLE, "null");
  REFUSES(orion_device_json(UINT64_MAX, &json), ORION_ERROR_HANDLE, "unknown");
  REFUSES(orion_profile_json("m9", &json), ORION_ERROR_ARGUMENT, "expected one of");
  REFUSES(orion_profile_json("cpu", NULL), ORION_ERROR_ARGUMENT, "json: null");
  REFUSES(orion_file_sha256("/no/such/file", &json), ORION_ERROR_FILE, "/no/such/file");
  CHECK(strcmp(json, "untouched") == 0);

  CHECK(orion_device_open(device_name, NULL, &device) == ORION_OK);
  const int64_t fine[] = {1, 4}, empty[] = {1, 0}, negative[] = {-1, 4};
  const int64_t huge[] = {INT64_MAX, INT64_MAX, 4};
  const char *open_text =
      "program(1.3) { func main<ios18>(tensor<fp16, [1, ?]> x) { tensor<fp16, [1, ?]> y = relu(x = x); }"
      " -> (y); }";
  size_t open_length = strlen(open_text);
  GIVES(orion_mil_bind(open_text, open_length, "main", "{\"x\": [1, 7]}", &json),
        "tensor<fp16, [1, 7]> y = relu");
  REFUSES(orion_mil_bind(open_text, open_length, "main", "{\"x\": [2, 7]}", &json),
          ORION_ERROR_PROGRAM, "does not fit");
  REFUSES(orion_mil_bind(open_text, open_length, "main", "{\"x\": 7}", &json),
          ORION_ERROR_ARGUMENT, "expected a JSON object");
  REFUSES(orion_mil_bind(open_text, open_length, "main", NULL, &json), ORION_ERROR_ARGUMENT, "null");
  REFUSES(orion_mil_bind(NULL, 0, "main", "{}", &json), ORION_ERROR_ARGUMENT, "null");
  orion_handle single = 0;
  CHECK(orion_tensor_create(device, ORION_FP16, 0, NULL, &single) == ORION_OK);
  CHECK(orion_tensor_free(single) == ORION_OK);
  REFUSES(orion_tensor_create(device, ORION_FP16, 6, fine, &tensor), ORION_ERROR_ARGUMENT, "rank");
  REFUSES(orion_tensor_create(device, 99, 2, fine, &tensor), ORION_ERROR_ARGUMENT, "dtype: 99");
  REFUSES(orion_tensor_create(device, ORION_FP16, 2, NULL, &tensor), ORION_ERROR_ARGUMENT, "null");
  REFUSES(orion_tensor_create(device, ORION_FP16, 2, empty, &tensor), ORION_ERROR_ARGUMENT, "axis 1");
  REFUSES(orion_tensor_create(device, ORION_FP16, 2, negative, &tensor), ORION_ERROR_ARGUMENT,
          "axis 0");
  REFUSES(orion_tensor_create(device, ORION_FP16, 3, huge, &tensor), ORION_ERROR_ARGUMENT, "more than");
  REFUSES(orion_tensor_create(device, ORION_FP16, 2, fine, NULL), ORION_ERROR_ARGUMENT, "null");
  REFUSES(orion_tensor_create(device, ORION_FP16, 2, (const int64_t *)((const char *)fine + 1), &tensor),
          ORION_ERROR_ARGUMENT, "multiple of 8");
  CHECK(tensor == 7);

  size_t length = strlen(program_text);
  REFUSES(orion_program_compile(device, NULL, 5, weights, "main", &program), ORION_ERROR_ARGUMENT,
          "mil: null");
  REFUSES(orion_program_compile(device, program_text, 0, weights, "main", &program),
          ORION_ERROR_ARGUMENT, "mil_bytes");
  REFUSES(orion_program_compile(device, "\xff", 1, weights, "main", &program), ORION_ERROR_PROGRAM,
          "UTF-8");
  REFUSES(orion_program_compile(device, program_text, length / 2, weights, "main", &program),
          ORION_ERROR_PROGRAM, "model.mil:");
  REFUSES(orion_program_compile(device, program_text, length, weights, "other", &program),
          ORION_ERROR_PROGRAM, "\"other\"");
  REFUSES(orion_program_compile(device, program_text, length, "/no/weights", "main", &program),
          ORION_ERROR_FILE, "/no/weights");
  REFUSES(orion_program_compile(device, program_text, length, weights, "main", NULL),
          ORION_ERROR_ARGUMENT, "program: null");
  CHECK(program == 7);
  CHECK(orion_device_close(device) == ORION_OK);
}

// Sessions and sequences, as far as they go without a bundle.
void test_session_misuse(const char *device_name) {
  orion_handle device = 0, session = 7, sequence = 7;
  int32_t token = 1;
  size_t counted = 7;
  uint32_t finished = 7;
  char *json = (char *)"untouched";
  CHECK(orion_device_open(device_name, NULL, &device) == ORION_OK);
  REFUSES(orion_session_open(device, "/no/bundle", &session), ORION_ERROR_FILE, "/no/bundle");
  REFUSES(orion_session_open(device, NULL, &session), ORION_ERROR_ARGUMENT, "bundle: null");
  REFUSES(orion_sequence_open(device, &sequence), ORION_ERROR_HANDLE,
          "expected a session, got a device");
  REFUSES(orion_sequence_close(0, 0), ORION_ERROR_HANDLE, "session handle: null");
  REFUSES(orion_sequence_reset(UINT64_MAX, 0), ORION_ERROR_HANDLE, "unknown");
  REFUSES(orion_sequence_truncate(0, 0, 0), ORION_ERROR_HANDLE, "null");
  REFUSES(orion_sequence_sampling(0, 0, NULL), ORION_ERROR_HANDLE, "null");
  REFUSES(orion_sequence_speculation(0, 0, NULL), ORION_ERROR_HANDLE, "null");
  REFUSES(orion_sequence_counters(0, 0, &json), ORION_ERROR_HANDLE, "null");
  REFUSES(orion_session_feed(0, 0, &token, 1, NULL, 0), ORION_ERROR_HANDLE, "null");
  REFUSES(orion_session_feed_batch(0, 1, &sequence, &counted, &token), ORION_ERROR_HANDLE, "null");
  REFUSES(orion_session_generate(0, 0, 1, &token, &counted, &finished), ORION_ERROR_HANDLE, "null");
  REFUSES(orion_session_generate_batch(0, 1, &sequence, 1, &token, &counted, &finished),
          ORION_ERROR_HANDLE, "null");
  REFUSES(orion_adapter_open(0, "a", "/no/adapter"), ORION_ERROR_HANDLE, "null");
  REFUSES(orion_adapter_close(0, "a"), ORION_ERROR_HANDLE, "null");
  REFUSES(orion_sequence_adapter(0, 0, NULL), ORION_ERROR_HANDLE, "null");
  CHECK(session == 7 && sequence == 7 && counted == 7 && finished == 7 && token == 1);
  CHECK(strcmp(json, "untouched") == 0);
  CHECK(orion_device_close(device) == ORION_OK);
}
