import ANEProfiles
import Testing

@testable import MILEngine

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Each op against a reference in doubles, written without a look at the engine: on the engine's
/// arithmetic bit for bit, on fp32 within a few units.
@Suite struct ElementwiseOpTests {
  typealias Unary = @Sendable (Double) -> Double
  typealias Binary = @Sendable (Double, Double) -> Double

  static let specials: [Double] = [
    0, -0.0, 1, -1, 65504, -65504, 0x1p-24, -0x1p-14, .infinity, -.infinity, .nan, 0.5, 2050, 11,
  ]

  static let binaries: [String: Binary] = [
    "add": { $0 + $1 }, "sub": { $0 - $1 }, "mul": { $0 * $1 }, "real_div": { $0 / $1 },
    "maximum": { $0.isNaN || $1.isNaN ? .nan : max($0, $1) },
    "minimum": { $0.isNaN || $1.isNaN ? .nan : min($0, $1) },
    "pow": { pow($0, $1) },
    "mod": { x, y in
      let rest = fmod(x, y)
      return rest * y < 0 || (rest < 0 && y == .infinity) ? rest + y : rest
    },
    "floor_div": { x, y in
      if y == 0 || x.isNaN || y.isNaN { return x / y }
      if x.isInfinite { return .nan }
      return y.isInfinite ? (x * y < 0 ? -1 : 0) : floor(x / y)
    },
  ]

  @Test(arguments: binaries.keys.sorted()) func binaryOnTheEngine(_ op: String) throws {
    let meaning = try #require(Self.binaries[op])
    var dice = Dice(UInt64(op.utf8.reduce(7) { $0 * 31 + Int($1) } & 0xFFFF))
    for round in 0..<20 {
      let whole = dice.shape()
      // Some axes of one side are 1, and some are left out.
      let x = whole.map { Bool.random(using: &dice) ? $0 : 1 }
      let y = Array(whole.dropFirst(Int.random(in: 0...(whole.count - 1), using: &dice)))
      let function = try engineFunction(
        "tensor<fp16, \(Shape.broadcast(x, y)!.text)> z = \(op)(x = x, y = y);",
        inputs: "tensor<fp16, \(x.text)> x, tensor<fp16, \(y.text)> y", out: "z",
        arithmetic: round % 2 == 0 ? .engine : .ieee)
      var inputs = [x, y].map { dice.halves($0.reduce(1, *)) }
      if round > 10 {
        for side in inputs.indices {
          for index in inputs[side].indices where Bool.random(using: &dice) {
            inputs[side][index] = Self.specials.randomElement(using: &dice)!
          }
        }
      }
      let shape = Shape.broadcast(x, y)!
      let expected = zip(
        spread(inputs[0], x, to: shape), spread(inputs[1], y, to: shape)
      ).map { Double(Float16(meaning($0, $1))) }
      let result = try function.run(inputs)[0]
      #expect(same(result, expected), "\(op) \(x) \(y)\n\(result)\n\(expected)\n\(inputs)")
    }
  }

  static let unaries: [String: Unary] = [
    "abs": { abs($0) }, "square": { $0 * $0 }, "sqrt": { $0.squareRoot() }, "exp": { exp($0) },
    "exp2": { exp2($0) }, "sin": { sin($0) }, "cos": { cos($0) }, "tanh": { tanh($0) },
    "sigmoid": { 1 / (1 + exp(-$0)) }, "silu": { $0 / (1 + exp(-$0)) },
    "relu": { $0.isNaN ? .nan : max($0, 0) }, "erf": { erf($0) }, "floor": { $0.rounded(.down) },
    "ceil": { $0.rounded(.up) }, "round": { $0.rounded(.toNearestOrEven) },
    "sign": { $0.isNaN ? .nan : $0 > 0 ? 1 : $0 < 0 ? -1 : 0 },
  ]

  @Test func wholeDivisionRoundsDown() throws {
    let x: [Double] = [7, -7, 7, -7, 5, -2_147_483_648]
    let y: [Double] = [3, 3, -3, -3, 0, -1]
    let cases: [(String, [Double])] = [
      ("floor_div", [2, -3, -3, 2, 0, -2_147_483_648]), ("mod", [1, 2, -2, -1, 0, 0]),
    ]
    for (op, expected) in cases {
      let function = try engineFunction(
        "tensor<int32, [6]> z = \(op)(x = x, y = y);",
        inputs: "tensor<int32, [6]> x, tensor<int32, [6]> y", out: "z")
      #expect(try function.run([x, y])[0] == expected)
    }
  }

