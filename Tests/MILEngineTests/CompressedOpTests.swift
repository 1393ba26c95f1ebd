import ANEProfiles
import CKernels
import Testing

@testable import MILEngine

/// Weights that are stored narrow: the numbers they stand for, the form they are packed in, and the
/// products with them.
@Suite struct CompressedOpTests {
  private func constant(_ name: String, _ dtype: String, _ shape: [Int], _ values: [Double])
    -> String
  {
    let integers = dtype.contains("int")
    let numbers = values.map { integers ? "\(Int($0))" : "\($0)" }
    if shape.isEmpty { return "\(dtype) \(name) = const()[val = \(dtype)(\(numbers[0]))];" }
    func nest(_ shape: ArraySlice<Int>, _ rest: ArraySlice<String>) -> String {
      guard let size = shape.first else { return rest.first ?? "" }
      let step = rest.count / size
      let parts = (0..<size).map {
        nest(
          shape.dropFirst(),
          rest[(rest.startIndex + $0 * step)..<(rest.startIndex + ($0 + 1) * step)])
      }
      return "[" + parts.joined(separator: ", ") + "]"
    }
    let type = "tensor<\(dtype), \(shape.text)>"
    return "\(type) \(name) = const()[val = \(type)(\(nest(shape[...], numbers[...])))];"
  }

  /// The numbers of a constant that some statements make, through the engine.
  private func numbers(
    _ statements: String, _ type: TensorType, opset: String = "ios18",
    arithmetic: Arithmetic = .ieee
  ) throws -> [Double] {
    let shape = "tensor<\(type.dtype.rawValue), \(type.shape.text)>"
    let function = try engineFunction(
      "\(statements) \(shape) y = add(x = x, y = w);", inputs: "\(shape) x", out: "y",
      opset: opset, arithmetic: arithmetic)
    return try function.run([[Double](repeating: 0, count: type.elementCount)])[0]
  }

  @Test func blocksHaveTheirOwnScaleAndOffset() throws {
    var dice = Dice(5)
    for (dtype, range) in [("int8", -128...127), ("uint8", 0...255), ("int4", -8...7)] {
      let data = (0..<24).map { _ in Double(Int.random(in: range, using: &dice)) }
      // [2, 6, 2] in blocks of [1, 3, 2].
      let scale = dice.halves(4, 0.01...0.2)
      let offset = (0..<4).map { _ in Double(Int.random(in: range, using: &dice)) }
      for hasOffset in [false, true] {
        let expected = (0..<24).map { index -> Double in
          let block = index / 12 * 2 + index % 12 / 2 / 3
          return (data[index] - (hasOffset ? offset[block] : 0)) * scale[block]
        }
        let text =
          constant("d", dtype, [2, 6, 2], data) + constant("s", "fp16", [2, 2, 1], scale)
          + constant("o", dtype, [2, 2, 1], offset)
          + "tensor<fp16, [2, 6, 2]> w = constexpr_blockwise_shift_scale(data = d, scale = s"
          + (hasOffset ? ", offset = o);" : ");")
        for arithmetic in [Arithmetic.ieee, .engine] {
          let found = try numbers(text, TensorType(.fp16, [2, 6, 2]), arithmetic: arithmetic)
          #expect(found == expected.map { Double(Float16($0)) }, "\(dtype) \(hasOffset)")
        }
      }
    }
  }

