/// Ops that take elements at places given by another value.
///
/// A negative index counts from the end up to ios16 and lies outside from ios17 on. What lies outside
/// gives 0, or fails the call where `validate_indices` is set.

extension OpTable {
  static let gathers: [OpRow] = [gather, gatherAlongAxis, gatherPlaces]

  private static let gather = OpRow(
    "gather",
    [
      .value("x"), .value("indices"), .option("axis"), .option("batch_dims"),
      .option("validate_indices"),
    ],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      let indices = try context.type("indices", in: Kinds.indices).shape
      let axis = try context.foldedAxis(default: 0)
      let batch = try context.integer("batch_dims", default: 0)
      guard batch >= 0, batch <= axis, batch <= indices.count,
        x.shape.prefix(batch) == indices.prefix(batch)
      else {
        throw context.fault(
          "`batch_dims` \(batch) must be at most the axis \(axis), and `x` \(x.shape.text) and"
            + " `indices` \(indices.text) must begin with the same sizes")
      }
      try context.checkIndices([x.shape[axis]])
      let shape = x.shape[..<axis] + indices[batch...] + x.shape[(axis + 1)...]
      return [try context.result(x.dtype, Array(shape))]
    },
    lower: { lowering, node throws(Diagnostic) in try lowering.gather(node) })

  private static let gatherAlongAxis = OpRow(
    "gather_along_axis",
    [.value("x"), .value("indices"), .option("axis"), .option("validate_indices")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      let indices = try context.type("indices", in: Kinds.indices).shape
      let axis = try context.foldedAxis(default: 0)
      try context.checkAlongAxis(x.shape, indices, axis: axis, "x")
      try context.checkIndices([x.shape[axis]])
      return [TensorType(x.dtype, indices)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let axis = try lowering.arguments(node).foldedAxis(default: 0)
      let x = try lowering.denseView(lowering.required(node, "x"))
      let indices = try lowering.denseView(lowering.required(node, "indices"))
      let target = lowering.newView(indices.shape)
      lowering.define(node.outputs[0], target)
      guard target.count > 0 else { return }
      lowering.emit(
        AlongAxisStep(
          data: x.place, indices: indices.place, updates: nil, target: target.place,
          shape: FoldShape(x.shape, axis: axis), taken: indices.shape[axis], update: nil,
          check: try IndexCheck(lowering.arguments(node), "indices")))
    })

  private static let gatherPlaces = OpRow(
    "gather_nd",
    [.value("x"), .value("indices"), .option("batch_dims"), .option("validate_indices")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      let places = try PlaceShape(context, data: "x")
      try context.checkIndices(places.sizes)
      return [try context.result(x.dtype, places.updates)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      let places = try PlaceShape(context, data: "x")
      let x = try lowering.denseView(lowering.required(node, "x"))
      let indices = try lowering.denseView(lowering.required(node, "indices"))
      let target = lowering.newView(places.updates)
      lowering.define(node.outputs[0], target)
      guard target.count > 0 else { return }
      lowering.emit(
        PlacesStep(
          data: x.place, indices: indices.place, updates: nil, target: target.place,
          shape: places, update: nil, check: try IndexCheck(context, "indices")))
    })
}

/// The sizes of `gather_nd` and `scatter_nd`. The last axis of the indices names a place in the data
/// after its batch axes; a slice of the data stands at each place.
struct PlaceShape: Sendable {
  let batches: Int
  /// Places of each batch.
  let places: Int
  /// The axes of the data that a place goes through.
  let sizes: [Int]
  /// Elements of a slice.
  let slice: Int
  /// Shape of what is taken from the places or put there.
  let updates: [Int]

  init(_ context: InferenceContext, data name: String) throws(Diagnostic) {
    let data = try context.type(name, in: Kinds.any).shape
    let indices = try context.type("indices", in: Kinds.indices).shape
    let batch = try context.integer("batch_dims", default: 0)
    guard let depth = indices.last, batch >= 0, batch < indices.count, batch <= data.count,
      depth <= data.count - batch, data.prefix(batch) == indices.prefix(batch)
    else {
      throw context.fault(
        "the last axis of `indices` \(indices.text) must be at most the rank of `\(name)`"
          + " \(data.text) after \(batch) batch axes, which both must share")
    }
    sizes = Array(data[batch..<(batch + depth)])
    batches = data[..<batch].reduce(1, *)
    places = indices[batch..<(indices.count - 1)].reduce(1, *)
    slice = data[(batch + depth)...].reduce(1, *)
    updates = indices.dropLast() + data[(batch + depth)...]
  }
}

extension InferenceContext {
  /// Fails for indices of the text that lie outside, where they are to be checked; `sizes` repeat.
  func checkIndices(_ sizes: [Int]) throws(Diagnostic) {
    guard try flag("validate_indices", default: false), !sizes.isEmpty,
      let known = try knownIntegers("indices")
    else { return }
    for (place, index) in known.enumerated() {
      let size = sizes[place % sizes.count]
      guard index >= 0, index < size else {
        throw fault("`indices` must be from 0 to \(size - 1); one is \(index)")
      }
    }
  }

  /// Indices along an axis have the data's shape but for that axis.
  func checkAlongAxis(
    _ data: [Int], _ indices: [Int], axis: Int, _ name: String
  ) throws(Diagnostic) {
    var expected = data
    if axis < indices.count, indices.count == data.count { expected[axis] = indices[axis] }
    guard indices == expected else {
      throw fault(
        "`indices` \(indices.text) must have the shape of `\(name)` \(data.text) but for axis"
          + " \(axis)")
    }
  }
}

extension Lowering {
  fileprivate mutating func gather(_ node: Node) throws(Diagnostic) {
    let context = arguments(node)
    let x = try denseView(required(node, "x"))
    let indices = try denseView(required(node, "indices"))
    let axis = try context.foldedAxis(default: 0)
    let batchDims = try context.integer("batch_dims", default: 0)
    let target = newView(result(node).shape)
    define(node.outputs[0], target)
    guard target.count > 0 else { return }
    try limit(node, Array(x.shape[..<batchDims]))
    let batches = x.shape[..<batchDims].reduce(1, *)
    let taken = indices.count / batches
    let check = try IndexCheck(context, "indices")
    for batch in 0..<batches {
      emit(
        TakeStep(
          source: Place(buffer: x.buffer, offset: x.offset + batch * (x.count / batches)),
          indices: .value(
            Place(buffer: indices.buffer, offset: indices.offset + batch * taken), count: taken),
          target: Place(buffer: target.buffer, offset: batch * (target.count / batches)),
          outer: x.shape[batchDims..<axis].reduce(1, *), count: x.shape[axis],
          inner: x.shape[(axis + 1)...].reduce(1, *), check: check))
    }
  }
}
