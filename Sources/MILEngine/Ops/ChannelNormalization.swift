/// Norms that know channels: by given statistics, over each plane, over all of an image, and over
/// neighbouring channels.
import CKernels

extension OpTable {
  static let channelNorms: [OpRow] = [batchNorm, instanceNorm, l2Norm, localResponseNorm]

  private static let batchNorm = OpRow(
    "batch_norm",
    [
      .value("x"), .constant("mean"), .constant("variance"), .option("gamma"), .option("beta"),
      .option("epsilon"),
    ],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.floats)
      try context.checkRank(x.shape, 3...5, of: "x")
      for name in ["mean", "variance"] { try context.checkChannels(name, of: x.shape) }
      try context.checkScaling(of: x.shape)
      return [x]
    },
    lower: { lowering, node throws(Diagnostic) in
      let x = try lowering.denseView(lowering.required(node, "x"))
      let mean = try lowering.denseView(lowering.required(node, "mean"))
      let variance = try lowering.denseView(lowering.required(node, "variance"))
      try lowering.normalize(
        node, x,
        .given(mean: mean.place, variance: variance.place), FoldShape(x.shape, axis: 1))
    })

  private static let instanceNorm = OpRow(
    "instance_norm", [.value("x"), .option("gamma"), .option("beta"), .option("epsilon")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.floats)
      try context.checkRank(x.shape, 3...5, of: "x")
      try context.checkScaling(of: x.shape)
      return [x]
    },
    lower: { lowering, node throws(Diagnostic) in
      let x = try lowering.denseView(lowering.required(node, "x"))
      try lowering.normalize(node, x, .own, FoldShape(x.shape, axis: 1))
    })

  private static let l2Norm = OpRow(
    "l2_norm", [.value("x"), .option("epsilon")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.floats)
      guard x.shape.count >= 3 else {
        throw context.fault("`x` must have rank 3 or more; it is \(x.shape.text)")
      }
      _ = try context.number("epsilon", default: 1e-6)
      return [x]
    },
    lower: { lowering, node throws(Diagnostic) in
      let type = lowering.result(node)
      let x = try lowering.denseView(lowering.required(node, "x"))
      let target = lowering.newView(x.shape)
      lowering.define(node.outputs[0], target)
      guard target.count > 0 else { return }
      let count = x.shape.suffix(3).reduce(1, *)
      lowering.emit(
        LengthNormStep(
          x: x.place, target: target.place, outer: x.count / count, count: count,
          epsilon: try lowering.option(node, "epsilon", default: 1e-6),
          isHalf: lowering.rounding(type) == ORION_ROUND_F16))
    })

  private static let localResponseNorm = OpRow(
    "local_response_norm",
    [.value("x"), .constant("size"), .option("alpha"), .option("beta"), .option("k")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.floats)
      try context.checkRank(x.shape, 3...4, of: "x")
      let size = try context.integer("size", default: 1)
      guard size > 0, size <= 1 << 30 else {
        throw context.fault("`size` must be positive; it is \(size)")
      }
      for name in ["alpha", "beta", "k"] { _ = try context.number(name, default: 1) }
      return [x]
    },
    lower: { lowering, node throws(Diagnostic) in
      let type = lowering.result(node)
      let x = try lowering.denseView(lowering.required(node, "x"))
      let target = lowering.newView(x.shape)
      lowering.define(node.outputs[0], target)
      guard target.count > 0 else { return }
      lowering.emit(
        ResponseNormStep(
          x: x.place, target: target.place, shape: FoldShape(x.shape, axis: 1),
          size: try lowering.arguments(node).integer("size", default: 1),
          alpha: try lowering.option(node, "alpha", default: 1e-4),
          beta: try lowering.option(node, "beta", default: 0.75),
          k: try lowering.option(node, "k", default: 1),
          isHalf: lowering.rounding(type) == ORION_ROUND_F16))
    })
}

extension InferenceContext {
  fileprivate func checkScaling(of shape: [Int]) throws(Diagnostic) {
    _ = try number("epsilon", default: 1e-5)
    for name in ["gamma", "beta"] where has(name) { try checkChannels(name, of: shape) }
  }
}

extension Lowering {
  /// A number that may be left out, as the arithmetic holds it.
  func option(_ node: Node, _ name: String, default value: Double) throws(Diagnostic) -> Double {
    let number = try arguments(node).number(name, default: value)
    return arithmetic.storage == .fp16 ? HalfFloat.rounded(number) : number
  }

  fileprivate mutating func normalize(
    _ node: Node, _ x: View, _ statistics: ChannelNormStep.Statistics, _ shape: FoldShape
  ) throws(Diagnostic) {
    let target = newView(x.shape)
    define(node.outputs[0], target)
    guard target.count > 0 else { return }
    var scales: [String: Place] = [:]
    for name in ["gamma", "beta"] {
      if let value = operand(node, name) { scales[name] = try denseView(value).place }
    }
    emit(
      ChannelNormStep(
        statistics: statistics, x: x.place, target: target.place, gamma: scales["gamma"],
        beta: scales["beta"], shape: shape,
        epsilon: try option(node, "epsilon", default: 1e-5),
        isHalf: rounding(result(node)) == ORION_ROUND_F16))
  }
}
