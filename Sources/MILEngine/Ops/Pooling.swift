/// Ops that make one number of each window over the axes after the channels.
import CKernels

extension OpTable {
  static let pools: [OpRow] = [
    pool("max_pool", .largest), pool("avg_pool", .mean, ["exclude_padding_from_average"]),
    pool("l2_pool", .rootOfSquares),
  ]

  private static func pool(
    _ name: String, _ kind: PoolStep.Kind, _ more: [String] = []
  ) -> OpRow {
    OpRow(
      name,
      [
        .value("x"), .constant("kernel_sizes"), .option("strides"), .constant("pad_type"),
        .option("pad"), .option("ceil_mode"),
      ] + more.map(Parameter.option),
      infer: { context throws(Diagnostic) in
        let x = try context.type("x", in: Kinds.floats)
        let kernel = try context.poolKernel(axesMax: kind == .rootOfSquares ? 2 : 3)
        _ = try context.flag("exclude_padding_from_average", default: false)
        return [try context.result(x.dtype, x.shape[..<2] + kernel.output)]
      },
      lower: { lowering, node throws(Diagnostic) in
        let context = lowering.arguments(node)
        let kernel = try context.poolKernel(axesMax: 3)
        let x = try lowering.denseView(lowering.required(node, "x"))
        let type = lowering.result(node)
        let target = lowering.newView(type.shape)
        lowering.define(node.outputs[0], target)
        guard target.count > 0 else { return }
        try lowering.limit(node, kernel.size, to: 1 << 30)
        lowering.emit(
          PoolStep(
            kind: kind, x: x.place, target: target.place, planes: x.shape[0] * x.shape[1],
            kernel: kernel, isHalf: lowering.rounding(type) == ORION_ROUND_F16,
            countsPadding: try !context.flag("exclude_padding_from_average", default: false)))
      })
  }
}

extension InferenceContext {
  fileprivate func poolKernel(axesMax: Int) throws(Diagnostic) -> SlidingKernel {
    let x = try type("x").shape
    try checkRank(x, 3...(2 + axesMax), of: "x")
    let size = try requiredIntegers("kernel_sizes", count: x.count - 2)
    let isSame = try choice("pad_type", SlidingKernel.padTypes).hasPrefix("same")
    if isSame, try flag("ceil_mode", default: false) {
      throw fault("`ceil_mode` must be false when `pad_type` is same or same_lower")
    }
    return try SlidingKernel(self, input: Array(x[2...]), size: size)
  }
}
