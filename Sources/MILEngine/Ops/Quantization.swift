/// Ops between floats and the bytes that stand for them at run time.
import CKernels

extension OpTable {
  static let quantizations: [OpRow] = [quantize, dequantize]

  /// The nearest step of `scale`, half to even, moved by the zero point and held in the range.
  private static let quantize = OpRow(
    "quantize",
    [
      .value("input"), .option("zero_point"), .constant("scale"), .option("axis"),
      .constant("output_dtype"),
    ],
    infer: { context throws(Diagnostic) in
      let input = try context.type("input", in: Kinds.floats)
      _ = try context.type("scale", in: Kinds.floats)
      let name = try context.choice("output_dtype", ["int8", "uint8"])
      let dtype: DType = name == "int8" ? .int8 : .uint8
      try context.checkSteps(input.shape)
      if context.has("zero_point") { _ = try context.type("zero_point", in: [dtype]) }
      if let scale = context.constants["scale"], scale.numbers.allSatisfy({ $0 == 0 }) {
        throw context.fault("`scale` must not be 0")
      }
      return [TensorType(dtype, input.shape)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let isSigned = lowering.result(node).dtype == .int8
      let (low, high) = isSigned ? (-128.0, 127.0) : (0.0, 255.0)
      let (views, hasOffset) = try lowering.steps(node)
      lowering.mapWords(node, views) { x, scale, offset in
        let steps = (Double(Words.float(x)) / Double(Words.float(scale)))
          .rounded(.toNearestOrEven)
        let moved = steps + (hasOffset ? Double(Words.signed(offset)) : 0)
        // What is not a number becomes 0.
        return Words.word(Int32(moved.isNaN ? 0 : min(max(moved, low), high)))
      }
    })

  private static let dequantize = OpRow(
    "dequantize", [.value("input"), .option("zero_point"), .constant("scale"), .option("axis")],
    infer: { context throws(Diagnostic) in
      let input = try context.type("input", in: [.int8, .uint8])
      let scale = try context.type("scale", in: Kinds.floats)
      try context.checkSteps(input.shape)
      if context.has("zero_point") { _ = try context.type("zero_point", in: [input.dtype]) }
      return [TensorType(scale.dtype, input.shape)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let isHalf = lowering.rounding(lowering.result(node)) == ORION_ROUND_F16
      let (views, hasOffset) = try lowering.steps(node)
      lowering.mapWords(node, views) { x, scale, offset in
        let steps = Double(Words.signed(x)) - (hasOffset ? Double(Words.signed(offset)) : 0)
        let number = steps * Double(Words.float(scale))
        return Words.word(Float(isHalf ? HalfFloat.rounded(number) : number))
      }
    })
}

extension InferenceContext {
  /// Scale and zero point are numbers, or lists of one for each element of `axis`.
  fileprivate func checkSteps(_ input: [Int]) throws(Diagnostic) {
    let scale = try type("scale").shape
    var expected: [Int] = []
    if !scale.isEmpty {
      guard has("axis") else {
        throw fault("`axis` is missing; lists of scales need it", rule: "missing-argument")
      }
      let axis = try axis(integer("axis", default: 0), rank: input.count, of: "axis")
      expected = [input[axis]]
    }
    for name in ["scale", "zero_point"] where has(name) {
      let shape = try type(name).shape
      guard shape == expected else {
        throw fault("`\(name)` must be \(expected.text); it is \(shape.text)")
      }
    }
  }
}

extension Lowering {
  /// The input, its scales and its zero points as windows of the result's shape.
  fileprivate mutating func steps(
    _ node: Node
  ) throws(Diagnostic) -> (views: [View], hasOffset: Bool) {
    let shape = result(node).shape
    let hasOffset = operand(node, "zero_point") != nil
    let context = arguments(node)
    var views = [try view(required(node, "input"))]
    for name in ["scale"] + (hasOffset ? ["zero_point"] : []) {
      let list = try denseView(required(node, name))
      var wide = [Int](repeating: 1, count: shape.count)
      if !list.shape.isEmpty {
        let axis = try context.axis(
          context.integer("axis", default: 0), rank: shape.count, of: "axis")
        wide[axis] = list.count
      }
      views.append(list.changingShape(wide).broadcast(to: shape))
    }
    return (views, hasOffset)
  }
}
