import ANEProfiles
import Testing

@testable import MILEngine

/// Matrices between products with weights lie in panels of columns where nobody else looks at them.
@Suite struct PanelLayoutTests {
  private func text(_ columns: Int, dtype: String) -> String {
    func t(_ shape: [Int]) -> String { "tensor<\(dtype), \(shape.text)>" }
    func weights(_ name: String, _ rows: Int, _ inner: Int) -> String {
      let values = (0..<rows).map { o in
        "["
          + (0..<inner).map { "[[\(Double((o * 5 + $0 * 3) % 11) / 8 - 0.625)]]" }
          .joined(separator: ", ") + "]"
      }
      let type = t([rows, inner, 1, 1])
      return
        "\(type) \(name) = const()[val = \(type)([\(values.joined(separator: ", "))])];"
    }
    let (narrow, wide) = (t([1, 6, 1, columns]), t([1, 80, 1, columns]))
    let thin = t([1, 1, 1, columns])
    let axes = "axes = tensor<int32, [1]>([1]), keep_dims = bool(true)"
    return weights("up", 80, 6) + weights("gate", 80, 6) + weights("down", 6, 80)
      + """
      \(thin) mean = reduce_mean(x = x, \(axes));
      \(narrow) rest = sub(x = x, y = mean);
      \(narrow) squared = square(x = rest);
      \(thin) variance = reduce_mean(x = squared, \(axes));
      \(thin) held = add(x = variance, y = \(dtype)(0.001));
      \(thin) inverse = rsqrt(x = held, epsilon = \(dtype)(0));
      \(narrow) normed = mul(x = rest, y = inverse);
      \(wide) u = conv(x = normed, weight = up);
      \(wide) g = conv(x = normed, weight = gate);
      \(wide) s = gelu(x = g, mode = string("TANH_APPROXIMATION"));
      \(wide) m = mul(x = s, y = u);
      \(narrow) d = conv(x = m, weight = down);
      \(narrow) y = add(x = x, y = d);
      """
  }

  private func function(
    _ columns: Int, dtype: String = "fp32", out: String = "y", arithmetic: Arithmetic = .ieee
  ) throws -> ExecutableFunction {
    try engineFunction(
      text(columns, dtype: dtype), inputs: "tensor<\(dtype), [1, 6, 1, \(columns)]> x", out: out,
      arithmetic: arithmetic)
  }

  /// Its products, those in groups too: whether x and y are in panels.
  private func panels(_ function: ExecutableFunction) -> [[Bool]] {
    function.plan.steps.flatMap { step -> [LinearStep] in
      (step as? LinearGroupStep)?.members ?? (step as? LinearStep).map { [$0] } ?? []
    }.map { [$0.xInPanels, $0.yInPanels] }
  }

  @Test func productsHandPanelsOn() throws {
    let function = try function(64)
    #expect(panels(function) == [[true, true], [true, true], [true, false]])
    let norms = function.plan.steps.compactMap { $0 as? NormStep }
    #expect(norms.map(\.yInPanels) == [true])
  }

  @Test(arguments: [48, 72]) func otherNumbersOfColumnsDoNot(_ columns: Int) throws {
    #expect(panels(try function(columns)).allSatisfy { $0 == [false, false] })
  }

  /// A product that is an output stays in rows, and so does what is made with it value by value.
  @Test func outputsStayInRows() throws {
    let function = try function(64, out: "y, u")
    #expect(panels(function) == [[true, false], [true, false], [false, false]])
  }

  @Test(arguments: ["fp32", "fp16"], [false, true])
  func columnsHaveTheSameBits(_ dtype: String, _ isEngine: Bool) throws {
    let arithmetic = isEngine ? Arithmetic.engine : .ieee
    var dice = Dice(91)
    let x = dice.halves(6 * 96)
    let whole = try function(96, dtype: dtype, arithmetic: arithmetic).run([x])[0]
    let part = try function(48, dtype: dtype, arithmetic: arithmetic)
    for first in [0, 48] {
      func half(_ values: [Double]) -> [Double] {
        (0..<6).flatMap { row in (0..<48).map { values[row * 96 + first + $0] } }
      }
      #expect(try part.run([half(x)])[0] == half(whole))
    }
  }
}
