/// Ops that change a value's shape and keep its elements.

extension OpTable {
  static let shapes: [OpRow] = [
    reshape, expandDims, squeeze, flatten, reshapeLike, transpose,
  ]

  private static let reshape = OpRow(
    "reshape", [.value("x"), .value("shape")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      return [TensorType(x.dtype, try context.reshaped(x.shape))]
    },
    fold: { lowering, node throws(Diagnostic) in try lowering.reshapeConstant(node) },
    lower: { lowering, node throws(Diagnostic) in
      try lowering.reshape(node, "x", to: lowering.result(node).shape)
    })

  private static let expandDims = OpRow(
    "expand_dims", [.value("x"), .constant("axes")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      let given = try context.requiredIntegers("axes")
      let rank = x.shape.count + given.count
      let axes = try context.axes(given, rank: rank, of: "axes")
      var shape = x.shape
      for axis in axes.sorted() { shape.insert(1, at: axis) }
      return [TensorType(x.dtype, shape)]
    },
    fold: { lowering, node throws(Diagnostic) in try lowering.reshapeConstant(node) },
    lower: { lowering, node throws(Diagnostic) in
      try lowering.reshape(node, "x", to: lowering.result(node).shape)
    })

  private static let squeeze = OpRow(
    "squeeze", [.value("x"), .option("axes")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      guard let given = try context.integers("axes") else {
        return [TensorType(x.dtype, x.shape.filter { $0 != 1 })]
      }
      // An axis that is named but holds more than one element stays.
      let axes = try context.axes(given, rank: x.shape.count, of: "axes")
      let kept = x.shape.indices.filter { !axes.contains($0) || x.shape[$0] != 1 }
      return [TensorType(x.dtype, kept.map { x.shape[$0] })]
    },
    fold: { lowering, node throws(Diagnostic) in try lowering.reshapeConstant(node) },
    lower: { lowering, node throws(Diagnostic) in
      try lowering.reshape(node, "x", to: lowering.result(node).shape)
    })

  /// Two axes: the sizes before `axis` as one, and all from it on.
  private static let flatten = OpRow(
    "flatten2d", [.value("x"), .option("axis")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      let rank = x.shape.count
      let given = try context.integer("axis", default: 1)
      guard (-rank...rank).contains(given) else {
        throw context.fault("`axis` is \(given), but the rank is \(rank); give \(-rank) to \(rank)")
      }
      let axis = given < 0 ? given + rank : given
      return [
        TensorType(x.dtype, [x.shape[..<axis].reduce(1, *), x.shape[axis...].reduce(1, *)])
      ]
    },
    fold: { lowering, node throws(Diagnostic) in try lowering.reshapeConstant(node) },
    lower: { lowering, node throws(Diagnostic) in
      try lowering.reshape(node, "x", to: lowering.result(node).shape)
    })

  /// The new shape is made of runs of other values' shapes.
  private static let reshapeLike = OpRow(
    "reshape_like",
    [
      .value("x"), .list("ref_tensors"), .list("begins", isConstant: true),
      .list("ends", isConstant: true), .list("end_masks", isConstant: true),
    ],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      return [TensorType(x.dtype, try context.shapeLike(x.shape))]
    },
    fold: { lowering, node throws(Diagnostic) in try lowering.reshapeConstant(node) },
    lower: { lowering, node throws(Diagnostic) in
      try lowering.reshape(node, "x", to: lowering.result(node).shape)
    })

  private static let transpose = OpRow(
    "transpose", [.value("x"), .constant("perm")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      return [TensorType(x.dtype, try context.permutation().map { x.shape[$0] })]
    },
    lower: { lowering, node throws(Diagnostic) in
      let permutation = try lowering.arguments(node).permutation()
      try lowering.rewindow(node, "x", to: lowering.result(node).shape) { view, _ in
        view.transposed(permutation)
      } joined: { axis, _ in
        permutation.firstIndex(of: axis)
      }
    })
}

extension InferenceContext {
  /// Result of `reshape`: one -1 is worked out; a 0 keeps the size at its place.
  func reshaped(_ source: [Int]) throws(Diagnostic) -> [Int] {
    // A shape that is computed at run time must agree with the declaration.
    guard constants["shape"] != nil else {
      guard let declared = declared.first?.shape, Shape.count(declared) == Shape.count(source)
      else { throw fault("`shape` is not known and the declared shape does not fit `x`") }
      return declared
    }
    var shape = try requiredIntegers("shape")
    let written = shape
    for (index, size) in written.enumerated() where size == 0 && written.count == source.count {
      shape[index] = source[index]
    }
    let unknown = shape.indices.filter { shape[$0] == -1 }
    guard unknown.count <= 1, shape.allSatisfy({ $0 >= -1 }) else {
      throw fault("`shape` may hold -1 once and no other negative size; it is \(written.text)")
    }
    let total = Shape.count(source) ?? .max
    if let place = unknown.first {
      shape[place] = 1
      guard let known = Shape.count(shape), known > 0, total % known == 0 else {
        throw fault("`shape` \(written.text) does not divide the \(total) elements of `x`")
      }
      shape[place] = total / known
    }
    guard Shape.count(shape) == total else {
      throw fault(
        "`shape` \(written.text) holds \(Shape.count(shape).map(String.init) ?? "too many")"
          + " elements; `x` \(source.text) has \(total)")
    }
    return shape
  }

  /// Result of `reshape_like`, with the elements of `source`.
  fileprivate func shapeLike(_ source: [Int]) throws(Diagnostic) -> [Int] {
    let references = types["ref_tensors"] ?? []
    let numbers = ["begins", "ends", "end_masks"].map { name in
      (lists[name] ?? []).compactMap { $0.numbers.count == 1 ? $0.numbers.first : nil }
    }
    guard numbers.allSatisfy({ $0.count == references.count }) else {
      throw fault(
        "`begins`, `ends` and `end_masks` must each hold \(references.count) numbers, one for each"
          + " of `ref_tensors`")
    }
    var shape: [Int] = []
    for (index, reference) in references.enumerated() {
      let rank = reference.shape.count
      func place(_ number: Double) -> Int {
        let place = Int(exactly: number) ?? rank
        return min(max(place < 0 ? place + rank : place, 0), rank)
      }
      let begin = place(numbers[0][index])
      let end = numbers[2][index] != 0 ? rank : place(numbers[1][index])
      if begin < end { shape += reference.shape[begin..<end] }
    }
    guard Shape.count(shape) == Shape.count(source) else {
      throw fault(
        "the shape \(shape.text) that the references give does not hold the elements of `x`"
          + " \(source.text)")
    }
    return shape
  }

  /// The axes of `transpose`, counted from the front.
  func permutation() throws(Diagnostic) -> [Int] {
    let rank = try type("x").shape.count
    return try axes(requiredIntegers("perm", count: rank), rank: rank, of: "perm")
  }
}
