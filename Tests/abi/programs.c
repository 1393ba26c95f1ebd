// Compiles a program on a device, runs it and checks the numbers.
#include "check.h"

void test_programs(const char *name, const char *weights) {
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
