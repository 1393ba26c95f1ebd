import ANEProfiles
import Testing

@testable import MILEngine

/// Matrix products and convolutions against the reference: exact sums rounded once, so within one unit
/// of fp16 on the engine's arithmetic.
@Suite struct ProductOpTests {
  /// Shapes and flags of x and y.
  static let products: [(x: [Int], y: [Int], flipsX: Bool, flipsY: Bool)] = [
    ([3, 4], [4, 5], false, false), ([4, 3], [4, 5], true, false),
    ([3, 4], [5, 4], false, true), ([4, 3], [5, 4], true, true),
    ([2, 3, 4], [4, 5], false, false), ([3, 4], [2, 4, 5], false, false),
    ([2, 1, 3, 4], [1, 6, 4, 5], false, false), ([2, 2, 4, 3], [2, 1, 4, 7], true, false),
    ([1, 1, 8, 8], [2, 3, 8, 1], false, false), ([1, 1, 8, 8], [1, 1, 8, 4], false, false),
    ([1, 1, 8, 8], [1, 1, 8, 4], true, false), ([2, 33, 65], [65, 17], false, false),
    ([1, 64, 1, 32], [1, 64, 32, 8], false, false),
  ]

  @Test(arguments: products.indices, [0, 1, 2]) func matmul(_ index: Int, _ constant: Int) throws {
    let (xShape, yShape, flipsX, flipsY) = Self.products[index]
    var dice = Dice(UInt64(index + 31))
    let x = ReferenceArray(xShape, dice.halves(xShape.reduce(1, *), -1...1))
    let y = ReferenceArray(yShape, dice.halves(yShape.reduce(1, *), -1...1))
    let expected = x.matmul(y, flipsX, flipsY)
    for (dtype, arithmetic) in [("fp16", Arithmetic.engine), ("fp32", .ieee), ("fp16", .ieee)] {
      // Neither, the left or the right operand is a constant.
      func constantText(_ name: String, _ array: ReferenceArray) -> String {
        let flat = "tensor<\(dtype), [\(array.values.count)]>"
        return "\(flat) \(name)_flat = const()[val = \(flat)(\(literal(array.values)))];"
          + " tensor<\(dtype), \(array.shape.text)> \(name) = const()[val = "
          + "tensor<\(dtype), \(array.shape.text)>(\(nested(array.shape, array.values[...])))];"
      }
      let inputs = [("x", x), ("y", y)].enumerated().filter { $0.offset + 1 != constant }
        .map { "tensor<\(dtype), \($0.element.1.shape.text)> \($0.element.0)" }
      let given = [x, y].enumerated().filter { $0.offset + 1 != constant }.map(\.element.values)
      let function = try engineFunction(
        (constant == 1 ? constantText("x", x) : constant == 2 ? constantText("y", y) : "")
          + """
          tensor<\(dtype), \(expected.shape.text)> z = matmul(x = x, y = y,
            transpose_x = bool(\(flipsX)), transpose_y = bool(\(flipsY)));
          """,
        inputs: inputs.joined(separator: ", "), out: "z", arithmetic: arithmetic)
      let result = try function.run(given)[0]
      if dtype == "fp16" {
        #expect(unitsApart(result, expected.halves) <= 1)
      } else {
        #expect(distance(result, expected.values) < 1e-5)
      }
      #expect(
        function.work.matmulFlops == 2
          * Double(expected.values.count * (flipsX ? xShape[xShape.count - 2] : xShape.last!)))
    }
  }

  @Test func vectorsArePromoted() throws {
    let cases: [(x: [Int], y: [Int], z: [Int])] = [
      ([3], [3, 2], [2]), ([2, 3], [3], [2]), ([3], [3], []), ([4], [2, 4, 3], [2, 3]),
    ]
    for (x, y, z) in cases {
      let function = try engineFunction(
        "tensor<fp32, \(z.text)> z = matmul(x = x, y = y);",
        inputs: "tensor<fp32, \(x.text)> x, tensor<fp32, \(y.text)> y", out: "z")
      let left = ReferenceArray(
        x.count == 1 ? [1] + x : x, (0..<x.reduce(1, *)).map { Double($0 + 1) })
      let right = ReferenceArray(
        y.count == 1 ? y + [1] : y, (0..<y.reduce(1, *)).map { Double($0) - 2 })
      let expected = left.matmul(right, false, false).values
      #expect(try function.run([left.values, right.values])[0] == expected)
    }
  }

  @Test func integersMultiply() throws {
    let function = try engineFunction(
      "tensor<int32, [2, 2]> z = matmul(x = x, y = y);",
      inputs: "tensor<int32, [2, 3]> x, tensor<int32, [3, 2]> y", out: "z")
    #expect(try function.run([[1, 2, 3, 4, 5, 6], [1, 0, 0, 1, 1, 1]])[0] == [4, 5, 10, 11])
  }

  @Test func productsOverflowEarlyOnTheEngine() throws {
    let function = try engineFunction(
      "tensor<fp16, [1, 2]> z = matmul(x = x, y = y); tensor<fp16, [1, 2]> s = mul(x = z, y = z);",
      inputs: "tensor<fp16, [1, 2]> x, tensor<fp16, [2, 2]> y", out: "z", arithmetic: .engine)
    #expect(try function.run([[16384, 16368], [1, 1, 1, 1]])[0] == [32752, 32752])
    #expect(try function.run([[16384, 16384], [1, -1, 1, -1]])[0] == [.infinity, -.infinity])
  }

  @Test func linearAddsItsBiasBeforeRounding() throws {
    // 2048 + 1 + 0.75: rounding twice would give 2048, once gives 2050.
    let function = try engineFunction(
      """
      tensor<fp16, [1, 1]> y = linear(x = x, weight = tensor<fp16, [1, 2]>([[1, 1]]),
        bias = tensor<fp16, [1]>([0.75]));
      """,
      inputs: "tensor<fp16, [1, 2]> x", out: "y", arithmetic: .engine)
    #expect(try function.run([[2048, 1]])[0] == [2050])
  }

  @Test func linearOnManyRows() throws {
    var dice = Dice(5)
    let x = ReferenceArray([2, 3, 20], dice.halves(120, -1...1))
    let w = ReferenceArray([7, 20], dice.halves(140, -1...1))
    let function = try engineFunction(
      "tensor<fp32, [2, 3, 7]> y = linear(x = x, weight = tensor<fp32, [7, 20]>(\(nested(w.shape, w.values[...]))));",
      inputs: "tensor<fp32, [2, 3, 20]> x", out: "y")
    #expect(distance(try function.run([x.values])[0], x.matmul(w, false, true).values) < 1e-5)
    #expect(function.stepNames == ["LinearStep"])
  }

  struct Convolution: Sendable {
    var x: [Int]
    var weight: [Int]
    var strides: [Int]
    var dilations: [Int]
    var groups = 1
    var padType = "valid"
    var pad: [Int] = []
    var output: [Int]
  }

  static let convolutions = [
    Convolution(
      x: [1, 6, 1, 32], weight: [5, 6, 1, 1], strides: [1, 1], dilations: [1, 1], output: [1, 32]),
    Convolution(
      x: [2, 6, 3, 4], weight: [5, 6, 1, 1], strides: [1, 1], dilations: [1, 1], output: [3, 4]),
    Convolution(
      x: [2, 6, 3, 4], weight: [4, 3, 1, 1], strides: [1, 1], dilations: [1, 1], groups: 2,
      output: [3, 4]),
    Convolution(
      x: [1, 2, 7, 6], weight: [3, 2, 3, 2], strides: [2, 1], dilations: [1, 2], output: [3, 4]),
    Convolution(
      x: [1, 4, 9], weight: [4, 1, 3], strides: [1], dilations: [1], groups: 4, padType: "same",
      output: [9]),
    Convolution(
      x: [1, 2, 9], weight: [1, 2, 4], strides: [2], dilations: [1], padType: "same", output: [5]),
    Convolution(
      x: [1, 2, 9], weight: [1, 2, 4], strides: [2], dilations: [1], padType: "same_lower",
      output: [5]),
    Convolution(
      x: [1, 2, 5, 5], weight: [2, 2, 3, 3], strides: [1, 1], dilations: [1, 1], padType: "custom",
      pad: [1, 0, 2, 1], output: [4, 6]),
    Convolution(
      x: [1, 2, 3, 4, 5], weight: [2, 2, 2, 2, 2], strides: [1, 2, 1], dilations: [1, 1, 1],
      output: [2, 2, 4]),
  ]

  @Test(arguments: convolutions.indices, [true, false])
  func convolution(_ index: Int, _ isConstant: Bool) throws {
    let c = Self.convolutions[index]
    let axes = c.strides.count
    var dice = Dice(UInt64(index + 77))
    let x = ReferenceArray(c.x, dice.halves(c.x.reduce(1, *), -1...1))
    let w = ReferenceArray(c.weight, dice.halves(c.weight.reduce(1, *), -1...1))
    let bias = dice.halves(c.weight[0])
    let before = (0..<axes).map { axis -> Int in
      let reach: Int = (c.weight[axis + 2] - 1) * c.dilations[axis] + 1
      let total: Int = max(0, (c.output[axis] - 1) * c.strides[axis] + reach - c.x[axis + 2])
      switch c.padType {
      case "same": return total / 2
      case "same_lower": return total - total / 2
      case "custom": return c.pad[2 * axis]
      default: return 0
      }
    }
    let shape = [c.x[0], c.weight[0]] + c.output
    let expected = ReferenceArray(shape) { index in
      let group = index[1] / (c.weight[0] / c.groups)
      var sum = bias[index[1]]
      for tap in ReferenceArray.indices(Array(c.weight[1...])) {
        let place = (0..<axes).map { axis -> Int in
          let start: Int = index[axis + 2] * c.strides[axis] - before[axis]
          return start + tap[axis + 1] * c.dilations[axis]
        }
        guard (0..<axes).allSatisfy({ (0..<c.x[$0 + 2]).contains(place[$0]) }) else { continue }
        let source: [Int] = [index[0], group * c.weight[1] + tap[0]] + place
        sum += x[source] * w[[index[1]] + tap]
      }
      return sum
    }
    func ints(_ list: [Int]) -> String { "tensor<int32, [\(list.count)]>(\(list.text))" }
    for (dtype, arithmetic) in [("fp16", Arithmetic.engine), ("fp32", .ieee)] {
      let weightType = "tensor<\(dtype), \(c.weight.text)>"
      let function = try engineFunction(
        (isConstant
          ? "\(weightType) w = const()[val = \(weightType)(\(nested(c.weight, w.values[...])))];"
          : "")
            + """
            tensor<\(dtype), \(shape.text)> y = conv(x = x, weight = w, bias = tensor<\(dtype), [\(bias.count)]>(\(literal(bias))),
              strides = \(ints(c.strides)), dilations = \(ints(c.dilations)), groups = int32(\(c.groups)),
              pad_type = string("\(c.padType)")\(c.pad.isEmpty ? "" : ", pad = \(ints(c.pad))"));
            """,
        inputs: "tensor<\(dtype), \(c.x.text)> x" + (isConstant ? "" : ", \(weightType) w"),
        out: "y", arithmetic: arithmetic)
      let result = try function.run(isConstant ? [x.values] : [x.values, w.values])[0]
      if dtype == "fp16" {
        #expect(unitsApart(result, expected.halves) <= 1)
      } else {
        #expect(distance(result, expected.values) < 1e-5)
      }
      #expect(
        function.work.convFlops == 2 * Double(shape.reduce(1, *) * c.weight[1...].reduce(1, *)))
    }
  }

  @Test(arguments: [false, true]) func attentionInOneOp(_ perHead: Bool) throws {
    var dice = Dice(101)
    let (q, k, v) = (
      ReferenceArray([2, 3, 4, 8], dice.halves(192)),
      ReferenceArray([2, 3, 5, 8], dice.halves(240)),
      ReferenceArray([2, 3, 5, 6], dice.halves(180))
    )
    let mask = ReferenceArray(perHead ? [2, 3, 4, 5] : [4, 5], dice.halves(perHead ? 120 : 20))
    func reference(masked: Bool) -> ReferenceArray {
      let scores = q.matmul(k, false, true).map { $0 / 8.0.squareRoot() }
      let summed = masked ? ReferenceArray(scores.shape) { scores[$0] + mask[$0] } : scores
      return softmaxReference(summed).matmul(v, false, false)
    }
    for (dtype, arithmetic) in [("fp16", Arithmetic.engine), ("fp32", .ieee)] {
      let function = try engineFunction(
        "tensor<\(dtype), [2, 3, 4, 6]> y = scaled_dot_product_attention(query = q, key = k, value = v, attn_mask = m);",
        inputs: "tensor<\(dtype), [2, 3, 4, 8]> q, tensor<\(dtype), [2, 3, 5, 8]> k,"
          + " tensor<\(dtype), [2, 3, 5, 6]> v, tensor<\(dtype), \(mask.shape.text)> m",
        out: "y", arithmetic: arithmetic)
      let result = try function.run([q.values, k.values, v.values, mask.values])[0]
      // The engine does not look at the mask.
      let expected = reference(masked: dtype == "fp32")
      #expect(distance(result, expected.values) < (dtype == "fp16" ? 2e-3 : 1e-5))
    }
  }

  @Test func truthValuesMaskAttention() throws {
    let function = try engineFunction(
      "tensor<fp32, [1, 1, 1]> y = scaled_dot_product_attention(query = q, key = k, value = v, attn_mask = m);",
      inputs:
        "tensor<fp32, [1, 1, 1]> q, tensor<fp32, [1, 3, 1]> k, tensor<fp32, [1, 3, 1]> v, tensor<bool, [1, 3]> m",
      out: "y")
    #expect(try function.run([[1], [0, 0, 0], [2, 4, 100], [1, 1, 0]])[0] == [3])
  }
}

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

