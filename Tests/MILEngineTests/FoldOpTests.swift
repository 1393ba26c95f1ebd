import ANEProfiles
import Testing

@testable import MILEngine

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Reductions, softmax and norms against the reference, over every choice of axes.
@Suite struct FoldOpTests {
  typealias Fold = @Sendable ([Double]) -> Double

  static let reductions: [String: Fold] = [
    "reduce_sum": { $0.reduce(0, +) },
    "reduce_mean": { $0.reduce(0, +) / Double($0.count) },
    "reduce_max": { $0.max()! },
    "reduce_min": { $0.min()! },
    "reduce_sum_square": { $0.reduce(0) { $0 + $1 * $1 } },
    "reduce_prod": { $0.reduce(1, *) },
    "reduce_l1_norm": { $0.reduce(0) { $0 + abs($1) } },
    "reduce_l2_norm": { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() },
    "reduce_log_sum": { log($0.reduce(0, +)) },
    "reduce_log_sum_exp": { list in
      let most = list.max()!
      return most + log(list.reduce(0) { $0 + exp($1 - most) })
    },
  ]

  static let axes: [[Int]] = [[0], [1], [2], [3], [-1], [1, 2], [0, 2], [1, 3], [0, 1, 2, 3]]

  @Test(arguments: reductions.keys.sorted()) func reduction(_ op: String) throws {
    let fold = try #require(Self.reductions[op])
    var dice = Dice(17)
    let shape = [2, 3, 4, 5]
    for axes in Self.axes {
      for keep in [true, false] {
        let folded = axes.map { $0 < 0 ? $0 + 4 : $0 }
        let x = ReferenceArray(shape, dice.halves(120, op == "reduce_log_sum" ? 0...4 : -2...2))
        let expected = x.folded(folded, fold)
        let result =
          keep ? expected.shape : shape.indices.filter { !folded.contains($0) }.map { shape[$0] }
        let call =
          "\(op)(x = x, axes = tensor<int32, [\(axes.count)]>(\(axes.text)), keep_dims = bool(\(keep)))"
        let half = try engineFunction(
          "tensor<fp16, \(result.text)> y = \(call);", inputs: "tensor<fp16, \(shape.text)> x",
          out: "y", arithmetic: .engine)
        #expect(same(try half.run([x.values])[0], expected.halves), "\(call)")
        let float = try engineFunction(
          "tensor<fp32, \(result.text)> y = \(call);", inputs: "tensor<fp32, \(shape.text)> x",
          out: "y")
        #expect(distance(try float.run([x.values])[0], expected.values) < 1e-5, "\(call)")
      }
    }
  }

  @Test func reductionOfAllAxesGivesAScalar() throws {
    let function = try engineFunction(
      "fp32 y = reduce_sum(x = x);", inputs: "tensor<fp32, [2, 3]> x", out: "y")
    #expect(try function.run([[1, 2, 3, 4, 5, 6]]) == [[21]])
  }

  @Test(arguments: ["reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod"])
  func reductionOfIntegers(_ op: String) throws {
    let function = try engineFunction(
      "tensor<int32, [2]> y = \(op)(x = x, axes = tensor<int32, [1]>([1]));",
      inputs: "tensor<int32, [2, 3]> x", out: "y")
    let fold = try #require(Self.reductions[op])
    let expected = [[7.0, -2, 4], [5, 9, 9]].map { fold($0).rounded(.towardZero) }
    #expect(try function.run([[7, -2, 4, 5, 9, 9]])[0] == expected)
  }

  @Test(arguments: [0, 1, 2, -1]) func softmax(_ axis: Int) throws {
    let shape = [3, 5, 7]
    var dice = Dice(23)
    let x = ReferenceArray(shape, dice.halves(105, -9...9))
    let place = axis < 0 ? axis + 3 : axis
    let most = x.folded([place]) { $0.max()! }
    let powers = ReferenceArray(shape) { exp(x[$0] - most[$0]) }
    let sums = powers.folded([place]) { $0.reduce(0, +) }
    let expected = ReferenceArray(shape) { powers[$0] / sums[$0] }
    let half = try engineFunction(
      "tensor<fp16, [3, 5, 7]> y = softmax(x = x, axis = int32(\(axis)));",
      inputs: "tensor<fp16, [3, 5, 7]> x", out: "y", arithmetic: .engine)
    #expect(same(try half.run([x.values])[0], expected.halves))
    let float = try engineFunction(
      "tensor<fp32, [3, 5, 7]> y = softmax(x = x, axis = int32(\(axis)));",
      inputs: "tensor<fp32, [3, 5, 7]> x", out: "y")
    #expect(distance(try float.run([x.values])[0], expected.values) < 1e-6)
  }

  @Test(arguments: [[1], [2], [1, 2], [0, 2], [-1]]) func layerNorm(_ axes: [Int]) throws {
    let shape = [2, 3, 8]
    let folded = axes.map { $0 < 0 ? $0 + 3 : $0 }
    var dice = Dice(29)
    let x = ReferenceArray(shape, dice.halves(48))
    let scaleShape = folded.map { shape[$0] }
    let count = scaleShape.reduce(1, *)
    let (gamma, beta) = (dice.halves(count), dice.halves(count))
    let wide = shape.indices.map { folded.contains($0) ? shape[$0] : 1 }
    let (scale, shift) = (ReferenceArray(wide, gamma), ReferenceArray(wide, beta))
    let mean = x.folded(folded) { $0.reduce(0, +) / Double($0.count) }
    let variance = ReferenceArray(shape) { pow(x[$0] - mean[$0], 2) }
      .folded(folded) { $0.reduce(0, +) / Double($0.count) }
    let epsilon = Double(Float(1e-3))
    let expected = ReferenceArray(shape) {
      (x[$0] - mean[$0]) / (variance[$0] + epsilon).squareRoot() * scale[$0] + shift[$0]
    }
    for (dtype, arithmetic) in [("fp16", Arithmetic.engine), ("fp32", .ieee)] {
      let scaleType = "tensor<\(dtype), \(scaleShape.text)>"
      func nested(_ values: [Double]) -> String {
        guard scaleShape.count == 2 else { return literal(values) }
        let rows = stride(from: 0, to: count, by: scaleShape[1]).map {
          literal(Array(values[$0..<($0 + scaleShape[1])]))
        }
        return "[" + rows.joined(separator: ", ") + "]"
      }
      let function = try engineFunction(
        """
        tensor<\(dtype), [2, 3, 8]> y = layer_norm(x = x, axes = tensor<int32, [\(axes.count)]>(\(axes.text)),
          gamma = \(scaleType)(\(nested(gamma))), beta = \(scaleType)(\(nested(beta))), epsilon = fp32(0.001));
        """,
        inputs: "tensor<\(dtype), [2, 3, 8]> x", out: "y", arithmetic: arithmetic)
      let result = try function.run([x.values])[0]
      if dtype == "fp16" {
        #expect(same(result, expected.halves))
      } else {
        #expect(distance(result, expected.values) < 2e-6)
      }
    }
  }

  @Test(arguments: ["reduce_argmax", "reduce_argmin"]) func extreme(_ op: String) throws {
    let function = try engineFunction(
      "tensor<int32, [2, 1]> y = \(op)(x = x, axis = int32(1), keep_dims = bool(true));",
      inputs: "tensor<fp32, [2, 4]> x", out: "y")
    let largest = op == "reduce_argmax"
    #expect(try function.run([[1, 5, -2, 5, 3, 3, 0, 0]])[0] == (largest ? [1, 0] : [2, 2]))
  }
}
