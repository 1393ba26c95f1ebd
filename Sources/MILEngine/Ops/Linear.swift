/// Matrix products: `matmul`, `linear`, and attention in one op.
import CKernels

extension OpTable {
  static let products: [OpRow] = [matmul, linear, attention]

  private static let matmul = OpRow(
    "matmul", [.value("x"), .value("y"), .option("transpose_x"), .option("transpose_y")],
    infer: { context throws(Diagnostic) in
      let shape = try MatmulShape(context)
      return [try context.result(context.productDType("x", "y"), shape.result)]
    },
    flops: { context throws(Diagnostic) in
      let shape = try MatmulShape(context)
      let sizes = shape.batch + [shape.m, shape.n, shape.k]
      return .matmul(sizes.reduce(2) { $0 * Double($1) })
    },
    lower: { lowering, node throws(Diagnostic) in try lowering.multiply(node) })

  private static let linear = OpRow(
    "linear", [.value("x"), .constant("weight"), .option("bias")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.numbers)
      let weight = try context.type("weight", in: Kinds.numbers).shape
      guard let inner = x.shape.last, weight.count == 2, weight[1] == inner else {
        throw context.fault(
          "`weight` must be [outputs, inputs] with the last axis of `x` \(x.shape.text) as inputs;"
            + " it is \(weight.text)")
      }
      if context.has("bias") {
        let bias = try context.type("bias", in: Kinds.numbers).shape
        guard bias == [weight[0]] else {
          throw context.fault("`bias` must be \([weight[0]].text); it is \(bias.text)")
        }
      }
      return [
        try context.result(
          context.productDType("x", "weight"), x.shape.dropLast() + [weight[0]])
      ]
    },
    flops: { context throws(Diagnostic) in
      let outputs = try context.type("weight").shape[0]
      return .matmul(2 * Double(try context.type("x").elementCount) * Double(outputs))
    },
    lower: { lowering, node throws(Diagnostic) in
      let weight = try lowering.required(node, "weight")
      let shape = lowering.type(weight).shape
      guard lowering.result(node).dtype.isFloat else {
        return try lowering.multiplyIntegers(node, rows: "x", by: weight)
      }
      let weights = try lowering.weights(
        weight, outputs: shape[0], inner: shape[1], outputStride: shape[1], innerStride: 1)
      try lowering.multiply(node, rows: "x", by: weights, bias: lowering.bias(node))
    })

  private static let attention = OpRow(
    "scaled_dot_product_attention",
    [.value("query"), .value("key"), .value("value"), .optionalValue("attn_mask")],
    infer: { context throws(Diagnostic) in
      let dtype = try context.commonDType(["query", "key", "value"], in: Kinds.floats)
      let query = try context.type("query").shape
      let key = try context.type("key").shape
      let value = try context.type("value").shape
      let rank = query.count
      guard rank >= 3, key.count == rank, value.count == rank,
        query.dropLast(2) == key.dropLast(2), query.dropLast(2) == value.dropLast(2),
        query[rank - 1] == key[rank - 1], key[rank - 2] == value[rank - 2]
      else {
        throw context.fault(
          "expected query [B…, L, E], key [B…, S, E], value [B…, S, V]; they are"
            + " \(query.text), \(key.text), \(value.text)")
      }
      let scores = query.dropLast() + [key[rank - 2]]
      if context.has("attn_mask") {
        let mask = try context.type("attn_mask", in: Kinds.floats + [.bool])
        guard mask.dtype == .bool || mask.dtype == dtype,
          Shape.broadcast(Array(scores), mask.shape) == Array(scores)
        else {
          throw context.fault(
            "`attn_mask` must be bool or \(dtype.rawValue) and broadcast to"
              + " \(Array(scores).text); it is \(mask.text)")
        }
      }
      return [try context.result(dtype, query.dropLast() + [value[rank - 1]])]
    },
    flops: { context throws(Diagnostic) in
      // Every query meets every position, once with the keys and once with the values.
      let query = try context.type("query").shape
      let value = try context.type("value").shape
      let rows = query.dropLast().reduce(2) { $0 * Double($1) }
      let features = query[query.count - 1] + value[value.count - 1]
      return .matmul(rows * Double(value[value.count - 2]) * Double(features))
    },
    lower: { lowering, node throws(Diagnostic) in try lowering.attend(node) })
}

/// The sizes of a `matmul`, by numpy's rules.
struct MatmulShape {
  /// The last two axes are exchanged.
  let flipsX: Bool
  let flipsY: Bool
  /// Shapes with rank 1 promoted.
  let x: [Int]
  let y: [Int]
  let batch: [Int]
  let m: Int
  let n: Int
  let k: Int
  let result: [Int]

  init(_ context: InferenceContext) throws(Diagnostic) {
    let givenX = try context.type("x", in: Kinds.numbers).shape
    let givenY = try context.type("y", in: Kinds.numbers).shape
    guard !givenX.isEmpty, !givenY.isEmpty else {
      throw context.fault("`x` and `y` need a rank of 1 or more; they are scalars")
    }
    // A vector is a row on the left and a column on the right; transposing it changes nothing.
    x = givenX.count == 1 ? [1, givenX[0]] : givenX
    y = givenY.count == 1 ? [givenY[0], 1] : givenY
    let transposeX = try context.flag("transpose_x", default: false)
    let transposeY = try context.flag("transpose_y", default: false)
    flipsX = transposeX && givenX.count > 1
    flipsY = transposeY && givenY.count > 1
    let (xRows, xColumns) = (x[x.count - 2], x[x.count - 1])
    let (yRows, yColumns) = (y[y.count - 2], y[y.count - 1])
    m = flipsX ? xColumns : xRows
    k = flipsX ? xRows : xColumns
    n = flipsY ? yRows : yColumns
    let other = flipsY ? yColumns : yRows
    guard k == other else {
      throw context.fault(
        "inner sizes must be equal: `x` \(givenX.text)\(flipsX ? " transposed" : "") has \(k),"
          + " `y` \(givenY.text)\(flipsY ? " transposed" : "") has \(other)")
    }
    batch = try context.broadcast([
      ("x", Array(x.dropLast(2))), ("y", Array(y.dropLast(2))),
    ])
    var shape = batch
    if givenX.count > 1 { shape.append(m) }
    if givenY.count > 1 { shape.append(n) }
    result = shape
  }
}

extension InferenceContext {
  /// Element type of a product. From ios17 on a constant operand may have another float type.
  func productDType(_ left: String, _ right: String) throws(Diagnostic) -> DType {
    let a = try type(left, in: Kinds.numbers).dtype
    let b = try type(right, in: Kinds.numbers).dtype
    if a == b { return a }
    guard opsetNumber >= 17, a.isFloat, b.isFloat else {
      throw fault(
        "`\(left)` and `\(right)` must have one type; they are \(a.rawValue) and \(b.rawValue)")
    }
    if let declared = declared.first?.dtype, declared == a || declared == b { return declared }
    return a
  }
}
