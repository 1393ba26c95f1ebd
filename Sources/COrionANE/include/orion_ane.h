// Orion's C interface: devices, tensors, programs, sessions and their sequences behind handles.
//
// Every function returns a status and writes its results through the last parameters; when it fails they
// are left as they were, and orion_last_error says, for the calling thread, what was expected, what came
// and what to do. Wrong handles, sizes, nulls and alignments are errors, never crashes; the bytes behind
// a data pointer are the caller's word. Text is UTF-8; a text result is freed with orion_text_free.
//
// Threads: functions on different handles may run at once. Functions on one session, whichever its sequence,
// or on one locked tensor must not overlap; the exceptions are orion_session_cancel, orion_session_json and
// opening, closing and counting sequences. Devices and programs may be shared.
#ifndef ORION_ANE_H
#define ORION_ANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ORION_ABI_VERSION 3

typedef int32_t orion_status;
enum {
  ORION_OK = 0,
  ORION_ERROR_ARGUMENT = 1,   // a value that no call would take
  ORION_ERROR_HANDLE = 2,     // null, stale, or of another kind
  ORION_ERROR_PROGRAM = 3,    // MIL text or weights that do not form a program
  ORION_ERROR_DEVICE = 4,     // the device refused or failed
  ORION_ERROR_FILE = 5,       // missing, unreadable, damaged, unwritable
  ORION_ERROR_CONTEXT = 6,    // more tokens than the context holds
  ORION_ERROR_CANCELLED = 7,
  ORION_ERROR_INTERNAL = 8,
};

// Index and generation in a table; 0 is never valid.
typedef uint64_t orion_handle;

uint32_t orion_abi_version(void);
// Message of the calling thread's last failure; "" before the first. Valid until its next call.
const char *orion_last_error(void);
void orion_text_free(char *text);

// ---- profiles ----

// A JSON object with every field of the profile; `name` as "m4-macos15" or "cpu".
orion_status orion_profile_json(const char *name, char **json);
// A JSON array of names.
orion_status orion_profile_names(char **json);

// ---- diagnosis of MIL text ----

// What is wrong with a MIL text, as a JSON array in order of place, empty when nothing is: [{line, column, end_line,
// end_column, rule, severity, message, chips, evidence, fix, profile}]. Lines and columns count from 1, columns in
// bytes; faults that have no place are at line 1, column 1. severity: "error", "warning" or "note". profile: null
// for faults of MIL's own, which are told once. fix: {title, edits: [{offset, end_offset, text}]} in bytes, or null.
// `mil_bytes` may be 0, and the text need not be UTF-8. `model_directory`: where the text finds its weight files;
// NULL leaves them closed. `profiles`: names with commas between; NULL: every profile but cpu.
orion_status orion_check(const char *mil, size_t mil_bytes, const char *model_directory,
                         const char *profiles, char **json);
// Makes the fixes that orion_check tells of, until none is left: {text, outcomes: [{rule, line, title, obstacle}]}.
// obstacle: why a fix was not made, or null. Comments stay.
orion_status orion_fix(const char *mil, size_t mil_bytes, const char *model_directory,
                       const char *profiles, char **json);

// What the functions of a MIL text take on chips, predicted from the text alone, for each of `profiles` (NULL: every
// one but cpu): [{profile, compile_seconds, functions: [{name, seconds, dispatch_seconds, products_seconds,
// memory_seconds, passes_seconds, joules, bound, input_bytes, output_bytes, weight_bytes, ops: [{op, name, line, kind,
// amount, result_bytes, width, largest_bytes}]}]}]. seconds = dispatch + max(products, memory) + passes; bound:
// "dispatch", "bandwidth" or "compute". kind and amount: matmul and conv (operations), softmax and norm (elements),
// pass (bytes), free. A text that is not well formed is ORION_ERROR_PROGRAM, with all its faults.
orion_status orion_estimate(const char *mil, size_t mil_bytes, const char *model_directory,
                            const char *profiles, char **json);

