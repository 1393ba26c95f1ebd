/// Ops that say how sparse weights are to be read, and the putting together of compressed forms that
/// stand within each other.
import CKernels

extension OpTable {
  /// Before ios18 the mask is a run of bits and `shape` says what they are; from then on it has a shape.
  static let sparseToDense = OpRow(
    "constexpr_sparse_to_dense",
    [.constant("nonzero_data"), .constant("mask"), .option("shape")],
    infer: { context throws(Diagnostic) in
      let kinds: [DType] = [.int4, .uint4, .int8, .uint8] + Kinds.floats
      let data = try context.type("nonzero_data", in: kinds)
      let mask = try context.type("mask", in: context.has("shape") ? [.uint8] : [.uint1])
      var shape = mask.shape
      if let given = try context.integers("shape") {
        shape = given
        let bits = try context.product(shape)
        guard mask.elementCount == (bits + 7) / 8 else {
          throw context.fault(
            "`mask` must hold a bit for each element of \(shape.text); it has"
              + " \(mask.elementCount) bytes")
        }
      }
      try context.checkMask("mask", bits: shape, data: data)
      return [try context.result(data.dtype, shape)]
    },
    fold: { lowering, node throws(Diagnostic) in
      try lowering.composed(node) { (made: inout RecipeParts) throws(Diagnostic) in
        let isPacked = lowering.operand(node, "shape") != nil
        let mask = try lowering.recipe(node, "mask", &made, bits: isPacked ? 1 : nil)
        return .spread(values: try lowering.recipe(node, "nonzero_data", &made), mask: mask)
      }
    })

  /// The mask and the values of a sparse tensor whose values stand in tables.
  static let lookUpSparse = OpRow(
    "constexpr_lut_to_sparse",
    [
      .constant("indices_mask"), .constant("indices_nonzero_data"), .constant("lut"),
      .option("vector_axis"),
    ],
    infer: { context throws(Diagnostic) in
      let table = try context.type("lut", in: Kinds.floats + [.int8, .uint8])
      let mask = try context.type("indices_mask", in: [.uint1])
      let data = try context.type("indices_nonzero_data", in: LookUpShape.indexTypes)
      try context.checkMask("indices_mask", bits: mask.shape, data: data)
      let shape = try LookUpShape(sparse: context)
      return [
        try context.result(.uint1, shape.result),
        try context.result(table.dtype, [context.product([data.elementCount, shape.count])]),
      ]
    },
    foldAll: { lowering, node throws(Diagnostic) in
      let shape = try LookUpShape(sparse: lowering.arguments(node))
      return [
        try lowering.composed(node) { (made: inout RecipeParts) throws(Diagnostic) in
          try lowering.widened(lowering.recipe(node, "indices_mask", &made), shape)
        },
        try lowering.composed(node, output: 1) { (made: inout RecipeParts) throws(Diagnostic) in
          let mask = try lowering.recipe(node, "indices_mask", &made)
          let indices = try lowering.recipe(node, "indices_nonzero_data", &made)
          let table = try lowering.recipe(node, "lut", &made)
          return .kept(
            dense: .lookedUp(
              indices: .spread(values: indices, mask: mask), table: table, shape: shape.lookUp),
            mask: lowering.widened(mask, shape))
        },
      ]
    })

