// Cases of the functions that are made of the kernels: products, attention, chains, reductions, norms, copies
// and hashes, with few values, tails, and more than one task.
#include <string.h>

#include "cases.h"

void case_casts(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  enum { COUNT = 70001 };  // more than a task's block
  const uint16_t *halves = guarded_halves(WILD, COUNT, 1);
  float *wide = guarded(COUNT * sizeof(float));
  uint16_t *back = guarded(COUNT * sizeof(uint16_t));
  orion_f16_to_f32(halves, wide, COUNT);
  record(out, BYTES, wide, COUNT * sizeof(float), "fp16 to fp32");
  orion_f32_to_f16(guarded_floats(WILD, COUNT, 2), back, COUNT);
  record(out, BYTES, back, COUNT * sizeof(uint16_t), "fp32 to fp16");
  orion_bf16_to_f32(halves, wide, COUNT);
  record(out, BYTES, wide, COUNT * sizeof(float), "bf16 to fp32");
  orion_round_f16(wide, wide, COUNT);
  record(out, BYTES, wide, COUNT * sizeof(float), "rounded in place");
}

// ---- products ----

// Packed weights lie at a multiple of 64 bytes and have a multiple of 64.
static void *packed_weights(orion_packed_kind kind, size_t outputs, size_t inner, uint64_t seed) {
  void *packed = guarded(orion_packed_bytes(kind, outputs, inner));
  if (kind != ORION_PACKED_I8) {
    orion_pack(kind, guarded_floats(TAME, outputs * inner, seed), false, outputs, inner, packed);
    return packed;
  }
  int8_t *bytes = guarded(outputs * inner);
  random_source source = {seed * 3 + 1};
  for (size_t i = 0; i < outputs * inner; i++) bytes[i] = (int8_t)(random_bits(&source) >> 33);
  orion_pack_i8(bytes, inner, 1, guarded_floats(TAME, outputs, seed), outputs, inner, packed);
  return packed;
}

void case_linear(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  static const struct {
    size_t outputs, inner, columns;
  } shapes[] = {{1, 1, 1}, {16, 0, 2}, {17, 9, 1}, {70, 33, 1}, {64, 600, 1}, {40, 20, 2},
                {33, 17, 3}, {50, 40, 6}, {130, 33, 7}, {48, 300, 13}, {20, 5, 250}, {7, 3, 64},
                {150, 400, 80}};
  for (size_t i = 0; i < COUNT_OF(shapes) * 3 * 2; i++) {
    const size_t o = shapes[i / 6].outputs, k = shapes[i / 6].inner, s = shapes[i / 6].columns;
    const orion_packed_kind kind = (orion_packed_kind)(i % 3);
    const bool half = i / 3 % 2 == 0;
    const orion_linear_args args = {
        .kind = kind,
        .weights = packed_weights(kind, o, k, i),
        .outputs = o,
        .inner = k,
        .columns = s,
        .bias = half ? guarded_floats(TAME, o, i) : NULL,
        .x = guarded_floats(half ? HALF : WIDE, k * s, i),
        .x_row = half ? s : 1,
        .x_column = half ? 1 : k,
        .y = guarded(o * s * sizeof(float)),
        .y_row = half ? s : 1,
        .y_column = half ? 1 : o,
        .rounding = half ? ORION_ROUND_F16_MAC : ORION_ROUND_NONE,
        .mac_limit = 32768,
    };
    orion_linear(&args);
    record(out, FLOATS, args.y, o * s, "%zux%zu by %zu columns, kind %d, half %d", o, k, s, kind, half);
    // Twice in one region.
    orion_linear_args both[2] = {args, args};
    both[1].y = guarded(o * s * sizeof(float));
    orion_linears(both, 2);
    record(out, FLOATS, both[1].y, o * s, "%zux%zu once more", o, k);
    if (s >= 64 && s % PANEL == 0) {
      both[0].x_in_panels = both[0].y_in_panels = true;
      orion_linear(both);
      record(out, FLOATS, args.y, o * s, "%zux%zu in panels", o, k);
    }
    release_memory();
  }
}

