/// `rnn`, `gru` and `lstm`: layers that go through a sequence step by step.
import CKernels

extension OpTable {
  static let recurrence: [OpRow] = [rnn, gru, lstm]

  private static let layer: [Parameter] = [
    .value("x"), .value("initial_h"), .constant("weight_ih"), .constant("weight_hh"),
    .option("bias"), .option("direction"), .option("output_sequence"), .option("activation"),
  ]

  private static let rnn = row("rnn", layer, .plain)

  private static let gru = row(
    "gru",
    layer + [.option("recurrent_activation"), .option("reset_after"), .option("input_bias")],
    .gated)

  private static let lstm = row(
    "lstm",
    layer + [
      .value("initial_c"), .option("recurrent_activation"), .option("cell_activation"),
      .option("clip"), .option("peephole"), .option("weight_ih_back"), .option("weight_hh_back"),
      .option("bias_back"), .option("peephole_back"),
    ], .memory)

  private static func row(
    _ name: String, _ parameters: [Parameter], _ kind: RecurrentShape.Kind
  ) -> OpRow {
    OpRow(
      name, parameters,
      infer: { context throws(Diagnostic) in try RecurrentShape(context, kind).results },
      flops: { context throws(Diagnostic) in
        .matmul(try RecurrentShape(context, kind).flops)
      },
      lower: { lowering, node throws(Diagnostic) in try lowering.recur(node, kind) })
  }
}

/// The sizes and options of a recurrent layer.
struct RecurrentShape: Sendable {
  /// The raw value is the number of gates.
  enum Kind: Int, Sendable {
    case plain = 1
    case gated = 3
    case memory = 4
  }

  let kind: Kind
  let dtype: DType
  let length: Int
  let batch: Int
  let inputs: Int
  let hidden: Int
  /// Whether each pass goes backwards: one pass, or two for both directions.
  let reversed: [Bool]
  let givesSequence: Bool
  let activation: GateFunction
  let gate: GateFunction
  let cell: GateFunction
  let clip: Float?
  let resetsAfter: Bool

  var gates: Int { kind.rawValue }
  /// Width of the state of all passes.
  var width: Int { reversed.count * hidden }
  var flops: Double {
    2 * Double(reversed.count * gates * hidden) * Double(inputs + hidden) * Double(length * batch)
  }

  var results: [TensorType] {
    let state = TensorType(dtype, [batch, width])
    let sequence = TensorType(dtype, [givesSequence ? length : 1, batch, width])
    return [sequence, state] + (kind == .memory ? [state] : [])
  }

  init(_ context: InferenceContext, _ kind: Kind) throws(Diagnostic) {
    self.kind = kind
    let x = try context.type("x", in: Kinds.floats)
    let recurrent = try context.type("weight_hh", in: Kinds.floats).shape
    guard x.shape.count == 3, !x.shape.contains(0), recurrent.count == 2, recurrent[1] > 0 else {
      throw context.fault(
        "expected `x` [S, B, I], not empty, and `weight_hh` [\(kind.rawValue)H, H]; they are"
          + " \(x.shape.text) and \(recurrent.text)")
    }
    dtype = x.dtype
    (length, batch, inputs, hidden) = (x.shape[0], x.shape[1], x.shape[2], recurrent[1])
    let directions = ["forward", "reverse"] + (kind == .memory ? ["bidirectional"] : [])
    switch try context.choice("direction", directions) {
    case "forward": reversed = [false]
    case "reverse": reversed = [true]
    default: reversed = [false, true]
    }
    givesSequence = try context.flag("output_sequence", default: false)
    activation = try context.function("activation", default: .tanh)
    gate = try context.function("recurrent_activation", default: .sigmoid)
    cell = try context.function("cell_activation", default: .tanh)
    clip = context.has("clip") ? Float(try context.number("clip", default: 0)) : nil
    resetsAfter = try context.flag("reset_after", default: false)
    for name in ["initial_h"] + (kind == .memory ? ["initial_c"] : []) {
      try context.check(name, [batch, width])
    }
    for suffix in reversed.count == 2 ? ["", "_back"] : [""] {
      try context.check("weight_ih\(suffix)", [gates * hidden, inputs])
      try context.check("weight_hh\(suffix)", [gates * hidden, hidden])
      try context.check("bias\(suffix)", [gates * hidden], isOptional: true)
      try context.check("peephole\(suffix)", [3 * hidden], isOptional: true)
    }
    try context.check("input_bias", [gates * hidden], isOptional: true)
  }
}

/// What a gate makes of its sum.
enum GateFunction: String, Sendable, CaseIterable {
  case sigmoid, tanh, relu, linear
  case hardSigmoid = "hard_sigmoid"
  case sigmoidHard = "sigmoid_hard"
  case scaledTanh = "scaled_tanh"

  func callAsFunction(_ x: Float) -> Float {
    let value = Double(x)
    switch self {
    case .sigmoid: return Float(1 / (1 + Words.exp(-value)))
    case .tanh: return Float(Words.tangent(hyperbolic: value))
    case .relu: return max(x, 0)
    case .linear: return x
    case .hardSigmoid, .sigmoidHard: return Float(min(max(0.2 * value + 0.5, 0), 1))
    case .scaledTanh: return Float(1.7159 * Words.tangent(hyperbolic: 2 * value / 3))
    }
  }
}

extension InferenceContext {
  fileprivate func function(
    _ name: String, default function: GateFunction
  ) throws(Diagnostic) -> GateFunction {
    guard has(name) else { return function }
    let names = GateFunction.allCases.map(\.rawValue)
    return GateFunction(rawValue: try choice(name, names)) ?? function
  }

  fileprivate func check(
    _ name: String, _ shape: [Int], isOptional: Bool = false
  ) throws(Diagnostic) {
    if isOptional, !has(name) { return }
    let given = try type(name, in: Kinds.floats).shape
    guard given == shape else {
      throw fault("`\(name)` must be \(shape.text); it is \(given.text)")
    }
  }
}

extension Lowering {
  fileprivate mutating func recur(
    _ node: Node, _ kind: RecurrentShape.Kind
  ) throws(Diagnostic) {
    let shape = try RecurrentShape(arguments(node), kind)
    try limit(node, [shape.length, shape.batch], to: 1 << 28)
    func place(_ name: String) throws(Diagnostic) -> Place? {
      guard let value = operand(node, name) else { return nil }
      return try denseView(value).place
    }
    let outputs = node.outputs.map { newView(type($0).shape) }
    for (output, view) in zip(node.outputs, outputs) { define(output, view) }
    let isHalf = rounding(result(node)) == ORION_ROUND_F16
    for (pass, isReversed) in shape.reversed.enumerated() {
      let suffix = pass == 0 ? "" : "_back"
      let weights = try ["weight_ih", "weight_hh"].map { (name) throws(Diagnostic) in
        try denseView(required(node, name + suffix)).place
      }
      emit(
        RecurrentStep(
          shape: shape, pass: pass, isReversed: isReversed,
          x: try denseView(required(node, "x")).place,
          initial: try places(
            ["initial_h", "initial_c"].compactMap { operand(node, $0) }),
          inputWeights: weights[0], stateWeights: weights[1], bias: try place("bias" + suffix),
          inputBias: try place("input_bias"), peephole: try place("peephole" + suffix),
          outputs: outputs.map(\.place),
          scratch: newView([RecurrentStep.scratchCount(shape)]).place, isHalf: isHalf))
    }
  }
}
