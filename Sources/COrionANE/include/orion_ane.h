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

#define ORION_ABI_VERSION 2

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

// ---- devices ----

typedef struct {
  uint32_t struct_size;        // sizeof(orion_device_options)
  uint32_t trace;              // 1: record the calls of the private framework
  const char *cache_directory; // NULL: $ORION_CACHE, else ~/.cache/orion
  uint64_t fail_call;          // n: the n-th call of the framework fails (counted from 1); 0: none
  uint32_t threads;            // 0: one per core
  uint32_t reserved;
} orion_device_options;

// `name`: "cpu", "sim", "sim:PROFILE", "ane", "auto". `options` may be NULL.
orion_status orion_device_open(const char *name, const orion_device_options *options,
                               orion_handle *device);
orion_status orion_device_close(orion_handle device);
// {name, kind, profile, route, reason}.
orion_status orion_device_json(orion_handle device, char **json);
// {compiles, cache_hits, loads, unloads, evals, loaded_programs, virtual_s} since the device was opened.
orion_status orion_device_counters(orion_handle device, char **json);
// The recorded calls, one a line, in order, and forgets them.
orion_status orion_device_trace(orion_handle device, char **text);

// ---- tensors ----

enum { ORION_FP16 = 1, ORION_FP32 = 2, ORION_INT32 = 3, ORION_INT8 = 4, ORION_UINT8 = 5, ORION_INT16 = 6,
       ORION_UINT16 = 7, ORION_BOOL = 8 };

// Device memory of `rank` (1 to 5) axes, zeroed. The last axis is dense; rows are aligned as the device wants.
orion_status orion_tensor_create(orion_handle device, int32_t dtype, uint32_t rank,
                                 const int64_t *shape, orion_handle *tensor);
orion_status orion_tensor_free(orion_handle tensor);
// Gives the host the memory until unlock: address, and stride in bytes of each of the tensor's axes
// (`strides` holds `rank` values).
orion_status orion_tensor_lock(orion_handle tensor, uint32_t rank, void **address,
                               int64_t *strides);
orion_status orion_tensor_unlock(orion_handle tensor);

// ---- programs ----

// Compiles `function` of a MIL text; `weights` is the file that the text calls @model_path/weights.bin, or NULL.
orion_status orion_program_compile(orion_handle device, const char *mil, size_t mil_bytes,
                                   const char *weights, const char *function,
                                   orion_handle *program);
orion_status orion_program_free(orion_handle program);
// {inputs: [{name, dtype, shape}], outputs: [...]} in the order evaluate takes them (declared order).
orion_status orion_program_json(orion_handle program, char **json);
orion_status orion_program_evaluate(orion_handle program, uint32_t input_count,
                                    const orion_handle *inputs, uint32_t output_count,
                                    const orion_handle *outputs);

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

// ---- caches ----

// [{kind, path, bytes, files}] of a cache directory (NULL: the default one).
orion_status orion_cache_json(const char *cache_directory, char **json);
// SHA-256 of a file in hexadecimal.
orion_status orion_file_sha256(const char *path, char **digest);

#ifdef __cplusplus
}
#endif
#endif
