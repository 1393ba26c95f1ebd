/// Ops that put elements at places given by another value. Indices are read as in the gathering ops;
/// what would land outside is left out, or fails the call where `validate_indices` is set.
import CKernels

extension OpTable {
  static let scatters: [OpRow] = [scatter, scatterAlongAxis, scatterPlaces]

  static let scatterModes = ["add", "update", "sub", "mul", "div", "max", "min"]

  private static let scatter = OpRow(
    "scatter",
    [
      .value("data"), .value("indices"), .value("updates"), .option("axis"), .option("mode"),
      .option("validate_indices"),
    ],
    infer: { context throws(Diagnostic) in
      let data = try context.scattered()
      let indices = try context.type("indices", in: Kinds.indices).shape
      let axis = try context.dataAxis()
      guard indices.count == 1 else {
        throw context.fault("`indices` must have rank 1; it is \(indices.text)")
      }
      var expected = data.shape
      expected[axis] = indices[0]
      try context.checkUpdates(expected)
      try context.checkIndices([data.shape[axis]])
      return [data]
    },
    lower: { lowering, node throws(Diagnostic) in
      let axis = try lowering.arguments(node).dataAxis()
      let shape = FoldShape(lowering.result(node).shape, axis: axis)
      try lowering.scatter(node) { lowering, data, indices, updates, target, update, check in
        // Every index moves a slice: the places of a batch for each element before the axis.
        ScatterSlicesStep(
          data: data, indices: indices, updates: updates, target: target, shape: shape,
          taken: indices.count, update: update, check: check)
      }
    })

  private static let scatterAlongAxis = OpRow(
    "scatter_along_axis",
    [
      .value("data"), .value("indices"), .value("updates"), .option("axis"), .option("mode"),
      .option("validate_indices"),
    ],
    infer: { context throws(Diagnostic) in
      let data = try context.scattered()
      let indices = try context.type("indices", in: Kinds.indices).shape
      let axis = try context.dataAxis()
      try context.checkAlongAxis(data.shape, indices, axis: axis, "data")
      try context.checkUpdates(indices)
      try context.checkIndices([data.shape[axis]])
      return [data]
    },
    lower: { lowering, node throws(Diagnostic) in
      let axis = try lowering.arguments(node).dataAxis()
      let shape = FoldShape(lowering.result(node).shape, axis: axis)
      try lowering.scatter(node) { _, data, indices, updates, target, update, check in
        AlongAxisStep(
          data: data.place, indices: indices.place, updates: updates.place, target: target.place,
          shape: shape, taken: indices.shape[axis], update: update, check: check)
      }
    })

  private static let scatterPlaces = OpRow(
    "scatter_nd",
    [
      .value("data"), .value("indices"), .value("updates"), .option("mode"),
      .option("validate_indices"),
    ],
    infer: { context throws(Diagnostic) in
      let data = try context.scattered()
      let places = try PlaceShape(context, data: "data")
      try context.checkUpdates(places.updates)
      try context.checkIndices(places.sizes)
      return [data]
    },
    lower: { lowering, node throws(Diagnostic) in
      let shape = try PlaceShape(lowering.arguments(node), data: "data")
      try lowering.scatter(node) { _, data, indices, updates, target, update, check in
        PlacesStep(
          data: data.place, indices: indices.place, updates: updates.place, target: target.place,
          shape: shape, update: update, check: check)
      }
    })
}

extension InferenceContext {
  fileprivate func scattered() throws(Diagnostic) -> TensorType {
    let data = try type("data", in: Kinds.any)
    guard try type("updates").dtype == data.dtype else {
      throw fault(
        "`data` and `updates` must have one type; they are \(data.dtype.rawValue) and"
          + " \(try type("updates").dtype.rawValue)")
    }
    _ = try choice("mode", OpTable.scatterModes)
    return data
  }

  fileprivate func dataAxis() throws(Diagnostic) -> Int {
    try axis(integer("axis", default: 0), rank: type("data").shape.count, of: "axis")
  }

  fileprivate func checkUpdates(_ expected: [Int]) throws(Diagnostic) {
    let updates = try type("updates").shape
    guard updates == expected else {
      throw fault("`updates` must be \(expected.text); it is \(updates.text)")
    }
  }
}

extension Lowering {
  fileprivate typealias Scatter = (
    Lowering, _ data: View, _ indices: View, _ updates: View, _ target: View, ScatterUpdate,
    IndexCheck
  ) -> any Step

  fileprivate mutating func scatter(_ node: Node, _ step: Scatter) throws(Diagnostic) {
    let context = arguments(node)
    let type = result(node)
    let data = try denseView(required(node, "data"))
    let indices = try denseView(required(node, "indices"))
    let updates = try denseView(required(node, "updates"))
    let target = newView(type.shape)
    define(node.outputs[0], target)
    guard target.count > 0 else { return }
    let update = ScatterUpdate(
      mode: try context.choice("mode", OpTable.scatterModes), isFloat: type.dtype.isFloat,
      isHalf: rounding(type) == ORION_ROUND_F16)
    emit(step(self, data, indices, updates, target, update, try IndexCheck(context, "indices")))
  }
}
