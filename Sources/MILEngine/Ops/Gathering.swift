/// Ops that take elements at places given by another value.

extension OpTable {
  static let gathers: [OpRow] = [gather]

  private static let gather = OpRow(
    "gather",
    [
      .value("x"), .value("indices"), .option("axis"), .option("batch_dims"),
      .option("validate_indices"),
    ],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      let indices = try context.type("indices", in: Kinds.indices).shape
      let axis = try context.axis(
        context.integer("axis", default: 0), rank: x.shape.count, of: "axis")
      let batch = try context.integer("batch_dims", default: 0)
      guard batch >= 0, batch <= axis, batch <= indices.count,
        x.shape.prefix(batch) == indices.prefix(batch)
      else {
        throw context.fault(
          "`batch_dims` \(batch) must be at most the axis \(axis), and `x` \(x.shape.text) and"
            + " `indices` \(indices.text) must begin with the same sizes")
      }
      let shape = x.shape[..<axis] + indices[batch...] + x.shape[(axis + 1)...]
      return [try context.result(x.dtype, Array(shape))]
    },
    lower: { lowering, node throws(Diagnostic) in try lowering.gather(node) })
}

extension Lowering {
  fileprivate mutating func gather(_ node: Node) throws(Diagnostic) {
    let context = arguments(node)
    let x = try denseView(required(node, "x"))
    let indices = try denseView(required(node, "indices"))
    let axis = try context.axis(
      context.integer("axis", default: 0), rank: x.shape.count, of: "axis")
    let batchDims = try context.integer("batch_dims", default: 0)
    let target = newView(result(node).shape)
    define(node.outputs[0], target)
    guard target.count > 0 else { return }
    try limit(node, Array(x.shape[..<batchDims]))
    let batches = x.shape[..<batchDims].reduce(1, *)
    let taken = indices.count / batches
    for batch in 0..<batches {
      emit(
        TakeStep(
          source: Place(buffer: x.buffer, offset: x.offset + batch * (x.count / batches)),
          indices: .value(
            Place(buffer: indices.buffer, offset: indices.offset + batch * taken), count: taken),
          target: Place(buffer: target.buffer, offset: batch * (target.count / batches)),
          outer: x.shape[batchDims..<axis].reduce(1, *), count: x.shape[axis],
          inner: x.shape[(axis + 1)...].reduce(1, *),
          // From ios17 on a negative index lies outside.
          countsFromEnd: context.opsetNumber < 17))
    }
  }
}