// Whether a MIL text still fails in the way that is looked into: 1 yes, 0 no, negative: end the search.
typedef int32_t (*orion_judge)(void *context, const char *mil, size_t mil_bytes);
// Makes a failing MIL text as small as it can while `judge`, called on this thread with well-formed texts alone when
// the first one was, says that it fails.
orion_status orion_shrink(const char *mil, size_t mil_bytes, orion_judge judge, void *context,
                          char **smaller);
// The text with the intermediate results of `function` among its outputs, behind its own: {text, results: [{name, op,
// line}]}, results in the order in which the program computes them. `names`: which, with commas between; NULL: all
// that a tensor can hold.
orion_status orion_expose(const char *mil, size_t mil_bytes, const char *function,
                          const char *names, char **json);

// ---- devices ----

// DEFAULT: $ORION_ANE_ROUTE (client or memory), else CLIENT.
enum { ORION_ROUTE_DEFAULT = 0, ORION_ROUTE_CLIENT = 1, ORION_ROUTE_MEMORY = 2 };

typedef struct {
  uint32_t struct_size;        // sizeof(orion_device_options)
  uint32_t trace;              // 1: record the calls of the private framework
  const char *cache_directory; // NULL: $ORION_CACHE, else ~/.cache/orion
  uint64_t fail_call;          // n: the n-th call of the framework fails (counted from 1); 0: none
  uint32_t threads;            // 0: one per core
  uint32_t route;              // how programs reach a Neural Engine: one of the numbers above
} orion_device_options;

// `name`: "cpu", "cpu:PROFILE" (the host with that profile's arithmetic and none of its rules), "sim",
// "sim:PROFILE", "ane", "auto". Behind a name of cpu and sim, "+fp32" rounds nothing below fp32, whatever types a program
// declares. `options` may be NULL.
orion_status orion_device_open(const char *name, const orion_device_options *options,
                               orion_handle *device);
orion_status orion_device_close(orion_handle device);
// {name, kind, profile, route, reason}.
orion_status orion_device_json(orion_handle device, char **json);
// {compiles, cache_hits, loads, unloads, evals, loaded_programs, virtual_s} since the device was opened.
orion_status orion_device_counters(orion_handle device, char **json);
// What goes wrong on a simulated device from now on (docs/simulator.md has the form); counts start over. NULL or "":
// nothing. A device that is opened follows $ORION_SIM_FAULTS.
orion_status orion_device_faults(orion_handle device, const char *plan);
// The recorded calls, one a line, in order, and forgets them.
orion_status orion_device_trace(orion_handle device, char **text);
// What a small program shows of the device where success of the calls does not tell. `name` "reload": compiles a
// program, writes other weights into its file, reloads and evaluates it: {"reload": "effective"}, or "stale" when
// it still computes with the old ones.
orion_status orion_device_canary(orion_handle device, const char *name, char **json);
// What this machine has for programs: {device, machine, framework: {name, classes, messages, device} or {reason},
// routes, caches, canaries, probes, notes, passed}. Messages are held against the types that are known of them.
// `probes` 1: also asks the engine what is not known of every chip; that takes seconds. `name` and `options` as for
// orion_device_open.
orion_status orion_doctor_json(const char *name, const orion_device_options *options,
                               uint32_t probes, char **json);

// ---- tensors ----

enum { ORION_FP16 = 1, ORION_FP32 = 2, ORION_INT32 = 3, ORION_INT8 = 4, ORION_UINT8 = 5, ORION_INT16 = 6,
       ORION_UINT16 = 7, ORION_BOOL = 8 };

// Device memory of `rank` (0 to 5) axes, zeroed; without axes one element. The last axis is dense; rows are aligned as the device wants.
orion_status orion_tensor_create(orion_handle device, int32_t dtype, uint32_t rank,
                                 const int64_t *shape, orion_handle *tensor);
