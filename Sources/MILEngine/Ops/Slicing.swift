/// Ops that take a regular part of a value.

extension OpTable {
  static let slices: [OpRow] = [sliceByIndex, sliceBySize, sliceUpdate]

  private static let sliceByIndex = OpRow(
    "slice_by_index",
    [
      .value("x"), .value("begin"), .value("end"), .optionalValue("stride"),
      .option("begin_mask"), .option("end_mask"), .option("squeeze_mask"),
    ],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      guard context.isKnown(["begin", "end"]) else {
        let result = try context.declaredResult(x.dtype)
        _ = try SliceAtRun(context, x.shape, taken: result.shape)
        return [result]
      }
      return [TensorType(x.dtype, try SliceShape(byIndex: context).result)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      guard context.isKnown(["begin", "end"]) else { return try lowering.sliceAtRun(node) }
      try lowering.slice(node, SliceShape(byIndex: context))
    })

  private static let sliceBySize = OpRow(
    "slice_by_size", [.value("x"), .value("begin"), .value("size")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      guard context.isKnown(["begin", "size"]) else {
        let result = try context.declaredResult(x.dtype)
        _ = try SliceAtRun(context, x.shape, taken: result.shape)
        return [result]
      }
      return [TensorType(x.dtype, try SliceShape(bySize: context).result)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      guard context.isKnown(["begin", "size"]) else { return try lowering.sliceAtRun(node) }
      try lowering.slice(node, SliceShape(bySize: context))
    })

  private static let sliceUpdate = OpRow(
    "slice_update",
    [
      .value("x"), .value("update"), .value("begin"), .value("end"), .optionalValue("stride"),
      .option("begin_mask"), .option("end_mask"), .option("squeeze_mask"),
    ],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      let update = try context.type("update", in: [x.dtype])
      guard context.isKnown(["begin", "end"]) else {
        _ = try SliceAtRun(context, x.shape, taken: update.shape)
        return [x]
      }
      let expected = try SliceShape(byIndex: context).result
      guard update.shape == expected else {
        throw context.fault(
          "`update` must have the shape of the slice, \(expected.text); it is \(update.shape.text)")
      }
      return [x]
    },
    lower: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      guard context.isKnown(["begin", "end"]) else { return try lowering.sliceAtRun(node) }
      try lowering.update(node, SliceShape(byIndex: context))
    })
}

extension InferenceContext {
  /// The arguments stand in the text, or are left out.
  fileprivate func isKnown(_ names: [String]) -> Bool {
    (names + ["stride"]).allSatisfy { !has($0) || constants[$0] != nil }
  }
}

extension Lowering {
  fileprivate mutating func slice(_ node: Node, _ slice: SliceShape) throws(Diagnostic) {
    let view = try view(required(node, "x")).sliced(slice)
    define(node.outputs[0], view.dropping(axes: slice.squeezed))
  }

  /// A copy with the slice replaced.
  fileprivate mutating func update(_ node: Node, _ slice: SliceShape) throws(Diagnostic) {
    let x = try view(required(node, "x"))
    let target = newView(x.shape)
    write(.view(x), to: target)
    define(node.outputs[0], target)
    guard slice.count.allSatisfy({ $0 > 0 }) else { return }
    var update = window(try view(required(node, "update")), as: slice.count)
    var place = target.sliced(slice)
    // Steps back are steps forward through an update that is turned around.
    for axis in place.shape.indices where place.strides[axis] < 0 {
      let last = place.shape[axis] - 1
      place = place.sliced(axis: axis, begin: last, step: -1, count: last + 1)
      update = update.sliced(axis: axis, begin: last, step: -1, count: last + 1)
    }
    emit(ScatterStep(source: dense(update).place, target: place))
  }

  /// A slice whose place is only known at run time.
  fileprivate mutating func sliceAtRun(_ node: Node) throws(Diagnostic) {
    let context = arguments(node)
    let x = try denseView(required(node, "x"))
    var update: View?
    if let value = operand(node, "update") { update = try denseView(value) }
    let slice = try SliceAtRun(context, x.shape, taken: update?.shape ?? result(node).shape)
    let target = newView(result(node).shape)
    define(node.outputs[0], target)
    guard target.count > 0 else { return }
    var places: [String: Place] = [:]
    for name in ["begin", "end", "size", "stride"] {
      if let value = operand(node, name) { places[name] = try denseView(value).place }
    }
    emit(
      RunSliceStep(
        slice: slice, x: x.place, update: update?.place, target: target.place,
        numbers: places, op: node.op))
  }
}

