// Uses the C interface as a C program would: compiles a MIL text, runs it on each device named on the
// command line, checks the numbers, and then uses everything wrongly.
#include "orion_ane.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      failures += 1;                                                                  \
      printf("abi_test.c:%d: %s is not so; last error: %s\n", __LINE__, #condition,   \
             orion_last_error());                                                     \
    }                                                                                 \
  } while (0)

// The call fails with this status, and the message holds this text.
#define REFUSES(call, status, text)                                                   \
  do {                                                                                \
    orion_status got = (call);                                                        \
    if (got != (status) || strstr(orion_last_error(), (text)) == NULL) {              \
      failures += 1;                                                                  \
      printf("abi_test.c:%d: %s gave %d \"%s\", expected %d \"%s\"\n", __LINE__,      \
             #call, got, orion_last_error(), (status), (text));                       \
    }                                                                                 \
  } while (0)

enum { CHANNELS = 4, WIDTH = 32 };

// Declared order is not the order of the names, so that binding by either shows.
static const char *const program_text =
    "program(1.3)\n"
    "[buildInfo = dict<string, string>({{\"coremlc-component-MIL\", \"3510.2.1\"}})]\n"
    "{\n"
    "  func main<ios18>(tensor<fp16, [1, 4, 1, 32]> x, tensor<fp16, [1, 4, 1, 32]> b) {\n"
    "    tensor<fp16, [1, 4, 1, 1]> w = const()[name = string(\"w\"), val = tensor<fp16, [1, 4, 1, 1]>"
    "(BLOBFILE(path = string(\"@model_path/weights.bin\"), offset = uint64(64)))];\n"
    "    tensor<fp16, [1, 4, 1, 32]> sum = add(x = x, y = b)[name = string(\"sum\")];\n"
    "    tensor<fp16, [1, 4, 1, 32]> product = mul(x = x, y = w)[name = string(\"product\")];\n"
    "  } -> (sum, product);\n"
    "}\n";

// Halves and floats of small whole numbers and their halves; enough for exact sums here.
static uint16_t half(float value) {
  if (value == 0) return 0;
  int exponent;
  float fraction = frexpf(fabsf(value), &exponent);
  unsigned mantissa = (unsigned)ldexpf(fraction, 11) & 0x3ff;
  return (uint16_t)((value < 0 ? 0x8000 : 0) | (unsigned)(exponent + 14) << 10 | mantissa);
}

static float full(uint16_t value) {
  int exponent = (value >> 10) & 31;
  float magnitude = exponent == 0 ? ldexpf(value & 0x3ff, -24)
                                  : ldexpf((value & 0x3ff) | 0x400, exponent - 25);
  return value & 0x8000 ? -magnitude : magnitude;
}

// A weight file of one record: four halves, 1, 2, 3, 4.
static void write_weights(const char *path) {
  uint8_t bytes[64 + 64 + 64] = {0};
  uint32_t count = 1, version = 2, magic = 0xDEADBEEF, dtype = 1;
  uint64_t size = CHANNELS * 2, offset = 128;
  memcpy(bytes, &count, 4);
  memcpy(bytes + 4, &version, 4);
  memcpy(bytes + 64, &magic, 4);
  memcpy(bytes + 68, &dtype, 4);
  memcpy(bytes + 72, &size, 8);
  memcpy(bytes + 80, &offset, 8);
  for (int c = 0; c < CHANNELS; c += 1) {
    uint16_t value = half((float)(c + 1));
    memcpy(bytes + 128 + 2 * c, &value, 2);
  }
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(bytes, 1, sizeof bytes, file) != sizeof bytes) {
    printf("abi_test.c: cannot write %s\n", path);
    exit(1);
  }
  fclose(file);
}

static orion_handle make_tensor(orion_handle device) {
  const int64_t shape[] = {1, CHANNELS, 1, WIDTH};
  orion_handle tensor = 0;
  CHECK(orion_tensor_create(device, ORION_FP16, 4, shape, &tensor) == ORION_OK);
  return tensor;
}

static void fill(orion_handle tensor, float base) {
  void *address;
  int64_t strides[4];
  CHECK(orion_tensor_lock(tensor, 4, &address, strides) == ORION_OK);
  CHECK(strides[3] == 2 && strides[1] >= WIDTH * 2);
  for (int c = 0; c < CHANNELS; c += 1)
    for (int s = 0; s < WIDTH; s += 1) {
      uint16_t value = half(base + (float)(c * WIDTH + s));
      memcpy((char *)address + c * strides[1] + s * strides[3], &value, 2);
    }
  CHECK(orion_tensor_unlock(tensor) == ORION_OK);
}