orion_status orion_tensor_free(orion_handle tensor);
// Gives the host the memory until unlock: address, and stride in bytes of each of the tensor's axes
// (`strides` holds `rank` values).
orion_status orion_tensor_lock(orion_handle tensor, uint32_t rank, void **address,
                               int64_t *strides);
orion_status orion_tensor_unlock(orion_handle tensor);

// ---- programs ----

// A MIL text in which inputs of `function` have the shapes that `shapes` gives, a JSON object as {"x": [1, 4]}, and
// all results the types that follow from them: for texts that leave sizes open (`?`).
orion_status orion_mil_bind(const char *mil, size_t mil_bytes, const char *function,
                            const char *shapes, char **text);

// Compiles `function` of a MIL text; `weights` is the file that the text names after @model_path/, or the
// directory that holds all the files it names, or NULL.
orion_status orion_program_compile(orion_handle device, const char *mil, size_t mil_bytes,
                                   const char *weights, const char *function,
                                   orion_handle *program);
// The same for a program with a copy of the weight file of its own, which orion_program_weights_lock opens for
// writing. Nothing of it is cached, and it goes when the program does.
orion_status orion_program_compile_patchable(orion_handle device, const char *mil,
                                             size_t mil_bytes, const char *weights,
                                             const char *function, orion_handle *program);
// Gives the host the bytes of a patchable program's weight file until unlock; writing changes the file in place
// (sizes and the records' heads must stay). The address is valid until unlock.
orion_status orion_program_weights_lock(orion_handle program, void **address, size_t *bytes);
orion_status orion_program_weights_unlock(orion_handle program);
// Unloads and loads a patchable program; nothing is compiled. Whether it then computes with the weights that its
// file holds now is the device's nature: orion_device_canary "reload" finds out.
orion_status orion_program_reload(orion_handle program);
orion_status orion_program_free(orion_handle program);
// {inputs: [{name, dtype, shape}], outputs: [...], states: [...], loops} in the order evaluate takes them
// (declared order); `loops`: the program holds a loop, so that an evaluation may last.
orion_status orion_program_json(orion_handle program, char **json);
orion_status orion_program_evaluate(orion_handle program, uint32_t input_count,
                                    const orion_handle *inputs, uint32_t output_count,
                                    const orion_handle *outputs);
// Makes evaluations that run on the program now return ORION_ERROR_CANCELLED soon. From any thread. Programs
// on ane and sim have no loops; they end by themselves.
orion_status orion_program_cancel(orion_handle program);
// A state is what a program keeps between evaluations: zeros when it was compiled, then what the last evaluation
// wrote. Evaluations of a program with states wait for each other; programs share no states. These copy one, by its
// place among `states`, to and from a tensor of its dtype and shape, or fill all with zeros.
orion_status orion_program_state_read(orion_handle program, uint32_t state, orion_handle tensor);
orion_status orion_program_state_write(orion_handle program, uint32_t state, orion_handle tensor);
orion_status orion_program_states_reset(orion_handle program);

// ---- sessions ----

typedef struct {
  uint32_t struct_size;        // sizeof(orion_sampling)
  float temperature;           // 0: greedy
  uint32_t top_k;              // 0: all
  float top_p;                 // 1: all
  float min_p;                 // 0: all
  float repetition_penalty;    // 1: none
  uint64_t seed;
} orion_sampling;

typedef struct {
  uint32_t struct_size;        // sizeof(orion_speculation)
  uint32_t draft_max;          // 0: off; at most 1024
  uint32_t ngram_max;          // the longest run of last tokens that is looked for, 1 to 64
  uint32_t ngram_min;          // the shortest, 1 to ngram_max
} orion_speculation;

// Opens a bundle directory. A session has no sequence at first.
orion_status orion_session_open(orion_handle device, const char *bundle, orion_handle *session);
// Closes its sequences too.
orion_status orion_session_close(orion_handle session);
// The facts of the manifest: {format, profile, vocabulary, context, end_tokens, slots, ...}. `slots`: how many
// tokens all sequences together can hold.
orion_status orion_session_json(orion_handle session, char **json);

