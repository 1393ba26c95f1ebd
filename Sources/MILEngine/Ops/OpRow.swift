/// One op of MIL: its parameters, its type rule and its way into a plan. The table is `OpTable.swift`.
struct OpRow: Sendable {
  typealias Infer = @Sendable (InferenceContext) throws(Diagnostic) -> [TensorType]
  typealias Flops = @Sendable (InferenceContext) throws(Diagnostic) -> Work.Flops
  typealias Fold = @Sendable (Lowering, Node) throws(Diagnostic) -> ConstantContent?
  typealias FoldAll = @Sendable (Lowering, Node) throws(Diagnostic) -> [ConstantContent]?
  typealias Lower = @Sendable (inout Lowering, Node) throws(Diagnostic) -> Void

  let name: String
  /// In canonical order; arguments are matched by name.
  let parameters: [Parameter]
  /// The result types, or a diagnostic that says what was expected and what came.
  let infer: Infer
  /// What the results hold when that is known before the run; `nil` for ops that never fold.
  let fold: FoldAll?
  /// Adds the op's steps to a plan.
  let lower: Lower
  /// Operations that count as work of their own; `nil` for ops that only pass over memory.
  let flops: Flops?
  /// Blocks inside an operation of this kind.
  let blockCount: Int
  /// The result has no name in the text: it is written to a state.
  let isSilent: Bool

  init(
    _ name: String, _ parameters: [Parameter], blocks: Int = 0, isSilent: Bool = false,
    infer: @escaping Infer, flops: Flops? = nil, fold: Fold? = nil, lower: @escaping Lower
  ) {
    self.name = name
    blockCount = blocks
    self.isSilent = isSilent
    self.parameters = parameters
    self.infer = infer
    self.fold = fold.map { Self.onlyResult($0) }
    self.lower = lower
    self.flops = flops
  }

  /// A row whose only result is a constant, always.
  init(
    _ name: String, _ parameters: [Parameter], infer: @escaping Infer, fold: @escaping Fold
  ) {
    self.init(name, parameters, infer: infer, foldAll: Self.onlyResult(fold))
  }

  /// A row whose results are constants, always.
  init(
    _ name: String, _ parameters: [Parameter], infer: @escaping Infer, foldAll: @escaping FoldAll
  ) {
    self.name = name
    self.parameters = parameters
    self.infer = infer
    fold = foldAll
    flops = nil
    blockCount = 0
    isSilent = false
    lower = { _, node throws(Diagnostic) in
      throw Diagnostic(
        "\(node.op): its arguments must be constants", rule: "not-constant", at: node.span)
    }
  }

  private static func onlyResult(_ fold: @escaping Fold) -> FoldAll {
    { (lowering: Lowering, node: Node) throws(Diagnostic) -> [ConstantContent]? in
      guard let content = try fold(lowering, node) else { return nil }
      return [content]
    }
  }

  func parameter(named name: String) -> Parameter? { parameters.first { $0.name == name } }
}

/// One named argument of an op.
struct Parameter: Sendable, Hashable {
  enum Presence: Sendable {
    case required
    /// May be left out.
    case optional
  }
  let name: String
  let presence: Presence
  /// Must be known at compile time.
  let isConstant: Bool
  /// Takes several values in parentheses.
  var isList = false

  /// Must be given; may be a run-time value.
  static func value(_ name: String) -> Parameter {
    Parameter(name: name, presence: .required, isConstant: false)
  }
  /// Must be given and known at compile time.
  static func constant(_ name: String) -> Parameter {
    Parameter(name: name, presence: .required, isConstant: true)
  }
  /// Must be given, as several values in parentheses.
  static func list(_ name: String, isConstant: Bool = false) -> Parameter {
    Parameter(name: name, presence: .required, isConstant: isConstant, isList: true)
  }
  /// May be left out; may be a run-time value.
  static func optionalValue(_ name: String) -> Parameter {
    Parameter(name: name, presence: .optional, isConstant: false)
  }
  /// May be left out; known at compile time when given.
  static func option(_ name: String) -> Parameter {
    Parameter(name: name, presence: .optional, isConstant: true)
  }
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
  /// The same for parameters that take several values.
  var lists: [String: [ConstantValue]] = [:]
  /// Types declared for the outputs, for ops whose result type is the declaration's (`cast`, `const`).
  let declared: [TensorType]
  /// The types that the operation's blocks take and give.
  var blocks: [(inputs: [TensorType], outputs: [TensorType])] = []
}

/// A small constant, decoded.
struct ConstantValue: Sendable, Hashable {
  var type: TensorType
  /// Numbers and bools, each exactly as a double; empty for strings.
  var numbers: [Double]
  var strings: [String]
}