extension View {
  fileprivate func sliced(_ slice: SliceShape) -> View {
    var view = self
    for axis in shape.indices {
      view = view.sliced(
        axis: axis, begin: slice.begin[axis], step: slice.stride[axis], count: slice.count[axis])
    }
    return view
  }
}

/// What a slice takes of each axis.
struct SliceShape {
  /// First element, distance between elements, and count, for each axis of `x`.
  private(set) var begin: [Int] = []
  private(set) var stride: [Int] = []
  private(set) var count: [Int] = []
  /// Axes that the result drops.
  private(set) var squeezed: [Bool]
  var result: [Int] { count.indices.filter { !squeezed[$0] }.map { count[$0] } }

  init(byIndex context: InferenceContext) throws(Diagnostic) {
    let shape = try context.type("x").shape
    let rank = shape.count
    let begins = try context.requiredIntegers("begin", count: rank)
    let ends = try context.requiredIntegers("end", count: rank)
    let strides = try context.integers("stride") ?? [Int](repeating: 1, count: rank)
    let beginMask = try Self.mask(context, "begin_mask", rank)
    let endMask = try Self.mask(context, "end_mask", rank)
    squeezed = try Self.mask(context, "squeeze_mask", rank)
    guard strides.count == rank, strides.allSatisfy({ $0 != 0 && $0.magnitude <= 1 << 40 }) else {
      throw context.fault("`stride` must hold \(rank) values other than 0; it is \(strides.text)")
    }
    for axis in 0..<rank {
      let size = shape[axis]
      if squeezed[axis] {
        begin.append(try context.axis(begins[axis], rank: size, of: "begin"))
        stride.append(1)
        count.append(1)
        continue
      }
      let (first, taken) = Self.extent(
        of: size, from: beginMask[axis] ? nil : begins[axis],
        to: endMask[axis] ? nil : ends[axis], step: strides[axis])
      begin.append(taken == 0 ? 0 : first)
      stride.append(strides[axis])
      count.append(taken)
    }
  }

  /// The first element and the number of elements of one axis. Places beyond an end are held at it,
  /// as numpy does; a step back ends before the first.
  static func extent(
    of size: Int, from begin: Int?, to end: Int?, step: Int
  ) -> (first: Int, count: Int) {
    let (low, high) = step > 0 ? (0, size) : (-1, size - 1)
    func place(_ index: Int) -> Int {
      max(low, min(high, index < 0 && index >= -size ? index + size : index))
    }
    let first = begin.map(place) ?? (step > 0 ? 0 : size - 1)
    let last = end.map(place) ?? (step > 0 ? size : -1)
    let distance = step > 0 ? last - first : first - last
    let pace = Int(step.magnitude)
    return (first, max(0, (distance + pace - 1) / pace))
  }

  init(bySize context: InferenceContext) throws(Diagnostic) {
    let shape = try context.type("x").shape
    let rank = shape.count
    let begins = try context.requiredIntegers("begin", count: rank)
    let sizes = try context.requiredIntegers("size", count: rank)
    squeezed = [Bool](repeating: false, count: rank)
    for axis in 0..<rank {
      let first =
        begins[axis] < 0 && begins[axis] >= -shape[axis]
        ? begins[axis] + shape[axis] : begins[axis]
      let room = (0...shape[axis]).contains(first) ? shape[axis] - first : -1
      let taken = sizes[axis] == -1 ? room : sizes[axis]
      guard taken >= 0, taken <= room else {
        throw context.fault(
          "axis \(axis) of `x` \(shape.text) has no \(sizes[axis]) elements from \(begins[axis]) on"
        )
      }
      begin.append(first)
      stride.append(1)
      count.append(taken)
    }
  }

  static func mask(
    _ context: InferenceContext, _ name: String, _ rank: Int
  ) throws(Diagnostic) -> [Bool] {
    guard let flags = try context.flags(name) else {
      return [Bool](repeating: false, count: rank)
    }
    guard flags.count == rank else {
      throw context.fault("`\(name)` must hold \(rank) values; it holds \(flags.count)")
    }
    return flags
  }
}
