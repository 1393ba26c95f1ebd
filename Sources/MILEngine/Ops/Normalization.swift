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
    lower: { lowering, node throws(Diagnostic) in
      let type = lowering.result(node)
      let context = lowering.arguments(node)
      let axis = try context.axis(
        context.integer("axis", default: -1), rank: type.shape.count, of: "axis")
      let fold = try lowering.fold(node, "x", axes: [axis])
      let rounding = lowering.rounding(type)
      lowering.mapFold(node, fold) { x, y in
        SoftmaxStep(x: x, y: y, shape: fold.shape, rounding: rounding)
      }
    })

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
    lower: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      let fold = try lowering.fold(node, "x", axes: context.reducedAxes())
      let rounding = lowering.rounding(lowering.result(node))
      let epsilon = Float(try context.number("epsilon", default: 1e-5))
      var scales: [String: Place] = [:]
      for name in ["gamma", "beta"] {
        if let value = lowering.operand(node, name) {
          scales[name] = try lowering.denseView(value).place
        }
      }
      let (gamma, beta) = (scales["gamma"], scales["beta"])
      lowering.mapFold(node, fold) { x, y in
        NormStep(
          kind: .layer, x: x, y: y, gamma: gamma, beta: beta, epsilon: epsilon,
          shape: fold.shape, rounding: rounding)
      }
    })
}
