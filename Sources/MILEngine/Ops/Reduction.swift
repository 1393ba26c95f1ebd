/// Ops that fold axes of a value into one number each, and the places of extremes.
import CKernels

extension OpTable {
  static let reductions: [OpRow] = [
    reduce("reduce_sum", ORION_REDUCE_SUM), reduce("reduce_mean", ORION_REDUCE_MEAN),
    reduce("reduce_max", ORION_REDUCE_MAX), reduce("reduce_min", ORION_REDUCE_MIN),
    reduce("reduce_sum_square", ORION_REDUCE_SUM_SQUARE), reduce("reduce_prod", ORION_REDUCE_PROD),
    reduce("reduce_l1_norm", ORION_REDUCE_L1), reduce("reduce_l2_norm", ORION_REDUCE_L2),
    reduce("reduce_log_sum", ORION_REDUCE_LOG_SUM),
    reduce("reduce_log_sum_exp", ORION_REDUCE_LOG_SUM_EXP),
    extreme("reduce_argmax", wantsLargest: true), extreme("reduce_argmin", wantsLargest: false),
  ]

  private static func reduce(_ name: String, _ reduction: orion_reduction) -> OpRow {
    OpRow(
      name, [.value("x"), .option("axes"), .option("keep_dims")],
      infer: { context throws(Diagnostic) in
        let x = try context.type("x", in: Kinds.numbers)
        let axes = try context.reducedAxes()
        let keep = try context.flag("keep_dims", default: false)
        return [TensorType(x.dtype, context.reducedShape(x.shape, axes: axes, keep: keep))]
      },
      lower: { lowering, node throws(Diagnostic) in
        let axes = try lowering.arguments(node).reducedAxes()
        let fold = try lowering.fold(node, "x", axes: axes)
        let type = lowering.result(node)
        let rounding = lowering.rounding(type)
        try lowering.foldInto(node, fold) { x, y in
          guard type.dtype.isFloat else {
            return IntegerReduceStep(reduction: reduction, x: x, y: y, shape: fold.shape)
          }
          return ReduceStep(
            reduction: reduction, x: x, y: y, shape: fold.shape, rounding: rounding)
        }
      })
  }

  private static func extreme(_ name: String, wantsLargest: Bool) -> OpRow {
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
      lower: { lowering, node throws(Diagnostic) in
        let x = lowering.type(try lowering.required(node, "x"))
        let context = lowering.arguments(node)
        let axis = try context.axis(
          context.integer("axis", default: -1), rank: x.shape.count, of: "axis")
        let fold = try lowering.fold(node, "x", axes: [axis])
        try lowering.foldInto(node, fold) { place, y in
          ExtremeStep(
            x: place, y: y, shape: fold.shape, isFloat: x.dtype.isFloat, wantsLargest: wantsLargest)
        }
      })
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