  @Test func affineWeightsStandAmongTheAttributes() throws {
    let text = """
      tensor<fp32, [2, 3]> w = constexpr_affine_dequantize()[axis = int32(1),
        name = string("w"), quantized_data = tensor<uint8, [2, 3]>([[1, 2, 3], [4, 5, 255]]),
        scale = tensor<fp32, [3]>([0.5, 2, 4]), zero_point = uint8(1)];
      """
    #expect(
      try numbers(text, TensorType(.fp32, [2, 3]), opset: "ios16") == [0, 2, 8, 1.5, 8, 1016])
  }

  @Test func tablesAreLookedUp() throws {
    let runs = """
      tensor<fp16, [3]> w = constexpr_lut_to_dense()[name = string("w"),
        indices = tensor<uint8, [1]>([36]), lut = tensor<fp16, [4]>([10, 20, 30, 40]),
        shape = tensor<uint32, [1]>([3])];
      """
    // 36 is 10 01 00 from the highest bits down.
    #expect(try numbers(runs, TensorType(.fp16, [3]), opset: "ios16") == [10, 20, 30])
    let blocks =
      constant("i", "uint1", [2, 2], [0, 1, 1, 0])
      + constant("t", "fp32", [2, 1, 2, 1], [1, 2, 3, 4])
      + "tensor<fp32, [2, 2]> w = constexpr_lut_to_dense(indices = i, lut = t);"
    #expect(try numbers(blocks, TensorType(.fp32, [2, 2])) == [1, 2, 4, 3])
  }

  @Test func castsOfConstantsAreConstants() throws {
    let halves = [0.1, 1.0, 65504.0].map { Double(Float16($0)) }
    let text =
      constant("h", "fp16", [3], halves)
      + #"tensor<fp32, [3]> w = cast(x = h, dtype = string("fp32"));"#
    #expect(try numbers(text, TensorType(.fp32, [3])) == halves)
    let narrowed =
      constant("f", "fp32", [2], [0.1, 1e6])
      + #"tensor<fp16, [2]> w = constexpr_cast(source_val = f, output_dtype = string("fp16"));"#
    #expect(
      try numbers(narrowed, TensorType(.fp16, [2])) == [Double(Float16(0.1)), .infinity])
    #expect(throws: EngineError.self) {
      _ = try engineFunction(
        #"tensor<fp16, [2]> w = constexpr_cast(source_val = x, output_dtype = string("fp16"));"#,
        inputs: "tensor<fp32, [2]> x", out: "w")
    }
  }

  /// A convolution with weights of 20 outputs and 9 inputs.
  private func convolution(
    _ weights: String, dtype: String, arithmetic: Arithmetic = .ieee
  ) throws -> ExecutableFunction {
    try engineFunction(
      weights + "tensor<\(dtype), [1, 20, 1, 5]> y = conv(x = x, weight = w);",
      inputs: "tensor<\(dtype), [1, 9, 1, 5]> x", out: "y", arithmetic: arithmetic)
  }

  private func kind(_ function: ExecutableFunction) -> orion_packed_kind? {
    function.plan.steps.compactMap { ($0 as? LinearStep)?.kind }.first
  }

  @Test func bytesStayBytesUnderAScaleForEachOutput() throws {
    var dice = Dice(8)
    let data = (0..<180).map { _ in Double(Int.random(in: -127...127, using: &dice)) }
    let scale = dice.halves(20, 0.001...0.1)
    let x = dice.halves(45)
    func weights(_ dtype: String) -> String {
      constant("d", "int8", [20, 9, 1, 1], data) + constant("s", dtype, [20, 1, 1, 1], scale)
        + "tensor<\(dtype), [20, 9, 1, 1]> w = constexpr_blockwise_shift_scale(data = d, scale = s);"
    }
    let function = try convolution(weights("fp32"), dtype: "fp32")
    #expect(kind(function) == ORION_PACKED_I8)
    #expect(function.stepNames == ["LinearStep"])
    // Summed as integers times x, in order, then scaled once.
    let expected = (0..<100).map { index -> Double in
      let (o, s) = (index / 5, index % 5)
      var sum: Float = 0
      for k in 0..<9 { sum.addProduct(Float(data[o * 9 + k]), Float(x[k * 5 + s])) }
      return Double(sum * Float(scale[o]))
    }
    #expect(try function.run([x])[0] == expected)
    // The engine's arithmetic sees each weight rounded to fp16.
    let engine = try convolution(weights("fp16"), dtype: "fp16", arithmetic: .engine)
    #expect(kind(engine) == ORION_PACKED_F16)
    let plain = data.enumerated().map { Double(Float16($1 * scale[$0 / 9])) }
    let dense = try convolution(
      constant("w", "fp16", [20, 9, 1, 1], plain), dtype: "fp16", arithmetic: .engine)
    #expect(try engine.run([x])[0] == dense.run([x])[0])
    // Multiplying first is the same within the rounding of 9 terms.
    let wide = try convolution(
      constant("w", "fp32", [20, 9, 1, 1], data.enumerated().map { $1 * scale[$0 / 9] }),
      dtype: "fp32")
    #expect(try distance(wide.run([x])[0], expected) < 9 * 0x1p-23 * 4)
  }

  @Test func theFormFollowsTheData() throws {
    var dice = Dice(9)
    let cases: [(dtype: String, scale: [Int], offset: Double?, kind: orion_packed_kind)] = [
      ("int8", [20, 1, 1, 1], nil, ORION_PACKED_I8), ("int8", [1, 1, 1, 1], nil, ORION_PACKED_I8),
      ("int8", [20, 1, 1, 1], 0, ORION_PACKED_I8), ("int8", [20, 1, 1, 1], 1, ORION_PACKED_F32),
      ("uint8", [20, 1, 1, 1], 128, ORION_PACKED_I8),
      ("uint8", [20, 1, 1, 1], nil, ORION_PACKED_F32),
      ("int4", [20, 1, 1, 1], 3, ORION_PACKED_I8), ("uint4", [10, 1, 1, 1], 8, ORION_PACKED_I8),
      ("int4", [20, 3, 1, 1], nil, ORION_PACKED_F32),
    ]
    for (dtype, shape, offset, expected) in cases {
      let range = ["int8": -128...127, "uint8": 0...255, "int4": -8...7, "uint4": 0...15][dtype]!
      let data = (0..<180).map { _ in Double(Int.random(in: range, using: &dice)) }
      let scale = dice.halves(shape.reduce(1, *), 0.01...0.1)
      let text =
        constant("d", dtype, [20, 9, 1, 1], data) + constant("s", "fp32", shape, scale)
        + (offset.map { constant("o", dtype, [1, 1, 1, 1], [$0]) } ?? "")
        + "tensor<fp32, [20, 9, 1, 1]> w = constexpr_blockwise_shift_scale(data = d, scale = s"
        + (offset == nil ? ");" : ", offset = o);")
      let function = try convolution(text, dtype: "fp32")
      #expect(kind(function) == expected, "\(dtype) \(shape) \(offset ?? 0)")
      let x = dice.halves(45)
      let dense = data.enumerated().map { index, number -> Double in
        let (o, k) = (index / 9, index % 9)
        let block = o / (20 / shape[0]) * shape[1] + k / (9 / shape[1])
        return (number - (offset ?? 0)) * scale[block]
      }
      let plain = try convolution(constant("w", "fp32", [20, 9, 1, 1], dense), dtype: "fp32")
      #expect(try distance(function.run([x])[0], plain.run([x])[0]) < 1e-5, "\(dtype) \(shape)")
    }
  }

  @Test func halvesStayHalvesUnderWideActivations() throws {
    var dice = Dice(10)
    let (weights, x) = (dice.halves(180), dice.halves(45))
    let function = try convolution(
      constant("h", "fp16", [180], weights)
        + "tensor<fp16, [20, 9, 1, 1]> r = reshape(x = h, shape = tensor<int32, [4]>([20, 9, 1, 1]));"
        + #"tensor<fp32, [20, 9, 1, 1]> w = cast(x = r, dtype = string("fp32"));"#,
      dtype: "fp32")
    #expect(kind(function) == ORION_PACKED_F16)
    #expect(function.stepNames == ["LinearStep"])
    let wide = try convolution(constant("w", "fp32", [20, 9, 1, 1], weights), dtype: "fp32")
    #expect(try function.run([x])[0] == wide.run([x])[0])
  }

  @Test func matrixOfColumnsKeepsItsBytes() throws {
    var dice = Dice(12)
    let data = (0..<63).map { _ in Double(Int.random(in: -127...127, using: &dice)) }
    let scale = dice.halves(7, 0.01...0.1)
    let function = try engineFunction(
      constant("d", "int8", [9, 7], data) + constant("s", "fp32", [1, 7], scale)
        + "tensor<fp32, [9, 7]> w = constexpr_blockwise_shift_scale(data = d, scale = s);"
        + "tensor<fp32, [2, 7]> y = matmul(x = x, y = w);",
      inputs: "tensor<fp32, [2, 9]> x", out: "y")
    #expect(kind(function) == ORION_PACKED_I8)
    let x = dice.halves(18)
    let expected = ReferenceArray([2, 9], x).matmul(
      ReferenceArray([9, 7], data.enumerated().map { $1 * scale[$0 % 7] }), false, false)
    #expect(try distance(function.run([x])[0], expected.values) < 1e-5)
  }

  @Test func wrongSizesAreRefused() {
    let cases = [
      "tensor<fp32, [4, 4]> w = constexpr_blockwise_shift_scale(data = d, scale = s3);",
      "tensor<fp32, [4, 4]> w = constexpr_blockwise_shift_scale(data = d, scale = flat);",
      "tensor<fp32, [4, 4]> w = constexpr_affine_dequantize(quantized_data = d, scale = s3,"
        + " zero_point = int8(0), axis = int32(0));",
      "tensor<fp32, [4, 4]> w = constexpr_lut_to_dense(indices = d, lut = s3);",
    ]
    for statement in cases {
      #expect(throws: EngineError.self, "\(statement)") {
        _ = try engineFunction(
          constant("d", "int8", [4, 4], [Double](repeating: 1, count: 16))
            + constant("s3", "fp32", [3, 1], [1, 2, 3])
            + constant("flat", "fp32", [4], [1, 2, 3, 4])
            + statement + "tensor<fp32, [4, 4]> y = add(x = x, y = w);",
          inputs: "tensor<fp32, [4, 4]> x", out: "y")
      }
    }
  }
}
