/// Ops that fold axes of a value into one number each, and the places of extremes.
import CKernels

extension OpTable {
  static let reductions: [OpRow] = [
    reduce("reduce_sum"), reduce("reduce_mean"), reduce("reduce_max"), reduce("reduce_min"),
    reduce("reduce_sum_square"), reduce("reduce_prod"), reduce("reduce_l1_norm"),
    reduce("reduce_l2_norm"), reduce("reduce_log_sum"), reduce("reduce_log_sum_exp"),
    argument("reduce_argmax"), argument("reduce_argmin"),
  ]

  private static func reduce(_ name: String) -> OpRow {
    OpRow(
      name, [.value("x"), .option("axes"), .option("keep_dims")],
      infer: { context throws(Diagnostic) in
        let x = try context.type("x", in: Kinds.numbers)
        let axes = try context.reducedAxes()
        let keep = try context.flag("keep_dims", default: false)
        return [TensorType(x.dtype, context.reducedShape(x.shape, axes: axes, keep: keep))]
      },
      lower: Lowering.unplanned)
  }

  private static func argument(_ name: String) -> OpRow {
    OpRow(
      name, [.value("x"), .option("axis"), .option("keep_dims"), .option("output_dtype")],
      infer: { context throws(Diagnostic) in
        let x = try context.type("x", in: Kinds.numbers)
        let axis = try context.axis(
          context.integer("axis", default: -1), rank: x.shape.count, of: "axis")
        let keep = try context.flag("keep_dims", default: false)
        let dtype = try context.choice("output_dtype", ["int32", "uint16"])
        guard x.shape[axis] > 0 else { throw context.fault("axis \(axis) of `x` is empty") }
        return [
          TensorType(
            dtype == "int32" ? .int32 : .uint16,
            context.reducedShape(x.shape, axes: [axis], keep: keep))
        ]
      },
      lower: Lowering.unplanned)
  }
}

extension InferenceContext {
  /// The axes a reduction folds, ascending; all when `axes` is left out.
  func reducedAxes() throws(Diagnostic) -> [Int] {
    let rank = try type("x").shape.count
    guard let given = try integers("axes") else { return Array(0..<rank) }
    return try axes(given, rank: rank, of: "axes").sorted()
  }

  func reducedShape(_ shape: [Int], axes: [Int], keep: Bool) -> [Int] {
    keep
      ? shape.indices.map { axes.contains($0) ? 1 : shape[$0] }
      : shape.indices.filter { !axes.contains($0) }.map { shape[$0] }
  }
}
