/// Ops that combine two values element by element, with broadcasting.
import CKernels

extension OpTable {
  static let elementwise: [OpRow] = [
    binary("add", ORION_ADD) { $0 &+ $1 },
    binary("sub", ORION_SUB) { $0 &- $1 },
    binary("mul", ORION_MUL) { $0 &* $1 },
    binary("real_div", ORION_DIV) { Words.integer(Double($0) / Double($1)) },
    binary("maximum", ORION_MAX) { max($0, $1) },
    binary("minimum", ORION_MIN) { min($0, $1) },
    binary("pow", ORION_POW, power),
    floored("floor_div", quotient) { $0 == .min && $1 == -1 ? .min : quotient($0, $1) },
    floored("mod", remainder) { $1 == -1 ? 0 : remainder($0, $1) },
    select,
  ]

  /// Ops whose quotient is rounded down; `numbers` says what they do to floats.
  private static func floored(
    _ name: String, _ numbers: @escaping @Sendable (Double, Double) -> Double,
    _ integers: @escaping @Sendable (Int32, Int32) -> Int32
  ) -> OpRow {
    OpRow(
      name, [.value("x"), .value("y")],
      infer: { context throws(Diagnostic) in
        let dtype = try context.commonDType(["x", "y"], in: Kinds.numbers)
        return [try context.broadcastResult(dtype, ["x", "y"])]
      },
      lower: { lowering, node throws(Diagnostic) in
        guard lowering.result(node).dtype.isFloat else {
          return try lowering.mapWords(node, ["x", "y"]) { x, y, _ in
            Words.word(integers(Words.signed(x), Words.signed(y)))
          }
        }
        let isHalf = lowering.rounding(lowering.result(node)) == ORION_ROUND_F16
        try lowering.mapWords(node, ["x", "y"]) { x, y, _ in
          let result = numbers(Double(Words.float(x)), Double(Words.float(y)))
          return Words.word(Float(isHalf ? HalfFloat.rounded(result) : result))
        }
      })
  }

  /// The sign is the divisor's; a zero has it too.
  private static func remainder(_ x: Double, _ y: Double) -> Double {
    let rest = x.truncatingRemainder(dividingBy: y)
    guard rest != 0 else { return Double(signOf: y, magnitudeOf: 0) }
    return (rest < 0) == (y < 0) ? rest : rest + y
  }

  private static func quotient(_ x: Double, _ y: Double) -> Double {
    guard y != 0 else { return x / y }
    let rest = x.truncatingRemainder(dividingBy: y)
    let whole = ((x - rest) / y).rounded(.toNearestOrEven)
    let result = rest != 0 && (rest < 0) != (y < 0) ? whole - 1 : whole
    return result == 0 ? Double(signOf: x / y, magnitudeOf: 0) : result
  }

  /// 0 for a divisor of 0, as numpy has it.
  private static func quotient(_ x: Int32, _ y: Int32) -> Int32 {
    guard y != 0 else { return 0 }
    let cut = x / y
    return x % y != 0 && (x < 0) != (y < 0) ? cut - 1 : cut
  }

  private static func remainder(_ x: Int32, _ y: Int32) -> Int32 {
    guard y != 0 else { return 0 }
    let rest = x % y
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest
  }

  /// `integers` says what the op does to int32.
  private static func binary(
    _ name: String, _ op: orion_chain_op, _ integers: @escaping @Sendable (Int32, Int32) -> Int32
  ) -> OpRow {
    OpRow(
      name, [.value("x"), .value("y")],
      infer: { context throws(Diagnostic) in
        let dtype = try context.commonDType(["x", "y"], in: Kinds.numbers)
        return [try context.broadcastResult(dtype, ["x", "y"])]
      },
      lower: { lowering, node throws(Diagnostic) in
        guard !lowering.result(node).dtype.isFloat else {
          return try lowering.chain(node, op, ["x", "y"])
        }
        try lowering.mapWords(node, ["x", "y"]) { x, y, _ in
          Words.word(integers(Words.signed(x), Words.signed(y)))
        }
      })
  }

  private static let select = OpRow(
    "select", [.value("cond"), .value("a"), .value("b")],
    infer: { context throws(Diagnostic) in
      _ = try context.type("cond", in: [.bool])
      let dtype = try context.commonDType(["a", "b"], in: Kinds.any)
      return [try context.broadcastResult(dtype, ["cond", "a", "b"])]
    },
    lower: { lowering, node throws(Diagnostic) in
      try lowering.mapWords(node, ["cond", "a", "b"]) { $0 != 0 ? $1 : $2 }
    })

  /// Wraps as multiplication does; a negative exponent gives the integer part of the fraction.
  private static func power(_ base: Int32, _ exponent: Int32) -> Int32 {
    guard exponent >= 0 else { return Words.integer(Words.power(Double(base), Double(exponent))) }
    var result: Int32 = 1
    var factor = base
    var rest = exponent
    while rest > 0 {
      if rest & 1 == 1 { result = result &* factor }
      factor = factor &* factor
      rest >>= 1
    }
    return result
  }
}

extension InferenceContext {
  /// The one element type of several arguments.
  func commonDType(_ names: [String], in dtypes: [DType]) throws(Diagnostic) -> DType {
    let first = try type(names[0], in: dtypes)
    for name in names.dropFirst() {
      let other = try type(name, in: dtypes)
      guard other.dtype == first.dtype else {
        throw fault(
          "`\(names[0])` and `\(name)` must have one type; they are"
            + " \(first.dtype.rawValue) and \(other.dtype.rawValue)")
      }
    }
    return first.dtype
  }

  func broadcastResult(_ dtype: DType, _ names: [String]) throws(Diagnostic) -> TensorType {
    var shapes: [(name: String, shape: [Int])] = []
    for name in names { shapes.append((name, try type(name).shape)) }
    return try result(dtype, broadcast(shapes))
  }
}
