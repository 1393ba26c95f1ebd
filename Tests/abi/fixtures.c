// The program, the weight file and the tensors that the parts of the C test share.
#include "check.h"

#include <math.h>
#include <stdlib.h>

// Declared order is not the order of the names, so that binding by either shows.
const char *const program_text =
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

uint16_t half(float value) {
  if (value == 0) return 0;
  int exponent;
  float fraction = frexpf(fabsf(value), &exponent);
  unsigned mantissa = (unsigned)ldexpf(fraction, 11) & 0x3ff;
  return (uint16_t)((value < 0 ? 0x8000 : 0) | (unsigned)(exponent + 14) << 10 | mantissa);
}

float full(uint16_t value) {
  int exponent = (value >> 10) & 31;
  float magnitude = exponent == 0 ? ldexpf(value & 0x3ff, -24)
                                  : ldexpf((value & 0x3ff) | 0x400, exponent - 25);
  return value & 0x8000 ? -magnitude : magnitude;
}

void write_weights(const char *path) {
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
    printf("abi: cannot write %s\n", path);
    exit(1);
  }
  fclose(file);
}

orion_handle make_tensor(orion_handle device) {
  const int64_t shape[] = {1, CHANNELS, 1, WIDTH};
  orion_handle tensor = 0;
  CHECK(orion_tensor_create(device, ORION_FP16, 4, shape, &tensor) == ORION_OK);
  return tensor;
}

void fill(orion_handle tensor, float base) {
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

float read_at(orion_handle tensor, int c, int s) {
  void *address;
  int64_t strides[4];
  uint16_t value = 0;
  CHECK(orion_tensor_lock(tensor, 4, &address, strides) == ORION_OK);
  memcpy(&value, (char *)address + c * strides[1] + s * strides[3], 2);
  CHECK(orion_tensor_unlock(tensor) == ORION_OK);
  return full(value);
}
