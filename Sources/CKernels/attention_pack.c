// Keys and values as operands of products: where they are, or packed into panels when many tasks
// use them. It knows nothing of queries.
#include "attention.h"

enum { PACKED_BYTES_MAX = 64 << 20 };

// Values of a group's panels.
static size_t panel_values(size_t channels, size_t terms) {
  return orion_ceil_div(channels, PANEL) * PANEL * terms;
}

static orion_product strided(const float *start, size_t channels, size_t channel_step, size_t terms,
                             size_t term_step) {
  return (orion_product){
      .kind = WEIGHTS_STRIDED,
      .weights = start,
      .channels = channels,
      .channel_step = channel_step,
      .terms = terms,
      .term_step = term_step,
  };
}

static orion_product in_panels(orion_product product, const float *panels, size_t group) {
  if (panels == NULL) return product;
  product.kind = WEIGHTS_PANELS_F32;
  product.weights = panels + group * panel_values(product.channels, product.terms);
  return product;
}

orion_product orion_attention_keys(const orion_attention_job *job, size_t segment, size_t group) {
  const orion_segment *from = &job->args->segments[segment];
  const orion_product product =
      strided(from->key + group * from->key_group, from->length, from->key_position,
              job->args->key_features, from->key_feature);
  return in_panels(product, job->keys[segment], group);
}

orion_product orion_attention_values(const orion_attention_job *job, size_t segment, size_t group) {
  const orion_segment *from = &job->args->segments[segment];
  const orion_product product =
      strided(from->value + group * from->value_group, job->args->value_features,
              from->value_feature, from->length, from->value_position);
  return in_panels(product, job->values[segment], group);
}

static void pack_panels(const orion_kernels *kernels, orion_product from, float *panels,
                        size_t group) {
  const float *source = from.weights;
  float *target = panels + group * panel_values(from.channels, from.terms);
  kernels->pack(source, from.channel_step, from.term_step, from.channels, from.terms, target,
                from.terms * PANEL);
}

static void pack_task(void *context, size_t index) {
  const orion_attention_job *packed = context;
  const size_t segment = index / packed->args->groups, group = index % packed->args->groups;
  orion_attention_job original = *packed;
  original.keys[segment] = original.values[segment] = NULL;
  pack_panels(packed->kernels, orion_attention_keys(&original, segment, group),
              packed->keys[segment], group);
  pack_panels(packed->kernels, orion_attention_values(&original, segment, group),
              packed->values[segment], group);
}

void orion_attention_pack(orion_attention_job *job) {
  const orion_attention_args *args = job->args;
  size_t total = 0;
  for (size_t i = 0; i < args->segment_count; i++) {
    const size_t length = args->segments[i].length;
    total += args->groups * panel_values(length, args->key_features);
    total += args->groups * panel_values(args->value_features, length);
  }
  if (total > PACKED_BYTES_MAX / sizeof(float)) return;
  float *next = orion_scratch(SCRATCH_PACKED, total * sizeof(float));
  for (size_t i = 0; i < args->segment_count; i++) {
    const size_t length = args->segments[i].length;
    job->keys[i] = next;
    next += args->groups * panel_values(length, args->key_features);
    job->values[i] = next;
    next += args->groups * panel_values(args->value_features, length);
  }
  orion_run_tasks(args->segment_count * args->groups, total / 2, pack_task, job);
}
