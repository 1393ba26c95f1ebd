/// One op of MIL: its parameters, its type rule and its way into a plan. The table is `OpTable.swift`.
struct OpRow: Sendable {
  let name: String
  /// In canonical order; arguments are matched by name.
  let parameters: [Parameter]
  /// The result types, or a diagnostic that says what was expected and what came.
  let infer: @Sendable (InferenceContext) throws(Diagnostic) -> [TensorType]
  /// Adds the op's steps to a plan.
  let lower: @Sendable (inout Lowering, Node) throws(Diagnostic) -> Void
}

/// One named argument of an op.
struct Parameter: Sendable {
  enum Presence: Sendable {
    case required
    /// May be left out.
    case optional
  }
  let name: String
  let presence: Presence
  /// Must be known at compile time.
  let isConstant: Bool
}

/// What a type rule may look at: the types of the arguments, and the values of the constant ones.
struct InferenceContext: Sendable {
  let op: String
  let opset: String
  /// The place of the operation, for diagnostics.
  let span: SourceSpan
  let types: [String: [TensorType]]
  /// Decoded constants, by parameter; blobs are absent.
  let constants: [String: ConstantValue]
  /// Types declared for the outputs, for ops whose result type is the declaration's (`cast`, `const`).
  let declared: [TensorType]
}

/// A small constant, decoded.
struct ConstantValue: Sendable, Hashable {
  var type: TensorType
  /// Numbers and bools, each exactly as a double; empty for strings.
  var numbers: [Double]
  var strings: [String]
}
