// What every part of the C test uses: checks that count failures, and the program, weights and tensors that the
// parts share.
#ifndef ABI_CHECK_H
#define ABI_CHECK_H

#include "orion_ane.h"

#include <stdio.h>
#include <string.h>

extern int failures;

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      failures += 1;                                                                  \
      printf("%s:%d: %s is not so; last error: %s\n", __FILE__, __LINE__, #condition, \
             orion_last_error());                                                     \
    }                                                                                 \
  } while (0)

// The call fails with this status, and the message holds this text.
#define REFUSES(call, status, text)                                                   \
  do {                                                                                \
    orion_status got = (call);                                                        \
    if (got != (status) || strstr(orion_last_error(), (text)) == NULL) {              \
      failures += 1;                                                                  \
      printf("%s:%d: %s gave %d \"%s\", expected %d \"%s\"\n", __FILE__, __LINE__,    \
             #call, got, orion_last_error(), (status), (text));                       \
    }                                                                                 \
  } while (0)

// The call succeeds and its text holds this part.
#define GIVES(call, part)                                                             \
  do {                                                                                \
    json = NULL;                                                                      \
    CHECK((call) == ORION_OK);                                                        \
    CHECK(json != NULL && strstr(json, (part)) != NULL);                              \
    orion_text_free(json);                                                            \
  } while (0)

enum { CHANNELS = 4, WIDTH = 32 };

// Inputs x and b, outputs sum and product, all [1, CHANNELS, 1, WIDTH] in fp16.
extern const char *const program_text;

// Halves and floats of small whole numbers and their halves; enough for exact sums here.
uint16_t half(float value);
float full(uint16_t value);
// A weight file of one record: four halves, 1, 2, 3, 4.
void write_weights(const char *path);
// A tensor of the program's shape; filling it with base + position; one of its values.
orion_handle make_tensor(orion_handle device);
void fill(orion_handle tensor, float base);
float read_at(orion_handle tensor, int c, int s);

// The parts. Those that take a device's name run once for each device.
void test_programs(const char *device, const char *weights);
void test_patching(const char *device, const char *weights);
void test_misuse(const char *device, const char *weights);
void test_session_misuse(const char *device);
void test_kernels(void);
void test_states(void);
void test_cancelling(void);
void test_diagnosis(void);

#endif
