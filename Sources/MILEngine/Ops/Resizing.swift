/// Ops that resize or crop the last axes of a value.

extension OpTable {
  static let resizing: [OpRow] = [
    resize, resizeBilinear, resizeNearest, upsampleBilinear, upsampleNearest, crop,
  ]

  private static let resize = OpRow(
    "resize",
    [
      .value("x"), .value("shape"), .constant("resized_dims"), .option("interpolation_mode"),
      .option("sampling_mode"),
    ],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.numbers)
      return [try context.result(x.dtype, try context.resizedShape(x.shape))]
    },
    lower: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      let isLinear =
        try context.choice("interpolation_mode", ["LINEAR", "NEAREST_NEIGHBOR"]) == "LINEAR"
      let mode = try context.samplingMode()
      let axes = try context.integer("resized_dims", default: 0)
      try lowering.resize(node, axes: axes) { length, count in
        mode.points(first: 0, last: Double(length - 1), count: count).map {
          isLinear ? Tap(at: $0, length: length) : .nearest(to: $0, length: length)
        }
      }
    })

  private static let resizeBilinear = OpRow(
    "resize_bilinear",
    [
      .value("x"), .option("target_size_height"), .option("target_size_width"),
      .option("sampling_mode"),
    ],
    infer: { context throws(Diagnostic) in try context.imageResult(context.targetSize()) },
    lower: { lowering, node throws(Diagnostic) in
      let mode = try lowering.arguments(node).samplingMode()
      try lowering.resize(node, axes: 2) { length, count in
        mode.points(first: 0, last: Double(length - 1), count: count)
          .map { Tap(at: $0, length: length) }
      }
    })

  private static let resizeNearest = OpRow(
    "resize_nearest_neighbor",
    [.value("x"), .constant("target_size_height"), .constant("target_size_width")],
    infer: { context throws(Diagnostic) in try context.imageResult(context.targetSize()) },
    lower: { lowering, node throws(Diagnostic) in
      try lowering.resize(node, axes: 2, floorTaps)
    })

  private static let upsampleNearest = OpRow(
    "upsample_nearest_neighbor",
    [.value("x"), .option("scale_factor_height"), .option("scale_factor_width")],
    infer: { context throws(Diagnostic) in try context.imageResult(context.scaledSize()) },
    lower: { lowering, node throws(Diagnostic) in
      try lowering.resize(node, axes: 2, floorTaps)
    })

  /// The scale that counts is the one between the sizes, not the given one.
  private static let upsampleBilinear = OpRow(
    "upsample_bilinear",
    [
      .value("x"), .option("scale_factor_height"), .option("scale_factor_width"),
      .option("align_corners"), .option("half_pixel_centers"),
    ],
    infer: { context throws(Diagnostic) in try context.imageResult(context.scaledSize()) },
    lower: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      let isAligned = try context.flag("align_corners", default: true)
      let isCentred = try context.flag("half_pixel_centers", default: !isAligned)
      guard !isAligned || !isCentred else {
        throw context.fault("`align_corners` and `half_pixel_centers` cannot both be true")
      }
      let mode: SamplingMode = isAligned ? .strict : isCentred ? .unaligned : .plain
      try lowering.resize(node, axes: 2) { length, count in
        mode.points(first: 0, last: Double(length - 1), count: count)
          .map { Tap(at: $0, length: length) }
      }
    })

  /// The element at or before the point.
  @Sendable private static func floorTaps(_ length: Int, _ count: Int) -> [Tap] {
    (0..<count).map { Tap(min($0 * length / count, length - 1)) }
  }

  private static let crop = OpRow(
    "crop", [.value("x"), .constant("crop_height"), .constant("crop_width")],
    infer: { context throws(Diagnostic) in
      let sizes = try context.image()
      let (height, width) = try context.cropped()
      return try context.imageResult(
        [sizes[0] - height[0] - height[1], sizes[1] - width[0] - width[1]])
    },
    lower: { lowering, node throws(Diagnostic) in
      let (height, width) = try lowering.arguments(node).cropped()
      var view = try lowering.view(lowering.required(node, "x"))
      let shape = lowering.result(node).shape
      for (axis, amount) in [(shape.count - 2, height[0]), (shape.count - 1, width[0])] {
        view = view.sliced(axis: axis, begin: amount, count: shape[axis])
      }
      lowering.define(node.outputs[0], view)
    })
}

extension InferenceContext {
  func samplingMode() throws(Diagnostic) -> SamplingMode {
    let names = SamplingMode.allCases.map(\.rawValue)
    guard has("sampling_mode") else { return .plain }
    return SamplingMode(rawValue: try choice("sampling_mode", names)) ?? .plain
  }

