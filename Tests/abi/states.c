// What a program keeps between evaluations, and evaluations that do not end.
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>

static const char *const state_text =
    "program(1.3)\n"
    "{\n"
    "  func main<ios18>(tensor<fp16, [1, 4, 1, 32]> x, state<tensor<fp16, [1, 4, 1, 32]>> sum) {\n"
    "    tensor<fp16, [1, 4, 1, 32]> held = read_state(input = sum);\n"
    "    tensor<fp16, [1, 4, 1, 32]> next = add(x = held, y = x);\n"
    "    write_state(data = next, input = sum);\n"
    "  } -> (next);\n"
    "}\n";

static const char *const endless_text =
    "program(1.3)\n"
    "{\n"
    "  func main<ios18>(tensor<fp16, [1, 4, 1, 32]> x) {\n"
    "    tensor<fp16, [1, 4, 1, 32]> y = while_loop(loop_vars = (x))\n"
    "      test(tensor<fp16, [1, 4, 1, 32]> a) { bool more = equal(x = int32(1), y = int32(1)); } -> (more)\n"
    "      body(tensor<fp16, [1, 4, 1, 32]> a) { tensor<fp16, [1, 4, 1, 32]> b = relu(x = a); } -> (b);\n"
    "  } -> (y);\n"
    "}\n";

void test_states(void) {
  orion_handle device = 0, program = 0, other = 0;
  CHECK(orion_device_open("cpu", NULL, &device) == ORION_OK);
  size_t length = strlen(state_text);
  CHECK(orion_program_compile(device, state_text, length, NULL, "main", &program) == ORION_OK);
  CHECK(orion_program_compile(device, state_text, length, NULL, "main", &other) == ORION_OK);
  char *json = NULL;
  GIVES(orion_program_json(program, &json), "\"states\": [{\"name\": \"sum\"");
  GIVES(orion_program_json(program, &json), "\"loops\": false");
  orion_handle x = make_tensor(device), y = make_tensor(device);
  fill(x, 1);
  for (int i = 1; i <= 3; i += 1) {
    CHECK(orion_program_evaluate(program, 1, &x, 1, &y) == ORION_OK);
    CHECK(read_at(y, 0, 0) == i * read_at(x, 0, 0));
  }
  CHECK(orion_program_state_read(other, 0, y) == ORION_OK);
  CHECK(read_at(y, 1, 5) == 0);
  CHECK(orion_program_state_write(other, 0, x) == ORION_OK);
  CHECK(orion_program_state_read(other, 0, y) == ORION_OK);
  CHECK(read_at(y, 1, 5) == read_at(x, 1, 5));
  CHECK(orion_program_states_reset(program) == ORION_OK);
  CHECK(orion_program_state_read(program, 0, y) == ORION_OK);
  CHECK(read_at(y, 1, 5) == 0);

  int64_t shape[] = {1, 4, 1, 16};
  orion_handle narrow = 0;
  CHECK(orion_tensor_create(device, ORION_FP16, 4, shape, &narrow) == ORION_OK);
  REFUSES(orion_program_state_read(program, 0, narrow), ORION_ERROR_ARGUMENT, "state sum");
  REFUSES(orion_program_state_write(program, 1, x), ORION_ERROR_ARGUMENT, "state 1 does not exist");
  REFUSES(orion_program_state_write(program, 0, program), ORION_ERROR_HANDLE, "expected a tensor");
  REFUSES(orion_program_state_read(x, 0, y), ORION_ERROR_HANDLE, "expected a program");
  REFUSES(orion_program_states_reset(0), ORION_ERROR_HANDLE, "null");
  REFUSES(orion_program_cancel(device), ORION_ERROR_HANDLE, "expected a program");
  CHECK(orion_program_cancel(program) == ORION_OK);
  orion_handle freed[] = {x, y, narrow};
  for (int i = 0; i < 3; i += 1) CHECK(orion_tensor_free(freed[i]) == ORION_OK);
  CHECK(orion_program_free(program) == ORION_OK);
  CHECK(orion_program_free(other) == ORION_OK);
  CHECK(orion_device_close(device) == ORION_OK);
}

static atomic_bool is_done;

// Asks again until the evaluation hears it: it may not have begun.
static void *cancel_program(void *program) {
  while (!atomic_load(&is_done)) orion_program_cancel(*(orion_handle *)program);
  return NULL;
}

void test_cancelling(void) {
  orion_handle device = 0, program = 0;
  CHECK(orion_device_open("cpu", NULL, &device) == ORION_OK);
  CHECK(orion_program_compile(device, endless_text, strlen(endless_text), NULL, "main",
                              &program) == ORION_OK);
  char *json = NULL;
  GIVES(orion_program_json(program, &json), "\"loops\": true");
  orion_handle x = make_tensor(device), y = make_tensor(device);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, cancel_program, &program) == 0);
  REFUSES(orion_program_evaluate(program, 1, &x, 1, &y), ORION_ERROR_CANCELLED, "cancelled");
  atomic_store(&is_done, true);
  pthread_join(thread, NULL);
  CHECK(orion_tensor_free(x) == ORION_OK);
  CHECK(orion_tensor_free(y) == ORION_OK);
  CHECK(orion_program_free(program) == ORION_OK);
  CHECK(orion_device_close(device) == ORION_OK);
}
