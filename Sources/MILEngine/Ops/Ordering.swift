/// Ops about the order of elements along an axis: sorting, running sums, reversal, windows.
import CKernels

extension OpTable {
  static let orderings: [OpRow] = [
    argsort, topk, cumsum, reverse, reverseSequence, slidingWindows,
  ]

  private static let argsort = OpRow(
    "argsort", [.value("x"), .option("axis"), .option("ascending")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      _ = try context.foldedAxis(default: -1)
      _ = try context.flag("ascending", default: false)
      return [TensorType(.int32, x.shape)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let shape = lowering.result(node).shape
      let axis = try lowering.arguments(node).foldedAxis(default: -1)
      let indices = lowering.newView(shape)
      try lowering.sort(node, count: shape[axis], values: nil, indices: indices)
      lowering.define(node.outputs[0], indices)
    })

  private static let topk = OpRow(
    "topk",
    [
      .value("x"), .option("k"), .option("axis"), .option("ascending"), .option("sort"),
      .option("return_indices"), .option("output_indices_dtype"),
    ],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      let axis = try context.foldedAxis(default: -1)
      _ = try context.flag("ascending", default: false)
      _ = try context.flag("sort", default: true)
      var count = try context.integer("k", default: 1)
      if count == -1, context.opsetNumber >= 17 { count = x.shape[axis] }
      guard (0...x.shape[axis]).contains(count) else {
        throw context.fault("`k` must be from 0 to \(x.shape[axis]), axis \(axis); it is \(count)")
      }
      var shape = x.shape
      shape[axis] = count
      let values = TensorType(x.dtype, shape)
      guard try context.flag("return_indices", default: true) else { return [values] }
      let dtype = try context.choice("output_indices_dtype", ["int32", "uint16"])
      return [values, TensorType(dtype == "int32" ? .int32 : .uint16, shape)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let shape = lowering.result(node).shape
      let axis = try lowering.arguments(node).foldedAxis(default: -1)
      let values = lowering.newView(shape)
      let indices = node.outputs.count > 1 ? lowering.newView(shape) : nil
      try lowering.sort(node, count: shape[axis], values: values, indices: indices)
      lowering.define(node.outputs[0], values)
      if let indices { lowering.define(node.outputs[1], indices) }
    })

  private static let cumsum = OpRow(
    "cumsum", [.value("x"), .option("axis"), .option("exclusive"), .option("reverse")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.numbers)
      _ = try context.foldedAxis(default: 0)
      _ = try context.flag("exclusive", default: false)
      _ = try context.flag("reverse", default: false)
      return [x]
    },
    lower: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      let type = lowering.result(node)
      let axis = try context.foldedAxis(default: 0)
      let x = try lowering.denseView(lowering.required(node, "x"))
      let target = lowering.newView(x.shape)
      lowering.define(node.outputs[0], target)
      guard target.count > 0 else { return }
      lowering.emit(
        RunningSumStep(
          x: x.place, target: target.place, shape: FoldShape(x.shape, axis: axis),
          isFloat: type.dtype.isFloat, isHalf: lowering.rounding(type) == ORION_ROUND_F16,
          isExclusive: try context.flag("exclusive", default: false),
          runsBack: try context.flag("reverse", default: false)))
    })

  private static let reverse = OpRow(
    "reverse", [.value("x"), .option("axes")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      _ = try context.reducedAxes()
      return [x]
    },
    lower: { lowering, node throws(Diagnostic) in
      var view = try lowering.view(lowering.required(node, "x"))
      for axis in try lowering.arguments(node).reducedAxes() where view.shape[axis] > 0 {
        let size = view.shape[axis]
        view = view.sliced(axis: axis, begin: size - 1, step: -1, count: size)
      }
      lowering.define(node.outputs[0], view)
    })

  private static let reverseSequence = OpRow(
    "reverse_sequence",
    [.value("x"), .value("lengths"), .option("seq_axis"), .option("batch_axis")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      let (sequence, batch) = try context.sequenceAxes()
      let lengths = try context.type("lengths", in: Kinds.indices).shape
      guard lengths == [x.shape[batch]] else {
        throw context.fault(
          "`lengths` must be \([x.shape[batch]].text), one for each element of axis \(batch); it is"
            + " \(lengths.text)")
      }
      let known = try context.knownIntegers("lengths") ?? []
      for length in known where !(0...x.shape[sequence]).contains(length) {
        throw context.fault(
          "`lengths` must be from 0 to \(x.shape[sequence]), the size of axis \(sequence); one is"
            + " \(length)")
      }
      return [x]
    },
    lower: { lowering, node throws(Diagnostic) in
      let (sequence, batch) = try lowering.arguments(node).sequenceAxes()
      let x = try lowering.denseView(lowering.required(node, "x"))
      let lengths = try lowering.denseView(lowering.required(node, "lengths"))
      let target = lowering.newView(x.shape)
      lowering.define(node.outputs[0], target)
      guard target.count > 0 else { return }
      lowering.emit(
        ReverseSequenceStep(
          x: x.place, lengths: lengths.place, target: target.place, shape: x.shape,
          sequence: sequence, batch: batch))
    })

  private static let slidingWindows = OpRow(
    "sliding_windows", [.value("x"), .constant("axis"), .constant("size"), .option("stride")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      let windows = try context.slidingWindows()
      var shape = x.shape
      shape[windows.axis] = windows.count
      shape.insert(windows.size, at: windows.axis + 1)
      return [try context.result(x.dtype, shape)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let windows = try lowering.arguments(node).slidingWindows()
      var view = try lowering.view(lowering.required(node, "x"))
      let stride = view.strides[windows.axis]
      view.shape[windows.axis] = windows.count
      view.strides[windows.axis] = stride * windows.stride
      view.shape.insert(windows.size, at: windows.axis + 1)
      view.strides.insert(stride, at: windows.axis + 1)
      lowering.define(node.outputs[0], view)
    })
}

