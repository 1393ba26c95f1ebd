/// `einsum` in the two forms that MIL has: products of matrices that lie on the last axis and the third
/// from the end, all other axes being batches.

extension OpTable {
  static let einsums: [OpRow] = [einsum]

  private static let einsum = OpRow(
    "einsum", [.list("values"), .constant("equation")],
    infer: { context throws(Diagnostic) in
      let shape = try EinsumShape(context)
      return [try context.result(shape.dtype, shape.result)]
    },
    flops: { context throws(Diagnostic) in
      let shape = try EinsumShape(context)
      return .matmul(shape.result.reduce(2 * Double(shape.x[3])) { $0 * Double($1) })
    },
    lower: { lowering, node throws(Diagnostic) in
      let shape = try EinsumShape(lowering.arguments(node))
      let values = node.operands["values"]?.ids ?? []
      // [n, c, h, w] and [n, w, h, u] become batches [n, h] of [c, w] and [w, u].
      let x = lowering.forward(
        lowering.window(try lowering.view(values[0]), as: shape.x).transposed([0, 2, 1, 3]))
      let y = lowering.forward(
        lowering.window(try lowering.view(values[1]), as: shape.y).transposed([0, 2, 1, 3]))
      let product = try lowering.product(
        node, x.broadcast(to: shape.batch + x.shape.suffix(2)),
        y.broadcast(to: shape.batch + y.shape.suffix(2)), batch: shape.batch)
      lowering.define(node, merging: product.transposed([0, 2, 1, 3]))
    })
}

/// The sizes of an `einsum`, with a batch axis of 1 in front where there is none.
private struct EinsumShape {
  let dtype: DType
  let x: [Int]
  let y: [Int]
  let batch: [Int]
  let result: [Int]

  private static let forms = [3: "chw,whr->chr", 4: "nchw,nwhu->nchu"]

  init(_ context: InferenceContext) throws(Diagnostic) {
    let types = context.types["values"] ?? []
    guard types.count == 2, let rank = types.first?.shape.count, let form = Self.forms[rank],
      types[1].shape.count == rank, types[0].dtype == types[1].dtype,
      Kinds.numbers.contains(types[0].dtype)
    else {
      throw context.fault(
        "expected two values of one type and of rank 3 or 4; they are"
          + " \(types.map(\.text).joined(separator: ", "))")
    }
    let equation = try context.constant("equation")?.strings.first ?? ""
    guard Self.pattern(equation) == Self.pattern(form) else {
      throw context.fault(
        "`equation` must be \(form), in any letters, for values of rank \(rank); it is"
          + " \"\(equation)\"")
    }
    dtype = types[0].dtype
    x = [Int](repeating: 1, count: 4 - rank) + types[0].shape
    y = [Int](repeating: 1, count: 4 - rank) + types[1].shape
    guard x[3] == y[1], let batch = Shape.broadcast([x[0], x[2]], [y[0], y[2]]) else {
      throw context.fault(
        "the shapes do not fit \(form): \(types[0].shape.text) and \(types[1].shape.text)")
    }
    self.batch = batch
    result = (rank == 4 ? [batch[0]] : []) + [x[1], batch[1], y[3]]
  }

  /// The equation with its letters numbered in the order in which they come.
  private static func pattern(_ equation: String) -> [Int] {
    var letters: [Character] = []
    return equation.filter { $0 != " " }.map { character in
      guard character.isLetter else { return character == "," ? -1 : -2 }
      if let index = letters.firstIndex(of: character) { return index }
      letters.append(character)
      return letters.count - 1
    }
  }
}
