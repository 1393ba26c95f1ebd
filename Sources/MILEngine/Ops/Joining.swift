/// Ops that join, part, repeat and surround values, and compute nothing.

extension OpTable {
  static let joins: [OpRow] = [concat, stack, split, tile, pad]

  private static let concat = OpRow(
    "concat", [.list("values"), .constant("axis"), .option("interleave")],
    infer: { context throws(Diagnostic) in
      let first = try context.type("values", in: Kinds.any)
      let axis = try context.axis(
        context.integer("axis", default: 0), rank: first.shape.count, of: "axis")
      let interleave = try context.flag("interleave", default: false)
      var shape = first.shape
      shape[axis] = 0
      for type in context.types["values"] ?? [] {
        var expected = first.shape
        if !interleave, axis < type.shape.count { expected[axis] = type.shape[axis] }
        guard type.dtype == first.dtype, type.shape == expected else {
          throw context.fault(
            "values must have one type and, but for axis \(axis)\(interleave ? " too" : ""),"
              + " one shape; the first is \(first.text), another \(type.text)")
        }
        shape[axis] += type.shape[axis]
      }
      return [try context.result(first.dtype, shape)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      let values = node.operands["values"]?.ids ?? []
      let shape = lowering.result(node).shape
      let axis = try context.axis(
        context.integer("axis", default: 0), rank: shape.count, of: "axis")
      if try context.flag("interleave", default: false) {
        // Neighbours along the axis come from one value after the other.
        var parted = shape
        parted[axis] /= values.count
        parted.insert(values.count, at: axis + 1)
        return try lowering.join(node, values, along: axis + 1, shape: parted)
      }
      try lowering.concatenate(node, values, axis: axis)
    })

  private static let stack = OpRow(
    "stack", [.list("values"), .constant("axis")],
    infer: { context throws(Diagnostic) in
      let types = context.types["values"] ?? []
      let first = try context.type("values", in: Kinds.any)
      for type in types where type != first {
        throw context.fault("values must have one type; they are \(first.text) and \(type.text)")
      }
      let axis = try context.axis(
        context.integer("axis", default: 0), rank: first.shape.count + 1, of: "axis")
      var shape = first.shape
      shape.insert(types.count, at: axis)
      return [try context.result(first.dtype, shape)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let shape = lowering.result(node).shape
      let axis = try lowering.arguments(node).axis(
        lowering.arguments(node).integer("axis", default: 0), rank: shape.count, of: "axis")
      let values = node.operands["values"]?.ids ?? []
      try lowering.join(node, values, along: axis, shape: shape)
    })

  private static let split = OpRow(
    "split",
    [.value("x"), .option("num_splits"), .option("split_sizes"), .constant("axis")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      let (axis, sizes) = try context.splitting()
      return sizes.map {
        var shape = x.shape
        shape[axis] = $0
        return TensorType(x.dtype, shape)
      }
    },
    lower: { lowering, node throws(Diagnostic) in
      let (axis, sizes) = try lowering.arguments(node).splitting()
      let view = try lowering.view(lowering.required(node, "x"))
      var begin = 0
      for (output, size) in zip(node.outputs, sizes) {
        lowering.define(output, view.sliced(axis: axis, begin: begin, count: size))
        begin += size
      }
    })

  private static let tile = OpRow(
    "tile", [.value("x"), .value("reps")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      guard context.constants["reps"] != nil else { return [try context.declaredTiles(x)] }
      let reps = try context.requiredIntegers("reps", count: x.shape.count)
      var shape: [Int] = []
      for (size, count) in zip(x.shape, reps) {
        guard count > 0, count <= elementCountMax, size <= elementCountMax / count else {
          throw context.fault("`reps` must be positive and not too large; it is \(reps.text)")
        }
        shape.append(size * count)
      }
      return [try context.result(x.dtype, shape)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let x = try lowering.view(lowering.required(node, "x"))
      let reps = try lowering.repetitions(node, of: x.shape)
      // A repeated axis in front of each axis, then both as one.
      var view = x
      for axis in x.shape.indices.reversed() { view = view.inserting(axis: axis) }
      view = view.broadcast(to: zip(reps, x.shape).flatMap { [$0, $1] })
      let window = lowering.window(view, as: lowering.result(node).shape)
      lowering.define(node.outputs[0], window)
    })

  private static let pad = OpRow(
    "pad", [.value("x"), .value("pad"), .option("mode"), .option("constant_val")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      _ = try context.choice("mode", ["constant", "reflect", "replicate"])
      guard context.constants["pad"] != nil else { return [try context.declaredPadding(x)] }
      let amounts = try context.padding()
      let shape = zip(x.shape, amounts).map { $0 + $1.before + $1.after }
      return [try context.result(x.dtype, shape)]
    },
    lower: { lowering, node throws(Diagnostic) in try lowering.pad(node) })
}

extension Lowering {
  /// How often each axis is repeated: as written in the text, or as the declared shape says, which the run's
  /// numbers must then agree with.
  fileprivate mutating func repetitions(_ node: Node, of shape: [Int]) throws(Diagnostic) -> [Int] {
    let context = arguments(node)
    if context.constants["reps"] != nil { return try context.requiredIntegers("reps") }
    let reps = zip(result(node).shape, shape).map { $0 / max($1, 1) }
    let given = try denseView(required(node, "reps"))
    emit(ExpectStep(numbers: given.place, expected: reps, what: "tile: `reps`"))
    return reps
  }
}

extension InferenceContext {
  /// The declared result of `tile` where only the run knows `reps`.
  fileprivate func declaredTiles(_ x: TensorType) throws(Diagnostic) -> TensorType {
    let reps = try type("reps", in: Kinds.indices).shape
    let declared = try declaredResult(x.dtype)
    let fits =
      reps == [x.shape.count] && declared.shape.count == x.shape.count
      && zip(declared.shape, x.shape).allSatisfy { $1 > 0 && $0 > 0 && $0 % $1 == 0 }
    guard fits else {
      throw fault(
        "the declared result \(declared.shape.text) is no whole number of \(x.shape.text), with as"
          + " many `reps` as axes")
    }
    return declared
  }

  /// The declared result of `pad` where only the run knows the amounts.
  fileprivate func declaredPadding(_ x: TensorType) throws(Diagnostic) -> TensorType {
    let amounts = try type("pad", in: Kinds.indices).shape
    let declared = try declaredResult(x.dtype)
    let axes = (amounts.first ?? 0) / 2
    let fits =
      amounts == [2 * axes] && axes <= x.shape.count && declared.shape.count == x.shape.count
      && zip(declared.shape, x.shape).allSatisfy { $0 >= $1 }
      && declared.shape.dropLast(axes) == x.shape.dropLast(axes)
    guard fits else {
      throw fault(
        "the declared result \(declared.shape.text) cannot come of \(x.shape.text) by the"
          + " \(amounts.text) amounts of `pad`")
    }
    return declared
  }

  /// The axis of `split` and the sizes of its results.
  func splitting() throws(Diagnostic) -> (axis: Int, sizes: [Int]) {
    let x = try type("x").shape
    let axis = try axis(integer("axis", default: 0), rank: x.count, of: "axis")
    let count = try integers("num_splits")?.first
    if let sizes = try integers("split_sizes") {
      let allowed = 0...elementCountMax
      guard sizes.allSatisfy(allowed.contains), sizes.reduce(0, &+) == x[axis],
        count == nil || count == sizes.count
      else {
        throw fault(
          "`split_sizes` \(sizes.text) must add up to \(x[axis]), the size of axis \(axis),"
            + " and agree with `num_splits`")
      }
      return (axis, sizes)
    }
    guard let count else {
      throw fault("give `num_splits` or `split_sizes`", rule: "missing-argument")
    }
    guard count > 0, x[axis] % count == 0 else {
      throw fault("`num_splits` \(count) must divide \(x[axis]), the size of axis \(axis)")
    }
    return (axis, [Int](repeating: x[axis] / count, count: count))
  }

  /// Elements that `pad` adds before and after each axis of `x`.
  func padding() throws(Diagnostic) -> [(before: Int, after: Int)] {
    let x = try type("x").shape
    let given = try requiredIntegers("pad")
    let mode = try choice("mode", ["constant", "reflect", "replicate"])
    guard given.count % 2 == 0, given.count / 2 <= x.count else {
      throw fault(
        "`pad` must hold two values for each of at most \(x.count) axes; it is \(given.text)")
    }
    let skipped = x.count - given.count / 2
    var result = [(before: Int, after: Int)](repeating: (0, 0), count: x.count)
    for axis in skipped..<x.count {
      let (before, after) = (given[2 * (axis - skipped)], given[2 * (axis - skipped) + 1])
      let most =
        switch mode {
        case "reflect": max(x[axis] - 1, 0)
        case "replicate" where x[axis] == 0: 0
        default: 1 << 40
        }
      guard (0...most).contains(before), (0...most).contains(after) else {
        throw fault(
          "`pad` of axis \(axis) must be from 0 to \(most) in mode \(mode);"
            + " it is \(before), \(after)")
      }
      result[axis] = (before, after)
    }
    return result
  }
}
