/// Ops that say how compressed weights are to be read. They run when a program is planned: what they
/// make is a constant.
import CKernels

extension OpTable {
  static let compressed: [OpRow] = [
    affineDequantize, blockwiseShiftScale, lookUpTable, constexprCast, sparseToDense, lookUpSparse,
    sparseShiftScale,
  ]

  /// Before ios18; scale and zero point are one number or one for each element of the axis.
  private static let affineDequantize = OpRow(
    "constexpr_affine_dequantize",
    [
      .constant("quantized_data"), .constant("zero_point"), .constant("scale"), .constant("axis"),
    ],
    infer: { context throws(Diagnostic) in
      let data = try context.type("quantized_data", in: [.int8, .uint8])
      let scale = try context.type("scale", in: Kinds.floats)
      _ = try context.type("zero_point", in: [.int8, .uint8, .fp32])
      _ = try context.alongAxis("scale", of: data.shape)
      _ = try context.alongAxis("zero_point", of: data.shape)
      return [try context.result(scale.dtype, data.shape)]
    },
    fold: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      let data = try context.type("quantized_data").shape
      guard lowering.isStored(node, ["quantized_data", "scale", "zero_point"]) else {
        return try lowering.composed(node) { (made: inout RecipeParts) throws(Diagnostic) in
          .scaled(
            data: try lowering.recipe(node, "quantized_data", &made),
            scale: try lowering.recipe(node, "scale", &made),
            offset: try lowering.recipe(node, "zero_point", &made), shape: data,
            scaleShape: try context.alongAxis("scale", of: data),
            offsetShape: try context.alongAxis("zero_point", of: data))
        }
      }
      let offset = try lowering.part(node, "zero_point")
      let rule = ConstantContent.Rule.scaled(
        scale: try context.alongAxis("scale", of: data),
        offset: offset.isZero ? nil : try context.alongAxis("zero_point", of: data))
      let parts = [try lowering.part(node, "quantized_data"), try lowering.part(node, "scale")]
      return lowering.compressed(node, rule, offset.isZero ? parts : parts + [offset])
    })

  /// From ios18 on; each number of scale and offset serves a block of the data.
  private static let blockwiseShiftScale = OpRow(
    "constexpr_blockwise_shift_scale",
    [.constant("data"), .constant("scale"), .option("offset")],
    infer: { context throws(Diagnostic) in
      let kinds: [DType] = [.int4, .uint4, .int8, .uint8] + Kinds.floats
      let data = try context.type("data", in: kinds)
      let scale = try context.type("scale", in: Kinds.floats)
      try context.checkBlocks("scale", of: data.shape)
      if context.has("offset") {
        _ = try context.type("offset", in: kinds)
        try context.checkBlocks("offset", of: data.shape)
      }
      return [try context.result(scale.dtype, data.shape)]
    },
    fold: { lowering, node throws(Diagnostic) in
      guard lowering.isStored(node, ["data", "scale", "offset"]) else {
        return try lowering.composed(node) { (made: inout RecipeParts) throws(Diagnostic) in
          try lowering.scaling(node, try lowering.recipe(node, "data", &made), &made)
        }
      }
      var parts = [try lowering.part(node, "data"), try lowering.part(node, "scale")]
      let scale = parts[1].type.shape
      var offset: [Int]?
      if lowering.operand(node, "offset") != nil {
        let part = try lowering.part(node, "offset")
        if !part.isZero {
          parts.append(part)
          offset = part.type.shape
        }
      }
      return lowering.compressed(node, .scaled(scale: scale, offset: offset), parts)
    })

  /// Before ios18 the indices are a run of bits and `shape` says what they are; from then on they
  /// have a type and a shape, and each block has a table of its own.
  private static let lookUpTable = OpRow(
    "constexpr_lut_to_dense",
    [.constant("indices"), .constant("lut"), .option("shape"), .option("vector_axis")],
    infer: { context throws(Diagnostic) in
      let table = try context.type("lut", in: Kinds.floats + [.int8, .uint8])
      return [try context.result(table.dtype, try LookUpShape(context).result)]
    },
    fold: { lowering, node throws(Diagnostic) in
      let shape = try LookUpShape(lowering.arguments(node))
      guard shape.count == 1, lowering.isStored(node, ["indices", "lut"]) else {
        return try lowering.composed(node) { (made: inout RecipeParts) throws(Diagnostic) in
          .lookedUp(
            indices: try lowering.recipe(node, "indices", &made, bits: shape.bits),
            table: try lowering.recipe(node, "lut", &made), shape: shape.lookUp)
        }
      }
      let parts = [try lowering.part(node, "indices"), try lowering.part(node, "lut")]
      return lowering.compressed(
        node, .lookedUp(bits: shape.bits, shape: shape.result, blocks: shape.blocks), parts)
    })

  private static let constexprCast = OpRow(
    "constexpr_cast", [.constant("source_val"), .constant("output_dtype")],
    infer: { context throws(Diagnostic) in
      let source = try context.type("source_val", in: Kinds.floats)
      let name = try context.choice("output_dtype", Kinds.floats.map(\.rawValue))
      return [TensorType(name == "fp16" ? .fp16 : .fp32, source.shape)]
    },
    fold: { lowering, node throws(Diagnostic) in
      try lowering.castConstant(node, try lowering.required(node, "source_val"))
    })
}

/// The sizes of a look-up in tables.
struct LookUpShape {
  /// Of an index.
  let bits: Int
  /// Of the indices.
  let shape: [Int]
  /// Tables along each axis of the indices.
  let blocks: [Int]
  /// Numbers of an entry; they lie along `axis` of the result.
  let count: Int
  let axis: Int