static float read_at(orion_handle tensor, int c, int s) {
  void *address;
  int64_t strides[4];
  uint16_t value = 0;
  CHECK(orion_tensor_lock(tensor, 4, &address, strides) == ORION_OK);
  memcpy(&value, (char *)address + c * strides[1] + s * strides[3], 2);
  CHECK(orion_tensor_unlock(tensor) == ORION_OK);
  return full(value);
}

// The call succeeds and its text holds this part.
#define GIVES(call, part)                                                             \
  do {                                                                                \
    json = NULL;                                                                      \
    CHECK((call) == ORION_OK);                                                        \
    CHECK(json != NULL && strstr(json, (part)) != NULL);                              \
    orion_text_free(json);                                                            \
  } while (0)

static void run(const char *name, const char *weights) {
  orion_device_options options = {.struct_size = sizeof options, .trace = 1};
  orion_handle device = 0, program = 0;
  CHECK(orion_device_open(name, &options, &device) == ORION_OK);
  CHECK(orion_program_compile(device, program_text, strlen(program_text), weights, "main",
                              &program) == ORION_OK);
  char *json = NULL;
  GIVES(orion_program_json(program, &json), "\"inputs\": [{\"name\": \"x\"");
  GIVES(orion_program_json(program, &json), "\"outputs\": [{\"name\": \"sum\"");
  orion_handle inputs[] = {make_tensor(device), make_tensor(device)};
  orion_handle outputs[] = {make_tensor(device), make_tensor(device)};
  fill(inputs[0], 1);
  fill(inputs[1], 100);
  CHECK(orion_program_evaluate(program, 2, inputs, 2, outputs) == ORION_OK);
  for (int c = 0; c < CHANNELS; c += 1)
    for (int s = 0; s < WIDTH; s += 1) {
      float x = 1 + (float)(c * WIDTH + s), b = 99 + x;
      CHECK(read_at(outputs[0], c, s) == x + b);
      CHECK(read_at(outputs[1], c, s) == x * (float)(c + 1));
    }
  GIVES(orion_device_json(device, &json), "\"reason\"");
  GIVES(orion_device_counters(device, &json), "\"evals\": 1");
  GIVES(orion_device_trace(device, &json), strncmp(name, "sim", 3) == 0 ? "evaluateWithModel" : "");

  // Wrong use of things that exist.
  REFUSES(orion_program_evaluate(program, 1, inputs, 2, outputs), ORION_ERROR_ARGUMENT, "x, b");
  REFUSES(orion_program_evaluate(program, 2, NULL, 2, outputs), ORION_ERROR_ARGUMENT, "null");
  REFUSES(orion_program_evaluate(device, 2, inputs, 2, outputs), ORION_ERROR_HANDLE,
          "expected a program, got a device");
  const int64_t narrow[] = {1, CHANNELS, 1, WIDTH / 2};
  orion_handle small = 0;
  CHECK(orion_tensor_create(device, ORION_FP16, 4, narrow, &small) == ORION_OK);
  orion_handle mixed[] = {inputs[0], small};
  REFUSES(orion_program_evaluate(program, 2, mixed, 2, outputs), ORION_ERROR_ARGUMENT,
          "input b: expected fp16 [1, 4, 1, 32], got fp16 [1, 4, 1, 16]");
  orion_handle twice[] = {outputs[0], outputs[0]};
  REFUSES(orion_program_evaluate(program, 2, inputs, 2, twice), ORION_ERROR_ARGUMENT,
          "output product: the tensor stands in two places");
  void *address;
  int64_t strides[4];
  REFUSES(orion_tensor_lock(small, 3, &address, strides), ORION_ERROR_ARGUMENT, "rank 4");
  REFUSES(orion_tensor_lock(small, 4, NULL, strides), ORION_ERROR_ARGUMENT, "address: null");
  REFUSES(orion_tensor_unlock(small), ORION_ERROR_ARGUMENT, "not locked");
  CHECK(orion_tensor_lock(small, 4, &address, strides) == ORION_OK);
  REFUSES(orion_tensor_lock(small, 4, &address, strides), ORION_ERROR_ARGUMENT, "already locked");
  CHECK(orion_tensor_unlock(small) == ORION_OK);
  CHECK(orion_tensor_lock(inputs[0], 4, &address, strides) == ORION_OK);
  REFUSES(orion_program_evaluate(program, 2, inputs, 2, outputs), ORION_ERROR_ARGUMENT,
          "input x: the tensor is locked");
  CHECK(orion_tensor_unlock(inputs[0]) == ORION_OK);

  orion_handle other_device = 0, stranger = 0;
  CHECK(orion_device_open("cpu", NULL, &other_device) == ORION_OK);
  stranger = make_tensor(other_device);
  orion_handle foreign[] = {inputs[0], stranger};
  REFUSES(orion_program_evaluate(program, 2, foreign, 2, outputs), ORION_ERROR_ARGUMENT,
          "another device");
  CHECK(orion_tensor_free(stranger) == ORION_OK);
  CHECK(orion_device_close(other_device) == ORION_OK);

  for (int i = 0; i < 2; i += 1) {
    CHECK(orion_tensor_free(inputs[i]) == ORION_OK);
    CHECK(orion_tensor_free(outputs[i]) == ORION_OK);
  }
  CHECK(orion_tensor_free(small) == ORION_OK);
  REFUSES(orion_tensor_free(small), ORION_ERROR_HANDLE, "already freed");
  REFUSES(orion_program_evaluate(program, 2, inputs, 2, outputs), ORION_ERROR_HANDLE, "tensor");
  CHECK(orion_program_free(program) == ORION_OK);
  REFUSES(orion_program_json(program, &json), ORION_ERROR_HANDLE, "already freed");
  GIVES(orion_device_counters(device, &json), "\"loaded_programs\": 0");
  CHECK(orion_device_close(device) == ORION_OK);
  REFUSES(orion_device_close(device), ORION_ERROR_HANDLE, "already freed");
}

