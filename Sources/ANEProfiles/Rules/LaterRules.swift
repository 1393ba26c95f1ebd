/// Restrictions that others reported beyond the paper, one row each.
extension Rule {
  static let later: [Rule] = compiling + limits + running

  /// What the device's compiler wants of the text.
  private static let compiling: [Rule] = [
    Rule(
      id: "mandatory-arguments", paperNumber: nil,
      statement: "arguments that have a default in MIL are written out",
      symptom: .compileFailure,
      remedy: "write the default value as an argument",
      chips: "all",
      evidence: "the commonest cause of bare compile failures in public reports"),
    Rule(
      id: "no-rsqrt", paperNumber: nil,
      statement: "`rsqrt` is not used",
      symptom: .compileFailure,
      remedy: "write pow(x, -0.5)",
      chips: "M4 Max, M5 Max, A17 Pro; a sweep on M5 ran it",
      evidence: "seen failing in four projects; a missing epsilon may be the cause (conjecture)"),
    Rule(
      id: "int32-compute", paperNumber: nil,
      statement: "no operation computes on or gives int32 tensors",
      symptom: .compileFailure,
      remedy: "compute in fp16, or on the host",
      chips: "M1, M4",
      evidence: "two sweeps over single-op programs"),
    Rule(
      id: "no-path", paperNumber: nil,
      statement: "only ops that the engine's compiler can place are used",
      symptom: .compileFailure,
      remedy: "rewrite it with ops that have a path, or compute it on the host",
      chips: "M1 to M5; a few ops differ by chip",
      evidence: "two sweeps over the vocabulary of MIL"),
    Rule(
      id: "fp32-io", paperNumber: nil,
      statement: "inputs and outputs of a program are fp16",
      symptom: .compileFailure,
      remedy: "declare them fp16 and convert on the host",
      chips: "refused on M1 and M2 in the in-memory path; works from M3 on",
      evidence: "seen failing on M1 Pro and M1 Max; fp16 measured 37 % faster elsewhere"),
    Rule(
      id: "dialect", paperNumber: nil,
      statement: "the text is in the dialect and opset that the chip's path wants",
      symptom: .compileFailure,
      remedy: "write the program in the profile's dialect",
      chips: "M1 and M2 want program(1.0) with ios16",
      evidence: "two projects"),
    Rule(
      id: "dynamic-conv-batch", paperNumber: nil,
      statement: "a convolution with run-time weights has batch 1",
      symptom: .compileFailure,
      remedy: "use `matmul`, or split the batch",
      chips: "M1, where it also kills the compiler service",
      evidence: "seen failing on M1"),
    Rule(
      id: "softmax-axis", paperNumber: nil,
      statement: "softmax runs over an axis whose size is a power of two",
      symptom: .compileFailure,
      remedy: "pad the axis and mask the rest",
      chips: "not named",
      evidence: "one report"),
    Rule(
      id: "wide-fan-in", paperNumber: nil,
      statement: "fewer than a dozen parallel branches meet in one operation",
      symptom: .slow,
      remedy: "join the branches in a tree",
      chips: "M1",
      evidence: "compile times up to 9 s measured"),
    Rule(
      id: "failed-compile-pacing", paperNumber: nil,
      statement: "a compile that follows a failed one waits for the service to restart",
      symptom: .slow,
      remedy: "leave about 15 s after a failure",
      chips: "M1",
      evidence: "slow compiles seen after failures"),
    Rule(
      id: "sole-identity", paperNumber: nil,
      statement: "the only output of a program is not an `identity`",
      symptom: .wrongNumbers,
      remedy: "multiply by one instead",
      chips: "M5 Max",
      evidence: "seen giving NaN, and not compiling in a sweep"),
  ]

