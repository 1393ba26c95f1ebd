/// The twenty restrictions of the paper, one row each, with what others found since.
extension Rule {
  static let paper: [Rule] = [
    Rule(
      id: "concat-arguments", paperNumber: 1,
      statement: "`concat` takes `axis` and `interleave`, both as named constants",
      symptom: .compileFailure,
      remedy: "define both with `const` and pass their names, or avoid `concat`",
      chips:
        "seen on M4 Max with macOS 15; reports of plain refusal on M3 Ultra, M5 Max and A17 Pro",
      basis: [.working, .failing, .conjecture],
      evidence: "seen failing with an inline axis and no interleave; seen working in five projects"
        + " in the full form; a width that is no multiple of 32 may explain the other reports"
        + " (conjecture)"),
    Rule(
      id: "uniform-outputs", paperNumber: 2,
      statement: "a surface has the byte size that the loaded model states: channels x row stride",
      symptom: .evaluationError,
      remedy: "size every output surface from the loaded model's attributes",
      chips: "all; the paper's reading (one size for all outputs) on M4 Max with macOS 15",
      basis: [.working, .failing],
      evidence: "unequal sizes seen working when each came from the attributes; status 0x1d else"),
    Rule(
      id: "output-order", paperNumber: 3,
      statement: "outputs are bound by symbol index, not in the order of the return tuple",
      symptom: .wrongNumbers,
      remedy: "take the indices from the loaded model's attributes",
      chips: "all",
      basis: [.working, .failing],
      evidence: "the attributes list symbols sorted by name, which looks like alphabetical binding"),
    Rule(
      id: "minimum-surface", paperNumber: 4,
      statement: "the last axis of inputs and outputs is at least 32 and a multiple of 32",
      symptom: .evaluationError,
      remedy: "pad the last axis to a multiple of 32, better of 64",
      chips: "M1 to M5; what happens below differs by chip",
      basis: [.working, .failing],
      evidence: "widths under 32 seen giving zeros, code 0x9 or status 0x1d; surfaces of 8 KB seen"
        + " working, so the paper's 49 KB is not the cause; multiples of 64 measured faster"),
    Rule(
      id: "program-limit", paperNumber: 5,
      statement: "only so many programs are loaded at once",
      symptom: .evaluationError,
      remedy: "unload the least recently used program before loading another",
      chips: "127 on M5 Max, 128 on M1 and M5, about 120 on others, 239 on A17 Pro",
      basis: [.failing],
      evidence:
        "code 6, status 0x50004 seen at the limit; unloading frees a place. The paper counts"
        + " 119 compiles in a process instead"),
    Rule(
      id: "sdpa-mask", paperNumber: 6,
      statement: "`scaled_dot_product_attention` has no `attn_mask`",
      symptom: .wrongNumbers,
      remedy: "write attention out as matmul, add and softmax",
      chips: "M4 Max and others",
      basis: [.working, .failing],
      evidence: "three projects saw the mask ignored; one saw it honoured for short sequences"),
    Rule(
      id: "weights-baked", paperNumber: 7,
      statement: "weights are those of the time of compiling",
      symptom: .wrongNumbers,
      remedy: "pass weights as inputs, or compile anew under another key",
      chips: "all",
      basis: [.failing, .decompiled],
      evidence: "a load is answered from the daemon's cache under the hash of text and weights"),
    Rule(
      id: "blob-offset", paperNumber: 8,
      statement: "a blob offset names the 64-byte record before the data; the first is at 64",
      symptom: .wrongNumbers,
      remedy: "give the offset that the writer of the file returned",
      chips: "all",
      basis: [.working, .failing],
      evidence: "the file format's published reader and writer; matches every file looked at"),
    Rule(
      id: "mil-text-type", paperNumber: 9,
      statement: "MIL text goes to the framework as data, not as a string",
      symptom: .crash,
      remedy: "none needed; the runtime passes data",
      chips: "all",
      basis: [.failing],
      evidence: "seen failing with a string object by several projects"),
    Rule(
      id: "gelu", paperNumber: 10,
      statement: "`gelu` takes `mode`",
      symptom: .compileFailure,
      remedy: "give `mode`, or write the tanh form out",
      chips: "M4 Max with macOS 15; reports differ by chip",
      basis: [.working, .failing],
      evidence: "seen working with a mode in two projects; seen failing without"),
    Rule(
      id: "weights-dictionary", paperNumber: 11,
      statement: "a program without weights carries an empty dictionary, not nil",
      symptom: .crash,
      remedy: "none needed; the runtime builds the dictionary",
      chips: "all",
      basis: [.failing, .decompiled],
      evidence: "the descriptor is nil for nil weights; only the first entry of an inner dictionary"
        + " is hashed and saved (decompiled)"),
    Rule(
      id: "named-constants", paperNumber: 12,
      statement: "bool arguments are named constants",
      symptom: .compileFailure,
      remedy: "define the flag with `const` and pass its name",
      chips: "M4 Max with macOS 15",
      basis: [.working, .failing],
      evidence: "inline flags seen refused on the direct path; Apple's own compiler writes them"
        + " in dialect 1.3"),
    Rule(
      id: "conv-bias", paperNumber: 13,
      statement: "`conv` has no `bias`",
      symptom: .compileFailure,
      remedy: "add the bias with `add` after the convolution",
      chips: "M4 Max with macOS 15",
      basis: [.working, .failing],
      evidence: "refused on the direct path by the paper; accepted through Core ML"),
    Rule(
      id: "live-outputs", paperNumber: 14,
      statement: "every returned value is the result of an operation",
      symptom: .invalidProgram,
      remedy: "return what an operation gives; multiply by one where a copy is wanted",
      chips: "all",
      basis: [.failing],
      evidence: "seen failing in the paper and elsewhere"),
    Rule(
      id: "restart-cost", paperNumber: 15,
      statement: "replacing the process to reset its compile count costs about 50 ms",
      symptom: .slow,
      remedy: "none needed; programs are unloaded instead",
      chips: "M4 Max with macOS 15",
      basis: [.measured],
      evidence: "measured in the paper; needless since the limit is on loaded programs"),
    Rule(
      id: "wide-channels", paperNumber: 16,
      statement: "the channel axis stays under the chip's limit",
      symptom: .compileFailure,
      remedy: "tile the layer over its channels",
      chips: "65,536 on all; M4 Max refused a convolution of 32,000",
      basis: [.working, .failing],
      evidence: "62,080 output channels seen working and 124,160 failing on M5 Max; 32,000 input"
        + " channels seen failing once and working elsewhere"),
    Rule(
      id: "conv-over-matmul", paperNumber: 17,
      statement: "a 1x1 convolution is usually faster than the same matmul",
      symptom: .slow,
      remedy: "emit linear layers as 1x1 convolutions where the cost model says so",
      chips: "M1 to M5",
      basis: [.measured],
      evidence: "measured 1.4 to 2.8 times as fast, once 0.41; the paper says about 3"),
    Rule(
      id: "uniform-inputs", paperNumber: 18,
      statement: "an input surface has the byte size that the loaded model states",
      symptom: .evaluationError,
      remedy: "size every input surface from the loaded model's attributes",
      chips: "all; the paper's reading (one size for all inputs) on M4 Max with macOS 15",
      basis: [.working, .failing],
      evidence: "as for uniform-outputs"),
    Rule(
      id: "input-order", paperNumber: 19,
      statement: "inputs are bound by symbol index, not in declared order",
      symptom: .wrongNumbers,
      remedy: "take the indices from the loaded model's attributes",
      chips: "all",
      basis: [.working, .failing],
      evidence: "as for output-order"),
    Rule(
      id: "packed-read", paperNumber: 20,
      statement: "rows of a surface lie at the stride that the loaded model states",
      symptom: .wrongNumbers,
      remedy: "write tensors through a view that knows the stride",
      chips: "all",
      basis: [.failing],
      evidence: "seen as packed reads of oversized surfaces; the row stride explains them"),
  ]
}
