/// Ops that scale a value by sums over its axes: softmax and norms.
import CKernels

extension OpTable {
  static let normalizations: [OpRow] = [softmax, layerNorm]

  private static let softmax = OpRow(
    "softmax", [.value("x"), .option("axis")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.floats)
      _ = try context.axis(
        context.integer("axis", default: -1), rank: x.shape.count, of: "axis")
      return [x]
    },
    lower: Lowering.unplanned)

  private static let layerNorm = OpRow(
    "layer_norm",
    [.value("x"), .option("axes"), .option("gamma"), .option("beta"), .option("epsilon")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.floats)
      let normalized = try context.reducedAxes().map { x.shape[$0] }
      _ = try context.number("epsilon", default: 1e-5)
      for name in ["gamma", "beta"] where context.has(name) {
        let shape = try context.type(name, in: Kinds.floats).shape
        guard shape == normalized else {
          throw context.fault(
            "`\(name)` must have the shape of the normalized axes, \(normalized.text);"
              + " it has \(shape.text)")
        }
      }
      return [x]
    },
    lower: Lowering.unplanned)
}
