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
    lower: Lowering.unplanned)
}
