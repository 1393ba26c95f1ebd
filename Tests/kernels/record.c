// Hostile numbers, guarded memory and the record of results. It knows no kernel.
#define _GNU_SOURCE  // MAP_ANONYMOUS
#include "record.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void fail(const char *what) {
  fprintf(stderr, "kernels: %s\n", what);
  exit(2);
}

// ---- numbers ----

uint64_t random_bits(random_source *source) {
  source->state ^= source->state << 13;
  source->state ^= source->state >> 7;
  source->state ^= source->state << 17;
  return source->state * 0x2545f4914f6cdd1d;
}

float random_float(random_source *source) {
  return (float)(int64_t)(random_bits(source) >> 40) * 0x1p-23f - 1;
}

static const float landmarks[] = {
    0.f, -0.f, 1.f, -1.f, 0x1p-149f, -0x1p-149f, 0x1.8p-130f, 0x1p-126f, 3.4e38f, -3.4e38f,
    // Ties and borders of fp16: 1 + half a place, 2049, the largest, the first infinite one.
    0x1.002p0f, 0x1.006p0f, 2049, -2051, 65504, -65504, 65519.996f, 65520, -65520, 0x1p-24f, 0x1p-25f,
    -0x1p-25f, 0x1.000002p-25f, 0x1.8p-24f, 0x1.ffcp-15f, 0x1.ffep-15f, 0x1.ffdffep-15f, 0x1p-14f,
    // Borders of the exponentials, of sine's reduction and of rounding to integers.
    -87, -87.00001f, 88.7f, 88.73f, -103.9f, -745, 709, 0x1p30f, -0x1.8p31f, 0.5f, 1.5f, -2.5f, 0x1p23f};
static const float beyond[] = {__builtin_inff(), -__builtin_inff(), __builtin_nanf("")};

static float pick(random_source *source, const float *values, size_t count) {
  return values[random_bits(source) % count];
}

static float wide_float(random_source *source) {
  if (random_bits(source) % 8 == 0) {
    return pick(source, landmarks, sizeof landmarks / sizeof *landmarks);
  }
  const int power = (int)(random_bits(source) % 48) - 32;
  const float scale = power < 0 ? 1.f / (float)(UINT64_C(1) << -power) : (float)(1 << power);
  return random_float(source) * scale;
}

// A finite fp16 number: 11 bits from 2^-24 to 2^15.
static float half_float(random_source *source) {
  const int32_t digits = (int32_t)(random_bits(source) % 2048) - 1024;
  const int power = (int)(random_bits(source) % 6 == 0 ? random_bits(source) % 29 : 14 + random_bits(source) % 4);
  return (float)digits * 0x1p-24f * (float)(1 << power);
}

static float mixed_float(random_source *source, mixture mix) {
  switch (mix) {
    case TAME: return random_float(source);
    case HALF: return half_float(source);
    case WIDE: return wide_float(source);
    case WILD:
      return random_bits(source) % 16 == 0 ? pick(source, beyond, sizeof beyond / sizeof *beyond)
                                           : wide_float(source);
  }
  return 0;
}

// ---- memory ----

enum { REGIONS_MAX = 4096 };
static struct {
  void *start;
  size_t bytes;
} regions[REGIONS_MAX];
static size_t region_count;

void *guarded(size_t bytes) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), used = (bytes + page - 1) / page * page;
  if (region_count == REGIONS_MAX) fail("too many buffers in one case");
  char *start = mmap(NULL, used + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED || mprotect(start + used, page, PROT_NONE) != 0) fail("no memory");
  memset(start, 0x5a, used);
  regions[region_count].start = start;
  regions[region_count++].bytes = used + page;
  return start + used - bytes;
}

void release_memory(void) {
  while (region_count > 0) {
    region_count--;
    munmap(regions[region_count].start, regions[region_count].bytes);
  }
}

float *guarded_floats(mixture mix, size_t count, uint64_t seed) {
  random_source source = {seed * 0x9e3779b97f4a7c15 | 1};
  float *values = guarded(count * sizeof(float));
  for (size_t i = 0; i < count; i++) values[i] = mixed_float(&source, mix);
  return values;
}