  /// Height and width, the last axes of `x`.
  fileprivate func image() throws(Diagnostic) -> [Int] {
    let shape = try type("x", in: Kinds.floats).shape
    guard shape.count >= 3, shape.suffix(2).allSatisfy({ $0 > 0 }) else {
      throw fault("`x` must have three or more axes, the last two not empty; it is \(shape.text)")
    }
    return Array(shape.suffix(2))
  }

  fileprivate func imageResult(_ size: [Int]) throws(Diagnostic) -> [TensorType] {
    _ = try image()
    let x = try type("x")
    guard size.allSatisfy({ $0 > 0 && $0 < 1 << 31 }) else {
      throw fault("the result would be \(size.text) high and wide; both must be at least 1")
    }
    return [try result(x.dtype, x.shape.dropLast(2) + size)]
  }

  fileprivate func targetSize() throws(Diagnostic) -> [Int] {
    [
      try integer("target_size_height", default: 1), try integer("target_size_width", default: 1),
    ]
  }

  fileprivate func scaledSize() throws(Diagnostic) -> [Int] {
    let sizes = try image()
    var result: [Int] = []
    for (size, name) in zip(sizes, ["scale_factor_height", "scale_factor_width"]) {
      let scale = try number(name, default: 1)
      let scaled = (Double(size) * scale).rounded(.down)
      guard scaled >= 1, scaled < Double(1 << 31) else {
        throw fault("`\(name)` is \(scale), which makes \(size) elements \(scaled)")
      }
      result.append(Int(scaled))
    }
    return result
  }

  fileprivate func cropped() throws(Diagnostic) -> (height: [Int], width: [Int]) {
    let height = try requiredIntegers("crop_height", count: 2)
    let width = try requiredIntegers("crop_width", count: 2)
    guard (height + width).allSatisfy({ $0 >= 0 && $0 < 1 << 31 }) else {
      throw fault("amounts must not be negative; they are \(height.text) and \(width.text)")
    }
    return (height, width)
  }

  /// The last `resized_dims` sizes come from `shape`, where 0 keeps the operand's.
  fileprivate func resizedShape(_ shape: [Int]) throws(Diagnostic) -> [Int] {
    let given = try requiredIntegers("shape")
    let axes = try integer("resized_dims", default: 0)
    guard axes >= 0, axes <= given.count, given.count <= shape.count else {
      throw fault(
        "`resized_dims` (\(axes)) must be at most the length of `shape` (\(given.count)), and that"
          + " at most the rank \(shape.count)")
    }
    let sizes = zip(shape.suffix(axes), given.suffix(axes)).map { $1 == 0 ? $0 : $1 }
    guard sizes.allSatisfy({ $0 > 0 && $0 < 1 << 31 }), shape.suffix(axes).allSatisfy({ $0 > 0 })
    else { throw fault("`shape` \(given.text) must not be negative, nor `x` \(shape.text) empty") }
    return shape.dropLast(axes) + sizes
  }
}

extension Lowering {
  /// The places that each of `count` results looks at on an axis of some length.
  typealias Taps = (_ length: Int, _ count: Int) -> [Tap]

  /// Resizes the last axes.
  fileprivate mutating func resize(
    _ node: Node, axes: Int, _ taps: Taps
  ) throws(Diagnostic) {
    let x = type(try required(node, "x"))
    let result = result(node)
    let (lengths, counts) = (x.shape.suffix(axes), result.shape.suffix(axes))
    for count in counts { try limit(node, [count], to: 1 << 24) }
    let sampler = GridSampler(
      taps: zip(lengths, counts).map { taps($0, $1) },
      strides: Array(Shape.strides(x.shape).suffix(axes)))
    let outer = x.shape.dropLast(axes).reduce(1, *)
    let (plane, isFloat) = (lengths.reduce(1, *), x.dtype.isFloat)
    let (rounder, elements) = (rounder(result), counts.reduce(1, *))
    try compute(node, ["x"]) { memory in
      var target = memory.resultWords(0)
      for index in 0..<outer {
        let source = memory.words(0) + index * plane
        for place in 0..<elements {
          let value = sampler.value(place) { offset in
            isFloat
              ? Double(Words.float(source[offset])) : Double(Words.signed(source[offset]))
          }
          target.pointee =
            isFloat ? Words.word(rounder(value)) : Words.word(Words.integer(value))
          target += 1
        }
      }
    }
  }
}
