/// Ops without a way onto the device, by the two sweeps of the MIL vocabulary that were published.
enum RefusedOps {
  /// Refused on every chip.
  static let sweep: [RefusedOp] = noPath(
    "acos", "asin", "atanh", "band_part", "cosh", "crop_resize", "cumsum", "gather",
    "gather_along_axis", "gather_nd", "gru", "logical_and", "logical_or", "logical_xor", "lstm",
    "mod", "non_zero", "one_hot", "random_bernoulli", "random_categorical", "random_normal",
    "random_uniform", "reduce_argmax", "reduce_argmin", "reduce_prod", "reverse_sequence", "rnn",
    "scatter", "scatter_along_axis", "scatter_nd", "shape", "sinh", "slice_update",
    "sliding_windows", "tan", "argsort", "classify", "cond", "conv_quantized", "identity",
    "list_gather", "list_length", "list_read", "list_scatter", "list_write", "make_list",
    "read_state", "write_state", "reshape_like", "while_loop")
  /// Only from A14 (M2 in ane-guide's count) on, by the floors of the compiler's tables.
  static let beforeA14: [RefusedOp] = noPath("topk", "affine")
  /// Only from A15 (M3) on.
  static let beforeA15: [RefusedOp] = noPath("sin", "cos")
  static let rsqrt = RefusedOp(op: "rsqrt", rule: "no-rsqrt")

  private static func noPath(_ ops: String...) -> [RefusedOp] {
    ops.map { RefusedOp(op: $0, rule: "no-path") }
  }
}