void case_matmul(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  static const struct {
    size_t m, n, k, batch;
  } shapes[] = {{1, 1, 1, 1}, {3, 5, 0, 1}, {7, 40, 9, 1}, {40, 3, 9, 1}, {13, 33, 70, 3},
                {250, 36, 20, 1}, {20, 260, 8, 2}, {64, 64, 300, 1}};
  for (size_t i = 0; i < COUNT_OF(shapes) * 4; i++) {
    const size_t m = shapes[i / 4].m, n = shapes[i / 4].n, k = shapes[i / 4].k, batch = shapes[i / 4].batch;
    const bool a_turned = i % 2 == 0, b_turned = i / 2 % 2 == 0;
    size_t a_offsets[3], b_offsets[3], c_offsets[3];
    for (size_t b = 0; b < 3; b++) a_offsets[b] = b * m * k, b_offsets[b] = b * k * n, c_offsets[b] = b * m * n;
    const orion_matmul_args args = {
        .m = m,
        .n = n,
        .k = k,
        .batch = batch,
        .a_offsets = a_offsets,
        .b_offsets = b_offsets,
        .c_offsets = c_offsets,
        .a = guarded_floats(TAME, batch * m * k, i),
        .a_row = a_turned ? 1 : k,
        .a_column = a_turned ? m : 1,
        .b = guarded_floats(WIDE, batch * k * n, i + 1),
        .b_row = b_turned ? 1 : n,
        .b_column = b_turned ? k : 1,
        .c = guarded(batch * m * n * sizeof(float)),
        .c_row = n,
        .rounding = i % 4 == 3 ? ORION_ROUND_F16 : ORION_ROUND_NONE,
    };
    orion_matmul(&args);
    record(out, FLOATS, args.c, batch * m * n, "%zux%zu, %zu terms, turned %d %d", m, n, k, a_turned, b_turned);
    release_memory();
  }
}

// ---- attention ----

static void record_attention(size_t queries, size_t earlier, bool masked, recorder *out) {
  enum { GROUPS = 2, HEADS = 3, FEATURES = 20, VALUES = 17 };
  const size_t rows = HEADS * queries, lengths[] = {earlier, queries};
  const bool side = queries % PANEL == 0;  // all positions side by side
  orion_attention_args args = {
      .groups = GROUPS,
      .heads = HEADS,
      .queries = queries,
      .key_features = FEATURES,
      .value_features = VALUES,
      .query = guarded_floats(TAME, GROUPS * rows * FEATURES, 1),
      .query_group = rows * FEATURES,
      .query_head = queries * FEATURES,
      .query_feature = queries,
      .query_column = 1,
      .scale = 0.3f,
      .segment_count = 2,
      .output = guarded(GROUPS * rows * VALUES * sizeof(float)),
      .output_group = rows * VALUES,
      .output_head = queries * VALUES,
      .output_feature = queries,
      .output_column = 1,
  };
  for (size_t i = 0; i < 2; i++) {
    const size_t length = lengths[i];
    float *mask = guarded(queries * length * sizeof(float));
    for (size_t at = 0; at < queries * length; at++) {
      const size_t query = at / (length == 0 ? 1 : length), position = at % (length == 0 ? 1 : length);
      mask[at] = i == 1 ? (position > query ? -1e9f : 0) : (position + 3 > length ? -1e9f : 0);
    }
    args.segments[i] = (orion_segment){
        .length = length,
        .key = guarded_floats(TAME, GROUPS * FEATURES * length, 2 + i),
        .key_group = FEATURES * length,
        .key_feature = i == 0 || side ? length : 1,
        .key_position = i == 0 || side ? 1 : FEATURES,
        .value = guarded_floats(WIDE, GROUPS * VALUES * length, 4 + i),
        .value_group = VALUES * length,
        .value_feature = length,
        .value_position = 1,
        .mask = masked ? mask : NULL,
        .mask_query = length,
    };
  }
  orion_attention(&args);
  record(out, FLOATS, args.output, GROUPS * rows * VALUES, "%zu queries, %zu earlier, masked %d", queries,
         earlier, masked);
  if (side) {
    args.output_group = HEADS * VALUES * PANEL;
    args.output_head = VALUES * PANEL;
    args.output_feature = PANEL;
    args.output_panel = GROUPS * HEADS * VALUES * PANEL;
    orion_attention(&args);
    record(out, FLOATS, args.output, GROUPS * rows * VALUES, "%zu queries in panels, %zu earlier", queries, earlier);
  }
  release_memory();
}

