/// Ops that map each element of one value.
import CKernels

extension OpTable {
  static let activations: [OpRow] = [
    unary("abs", Kinds.numbers), unary("square", Kinds.numbers), unary("sign", Kinds.numbers),
    unary("exp2", Kinds.numbers),
    unary("sqrt"), unary("exp"), unary("sin"), unary("cos"), unary("tanh"), unary("sigmoid"),
    unary("silu"), unary("relu"), unary("erf"), unary("floor"), unary("ceil"), unary("round"),
    withEpsilon("rsqrt", 1e-12), withEpsilon("inverse", 1e-4), withEpsilon("log", 1e-45),
    gelu, clip, cast, identity,
  ]

  private static func unary(_ name: String, _ dtypes: [DType] = Kinds.floats) -> OpRow {
    OpRow(
      name, [.value("x")],
      infer: { context throws(Diagnostic) in [try context.type("x", in: dtypes)] },
      lower: Lowering.unplanned)
  }

  private static func withEpsilon(_ name: String, _ epsilon: Double) -> OpRow {
    OpRow(
      name, [.value("x"), .option("epsilon")],
      infer: { context throws(Diagnostic) in
        _ = try context.number("epsilon", default: epsilon)
        return [try context.type("x", in: Kinds.floats)]
      },
      lower: Lowering.unplanned)
  }

  static let geluModes = ["EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION"]

  private static let gelu = OpRow(
    "gelu", [.value("x"), .option("mode")],
    infer: { context throws(Diagnostic) in
      _ = try context.choice("mode", geluModes)
      return [try context.type("x", in: Kinds.floats)]
    },
    lower: Lowering.unplanned)

  private static let clip = OpRow(
    "clip", [.value("x"), .constant("alpha"), .constant("beta")],
    infer: { context throws(Diagnostic) in
      _ = try context.number("alpha", default: 0)
      _ = try context.number("beta", default: 0)
      return [try context.type("x", in: Kinds.floats)]
    },
    lower: Lowering.unplanned)

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
    lower: Lowering.unplanned)

  private static let identity = OpRow(
    "identity", [.value("x")],
    infer: { context throws(Diagnostic) in [try context.type("x", in: Kinds.any)] },
    lower: Lowering.unplanned)
}
