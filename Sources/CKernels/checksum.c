// A fast 64-bit checksum that finds damage and resists nobody. Every step can be undone when the
// bytes are known, so bytes that differ in a single 8-byte word never have the same checksum.
#include <string.h>

#include "kernels.h"

enum { LANES = 8, STRIPE = LANES * 8 };

static const uint64_t odd_a = 0xd6e8feb86659fd93, odd_b = 0x9fb21c651e98df25;

static uint64_t rotate(uint64_t x, int count) { return x << count | x >> (64 - count); }

static uint64_t absorb(uint64_t state, uint64_t word) { return rotate((state ^ word) * odd_a, 29); }

static uint64_t scramble(uint64_t x) {
  x = (x ^ (x >> 32)) * odd_b;
  x = (x ^ (x >> 29)) * odd_a;
  return x ^ (x >> 32);
}

uint64_t orion_checksum(const void *bytes, size_t count, uint64_t seed) {
  const uint8_t *next = bytes;
  uint64_t lanes[LANES];
  for (uint64_t lane = 0; lane < LANES; lane++) lanes[lane] = scramble(seed + lane * odd_b);
  size_t left = count;
  for (; left >= STRIPE; left -= STRIPE, next += STRIPE) {
    for (int lane = 0; lane < LANES; lane++) {
      uint64_t word;
      memcpy(&word, next + 8 * lane, 8);
      lanes[lane] = absorb(lanes[lane], word);
    }
  }
  uint8_t rest[STRIPE] = {0};
  if (left > 0) memcpy(rest, next, left);
  uint64_t state = scramble(seed ^ (uint64_t)count * odd_a);
  for (int lane = 0; lane < LANES; lane++) {
    uint64_t word;
    memcpy(&word, rest + 8 * lane, 8);
    state = scramble(absorb(state, absorb(lanes[lane], word)));
  }
  return state;
}
