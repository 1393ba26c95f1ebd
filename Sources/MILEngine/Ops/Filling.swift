/// Ops that make values out of sizes, ranges and places rather than of other elements.
import CKernels

extension OpTable {
  static let fillings: [OpRow] = [fill, fillLike, range, oneHot, shape, nonZero, bandPart]

  private static let fill = OpRow(
    "fill", [.value("shape"), .option("value")],
    infer: { context throws(Diagnostic) in
      _ = try context.type("shape", in: Kinds.indices)
      let dtype = try context.filledType()
      guard let sizes = try context.knownIntegers("shape") else {
        return [try context.declaredResult(dtype)]
      }
      guard sizes.allSatisfy({ $0 >= 0 }) else {
        throw context.fault("`shape` must not be negative; it is \(sizes.text)")
      }
      return [try context.result(dtype, sizes)]
    },
    lower: { lowering, node throws(Diagnostic) in try lowering.fill(node) })

  private static let fillLike = OpRow(
    "fill_like", [.value("ref_tensor"), .option("value")],
    infer: { context throws(Diagnostic) in
      let shape = try context.type("ref_tensor", in: Kinds.any).shape
      return [try context.result(context.filledType(), shape)]
    },
    lower: { lowering, node throws(Diagnostic) in try lowering.fill(node) })

  private static let range = OpRow(
    "range_1d", [.value("end"), .value("start"), .value("step")],
    infer: { context throws(Diagnostic) in
      let dtype = try context.commonDType(["start", "end", "step"], in: Kinds.numbers)
      for name in ["start", "end", "step"] where try context.type(name).elementCount != 1 {
        throw context.fault("`\(name)` must be one number; it is \(try context.type(name).text)")
      }
      guard let start = context.constants["start"]?.numbers.first,
        let end = context.constants["end"]?.numbers.first,
        let step = context.constants["step"]?.numbers.first
      else {
        let declared = try context.declaredResult(dtype)
        guard declared.shape.count == 1 else {
          throw context.fault("the result has one axis; it is declared \(declared.shape.text)")
        }
        return [declared]
      }
      let count = ((end - start) / step).rounded(.up)
      guard step != 0, count.isFinite, count <= Double(1 << 40) else {
        throw context.fault(
          "`step` must lead from `start` to `end` in a number of steps that can be counted; they"
            + " are \(step), \(start), \(end)")
      }
      return [try context.result(dtype, [max(Int(count), 0)])]
    },
    lower: { lowering, node throws(Diagnostic) in
      let type = lowering.result(node)
      let target = lowering.newView(type.shape)
      lowering.define(node.outputs[0], target)
      guard target.count > 0 else { return }
      let start = try lowering.denseView(lowering.required(node, "start")).place
      let end = try lowering.denseView(lowering.required(node, "end")).place
      let step = try lowering.denseView(lowering.required(node, "step")).place
      lowering.emit(
        RangeStep(
          start: start, end: end, step: step, target: target.place, count: target.count,
          isFloat: type.dtype.isFloat, isHalf: lowering.rounding(type) == ORION_ROUND_F16))
    })