void case_attention(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  static const size_t queries[] = {1, 2, 7, 33, 32, 112}, earlier[] = {0, 1, 16, 50};
  for (size_t i = 0; i < COUNT_OF(queries) * COUNT_OF(earlier) * 2; i++) {
    record_attention(queries[i / 2 % COUNT_OF(queries)], earlier[i / 2 / COUNT_OF(queries)], i % 2, out);
  }
}

// Two key heads; the last positions are masked from all queries but the last.
static void record_attention_gradient(size_t heads, size_t queries, size_t positions, recorder *out) {
  enum { KEY = 20, VALUE = 13, GROUPS = 2 };
  const size_t rows = GROUPS * heads * queries;
  float *query = guarded_floats(TAME, rows * KEY, queries);
  float *gradient = guarded_floats(TAME, rows * VALUE, positions);
  float *key = guarded_floats(TAME, GROUPS * KEY * positions, 3);
  float *value = guarded_floats(TAME, GROUPS * VALUE * positions, 4);
  float *mask = guarded(queries * positions * sizeof(float));
  for (size_t i = 0; i < queries * positions; i++) {
    mask[i] = i % positions < positions / 2 || i / positions + 1 == queries ? 0 : -1e9f;
  }
  float *dquery = guarded(rows * KEY * sizeof(float));
  float *dkey = guarded(GROUPS * KEY * positions * sizeof(float));
  float *dvalue = guarded(GROUPS * VALUE * positions * sizeof(float));
  const orion_attention_gradient_args args = {
      .groups = GROUPS,
      .heads = heads,
      .queries = queries,
      .positions = positions,
      .key_features = KEY,
      .value_features = VALUE,
      .scale = 0.25f,
      .query = {query, heads * KEY * queries, KEY * queries, queries, 1},
      .gradient = {gradient, heads * VALUE * queries, VALUE * queries, queries, 1},
      .key = {key, KEY * positions, 0, positions, 1},
      .value = {value, VALUE * positions, 0, positions, 1},
      .mask = mask,
      .mask_query = positions,
      .query_gradient = {dquery, heads * KEY * queries, KEY * queries, queries, 1},
      .key_gradient = {dkey, KEY * positions, 0, positions, 1},
      .value_gradient = {dvalue, VALUE * positions, 0, positions, 1},
  };
  orion_attention_gradient(&args);
  const char *shape = "%zu heads, %zu queries, %zu positions";
  record(out, FLOATS, dquery, rows * KEY, shape, heads, queries, positions);
  record(out, FLOATS, dkey, GROUPS * KEY * positions, shape, heads, queries, positions);
  record(out, FLOATS, dvalue, GROUPS * VALUE * positions, shape, heads, queries, positions);
  release_memory();
}

void case_attention_gradient(const orion_kernels *kernels, recorder *out) {
  (void)kernels;
  static const size_t queries[] = {1, 5, 49, 100}, positions[] = {1, 16, 50, 131};
  for (size_t i = 0; i < COUNT_OF(queries) * COUNT_OF(positions) * 2; i++) {
    record_attention_gradient(1 + i % 2, queries[i / 2 % COUNT_OF(queries)],
                              positions[i / 2 / COUNT_OF(queries)], out);
  }
}
