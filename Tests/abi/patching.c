// Programs whose weights are written in place.
#include "check.h"

// A program with weights of its own: written in place, reloaded.
void test_patching(const char *name, const char *weights) {
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