// A text of the session: its tokens, and how the next ones are drawn (at first: greedy, without guesses).
orion_status orion_sequence_open(orion_handle session, orion_handle *sequence);
orion_status orion_sequence_close(orion_handle session, orion_handle sequence);
// Forgets all positions.
orion_status orion_sequence_reset(orion_handle session, orion_handle sequence);
// Keeps the first `length` tokens and forgets the others; the random sequence goes on where it is.
orion_status orion_sequence_truncate(orion_handle session, orion_handle sequence, size_t length);
// Sets how the next tokens are drawn, and starts the random sequence over.
orion_status orion_sequence_sampling(orion_handle session, orion_handle sequence,
                                     const orion_sampling *sampling);
// Sets how many tokens are guessed from what the sequence held before and checked in one step. The tokens that
// come out are the same, drawn with the same random numbers.
orion_status orion_sequence_speculation(orion_handle session, orion_handle sequence,
                                        const orion_speculation *speculation);
// {steps, drafted, accepted, tokens} decoded since the sequence was opened, {length} of it now.
orion_status orion_sequence_counters(orion_handle session, orion_handle sequence, char **json);

// Appends tokens to a sequence. `logits`, when not NULL, receives `logit_rows` x vocabulary fp32 values: rows for
// the last `logit_rows` of these tokens.
orion_status orion_session_feed(orion_handle session, orion_handle sequence, const int32_t *tokens,
                                size_t count, float *logits, size_t logit_rows);
// Appends tokens to `sequence_count` different sequences: counts[i] to sequences[i], all of them one after the
// other in `tokens`. A step of the device reads tokens of as many sequences as it has room for.
orion_status orion_session_feed_batch(orion_handle session, size_t sequence_count,
                                      const orion_handle *sequences, const size_t *counts,
                                      const int32_t *tokens);
// Draws up to `capacity` tokens after what was fed; stops early after an end token (which is written) or when the
// context, or the session's slots, are full. `count`: how many were written; `finished`: 0 capacity, 1 end
// token, 2 context full.
orion_status orion_session_generate(orion_handle session, orion_handle sequence, size_t capacity,
                                    int32_t *tokens, size_t *count, uint32_t *finished);
// The same for `sequence_count` different sequences, a step for all of them: `tokens` has room for
// sequence_count x capacity ids, row by row; `counts` and `finished` for one value each.
orion_status orion_session_generate_batch(orion_handle session, size_t sequence_count,
                                          const orion_handle *sequences, size_t capacity,
                                          int32_t *tokens, size_t *counts, uint32_t *finished);
// Makes a running feed or generate return ORION_ERROR_CANCELLED soon. From any thread.
orion_status orion_session_cancel(orion_handle session);

// ---- adapters ----

// Reads a low-rank adapter in PEFT's form (adapter_config.json, adapter_model.safetensors) from a directory and
// keeps it under `name` (which no open one has). The bundle must have been compiled with room for adapters;
// orion_session_json says for which layers and up to which rank. Nothing is compiled.
orion_status orion_adapter_open(orion_handle session, const char *name, const char *directory);
// Forgets the name; sequences that the adapter reads keep it until they change or end.
orion_status orion_adapter_close(orion_handle session, const char *name);
// What the sequence, which must be empty, is read with: an open adapter, or NULL for the model alone.
orion_status orion_sequence_adapter(orion_handle session, orion_handle sequence, const char *name);

// ---- kernels ----

// The host's share of a training step, on plain memory, by the engine's threads; fp32 unless said. Sums never
// depend on the number of threads. Memory that is written overlaps nothing else that a call names, but for
// gradients that take the logits' place.

