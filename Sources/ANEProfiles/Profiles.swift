/// The profiles, one row each, and the look-ups by name.
extension Profile {
  public static let all: [Profile] = [m4macOS15, cpu]
  /// The profile that `sim` means when none is named.
  public static let standard = m4macOS15

  /// The profile called `name`, or `nil`.
  public static func named(_ name: String) -> Profile? { all.first { $0.name == name } }

  public static let m4macOS15 = Profile(
    name: "m4-macos15", chip: "M4", os: "macOS 15", osBuild: "24F74", architecture: "h16g",
    dialect: Dialect(program: "1.3", opset: "ios18"),
    limits: Limits(
      axisWidthMax: 65_536, axisChannelsMax: 65_536, matmulInnerMax: 32_768, rankMax: 5,
      widthMin: 32, widthMultiple: 32, rowAlignmentBytes: 64, loadedProgramsMax: 127,
      addressSpaceBytes: 4 << 30, queueDepthMax: 127, weightFilesMax: 16, takesFloat32IO: true),
    arithmetic: Arithmetic(storage: .fp16, macOverflowsAt: 32_768, hidesNaN: false),
    cost: Cost(
      dispatchSeconds: 95e-6, compileSeconds: 25e-3, loadSeconds: 2e-3, unloadSeconds: 0.5e-3,
      matmulFlops: 5.4e12, convFlops: 9.5e12, weightBytes: 80e9,
      source: "M4: dispatch and compile by maderix and dev-erik, rates by ANEForge 0.4.0;"
        + " load and weight stream interpolated"),
    refusedOps: RefusedOps.directPath,
    preferences: Preferences(
      emitsConcat: false, emitsRsqrt: false, scalesNorms: true, activation: "fp16",
      decodeColumns: 32, speculationColumns: 32, promptBuckets: [32, 64, 128, 256, 512, 1024],
      cacheBuckets: [128, 256, 512, 1024, 2048, 4096]),
    rules: RuleLists.m4macOS15)

  public static let cpu = Profile(
    name: "cpu", chip: "host", os: "any", osBuild: "any", architecture: "host",
    dialect: Dialect(program: "1.3", opset: "ios18"),
    limits: Limits(
      axisWidthMax: 1 << 30, axisChannelsMax: 1 << 30, matmulInnerMax: 1 << 30, rankMax: 8,
      widthMin: 1, widthMultiple: 1, rowAlignmentBytes: 1, loadedProgramsMax: 1 << 20,
      addressSpaceBytes: 1 << 46, queueDepthMax: 1 << 20, weightFilesMax: 1 << 20,
      takesFloat32IO: true),
    arithmetic: .ieee,
    cost: Cost(
      dispatchSeconds: 0, compileSeconds: 0, loadSeconds: 0, unloadSeconds: 0,
      matmulFlops: 1.5e11, convFlops: 1.5e11, weightBytes: 30e9,
      source: "two cores of AMD Zen 3, measured"),
    refusedOps: [],
    preferences: Preferences(
      emitsConcat: true, emitsRsqrt: true, scalesNorms: false, activation: "fp32",
      decodeColumns: 1, speculationColumns: 8, promptBuckets: [32, 64, 128, 256, 512, 1024],
      cacheBuckets: [128, 256, 512, 1024, 2048, 4096]),
    rules: [])
}

/// Ops without a way onto the device, by the two sweeps of the MIL vocabulary that were published.
enum RefusedOps {
  static let directPath: [RefusedOp] =
    [
      "acos", "asin", "atanh", "band_part", "cosh", "crop_resize", "cumsum", "gather",
      "gather_along_axis", "gather_nd", "gru", "logical_and", "logical_or", "logical_xor", "lstm",
      "mod", "non_zero", "one_hot", "random_bernoulli", "random_categorical", "random_normal",
      "random_uniform", "reduce_argmax", "reduce_argmin", "reduce_prod", "reverse_sequence", "rnn",
      "scatter", "scatter_along_axis", "scatter_nd", "shape", "sinh", "slice_update",
      "sliding_windows", "tan", "argsort", "classify", "cond", "conv_quantized", "identity",
      "list_gather", "list_length", "list_read", "list_scatter", "list_write", "make_list",
      "read_state", "write_state", "reshape_like", "while_loop",
    ].map { RefusedOp(op: $0, rule: "no-path") }
    + [RefusedOp(op: "rsqrt", rule: "no-rsqrt")]
}