// WILD: any bits; TAME: below 1; else finite ones.
uint16_t *guarded_halves(mixture mix, size_t count, uint64_t seed) {
  random_source source = {seed * 0x9e3779b97f4a7c15 | 1};
  uint16_t *values = guarded(count * sizeof(uint16_t));
  for (size_t i = 0; i < count; i++) {
    const uint16_t bits = (uint16_t)(random_bits(&source) >> 20);
    const uint16_t held = (uint16_t)((bits & 0x83ff) | (8 + (bits >> 10) % 7) << 10);
    values[i] = mix == WILD ? bits : mix == TAME ? held : (bits & 0x7c00) == 0x7c00 ? bits & 0x8fff : bits;
  }
  return values;
}

// ---- results ----

static const size_t value_bytes[] = {[BYTES] = 1, [HALVES] = 2, [FLOATS] = 4, [DOUBLES] = 8};

static void unify_nans(value_kind kind, uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint8_t *at = bytes + i * value_bytes[kind];
    uint16_t half;
    uint32_t single;
    uint64_t twice;
    if (kind == HALVES && (memcpy(&half, at, 2), (half & 0x7fff) > 0x7c00)) {
      memcpy(at, &(uint16_t){0x7e00}, 2);
    } else if (kind == FLOATS && (memcpy(&single, at, 4), (single & 0x7fffffff) > 0x7f800000)) {
      memcpy(at, &(uint32_t){0x7fc00000}, 4);
    } else if (kind == DOUBLES && (memcpy(&twice, at, 8), (twice & INT64_MAX) > 0x7ff0000000000000)) {
      memcpy(at, &(uint64_t){0x7ff8000000000000}, 8);
    }
  }
}

void record(recorder *out, value_kind kind, const void *values, size_t count, const char *label,
            ...) {
  const size_t bytes = count * value_bytes[kind];
  if (out->count + bytes > out->capacity) {
    out->capacity = 2 * (out->count + bytes);
    out->bytes = realloc(out->bytes, out->capacity);
  }
  if (out->mark_count == out->mark_capacity) {
    out->mark_capacity = 2 * out->mark_capacity + 64;
    out->marks = realloc(out->marks, out->mark_capacity * sizeof *out->marks);
  }
  if ((out->bytes == NULL && bytes > 0) || out->marks == NULL) fail("no memory");
  record_mark *mark = &out->marks[out->mark_count++];
  *mark = (record_mark){.first = out->count, .count = bytes, .kind = kind};
  va_list arguments;
  va_start(arguments, label);
  vsnprintf(mark->label, sizeof mark->label, label, arguments);
  va_end(arguments);
  if (bytes == 0) return;
  memcpy(out->bytes + out->count, values, bytes);
  unify_nans(kind, out->bytes + out->count, count);
  out->count += bytes;
}

void record_clear(recorder *out) { out->count = out->mark_count = 0; }

// FNV-1a.
uint64_t record_hash(const recorder *out) {
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t i = 0; i < out->count; i++) hash = (hash ^ out->bytes[i]) * 0x100000001b3;
  return hash;
}

bool record_compare(const recorder *wanted, const recorder *found, const char *who) {
  if (wanted->mark_count != found->mark_count || wanted->count != found->count) {
    fprintf(stderr, "%s: records %zu results of %zu bytes, not %zu of %zu\n", who, found->mark_count,
            found->count, wanted->mark_count, wanted->count);
    return false;
  }
  for (size_t i = 0; i < wanted->mark_count; i++) {
    const record_mark *mark = &wanted->marks[i];
    const uint8_t *a = wanted->bytes + mark->first, *b = found->bytes + mark->first;
    if (mark->count == 0 || memcmp(a, b, mark->count) == 0) continue;
    const size_t size = value_bytes[mark->kind];
    size_t at = 0;
    while (memcmp(a + at * size, b + at * size, size) == 0) at++;
    uint64_t is = 0, was = 0;
    memcpy(&was, a + at * size, size);
    memcpy(&is, b + at * size, size);
    fprintf(stderr, "%s: %s: value %zu is %#llx, in plain C %#llx\n", who, mark->label, at,
            (unsigned long long)is, (unsigned long long)was);
    return false;
  }
  return true;
}