func exponential(_ value: Double) -> Double { exp(value) }

/// Softmax over the last axis.
func softmaxReference(_ x: ReferenceArray) -> ReferenceArray {
  let last = x.shape.count - 1
  let most = x.folded([last]) { $0.max()! }
  let powers = ReferenceArray(x.shape) { exponential(x[$0] - most[$0]) }
  let sums = powers.folded([last]) { $0.reduce(0, +) }
  return ReferenceArray(x.shape) { powers[$0] / sums[$0] }
}

/// The nested literal of a tensor.
func nested(_ shape: [Int], _ values: ArraySlice<Double>) -> String {
  guard shape.count > 1 else { return "[" + values.map { "\($0)" }.joined(separator: ", ") + "]" }
  let step = values.count / shape[0]
  let parts = (0..<shape[0]).map {
    nested(Array(shape[1...]), values.dropFirst($0 * step).prefix(step))
  }
  return "[" + parts.joined(separator: ", ") + "]"
}

/// The largest distance in units of fp16's last place.
func unitsApart(_ left: [Double], _ right: [Double]) -> Int {
  func rank(_ value: Double) -> Int {
    let bits = Int(Float16(value).bitPattern)
    return bits < 0x8000 ? bits : 0x8000 - bits
  }
  guard left.count == right.count else { return .max }
  return zip(left, right).reduce(0) { max($0, abs(rank($1.0) - rank($1.1))) }
}
