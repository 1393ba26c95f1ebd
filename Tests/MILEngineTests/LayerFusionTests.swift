import ANEProfiles
import Testing

@testable import MILEngine

/// Layer norms and biases that are written in several ops, and products that run together.
@Suite struct LayerFusionTests {
  private static let wide = "tensor<fp32, [1, 6, 1, 5]>"
  private static let thin = "tensor<fp32, [1, 1, 1, 5]>"
  private static let scale = "tensor<fp32, [1, 6, 1, 1]>"

  /// A layer norm over the channels; `square` says how its square is written.
  private static func norm(square: String, extra: String = "") -> String {
    """
    \(thin) mean = reduce_mean(x = x, axes = tensor<int32, [1]>([1]), keep_dims = bool(true));
    \(wide) rest = sub(x = x, y = mean);
    \(wide) squared = \(square);
    \(thin) variance = reduce_mean(x = squared, axes = tensor<int32, [1]>([1]), keep_dims = bool(true));
    \(thin) held = add(x = variance, y = fp32(0.001));
    \(thin) inverse = rsqrt(x = held, epsilon = fp32(0));
    \(wide) normed = mul(x = rest, y = inverse);
    \(wide) scaled = mul(x = normed, y = gamma);
    \(wide) y = add(x = scaled, y = beta);
    \(extra)
    """
  }

  private static let gamma = [1, 2, 0.5, -1, 3, 1.5]
  private static let beta = [0, 1, -1, 0.25, 2, -0.5]

  private func scales() -> String {
    func text(_ name: String, _ values: [Double]) -> String {
      let list = values.map { "[[\($0)]]" }.joined(separator: ", ")
      return "\(Self.scale) \(name) = const()[val = \(Self.scale)([[\(list)]])];"
    }
    return text("gamma", Self.gamma) + text("beta", Self.beta)
  }

  private func expected(_ x: [Double]) -> [Double] {
    var result = x
    for column in 0..<5 {
      let values = (0..<6).map { x[$0 * 5 + column] }
      let mean = values.reduce(0, +) / 6
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 6
      for row in 0..<6 {
        result[row * 5 + column] =
          (values[row] - mean) / (variance + 0.001).squareRoot() * Self.gamma[row] + Self.beta[row]
      }
    }
    return result
  }

  @Test(arguments: ["square(x = rest)", "mul(x = rest, y = rest)"])
  func layerNormIsOneStep(_ square: String) throws {
    let function = try engineFunction(
      scales() + Self.norm(square: square), inputs: "\(Self.wide) x", out: "y")
    #expect(function.stepNames == ["NormStep"])
    var dice = Dice(71)
    let x = dice.halves(30)
    #expect(try distance(function.run([x])[0], expected(x)) < 1e-6)
  }

  @Test func aDifferenceThatIsSeenStaysApart() throws {
    let function = try engineFunction(
      scales()
        + Self.norm(square: "square(x = rest)", extra: "\(Self.wide) z = identity(x = rest);"),
      inputs: "\(Self.wide) x", out: "y, z")
    var dice = Dice(72)
    let x = dice.halves(30)
    let result = try function.run([x])
    #expect(try distance(result[0], expected(x)) < 1e-6)
    let mean = (0..<6).reduce(0) { $0 + x[$1 * 5] } / 6
    #expect(distance([result[1][0]], [x[0] - mean]) < 1e-6)
  }

  @Test func theEngineRoundsEveryOpOfALayerNorm() throws {
    let function = try engineFunction(
      scales() + Self.norm(square: "square(x = rest)"), inputs: "\(Self.wide) x", out: "y",
      arithmetic: .engine)
    #expect(!function.stepNames.contains("NormStep"))
  }

  /// Two convolutions of x with a constant added to each channel.
  private func convolutions(
    second: String, dtype: String = "fp32", arithmetic: Arithmetic = .ieee
  ) throws -> ExecutableFunction {
    func constant(_ name: String, _ shape: [Int]) -> String {
      let count = shape.reduce(1, *)
      let values = (0..<count).map { Double($0 % 7) - 3 }
      let type = "tensor<\(dtype), \(shape.text)>"
      return "\(type) \(name) = const()[val = \(type)(\(nested(shape, values[...])))];"
    }
    let result = "tensor<\(dtype), [1, 4, 1, 3]>"
    return try engineFunction(
      constant("w", [4, 4, 1, 1]) + constant("v", [4, 4, 1, 1]) + constant("c", [1, 4, 1, 1])
        + """
        \(result) p = conv(x = x, weight = w);
        \(result) y = add(x = p, y = c);
        \(result) q = conv(x = \(second), weight = v);
        \(result) z = add(x = c, y = q);
        """, inputs: "\(result) x", out: "y, z", arithmetic: arithmetic)
  }

  private func product(_ x: [Double]) -> [Double] {
    (0..<12).map { index in
      let (o, s) = (index / 3, index % 3)
      let bias = Double(o % 7) - 3
      return (0..<4).reduce(bias) { $0 + (Double((o * 4 + $1) % 7) - 3) * x[$1 * 3 + s] }
    }
  }

  @Test func biasesArePartOfProductsThatRunTogether() throws {
    let x = (0..<12).map { Double($0) - 5 }
    let together = try convolutions(second: "x")
    #expect(together.stepNames == ["LinearGroupStep"])
    #expect(try together.run([x]) == [product(x), product(x)])
    // The second reads what the first makes.
    let chained = try convolutions(second: "y")
    #expect(chained.stepNames == ["LinearStep", "LinearStep"])
    #expect(try chained.run([x]) == [product(x), product(product(x))])
    // On the engine a sum is an op of its own.
    let engine = try convolutions(second: "x", dtype: "fp16", arithmetic: .engine)
    #expect(engine.stepNames.contains("ChainStep"))
    #expect(try engine.run([x]) == [product(x), product(x)])
  }
}
