// Every function of one and two operands against the C library's doubles: bit for bit when it rounds to fp16, to less
// than one unit in the last place in fp32.
import CKernels
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

private struct Function: CustomStringConvertible, Sendable {
  let description: String
  let op: orion_chain_op
  var immediate: (Float, Float) = (0, 0)
  /// Where fp32 is sampled.
  var range: ClosedRange<Double> = -110...110
  let exact: @Sendable (Double) -> Double

  init(
    _ name: String, _ op: orion_chain_op, _ immediate: (Float, Float) = (0, 0),
    range: ClosedRange<Double> = -110...110, _ exact: @escaping @Sendable (Double) -> Double
  ) {
    description = name
    self.op = op
    self.immediate = immediate
    self.range = range
    self.exact = exact
  }
}

@Sendable private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
@Sendable private func clip(_ x: Double) -> Double { x.isNaN ? x : min(max(x, -1.5), 6) }

private let functions: [Function] = [
  Function("abs", ORION_ABS) { abs($0) },
  Function("neg", ORION_NEG) { -$0 },
  Function("square", ORION_SQUARE) { $0 * $0 },
  Function("sqrt", ORION_SQRT) { $0.squareRoot() },
  Function("rsqrt", ORION_RSQRT, range: 0...1e6) { 1 / ($0 + 0).squareRoot() },
  Function("rsqrt, epsilon", ORION_RSQRT, (0x1p-10, 0), range: 0...1e3) {
    1 / ($0 + 0x1p-10).squareRoot()
  },
  Function("inverse", ORION_INVERSE) { 1 / ($0 + 0) },
  Function("inverse, epsilon", ORION_INVERSE, (0x1p-7, 0)) { 1 / ($0 + 0x1p-7) },
  Function("exp", ORION_EXP) { exp($0) },
  Function("exp2", ORION_EXP2, range: -160...130) { exp2($0) },
  Function("log", ORION_LOG, range: -1...3) { log($0) },
  Function("log, epsilon", ORION_LOG, (0x1p-20, 0), range: -1...1e5) { log($0 + 0x1p-20) },
  Function("sin", ORION_SIN, range: -1e5...1e5) { sin($0) },
  Function("cos", ORION_COS, range: -1e5...1e5) { cos($0) },
  Function("sin, far", ORION_SIN, range: -1e12...1e12) { sin($0) },
  Function("tanh", ORION_TANH, range: -12...12) { tanh($0) },
  Function("sigmoid", ORION_SIGMOID) { sigmoid($0) },
  Function("silu", ORION_SILU) { $0 * sigmoid($0) },
  Function("relu", ORION_RELU) { $0.isNaN ? $0 : max($0, 0) },
  Function("erf", ORION_ERF, range: -6...6) { erf($0) },
  Function("gelu exact", ORION_GELU_EXACT, range: -15...15) {
    0.5 * $0 * erfc(-$0 * 0.5.squareRoot())
  },
  Function("gelu tanh", ORION_GELU_TANH, range: -12...12) {
    $0 * sigmoid(2 * (2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))
  },
  Function("gelu sigmoid", ORION_GELU_SIGMOID, range: -60...60) { $0 * sigmoid(1.702 * $0) },
  Function("floor", ORION_FLOOR) { $0.rounded(.down) },
  Function("ceil", ORION_CEIL) { $0.rounded(.up) },
  Function("round", ORION_ROUND_EVEN) { $0.rounded(.toNearestOrEven) },
  Function("sign", ORION_SIGN) { $0.isNaN ? $0 : $0 > 0 ? 1 : $0 < 0 ? -1 : 0 },
  Function("clip", ORION_CLIP, (-1.5, 6), clip),
  Function("move", ORION_MOVE) { $0 },
]

/// Floats over the range, near 0, at the ends of fp32, and special ones.
private func samples(_ range: ClosedRange<Double>, _ count: Int) -> [Float] {
  var random = Random(21)
  let width = range.upperBound - range.lowerBound
  var values = (0..<count).map { Float(range.lowerBound + width * Double($0) / Double(count)) }
  values += (0..<count / 4).map { _ in
    let small = Float(
      sign: .plus, exponent: -random.below(140), significand: 1 + random.float() / 2)
    return range.lowerBound < 0 && random.below(2) == 0 ? -small : small
  }
  return values + [0, .infinity, .nan, 1, .leastNonzeroMagnitude, 3e38]
    + (range.lowerBound < 0 ? [-0.0, -.infinity, -1, -.leastNonzeroMagnitude, -3e38] : [])
}

