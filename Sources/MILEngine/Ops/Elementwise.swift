/// Ops that combine two values element by element, with broadcasting.
import CKernels

extension OpTable {
  static let elementwise: [OpRow] = [
    binary("add"), binary("sub"), binary("mul"), binary("real_div"), binary("maximum"),
    binary("minimum"), binary("pow"),
    select,
  ]

  private static func binary(_ name: String) -> OpRow {
    OpRow(
      name, [.value("x"), .value("y")],
      infer: { context throws(Diagnostic) in
        let dtype = try context.commonDType(["x", "y"], in: Kinds.numbers)
        return [try context.broadcastResult(dtype, ["x", "y"])]
      },
      lower: Lowering.unplanned)
  }

  private static let select = OpRow(
    "select", [.value("cond"), .value("a"), .value("b")],
    infer: { context throws(Diagnostic) in
      _ = try context.type("cond", in: [.bool])
      let dtype = try context.commonDType(["a", "b"], in: Kinds.any)
      return [try context.broadcastResult(dtype, ["cond", "a", "b"])]
    },
    lower: Lowering.unplanned)
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