  /// Sizes and counts.
  private static let limits: [Rule] = [
    Rule(
      id: "axis-limit", paperNumber: nil,
      statement: "width and height stay under the chip's limit",
      symptom: .compileFailure,
      remedy: "tile the tensor along that axis",
      chips: "16,384 up to M3, 65,536 from M4 on",
      evidence: "the limits of the compiler's hardware tables (decompiled), and sweeps"),
    Rule(
      id: "matmul-inner", paperNumber: nil,
      statement: "the inner size of a matrix product is at most 32,768",
      symptom: .compileFailure,
      remedy: "split the product over its inner axis and add the parts",
      chips: "M4",
      evidence: "a sweep over single-op programs on M4"),
    Rule(
      id: "rank-limit", paperNumber: nil,
      statement: "tensors have at most five axes",
      symptom: .compileFailure,
      remedy: "merge axes with `reshape`",
      chips: "all",
      evidence: "sweeps, and the compiler's own tables"),
    Rule(
      id: "blob-files", paperNumber: nil,
      statement: "a program names at most 16 weight files",
      symptom: .invalidProgram,
      remedy: "put all weights into one file",
      chips: "M4, M5 Max",
      evidence: "seen failing with more; more than 200 tensors of one file seen working"),
    Rule(
      id: "address-space", paperNumber: nil,
      statement: "loaded programs and surfaces fit into about 4 GiB for an engine",
      symptom: .evaluationError,
      remedy: "unload programs, or make them smaller",
      chips: "M3 Ultra, M5 Max",
      evidence: "code 6, status 0x20004 seen beyond it"),
    Rule(
      id: "queue-depth", paperNumber: nil,
      statement: "at most 127 requests are in flight",
      symptom: .evaluationError,
      remedy: "wait for a request before sending the next",
      chips: "several",
      evidence: "code 5 seen beyond it"),
    Rule(
      id: "width-fault", paperNumber: nil,
      statement: "no tensor is 14,593 to 14,622 wide",
      symptom: .evaluationError,
      remedy: "round the width to a multiple of 32",
      chips: "M4",
      evidence: "status 0x1d seen inside the range; 14,592 and 14,624 seen working"),
    Rule(
      id: "working-set", paperNumber: nil,
      statement: "operands of an op and the whole of a program stay in the engine's fast memory",
      symptom: .slow,
      remedy: "split the program, or tile the op",
      chips: "about 2 MB an op on M1 and 4.7 MB on M5; about 32 MB a program",
      evidence: "measured as cliffs in several projects"),
  ]

  /// How the engine treats numbers and memory.
  private static let running: [Rule] = [
    Rule(
      id: "in-out-alias", paperNumber: nil,
      statement: "one surface is not both input and output of a request",
      symptom: .evaluationError,
      remedy: "use two surfaces and swap them",
      chips: "not named",
      evidence: "code 0x9 seen on the in-memory path; works on the other one"),
    Rule(
      id: "width-slice", paperNumber: nil,
      statement: "a slice of the last axis that starts past 0 holds no magnitudes above 4094",
      symptom: .wrongNumbers,
      remedy: "slice another axis, or scale the values first",
      chips: "M1, M2; exact from M4 on",
      evidence: "measured: values pass through a factor of 16 and become infinite"),
    Rule(
      id: "mac-saturation", paperNumber: nil,
      statement: "results of matmul and conv stay under 32,768 in magnitude",
      symptom: .wrongNumbers,
      remedy: "scale the operands",
      chips: "six chips from M1 to M5",
      evidence: "32,752 seen passing, 32,768 seen becoming infinite"),
    Rule(
      id: "no-nan", paperNumber: nil,
      statement: "programs do not rely on NaN",
      symptom: .wrongNumbers,
      remedy: "look for infinities instead",
      chips: "M1",
      evidence: "measured: NaN enters as +inf, and indeterminate results are +0"),
    Rule(
      id: "finite-mask", paperNumber: nil,
      statement: "masks are finite",
      symptom: .wrongNumbers,
      remedy: "use a large finite value such as -1e4",
      chips: "several",
      evidence: "wrong attention seen with infinite masks in several projects"),
  ]
}