  private static let oneHot = OpRow(
    "one_hot",
    [
      .value("indices"), .value("one_hot_vector_size"), .option("axis"), .option("on_value"),
      .option("off_value"),
    ],
    infer: { context throws(Diagnostic) in
      let indices = try context.type("indices", in: Kinds.indices).shape
      _ = try context.type("one_hot_vector_size", in: Kinds.indices)
      let dtype = try context.oneHotType()
      let rank = indices.count + 1
      let axis = try context.axis(context.integer("axis", default: -1), rank: rank, of: "axis")
      var shape = indices
      if let size = try context.knownIntegers("one_hot_vector_size")?.first {
        guard size >= 0 else {
          throw context.fault("`one_hot_vector_size` must not be negative; it is \(size)")
        }
        shape.insert(size, at: axis)
      } else {
        let declared = try context.declaredResult(dtype).shape
        guard declared.count == rank else {
          throw context.fault("the result has rank \(rank); it is declared \(declared.text)")
        }
        shape.insert(declared[axis], at: axis)
      }
      return [try context.result(dtype, shape)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      let type = lowering.result(node)
      let axis = try context.axis(
        context.integer("axis", default: -1), rank: type.shape.count, of: "axis")
      let on = lowering.word(try context.number("on_value", default: 1), as: type)
      let off = lowering.word(try context.number("off_value", default: 0), as: type)
      let indices = try lowering.denseView(lowering.required(node, "indices"))
      let target = lowering.newView(type.shape)
      lowering.define(node.outputs[0], target)
      guard target.count > 0 else { return }
      lowering.emit(
        OneHotStep(
          indices: indices.place, target: target.place,
          outer: type.shape[..<axis].reduce(1, *), count: type.shape[axis],
          inner: type.shape[(axis + 1)...].reduce(1, *), on: on, off: off))
    })

  /// The sizes are known before the run, so the result is a constant.
  private static let shape = OpRow(
    "shape", [.value("x")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x")
      return [try context.result(.int32, [x.shape.count])]
    },
    fold: { lowering, node throws(Diagnostic) in
      let sizes = lowering.type(try lowering.required(node, "x")).shape
      let bytes = sizes.flatMap { size in
        let word = UInt32(truncatingIfNeeded: size)
        return (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
      }
      return ConstantContent(
        type: lowering.result(node), source: .bytes(bytes), roundsToHalf: false)
    })

  /// How many rows there are is only known at run time; the declared number must come true.
  private static let nonZero = OpRow(
    "non_zero", [.value("x")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      if let known = context.constants["x"] {
        return [TensorType(.int32, [known.numbers.count { $0 != 0 }, x.shape.count])]
      }
      let declared = try context.declaredResult(.int32)
      guard declared.shape.count == 2, declared.shape[1] == x.shape.count,
        declared.shape[0] <= x.elementCount
      else {
        throw context.fault(
          "the result is [N, \(x.shape.count)] with N up to \(x.elementCount); it is declared"
            + " \(declared.shape.text)")
      }
      return [declared]
    },
    lower: { lowering, node throws(Diagnostic) in
      let value = try lowering.required(node, "x")
      let x = try lowering.denseView(value)
      let target = lowering.newView(lowering.result(node).shape)
      lowering.define(node.outputs[0], target)
      lowering.emit(
        NonZeroStep(
          x: x.place, target: target.place, shape: x.shape, strides: Shape.strides(x.shape),
          rows: target.shape[0], isFloat: lowering.type(value).dtype.isFloat))
    })

  private static let bandPart = OpRow(
    "band_part", [.value("x"), .option("lower"), .option("upper")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      guard x.shape.count >= 2 else {
        throw context.fault("`x` must have rank 2 or more; it is \(x.shape.text)")
      }
      _ = try context.integer("lower", default: -1)
      _ = try context.integer("upper", default: -1)
      return [x]
    },
    lower: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      let x = try lowering.denseView(lowering.required(node, "x"))
      let target = lowering.newView(x.shape)
      lowering.define(node.outputs[0], target)
      guard target.count > 0 else { return }
      lowering.emit(
        BandStep(
          x: x.place, target: target.place, matrices: x.shape.dropLast(2).reduce(1, *),
          rows: x.shape[x.shape.count - 2], columns: x.shape[x.shape.count - 1],
          lower: try context.integer("lower", default: -1),
          upper: try context.integer("upper", default: -1)))
    })
}

extension InferenceContext {
  /// The type that a filling value says, or its default's.
  fileprivate func filledType() throws(Diagnostic) -> DType {
    guard has("value") else { return .fp32 }
    _ = try number("value", default: 0)
    return try type("value", in: Kinds.any).dtype
  }

  fileprivate func oneHotType() throws(Diagnostic) -> DType {
    var found: DType?
    for name in ["on_value", "off_value"] where has(name) {
      _ = try number(name, default: 0)
      let dtype = try type(name, in: Kinds.any).dtype
      guard found == nil || found == dtype else {
        throw fault("`on_value` and `off_value` must have one type")
      }
      found = dtype
    }
    return found ?? .int32
  }

  /// Integers that stand in the text; `nil` when they are worked out at run time.
  func knownIntegers(_ name: String) throws(Diagnostic) -> [Int]? {
    constants[name] == nil ? nil : try integers(name)
  }

  /// What is declared, for results whose shape depends on values of the run.
  func declaredResult(_ dtype: DType) throws(Diagnostic) -> TensorType {
    guard let shape = declared.first?.shape else {
      throw fault("the shape depends on values of the run; declare it")
    }
    return try result(dtype, shape)
  }
}

extension Lowering {
  /// A number as an element of a type.
  func word(_ number: Double, as type: TensorType) -> UInt32 {
    guard type.dtype.isFloat else { return Words.word(Words.integer(number)) }
    let isHalf = rounding(type) == ORION_ROUND_F16
    return Words.word(Float(isHalf ? HalfFloat.rounded(number) : number))
  }

  fileprivate mutating func fill(_ node: Node) throws(Diagnostic) {
    let type = result(node)
    let target = newView(type.shape)
    let value = try arguments(node).number("value", default: 0)
    if target.count > 0 {
      emit(FillStep(target: target.place, count: target.count, word: word(value, as: type)))
    }
    define(node.outputs[0], target)
  }
}