  @Test(arguments: unaries.keys.sorted()) func unaryOnTheEngine(_ op: String) throws {
    let meaning = try #require(Self.unaries[op])
    let function = try engineFunction(
      "tensor<fp16, [600]> y = \(op)(x = x);", inputs: "tensor<fp16, [600]> x", out: "y",
      arithmetic: .engine)
    var dice = Dice(3)
    let finite = Self.specials.filter { op != "silu" || $0 != -.infinity }
    let x = finite + dice.halves(600 - finite.count, -20...20)
    let expected = x.map { Double(Float16(meaning($0))) }
    let result = try function.run([x])[0]
    for index in x.indices where !same([result[index]], [expected[index]]) {
      Issue.record("\(op)(\(x[index])) = \(result[index]), expected \(expected[index])")
    }
  }

  @Test(arguments: unaries.keys.sorted()) func unaryInFloat(_ op: String) throws {
    let meaning = try #require(Self.unaries[op])
    let function = try engineFunction(
      "tensor<fp32, [3, 70]> y = \(op)(x = x);", inputs: "tensor<fp32, [3, 70]> x", out: "y")
    var dice = Dice(5)
    let x = (0..<210).map { _ in Double(Float.random(in: -6...6, using: &dice)) }
    #expect(distance(try function.run([x])[0], x.map(meaning)) < 1e-6)
  }

  static let withOption: [String: Unary] = [
    "rsqrt(x = x, epsilon = fp16(0.5))": { 1 / ($0 + 0.5).squareRoot() },
    "inverse(x = x, epsilon = fp16(0.25))": { 1 / ($0 + 0.25) },
    "log(x = x, epsilon = fp16(0.125))": { log($0 + 0.125) },
    "inverse(x = x)": { 1 / ($0 + Double(Float16(1e-4))) },
    "clip(x = x, alpha = fp16(-1.5), beta = fp16(2))": { min(max($0, -1.5), 2) },
    "clip(x = x, alpha = fp16(-inf), beta = fp16(2))": { min($0, 2) },
    "gelu(x = x, mode = string(\"EXACT\"))": geluExact,
    "gelu(x = x, mode = string(\"TANH_APPROXIMATION\"))": geluTanh,
    "gelu(x = x, mode = string(\"SIGMOID_APPROXIMATION\"))": { $0 / (1 + exp(-1.702 * $0)) },
    "identity(x = x)": { $0 },
    "cast(x = x, dtype = string(\"fp16\"))": { $0 },
  ]

  static func geluExact(_ x: Double) -> Double {
    x * 0.5 * (1 + erf(x / 2.0.squareRoot()))
  }

  static func geluTanh(_ x: Double) -> Double {
    let inner = (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
    return x * 0.5 * (1 + tanh(inner))
  }

  @Test(arguments: withOption.keys.sorted()) func withOptions(_ call: String) throws {
    let meaning = try #require(Self.withOption[call])
    let function = try engineFunction(
      "tensor<fp16, [300]> y = \(call);", inputs: "tensor<fp16, [300]> x", out: "y",
      arithmetic: .engine)
    var dice = Dice(11)
    let x = dice.halves(300, 0...6)
    let result = try function.run([x])[0]
    let expected = x.map { Double(Float16(meaning($0))) }
    for index in x.indices where result[index] != expected[index] {
      Issue.record("\(call) of \(x[index]): \(result[index]), expected \(expected[index])")
    }
  }
}

/// Values of a broadcast tensor.
func spread(_ values: [Double], _ shape: [Int], to target: [Int]) -> [Double] {
  let padded = [Int](repeating: 1, count: target.count - shape.count) + shape
  return (0..<target.reduce(1, *)).map { index in
    var rest = index
    var source = 0
    var stride = 1
    for axis in target.indices.reversed() {
      let position = rest % target[axis]
      rest /= target[axis]
      if padded[axis] != 1 { source += position * stride }
      stride *= padded[axis]
    }
    return values[source]
  }
}