extension Kernels {
  @Suite struct FunctionTests {
    @Test(arguments: functions.indices) func roundsOnceForEveryHalf(index: Int) {
      let function = functions[index]
      let expected = allHalves.map { roundedOnce(function.exact(Double($0))) }
      withEachTable { table in
        let result = apply(
          function.op, allHalves, rounding: ORION_ROUND_F16, immediate: function.immediate)
        let wrong = firstDifference(result, expected)
        #expect(
          wrong == nil,
          """
          \(table) \(function) of \(allHalves[wrong ?? 0]) gives \(result[wrong ?? 0]), \
          expected \(expected[wrong ?? 0])
          """)
      }
    }

    @Test(arguments: functions.indices) func isExactToTheLastPlaceOfFloats(index: Int) {
      let function = functions[index]
      let values = samples(function.range, 40000)
      withEachTable { table in
        let result = apply(
          function.op, values, rounding: ORION_ROUND_NONE, immediate: function.immediate)
        var worst = 0.0
        var at = 0
        for index in values.indices {
          let error = unitsInLastPlace(result[index], from: function.exact(Double(values[index])))
          if error > worst { (worst, at) = (error, index) }
        }
        #expect(worst < 1, "\(table) \(function) of \(values[at]) gives \(result[at])")
      }
    }

    @Test func tablesAgreeOnFloats() {
      for function in functions {
        let values = samples(function.range, 4000)
        var results: [[Float]] = []
        withEachTable { _ in
          results.append(
            apply(function.op, values, rounding: ORION_ROUND_NONE, immediate: function.immediate))
        }
        #expect(firstDifference(results[0], results[1]) == nil, "\(function)")
      }
    }

    @Test func pairsRoundOnce() {
      let pairs: [(orion_chain_op, (Double, Double) -> Double)] = [
        (ORION_ADD, { $0 + $1 }), (ORION_SUB, { $0 - $1 }), (ORION_MUL, { $0 * $1 }),
        (ORION_DIV, { $0 / $1 }), (ORION_POW, { pow($0, $1) }),
        (ORION_MAX, { $0.isNaN || $1.isNaN ? .nan : max($0, $1) }),
        (ORION_MIN, { $0.isNaN || $1.isNaN ? .nan : min($0, $1) }),
      ]
      var random = Random(22)
      let x = (0..<50000).map { _ in allHalves[random.below(65536)] }
      let y = (0..<50000).map { _ in allHalves[random.below(65536)] }
      withEachTable { table in
        for (op, exact) in pairs {
          let result = apply(op, x, y, rounding: ORION_ROUND_F16)
          let expected = zip(x, y).map { roundedOnce(exact(Double($0), Double($1))) }
          let wrong = x.indices.first {
            result[$0] != expected[$0] && !(result[$0].isNaN && expected[$0].isNaN)
          }
          #expect(wrong == nil, "\(table) op \(op.rawValue) \(x[wrong ?? 0]) \(y[wrong ?? 0])")
        }
      }
    }

    @Test func pairsOfFloatsAreIEEE() {
      var random = Random(23)
      let x = random.floats(5000, scale: 30)
      let y = random.floats(5000, scale: 30)
      #expect(apply(ORION_ADD, x, y, rounding: ORION_ROUND_NONE) == zip(x, y).map { $0 + $1 })
      #expect(apply(ORION_SUB, x, y, rounding: ORION_ROUND_NONE) == zip(x, y).map { $0 - $1 })
      #expect(apply(ORION_MUL, x, y, rounding: ORION_ROUND_NONE) == zip(x, y).map { $0 * $1 })
      #expect(apply(ORION_DIV, x, y, rounding: ORION_ROUND_NONE) == zip(x, y).map { $0 / $1 })
      let positive = x.map { abs($0) }
      let power = apply(ORION_POW, positive, y, rounding: ORION_ROUND_NONE)
      for index in x.indices {
        let exact = pow(Double(positive[index]), Double(y[index]))
        #expect(unitsInLastPlace(power[index], from: exact) < 1)
      }
    }

    @Test func maximumAndMinimumPropagateNaN() {
      let x: [Float] = [.nan, 1, .nan, 2]
      let y: [Float] = [1, .nan, .nan, 3]
      withEachTable { table in
        let high = apply(ORION_MAX, x, y, rounding: ORION_ROUND_NONE)
        let low = apply(ORION_MIN, x, y, rounding: ORION_ROUND_NONE)
        #expect(high[..<3].allSatisfy(\.isNaN) && high[3] == 3, "\(table)")
        #expect(low[..<3].allSatisfy(\.isNaN) && low[3] == 2, "\(table)")
      }
    }
  }
}