// A program with weights of its own: written in place, reloaded.
static void patch(const char *name, const char *weights) {
  orion_handle device = 0, program = 0, shared = 0;
  CHECK(orion_device_open(name, NULL, &device) == ORION_OK);
  size_t length = strlen(program_text);
  CHECK(orion_program_compile_patchable(device, program_text, length, weights, "main",
                                        &program) == ORION_OK);
  void *address = NULL;
  size_t bytes = 0;
  REFUSES(orion_program_weights_lock(program, NULL, &bytes), ORION_ERROR_ARGUMENT, "address: null");
  REFUSES(orion_program_weights_lock(program, &address, NULL), ORION_ERROR_ARGUMENT, "bytes: null");
  REFUSES(orion_program_weights_unlock(program), ORION_ERROR_ARGUMENT, "not locked");
  CHECK(orion_program_weights_lock(program, &address, &bytes) == ORION_OK);
  CHECK(bytes == 192);
  uint16_t value = half(8);
  memcpy((char *)address + 128, &value, 2);
  REFUSES(orion_program_weights_lock(program, &address, &bytes), ORION_ERROR_ARGUMENT, "already locked");
  REFUSES(orion_program_reload(program), ORION_ERROR_ARGUMENT, "locked");
  CHECK(orion_program_weights_unlock(program) == ORION_OK);
  CHECK(orion_program_reload(program) == ORION_OK);
  char *json = NULL;
  GIVES(orion_device_canary(device, "reload", &json), "{\"reload\": \"");
  int is_effective = 0;
  CHECK(orion_device_canary(device, "reload", &json) == ORION_OK);
  is_effective = strstr(json, "effective") != NULL;
  orion_text_free(json);
  CHECK(strcmp(name, "cpu") != 0 || is_effective);
  orion_handle inputs[] = {make_tensor(device), make_tensor(device)};
  orion_handle outputs[] = {make_tensor(device), make_tensor(device)};
  fill(inputs[0], 1);
  CHECK(orion_program_evaluate(program, 2, inputs, 2, outputs) == ORION_OK);
  CHECK(read_at(outputs[1], 0, 0) == (is_effective ? 8 : 1));

  CHECK(orion_program_compile(device, program_text, length, weights, "main", &shared) == ORION_OK);
  REFUSES(orion_program_weights_lock(shared, &address, &bytes), ORION_ERROR_ARGUMENT, "patchable");
  REFUSES(orion_program_reload(shared), ORION_ERROR_ARGUMENT, "patchable");
  REFUSES(orion_program_reload(device), ORION_ERROR_HANDLE, "expected a program");
  REFUSES(orion_program_weights_unlock(0), ORION_ERROR_HANDLE, "null");
  REFUSES(orion_program_compile_patchable(device, program_text, length, NULL, "main", &program),
          ORION_ERROR_ARGUMENT, "weight file");
  REFUSES(orion_device_canary(device, "sing", &json), ORION_ERROR_ARGUMENT, "no canary");
  REFUSES(orion_device_canary(device, "reload", NULL), ORION_ERROR_ARGUMENT, "json: null");
  if (strncmp(name, "sim", 3) == 0) {
    REFUSES(orion_device_faults(device, "load@1"), ORION_ERROR_ARGUMENT, "fault plan, column");
    CHECK(orion_device_faults(device, "eval@1=error:8/0x16") == ORION_OK);
    REFUSES(orion_device_canary(device, "reload", &json), ORION_ERROR_DEVICE, "0x16");
    CHECK(orion_device_faults(device, NULL) == ORION_OK);
  } else {
    REFUSES(orion_device_faults(device, "load@1=stale"), ORION_ERROR_ARGUMENT, "simulated");
  }
  GIVES(orion_doctor_json(name, NULL, 0, &json), "\"passed\": true");
  REFUSES(orion_doctor_json("gpu", NULL, 0, &json), ORION_ERROR_ARGUMENT, "unknown");
  REFUSES(orion_doctor_json(name, NULL, 0, NULL), ORION_ERROR_ARGUMENT, "json: null");
  for (int i = 0; i < 2; i += 1) {
    CHECK(orion_tensor_free(inputs[i]) == ORION_OK);
    CHECK(orion_tensor_free(outputs[i]) == ORION_OK);
  }
  CHECK(orion_program_free(program) == ORION_OK);
  CHECK(orion_program_free(shared) == ORION_OK);
  CHECK(orion_device_close(device) == ORION_OK);
}

