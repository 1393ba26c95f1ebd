/// The last part of lowering: what an engine's arithmetic does around an op beyond rounding. Nothing is
/// added for arithmetics that do no such thing.

extension Lowering {
  /// Lowers one node by its row, with the engine's ways before and after it.
  mutating func lower(_ node: Node, by row: OpRow) throws(Diagnostic) {
    guard arithmetic.hasOwnWays else { return try row.lower(&self, node) }
    if arithmetic.tabulates, let table = ActivationTable.named(node.op), let x = operand(node, "x")
    {
      let view = try view(x)
      mapNumbers(node, [view]) { x, _, _ in table(x) }
      return
    }
    if let (name, change) = preparation(of: node), let value = operand(node, name),
      !isConstant(value)
    {
      let kept = try form(value)
      define(value, finished(try view(value), by: change))
      try row.lower(&self, node)
      define(value, kept)
    } else {
      try row.lower(&self, node)
    }
    let finish = finish(of: node)
    guard !finish.isNothing else { return }
    for output in node.outputs where type(output).dtype.isFloat && !isConstant(output) {
      define(output, finished(try view(output), by: finish))
    }
  }

  private mutating func finished(_ view: View, by finish: Finish) -> View {
    let source = dense(view)
    let target = newView(view.shape)
    guard target.count > 0 else { return target }
    emit(
      FinishStep(
        finish: finish, source: source.place, target: target.place, count: target.count))
    return target
  }

  /// An operand that is read otherwise than it stands: a divisor without the sign of its zeros, and
  /// scores of softmax with the largest numbers in the place of infinities.
  private func preparation(of node: Node) -> (operand: String, change: Finish)? {
    switch node.op {
    case "real_div" where arithmetic.mistakesInfinity: return ("y", Finish(dropsSignOfZero: true))
    case "inverse" where arithmetic.mistakesInfinity: return ("x", Finish(dropsSignOfZero: true))
    case "softmax" where arithmetic.hidesNaN:
      return ("x", Finish(positiveInfinity: 65_504, negativeInfinity: -65_504))
    default: return nil
    }
  }

  private func finish(of node: Node) -> Finish {
    var finish = Finish()
    if let limit = arithmetic.widthSliceOverflowsAbove, startsInsideRow(node) {
      finish.overflowsAbove = limit
    }
    guard !Self.moving.contains(node.op) else { return finish }
    if arithmetic.hidesNaN { finish.notANumber = 0 }
    if arithmetic.flushesSums, Self.summing.contains(node.op) { finish.flushes = true }
    if node.op == "log" { finish.negativeInfinity = arithmetic.logOfZero }
    if arithmetic.mistakesInfinity, node.op == "softplus" { finish.positiveInfinity = 0 }
    return finish
  }

  /// Whether the node takes a part of the last axis that does not begin at its start.
  private func startsInsideRow(_ node: Node) -> Bool {
    let context = arguments(node)
    let slice: SliceShape?
    switch node.op {
    case "slice_by_index": slice = try? SliceShape(byIndex: context)
    case "slice_by_size": slice = try? SliceShape(bySize: context)
    default: return false
    }
    return (slice?.begin.last ?? 0) > 0
  }

  /// Ops that sum up products.
  private static let summing: Set<String> = [
    "matmul", "linear", "conv", "conv_transpose", "einsum", "scaled_dot_product_attention",
  ]

  /// Ops that move numbers and make none.
  private static let moving: Set<String> = [
    "reshape", "reshape_like", "transpose", "expand_dims", "squeeze", "flatten2d",
    "slice_by_index", "slice_by_size", "slice_update", "concat", "split", "stack", "tile", "pad",
    "gather", "gather_along_axis", "gather_nd", "scatter", "scatter_along_axis", "scatter_nd",
    "reverse", "reverse_sequence", "depth_to_space", "space_to_depth", "space_to_batch",
    "batch_to_space", "pixel_shuffle", "pixel_unshuffle", "select", "identity", "band_part",
    "fill", "fill_like", "crop", "sliding_windows", "cast", "upsample_nearest_neighbor",
    "resize_nearest_neighbor", "topk",
  ]
}
