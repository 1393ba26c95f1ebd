/// Ops that take a regular part of a value.

extension OpTable {
  static let slices: [OpRow] = [sliceByIndex, sliceBySize]

  private static let sliceByIndex = OpRow(
    "slice_by_index",
    [
      .value("x"), .value("begin"), .value("end"), .optionalValue("stride"),
      .option("begin_mask"), .option("end_mask"), .option("squeeze_mask"),
    ],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      return [TensorType(x.dtype, try SliceShape(byIndex: context).result)]
    },
    lower: { lowering, node throws(Diagnostic) in
      try lowering.slice(node, SliceShape(byIndex: lowering.arguments(node)))
    })

  private static let sliceBySize = OpRow(
    "slice_by_size", [.value("x"), .value("begin"), .value("size")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      return [TensorType(x.dtype, try SliceShape(bySize: context).result)]
    },
    lower: { lowering, node throws(Diagnostic) in
      try lowering.slice(node, SliceShape(bySize: lowering.arguments(node)))
    })
}

extension Lowering {
  fileprivate mutating func slice(_ node: Node, _ slice: SliceShape) throws(Diagnostic) {
    var view = try view(required(node, "x"))
    for axis in view.shape.indices {
      view = view.sliced(
        axis: axis, begin: slice.begin[axis], step: slice.stride[axis], count: slice.count[axis])
    }
    define(node.outputs[0], view.dropping(axes: slice.squeezed))
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
      let step = strides[axis]
      // Places beyond an end are held at it, as numpy does; a step back ends before the first.
      let (low, high) = step > 0 ? (0, size) : (-1, size - 1)
      func place(_ index: Int) -> Int {
        max(low, min(high, index < 0 && index >= -size ? index + size : index))
      }
      let first = beginMask[axis] ? (step > 0 ? 0 : size - 1) : place(begins[axis])
      let last = endMask[axis] ? (step > 0 ? size : -1) : place(ends[axis])
      let distance = step > 0 ? last - first : first - last
      let pace = Int(step.magnitude)
      let taken = max(0, (distance + pace - 1) / pace)
      begin.append(taken == 0 ? 0 : first)
      stride.append(step)
      count.append(taken)
    }
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

  private static func mask(
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