  var result: [Int] {
    var result = shape
    if count != 1 { result[axis] *= count }
    return result
  }
  var lookUp: ConstantRecipe.LookUp {
    ConstantRecipe.LookUp(bits: bits, shape: shape, blocks: blocks, count: count, axis: axis)
  }

  static let indexTypes: [DType] = [.uint1, .uint2, .uint3, .uint4, .uint6, .uint8]
}

extension LookUpShape {
  init(_ context: InferenceContext) throws(Diagnostic) {
    let lut = try context.type("lut").shape
    guard context.has("shape") else {
      let indices = try context.type("indices", in: Self.indexTypes)
      try self.init(context, lut: lut, shape: indices.shape, bits: indices.dtype.bitWidth ?? 8)
      return
    }
    let shape = try context.requiredIntegers("shape")
    let indices = try context.type("indices", in: [.uint8])
    guard let bits = [1, 2, 4, 6, 8].first(where: { lut == [1 << $0] }) else {
      throw context.fault("`lut` must hold 2, 4, 16, 64 or 256 values; it is \(lut.text)")
    }
    guard Shape.isUsable(shape), !shape.isEmpty, let total = Shape.count(shape),
      indices.elementCount == (total * bits + 7) / 8
    else {
      throw context.fault(
        "`indices` must hold \(bits) bits for each element of \(shape.text);"
          + " it has \(indices.elementCount) bytes")
    }
    let blocks = [Int](repeating: 1, count: shape.count)
    self.init(bits: bits, shape: shape, blocks: blocks, count: 1, axis: 0)
  }

  /// Tables of their own for each block of the indices, whose entries may be vectors.
  init(
    _ context: InferenceContext, lut: [Int], shape: [Int], bits: Int
  ) throws(Diagnostic) {
    self.bits = bits
    self.shape = shape
    blocks = Array(lut.prefix(shape.count))
    guard !shape.isEmpty, lut.count == shape.count + 2, lut[shape.count] == 1 << bits,
      lut[shape.count + 1] > 0, zip(shape, blocks).allSatisfy({ $1 > 0 && $0 % $1 == 0 })
    else {
      throw context.fault(
        "`lut` must be a number of tables for each axis of \(shape.text), then \(1 << bits)"
          + " entries and the numbers of an entry; it is \(lut.text)")
    }
    count = lut[shape.count + 1]
    guard context.has("vector_axis") else {
      guard count == 1 else {
        throw context.fault(
          "`vector_axis` is missing; entries of \(count) numbers need it", rule: "missing-argument")
      }
      axis = 0
      return
    }
    axis = try context.axis(
      context.integer("vector_axis", default: 0), rank: shape.count, of: "vector_axis")
    _ = try context.product([count] + shape)
  }
}

extension InferenceContext {
  /// The shape, of the data's rank, of one number or one for each element of `axis`.
  fileprivate func alongAxis(_ name: String, of shape: [Int]) throws(Diagnostic) -> [Int] {
    let axis = try axis(integer("axis", default: 0), rank: shape.count, of: "axis")
    let given = try type(name).shape
    var result = [Int](repeating: 1, count: shape.count)
    if given.allSatisfy({ $0 == 1 }) { return result }
    guard given == [shape[axis]] else {
      throw fault(
        "`\(name)` must be one number or \(shape[axis]), as axis \(axis) of `quantized_data` has;"
          + " it is \(given.text)")
    }
    result[axis] = shape[axis]
    return result
  }

  func checkBlocks(_ name: String, of shape: [Int]) throws(Diagnostic) {
    let blocks = try type(name).shape
    guard blocks.count == shape.count,
      zip(shape, blocks).allSatisfy({ $1 > 0 && $0 % $1 == 0 })
    else {
      throw fault(
        "`\(name)` must have the rank of `data` and sizes that divide its sizes \(shape.text);"
          + " it is \(blocks.text)")
    }
  }
}

extension ConstantContent.Part {
  /// The text says that every element is 0.
  var isZero: Bool {
    ConstantValue(type: type, source: source)?.numbers.allSatisfy { $0 == 0 } ?? false
  }
}

extension Lowering {
  /// An argument that is stored, in the text or in a weight file.
  func part(_ node: Node, _ name: String) throws(Diagnostic) -> ConstantContent.Part {
    let value = try required(node, name)
    guard let source = function.values[value].constant else {
      throw Diagnostic(
        "\(node.op): `\(name)` must be a `const`; it is worked out by another op",
        rule: "not-constant", at: node.span)
    }
    return ConstantContent.Part(type: type(value), source: source)
  }

  fileprivate func compressed(
    _ node: Node, _ rule: ConstantContent.Rule, _ parts: [ConstantContent.Part]
  ) -> ConstantContent {
    let type = result(node)
    return ConstantContent(
      type: type, rule: rule, parts: parts, roundsToHalf: rounding(type) == ORION_ROUND_F16)
  }

  /// A constant of floats as another type of floats; `nil` for any other value.
  func castConstant(_ node: Node, _ value: ValueID) throws(Diagnostic) -> ConstantContent? {
    guard var content = content(value), content.type.dtype.isFloat, result(node).dtype.isFloat
    else { return nil }
    content.roundsToHalf =
      content.roundsToHalf || (result(node).dtype == .fp16 && !content.isHalf)
    content.type = result(node)
    return content
  }

  /// A constant with its elements in the same order under another shape.
  func reshapeConstant(_ node: Node) throws(Diagnostic) -> ConstantContent? {
    guard var content = content(try required(node, "x")) else { return nil }
    content.type = result(node)
    return content
  }
}
