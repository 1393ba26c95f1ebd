/// Ops that look up an image at computed places: `affine`, `resample`, `crop_resize`.

extension OpTable {
  static let imageSampling: [OpRow] = [affine, resample, cropResize]

  private static let affine = OpRow(
    "affine",
    [
      .value("x"), .value("transform_matrix"), .constant("output_height"),
      .constant("output_width"), .constant("sampling_mode"), .constant("padding_mode"),
      .constant("padding_value"), .constant("coordinates_mode"), .constant("align_corners"),
    ],
    infer: { context throws(Diagnostic) in
      let x = try context.imageBatch("x")
      let matrix = try context.type("transform_matrix", in: Kinds.floats).shape
      guard matrix.count == 2, matrix[1] == 6, matrix[0] == 1 || matrix[0] == x.shape[0] else {
        throw context.fault(
          "`transform_matrix` must be [1, 6] or [\(x.shape[0]), 6]; it is \(matrix.text)")
      }
      _ = try ImageReader(context)
      let sizes = try ["output_height", "output_width"].map { (name) throws(Diagnostic) in
        try context.size(name)
      }
      return [try context.result(x.dtype, x.shape.prefix(2) + sizes)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      let reader = try ImageReader(context)
      let matrices = try context.type("transform_matrix").shape[0]
      let shape = lowering.result(node).shape
      // From corner to corner of the result; a single row or column lies in the middle.
      func unit(_ index: Int, _ count: Int) -> Double {
        count > 1 ? -1 + 2 * Double(index) / Double(count - 1) : 0
      }
      let columns = (0..<shape[3]).map { unit($0, shape[3]) }
      let rows = (0..<shape[2]).map { unit($0, shape[2]) }
      try lowering.sample(node, ["x", "transform_matrix"], reader) { memory, batch, row, column in
        let a = memory.floats(1) + (matrices == 1 ? 0 : 6 * batch)
        let (x, y) = (columns[column], rows[row])
        return (
          Double(a[0]) * x + Double(a[1]) * y + Double(a[2]),
          Double(a[3]) * x + Double(a[4]) * y + Double(a[5])
        )
      }
    })

  private static let resample = OpRow(
    "resample",
    [
      .value("x"), .value("coordinates"), .constant("sampling_mode"), .constant("padding_mode"),
      .constant("padding_value"), .constant("coordinates_mode"), .constant("align_corners"),
    ],
    infer: { context throws(Diagnostic) in
      let x = try context.imageBatch("x")
      let places = try context.type("coordinates", in: Kinds.numbers + Kinds.small).shape
      guard places.count == 4, places[0] == x.shape[0], places[3] == 2 else {
        throw context.fault("`coordinates` must be [\(x.shape[0]), H, W, 2]; it is \(places.text)")
      }
      _ = try ImageReader(context)
      return [try context.result(x.dtype, Array(x.shape.prefix(2)) + places[1...2])]
    },
    lower: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      let places = try context.type("coordinates")
      let isFloat = places.dtype.isFloat
      let (height, width) = (places.shape[1], places.shape[2])
      try lowering.sample(
        node, ["x", "coordinates"], ImageReader(context)
      ) { memory, batch, row, column in
        let pair = memory.words(1) + 2 * ((batch * height + row) * width + column)
        func number(_ word: UInt32) -> Double {
          isFloat ? Double(Words.float(word)) : Double(Words.signed(word))
        }
        return (number(pair[0]), number(pair[1]))
      }
    })

  /// From ios17 on boxes are [N, 4] beside indices of images, earlier [N, 1, 4 or 5, 1, 1].
  private static let cropResize = OpRow(
    "crop_resize",
    [
      .value("x"), .optionalValue("roi"), .optionalValue("boxes"), .optionalValue("box_indices"),
      .option("target_height"), .option("target_width"), .option("normalized_coordinates"),
      .option("spatial_scale"), .option("box_coordinate_mode"), .option("sampling_mode"),
      .option("pad_value"),
    ],
    infer: { context throws(Diagnostic) in [try CropBoxes(context).result] },
    lower: { lowering, node throws(Diagnostic) in
      let boxes = try CropBoxes(lowering.arguments(node))
      let rounder = lowering.rounder(lowering.result(node))
      let names = ["x", boxes.name] + (boxes.hasIndices ? ["box_indices"] : [])
      try lowering.compute(node, names) { memory in boxes.run(memory, rounder) }
    })
}

extension InferenceContext {
  /// A batch of images, none empty.
  func imageBatch(_ name: String) throws(Diagnostic) -> TensorType {
    let type = try type(name, in: Kinds.floats)
    guard type.shape.count == 4, !type.shape.contains(0) else {
      throw fault("`\(name)` must be [B, C, H, W], none empty; it is \(type.shape.text)")
    }
    return type
  }

  /// A size of the result that must be given.
  func size(_ name: String, default value: Int? = nil) throws(Diagnostic) -> Int {
    let size = has(name) || value == nil ? try requiredIntegers(name, count: 1)[0] : value ?? 1
    guard size > 0, size < 1 << 24 else {
      throw fault("`\(name)` must be from 1 to \(1 << 24 - 1); it is \(size)")
    }
    return size
  }
}

extension Lowering {
  /// Fills a [B, C, H, W] result with what the reader finds at the place of each column.
  fileprivate mutating func sample(
    _ node: Node, _ arguments: [String], _ reader: ImageReader,
    _ place:
      @escaping @Sendable (DenseStep.Memory, _ batch: Int, _ row: Int, _ column: Int) -> (
        x: Double, y: Double
      )
  ) throws(Diagnostic) {
    let shape = result(node).shape
    let rounder = rounder(result(node))
    try compute(node, arguments) { memory in
      let plane = shape[2] * shape[3]
      for batch in 0..<shape[0] {
        for row in 0..<shape[2] {
          for column in 0..<shape[3] {
            let (x, y) = place(memory, batch, row, column)
            let spot = reader.spot(x: x, y: y)
            for channel in 0..<shape[1] {
              let image = batch * shape[1] + channel
              let value = reader.value(memory.floats(0) + image * reader.plane, spot)
              memory.result(0)[image * plane + row * shape[3] + column] = rounder(value)
            }
          }
        }
      }
    }
  }
}
