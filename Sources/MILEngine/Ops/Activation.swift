/// Ops that map each element of one value.
import CKernels

extension OpTable {
  static let activations: [OpRow] = [
    unary("abs", ORION_ABS) { $0 == .min ? $0 : abs($0) },
    unary("square", ORION_SQUARE) { $0 &* $0 },
    unary("sign", ORION_SIGN) { $0.signum() },
    unary("exp2", ORION_EXP2) { Words.integer(Words.power(2, Double($0))) },
    unary("sqrt", ORION_SQRT), unary("exp", ORION_EXP), unary("sin", ORION_SIN),
    unary("cos", ORION_COS), unary("tanh", ORION_TANH), unary("sigmoid", ORION_SIGMOID),
    unary("silu", ORION_SILU), unary("relu", ORION_RELU), unary("erf", ORION_ERF),
    unary("floor", ORION_FLOOR), unary("ceil", ORION_CEIL), unary("round", ORION_ROUND_EVEN),
    withEpsilon("rsqrt", ORION_RSQRT, 1e-12), withEpsilon("inverse", ORION_INVERSE, 1e-4),
    withEpsilon("log", ORION_LOG, 1e-45),
    gelu, clip, cast, identity,
  ]

  /// `integers` says what the op does to int32, where it takes them.
  private static func unary(
    _ name: String, _ op: orion_chain_op, _ integers: (@Sendable (Int32) -> Int32)? = nil
  ) -> OpRow {
    let dtypes = integers == nil ? Kinds.floats : Kinds.numbers
    return OpRow(
      name, [.value("x")],
      infer: { context throws(Diagnostic) in [try context.type("x", in: dtypes)] },
      lower: { lowering, node throws(Diagnostic) in
        guard let integers, !lowering.result(node).dtype.isFloat else {
          return try lowering.chain(node, op, ["x"])
        }
        try lowering.mapWords(node, ["x"]) { x, _, _ in
          Words.word(integers(Words.signed(x)))
        }
      })
  }

  private static func withEpsilon(
    _ name: String, _ op: orion_chain_op, _ epsilon: Double
  ) -> OpRow {
    OpRow(
      name, [.value("x"), .option("epsilon")],
      infer: { context throws(Diagnostic) in
        _ = try context.number("epsilon", default: epsilon)
        return [try context.type("x", in: Kinds.floats)]
      },
      lower: { lowering, node throws(Diagnostic) in
        let given = try lowering.arguments(node).number("epsilon", default: epsilon)
        let isHalf = lowering.rounding(lowering.result(node)) == ORION_ROUND_F16
        let held = isHalf ? HalfFloat.rounded(given) : given
        try lowering.chain(node, op, ["x"], immediate: (Float(held), 0))
      })
  }

  static let geluModes = ["EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION"]

  private static let gelu = OpRow(
    "gelu", [.value("x"), .option("mode")],
    infer: { context throws(Diagnostic) in
      _ = try context.choice("mode", geluModes)
      return [try context.type("x", in: Kinds.floats)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let op =
        switch try lowering.arguments(node).choice("mode", geluModes) {
        case "TANH_APPROXIMATION": ORION_GELU_TANH
        case "SIGMOID_APPROXIMATION": ORION_GELU_SIGMOID
        default: ORION_GELU_EXACT
        }
      try lowering.chain(node, op, ["x"])
    })

  private static let clip = OpRow(
    "clip", [.value("x"), .constant("alpha"), .constant("beta")],
    infer: { context throws(Diagnostic) in
      _ = try context.number("alpha", default: 0)
      _ = try context.number("beta", default: 0)
      return [try context.type("x", in: Kinds.floats)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      let low = Float(try context.number("alpha", default: 0))
      let high = Float(try context.number("beta", default: 0))
      try lowering.chain(node, ORION_CLIP, ["x"], immediate: (low, high))
    })

  private static let cast = OpRow(
    "cast", [.value("x"), .constant("dtype")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      var allowed = ["fp16", "fp32", "int32", "bool"]
      if context.opsetNumber >= 17 { allowed += Kinds.small.map(\.rawValue) }
      let name = try context.choice("dtype", allowed)
      guard let dtype = DType(rawValue: name) else { throw context.fault("unknown type \(name)") }
      return [TensorType(dtype, x.shape)]
    },
    fold: { lowering, node throws(Diagnostic) in
      try lowering.castConstant(node, try lowering.required(node, "x"))
    },
    lower: { lowering, node throws(Diagnostic) in
      try lowering.convert(node)
    })

  private static let identity = OpRow(
    "identity", [.value("x")],
    infer: { context throws(Diagnostic) in [try context.type("x", in: Kinds.any)] },
    fold: { lowering, node throws(Diagnostic) in try lowering.reshapeConstant(node) },
    lower: { lowering, node throws(Diagnostic) in try lowering.alias(node, "x") })
}

extension Lowering {
  /// The steps of a cast; between floats that are stored alike there are none.
  fileprivate mutating func convert(_ node: Node) throws(Diagnostic) {
    let source = type(try required(node, "x"))
    let target = result(node).dtype
    switch (source.dtype.isFloat, target.isFloat) {
    case (true, true):
      let isHalf = rounding(source) == ORION_ROUND_F16
      if isHalf || rounding(result(node)) == ORION_ROUND_NONE { return try alias(node, "x") }
      try chain(node, ORION_MOVE, ["x"])
    case (true, false) where target == .bool:
      try mapWords(node, ["x"]) { x, _, _ in Words.word(Words.float(x) != 0) }
    case (true, false):
      try mapWords(node, ["x"]) { x, _, _ in
        Words.word(Words.narrowed(Words.integer(Double(Words.float(x))), to: target))
      }
    case (false, true):
      let isHalf = rounding(result(node)) == ORION_ROUND_F16
      try mapWords(node, ["x"]) { x, _, _ in
        let number = Double(Words.signed(x))
        return Words.word(Float(isHalf ? HalfFloat.rounded(number) : number))
      }
    case (false, false) where target == .bool:
      try mapWords(node, ["x"]) { x, _, _ in Words.word(x != 0) }
    case (false, false):
      try mapWords(node, ["x"]) { x, _, _ in
        Words.word(Words.narrowed(Words.signed(x), to: target))
      }
    }
  }
}