// Wrong use that needs no program.
static void misuse(const char *device_name, const char *weights) {
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
static void misuse_sessions(const char *device_name) {
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

// The kernels of a training step, and their refusals.
static void run_kernels(void) {
  float weights[2] = {1, 2}, gradient[2] = {1, -1}, first[2] = {0}, second[2] = {0};
  float logits[4] = {0, 0, 0, 0};
  uint16_t halves[4] = {0};
  int32_t ids[2] = {1, -1};
  size_t counted = 7;
  double sum = 7;
  bool finite = false;
  orion_adamw_options options = {.struct_size = sizeof options, .gradient_scale = 1,
                                 .learning_rate = 0.5, .beta1 = 0.9, .beta2 = 0.999, .step = 1};
  orion_kernel_matrix copy = {halves, 1, 2, 4, ORION_FP16, 0};
  orion_kernel_matrix matrix = {logits, 2, 2, 8, ORION_FP32, 0};
  CHECK(orion_kernel_adamw(&options, 2, weights, gradient, first, second, &copy, &counted) == ORION_OK);
  CHECK(counted == 0 && fabsf(weights[0] - 0.5f) < 1e-6f && fabsf(weights[1] - 2.5f) < 1e-6f);
  CHECK(full(halves[1]) == 2.5f);
  CHECK(orion_kernel_sum_of_squares(gradient, 2, &sum) == ORION_OK && sum == 2);
  CHECK(orion_kernel_accumulate(&copy, 2, true, weights, 2, &finite) == ORION_OK && finite);
  CHECK(weights[0] == 1 && weights[1] == 5);
  CHECK(orion_kernel_cross_entropy(1, &matrix, &matrix, 2, ids, 4, &sum, &counted) == ORION_OK);
  CHECK(counted == 1 && fabs(sum - log(2)) < 1e-6 && logits[0] == 2 && logits[2] == -2);
  CHECK(logits[1] == 0 && logits[3] == 0);
  orion_kernel_matrix narrow = {halves, 2, 2, 4, ORION_FP16, 0};
  CHECK(orion_kernel_convert(&matrix, &narrow, &counted) == ORION_OK && full(halves[2]) == -2);
  ids[1] = 0;
  CHECK(orion_kernel_embedding_gather(&matrix, 2, ids, &narrow) == ORION_OK && full(halves[1]) == 2);
  CHECK(orion_kernel_embedding_scatter_add(&narrow, 2, ids, 1, &matrix, &finite) == ORION_OK);
  CHECK(finite && logits[0] == 4 && logits[2] == -4);
  counted = 7;
  REFUSES(orion_kernel_adamw(NULL, 0, NULL, NULL, NULL, NULL, NULL, &counted), ORION_ERROR_ARGUMENT,
          "options: null");
  REFUSES(orion_kernel_adamw(&options, 2, weights, weights, first, second, NULL, &counted),
          ORION_ERROR_ARGUMENT, "gradient: overlaps weights");
  REFUSES(orion_kernel_accumulate(&copy, 1, true, weights, 3, &finite), ORION_ERROR_ARGUMENT,
          "expected 3 values");
  REFUSES(orion_kernel_cross_entropy(1, &matrix, NULL, 2, NULL, 1, &sum, &counted),
          ORION_ERROR_ARGUMENT, "targets: null");
  ids[0] = 2;
  REFUSES(orion_kernel_embedding_gather(&matrix, 2, ids, &narrow), ORION_ERROR_ARGUMENT,
          "tokens: 2 at position 0, expected 0 to 1");
  CHECK(counted == 7);
}

#include "states.h"

// Says that texts with `gelu` fail, and counts how often it was asked; the third time it ends the search when told to.
struct search {
  int asked;
  bool ends;
};

static int32_t judge(void *context, const char *mil, size_t bytes) {
  struct search *search = context;
  search->asked += 1;
  if (search->ends && search->asked > 2) return -1;
  return strstr(mil, "gelu(") != NULL && strlen(mil) == bytes;
}

// What is wrong with a text, mending it, making it small, looking inside.
static void diagnose(void) {
  const char *text =
      "program(1.3) { func main<ios18>(tensor<fp16, [1, 4, 1, 64]> x) {\n"
      "tensor<fp16, [1, 4, 1, 64]> a = relu(x = x);\n"
      "tensor<fp16, [1, 4, 1, 64]> y = gelu(x = a); } -> (y); }";
  size_t length = strlen(text);
  char *json = (char *)"untouched";
  REFUSES(orion_check(NULL, 3, NULL, NULL, &json), ORION_ERROR_ARGUMENT, "mil: null");
  REFUSES(orion_check(text, length, NULL, "m9", &json), ORION_ERROR_ARGUMENT, "expected some of");
  REFUSES(orion_check(text, length, NULL, NULL, NULL), ORION_ERROR_ARGUMENT, "json: null");
  REFUSES(orion_fix("\xff", 1, NULL, NULL, &json), ORION_ERROR_PROGRAM, "not UTF-8");
  REFUSES(orion_shrink(text, length, NULL, NULL, &json), ORION_ERROR_ARGUMENT, "judge: null");
  REFUSES(orion_shrink("no", 2, judge, NULL, &json), ORION_ERROR_PROGRAM, "expected `program`");
  REFUSES(orion_expose(text, length, "other", NULL, &json), ORION_ERROR_PROGRAM, "\"other\"");
  REFUSES(orion_estimate(text, length, NULL, "m9", &json), ORION_ERROR_ARGUMENT, "expected some of");
  REFUSES(orion_estimate("no", 2, NULL, NULL, &json), ORION_ERROR_PROGRAM, "expected `program`");
  REFUSES(orion_estimate(text, length, NULL, NULL, NULL), ORION_ERROR_ARGUMENT, "json: null");
  CHECK(strcmp(json, "untouched") == 0);
  GIVES(orion_estimate(text, length, NULL, "m4-macos15", &json), "\"bound\": \"dispatch\"");
  GIVES(orion_check(text, length, NULL, "m4-macos15", &json), "\"line\": 3, \"column\": 33");
  GIVES(orion_check("\xff", 1, NULL, NULL, &json), "\"rule\": \"syntax\"");
  GIVES(orion_check(NULL, 0, NULL, "", &json), "\"severity\": \"error\"");
  GIVES(orion_fix(text, length, NULL, "m4-macos15", &json), "gelu(x = a, mode = y_mode)");
  GIVES(orion_expose(text, length, "main", NULL, &json), "-> (y, a)");
  GIVES(orion_expose(text, length, "main", "", &json), "-> (y)");
  struct search search = {0};
  GIVES(orion_shrink(text, length, judge, &search, &json), "= gelu(");
  CHECK(orion_shrink(text, length, judge, &search, &json) == ORION_OK);
  CHECK(strstr(json, "relu") == NULL && search.asked > 2);
  orion_text_free(json);
  search = (struct search){.ends = true};
  CHECK(orion_shrink(text, length, judge, &search, &json) == ORION_OK);
  CHECK(search.asked == 3);
  orion_text_free(json);
}

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
  diagnose();
  run_kernels();
  keep_states();
  cancel_loops();
  GIVES(orion_kernel_limits(&json), "\"multiply_add_gflops\": ");
  for (int i = 2; i < count; i += 1) {
    misuse(arguments[i], weights);
    misuse_sessions(arguments[i]);
    run(arguments[i], weights);
    patch(arguments[i], weights);
    printf("%s: %s\n", arguments[i], failures == 0 ? "ok" : "FAILED");
  }
  GIVES(orion_cache_json(NULL, &json), "\"kind\": \"models\"");
  return failures == 0 ? 0 : 1;
}