extension InferenceContext {
  /// The argument `axis` of an op with `x`, counted from the front.
  func foldedAxis(default value: Int) throws(Diagnostic) -> Int {
    try axis(integer("axis", default: value), rank: type("x").shape.count, of: "axis")
  }

  fileprivate func sequenceAxes() throws(Diagnostic) -> (sequence: Int, batch: Int) {
    let rank = try type("x").shape.count
    return (
      try axis(integer("seq_axis", default: 0), rank: rank, of: "seq_axis"),
      try axis(integer("batch_axis", default: 0), rank: rank, of: "batch_axis")
    )
  }

  fileprivate func slidingWindows() throws(Diagnostic) -> (
    axis: Int, size: Int, stride: Int, count: Int
  ) {
    let x = try type("x").shape
    let axis = try foldedAxis(default: 0)
    let size = try integer("size", default: 1)
    let stride = try integer("stride", default: 1)
    guard (1...max(x[axis], 1)).contains(size), x[axis] > 0, stride > 0, stride < 1 << 40 else {
      throw fault(
        "`size` must be from 1 to \(x[axis]), axis \(axis), and `stride` positive; they are"
          + " \(size) and \(stride)")
    }
    return (axis, size, stride, (x[axis] - size) / stride + 1)
  }
}

extension Lowering {
  /// The first `count` elements of each line in order, and where they were.
  fileprivate mutating func sort(
    _ node: Node, count: Int, values: View?, indices: View?
  ) throws(Diagnostic) {
    let context = arguments(node)
    let value = try required(node, "x")
    let x = try denseView(value)
    guard x.count > 0, count > 0 else { return }
    emit(
      SortStep(
        x: x.place, values: values?.place, indices: indices?.place,
        shape: FoldShape(x.shape, axis: try context.foldedAxis(default: -1)), taken: count,
        isFloat: type(value).dtype.isFloat,
        isAscending: try context.flag("ascending", default: false)))
  }
}

extension FoldShape {
  /// One axis of a dense tensor.
  init(_ shape: [Int], axis: Int) {
    self.init(
      outer: shape[..<axis].reduce(1, *), count: shape[axis],
      inner: shape[(axis + 1)...].reduce(1, *))
  }
}