// Rows of dense values. Legend: V vocabulary, C channels, S columns (tokens).
typedef struct {
  void *values;
  size_t rows;
  size_t columns;
  size_t row_bytes;            // from a row to the next; a multiple of the value's size
  int32_t dtype;               // ORION_FP16 or ORION_FP32
  uint32_t reserved;           // 0
} orion_kernel_matrix;

typedef struct {
  uint32_t struct_size;        // sizeof(orion_adamw_options)
  float gradient_scale;        // every gradient is multiplied by it first
  double learning_rate;
  double beta1;                // from 0 to below 1
  double beta2;
  double epsilon;
  double weight_decay;
  uint64_t step;               // 1 for the first
} orion_adamw_options;

// A step of AdamW as PyTorch defines it, over `count` values each, in one pass over memory. `copy`, when not NULL,
// receives the new weights as fp16; finite ones from 65520 on become 65504 with their sign. `overflows`: how many
// of the copy fp16 cannot hold. A gradient that is not finite makes its weight so too: look before.
orion_status orion_kernel_adamw(const orion_adamw_options *options, size_t count, float *weights,
                                const float *gradient, float *first_moment, float *second_moment,
                                const orion_kernel_matrix *copy, size_t *overflows);
// In double; finite exactly when all values are.
orion_status orion_kernel_sum_of_squares(const float *values, size_t count, double *sum);
// target = target + scale * source; with `fresh` target = scale * source. `count`: values of both. `finite`: whether
// all results are.
orion_status orion_kernel_accumulate(const orion_kernel_matrix *source, float scale, bool fresh,
                                     float *target, size_t count, bool *finite);
// Copies a matrix into one of the same shape. To fp16, finite values from 65520 on become 65504 with their sign;
// infinities and NaNs stay. `overflows`: how many values of both kinds an fp16 target was given.
orion_status orion_kernel_convert(const orion_kernel_matrix *source,
                                  const orion_kernel_matrix *target, size_t *overflows);
// `logits`: one or several [rows, S], which make up the vocabulary one after the other. `targets`: `columns` = S ids
// from 0 to V - 1, or -1 for a column that counts for nothing. `gradients`, when not NULL: as many matrices of the
// same shapes, which receive scale * (softmax - 1 at the target), 0 where the target is -1; each is the logits'
// matrix itself or apart from all logits. `loss`: sum over the columns of the negative logarithm of the target's
// probability; `counted`: columns that counted. A NaN or +infinity among a column's logits makes its loss and
// gradient NaN; fp16 gradients that are too large become infinite.
orion_status orion_kernel_cross_entropy(size_t logits_count, const orion_kernel_matrix *logits,
                                        const orion_kernel_matrix *gradients, size_t columns,
                                        const int32_t *targets, float scale, double *loss,
                                        size_t *counted);
// out[c][s] = table[tokens[s]][c]: `table` [V, C] fp32, `out` [C, S].
orion_status orion_kernel_embedding_gather(const orion_kernel_matrix *table, size_t token_count,
                                           const int32_t *tokens, const orion_kernel_matrix *out);
// table[tokens[s]][c] += scale * gradient[c][s], in the order of the tokens: `gradient` [C, S], `table` [V, C] fp32.
// `finite`: whether all results are.
orion_status orion_kernel_embedding_scatter_add(const orion_kernel_matrix *gradient,
                                                size_t token_count, const int32_t *tokens,
                                                float scale, const orion_kernel_matrix *table,
                                                bool *finite);
// What the machine can do at most, measured in about a second with 256 MB:
// {threads, kernels, multiply_add_gflops, read_gb_s, copy_gb_s}; copies count bytes read and bytes written.
orion_status orion_kernel_limits(char **json);

// ---- caches ----

// [{kind, path, bytes, files}] of a cache directory (NULL: the default one).
orion_status orion_cache_json(const char *cache_directory, char **json);
// SHA-256 of a file in hexadecimal.
orion_status orion_file_sha256(const char *path, char **digest);

#ifdef __cplusplus
}
#endif
#endif