  /// The mask and the values of a sparse tensor whose values are scaled and shifted.
  static let sparseShiftScale = OpRow(
    "constexpr_sparse_blockwise_shift_scale",
    [.constant("data_mask"), .constant("nonzero_data"), .constant("scale"), .option("offset")],
    infer: { context throws(Diagnostic) in
      let kinds: [DType] = [.int4, .uint4, .int8, .uint8] + Kinds.floats
      let mask = try context.type("data_mask", in: [.uint1])
      let data = try context.type("nonzero_data", in: kinds)
      let scale = try context.type("scale", in: Kinds.floats)
      try context.checkMask("data_mask", bits: mask.shape, data: data)
      try context.checkBlocks("scale", of: mask.shape)
      if context.has("offset") {
        _ = try context.type("offset", in: kinds)
        try context.checkBlocks("offset", of: mask.shape)
      }
      return [mask, TensorType(scale.dtype, data.shape)]
    },
    foldAll: { lowering, node throws(Diagnostic) in
      [
        try lowering.composed(node) { (made: inout RecipeParts) throws(Diagnostic) in
          try lowering.recipe(node, "data_mask", &made)
        },
        try lowering.composed(node, output: 1) { (made: inout RecipeParts) throws(Diagnostic) in
          let mask = try lowering.recipe(node, "data_mask", &made)
          let data = try lowering.recipe(node, "nonzero_data", &made)
          return .kept(
            dense: try lowering.scaling(node, .spread(values: data, mask: mask), &made), mask: mask)
        },
      ]
    })
}

extension LookUpShape {
  fileprivate init(sparse context: InferenceContext) throws(Diagnostic) {
    try self.init(
      context, lut: context.type("lut").shape, shape: context.type("indices_mask").shape,
      bits: context.type("indices_nonzero_data").dtype.bitWidth ?? 8)
  }
}

extension InferenceContext {
  /// The data hold a value for each bit that is set, as far as the text shows the bits.
  fileprivate func checkMask(_ name: String, bits shape: [Int], data: TensorType) throws(Diagnostic)
  {
    guard data.shape.count == 1 else {
      throw fault("the values of a sparse tensor have rank 1; they are \(data.shape.text)")
    }
    guard let mask = constants[name] else { return }
    let set = mask.numbers.reduce(0) { $0 + (UInt64(exactly: $1) ?? 0).nonzeroBitCount }
    guard set == data.shape[0] else {
      throw fault("`\(name)` marks \(set) elements, but there are \(data.shape[0]) values")
    }
  }
}

extension Lowering {
  /// The arguments that are given are stored tensors, not results of other ops.
  func isStored(_ node: Node, _ names: [String]) -> Bool {
    names.allSatisfy { name in
      operand(node, name).map { function.values[$0].constant != nil } ?? true
    }
  }

  /// How an argument's elements are made; its parts join those of the whole.
  func recipe(
    _ node: Node, _ name: String, _ made: inout RecipeParts, bits: Int? = nil
  ) throws(Diagnostic) -> ConstantRecipe {
    guard let content = content(try required(node, name)) else {
      throw Diagnostic(
        "\(node.op): `\(name)` must be a constant", rule: "not-constant", at: node.span)
    }
    return made.add(content, bits: bits)
  }

  /// A result that is made in several steps.
  func composed(
    _ node: Node, output: Int = 0,
    _ make: (inout RecipeParts) throws(Diagnostic) -> ConstantRecipe
  ) throws(Diagnostic) -> ConstantContent {
    var made = RecipeParts()
    let recipe = try make(&made)
    let type = type(node.outputs[output])
    return ConstantContent(
      type: type, rule: .composed(recipe), parts: made.parts,
      roundsToHalf: rounding(type) == ORION_ROUND_F16)
  }

  /// Data with the node's `scale` and `offset` applied; both serve blocks of it.
  func scaling(
    _ node: Node, _ data: ConstantRecipe, _ made: inout RecipeParts
  ) throws(Diagnostic) -> ConstantRecipe {
    let context = arguments(node)
    let name = context.has("data_mask") ? "data_mask" : "data"
    let scaleShape = try context.type("scale").shape
    let scale = try recipe(node, "scale", &made)
    let hasOffset = context.has("offset")
    return .scaled(
      data: data, scale: scale, offset: hasOffset ? try recipe(node, "offset", &made) : nil,
      shape: try context.type(name).shape, scaleShape: scaleShape,
      offsetShape: hasOffset ? try context.type("offset").shape : scaleShape)
  }

  /// A mask for entries that are vectors.
  fileprivate func widened(_ mask: ConstantRecipe, _ shape: LookUpShape) -> ConstantRecipe {
    shape.count == 1
      ? mask : .repeated(mask, shape: shape.shape, axis: shape.axis, count: shape.count)
  }
}
