/// Functions of one value that no kernel knows: computed in double by the C library, rounded once.
import CKernels

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension OpTable {
  static let functions: [OpRow] = [
    function("acos") { acos($0) }, function("asin") { asin($0) }, function("atan") { atan($0) },
    function("atanh") { atanh($0) }, function("cosh") { cosh($0) },
    function("sinh") { sinh($0) }, function("tan") { tan($0) },
    function("softplus", softplus), function("softsign") { $0 / (1 + abs($0)) },
    function("relu6") { min(max($0, 0), 6) },
    scaled("elu", ["alpha"]) { x, alpha, _ in x > 0 ? x : alpha * expm1(x) },
    scaled("leaky_relu", ["alpha"]) { x, alpha, _ in x < 0 ? alpha * x : x },
    scaled("thresholded_relu", ["alpha"]) { x, alpha, _ in x < alpha ? 0 : x },
    scaled("clamped_relu", ["alpha", "beta"]) { x, alpha, beta in
      min(beta, x >= 0 ? x : alpha * x)
    },
    scaled("linear_activation", ["alpha", "beta"]) { x, alpha, beta in alpha * x + beta },
    scaled("scaled_tanh", ["alpha", "beta"]) { x, alpha, beta in alpha * tanh(beta * x) },
    scaled("sigmoid_hard", ["alpha", "beta"]) { x, alpha, beta in
      min(max(alpha * x + beta, 0), 1)
    },
    byChannel("prelu", ["alpha"], ranks: 3...5) { x, alpha, _ in x < 0 ? alpha * x : x },
    byChannel("softplus_parametric", ["alpha", "beta"], ranks: 3...5) { x, alpha, beta in
      alpha * softplus(beta * x)
    },
    threshold,
  ]

  /// log(1 + e^x) without overflow.
  @Sendable private static func softplus(_ x: Double) -> Double {
    log1p(exp(-abs(x))) + max(x, 0)
  }

  private static func function(
    _ name: String, _ body: @escaping @Sendable (Double) -> Double
  ) -> OpRow {
    OpRow(
      name, [.value("x")],
      infer: { context throws(Diagnostic) in [try context.type("x", in: Kinds.floats)] },
      lower: { lowering, node throws(Diagnostic) in
        let x = try lowering.view(lowering.required(node, "x"))
        lowering.mapNumbers(node, [x]) { x, _, _ in x.isNaN ? x : body(x) }
      })
  }

  /// With one or two numbers, known before the run, that shape the function.
  private static func scaled(
    _ name: String, _ names: [String],
    _ body: @escaping @Sendable (Double, Double, Double) -> Double
  ) -> OpRow {
    OpRow(
      name, [.value("x")] + names.map(Parameter.constant),
      infer: { context throws(Diagnostic) in
        for name in names { _ = try context.factor(name) }
        return [try context.type("x", in: Kinds.floats)]
      },
      lower: { lowering, node throws(Diagnostic) in
        let first = try lowering.factor(node, names[0])
        let second = names.count > 1 ? try lowering.factor(node, names[1]) : 0
        let x = try lowering.view(lowering.required(node, "x"))
        lowering.mapNumbers(node, [x]) { x, _, _ in x.isNaN ? x : body(x, first, second) }
      })
  }

  /// With one or two numbers for each channel, which is axis 1.
  private static func byChannel(
    _ name: String, _ names: [String], ranks: ClosedRange<Int>,
    _ body: @escaping @Sendable (Double, Double, Double) -> Double
  ) -> OpRow {
    OpRow(
      name, [.value("x")] + names.map(Parameter.constant),
      infer: { context throws(Diagnostic) in
        let x = try context.type("x", in: Kinds.floats)
        try context.checkRank(x.shape, ranks, of: "x")
        for name in names { try context.checkChannels(name, of: x.shape) }
        return [x]
      },
      lower: { lowering, node throws(Diagnostic) in
        let shape = lowering.result(node).shape
        var views = [try lowering.view(lowering.required(node, "x"))]
        for name in names { views.append(try lowering.channels(node, name, rank: shape.count)) }
        lowering.mapNumbers(node, views.map { $0.broadcast(to: shape) }) { x, first, second in
          x.isNaN ? x : body(x, first, second)
        }
      })
  }

  private static let threshold = OpRow(
    "threshold", [.value("x"), .constant("alpha")],
    infer: { context throws(Diagnostic) in
      _ = try context.factor("alpha")
      return [try context.type("x", in: Kinds.numbers)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let least = try lowering.factor(node, "alpha")
      guard lowering.result(node).dtype.isFloat else {
        return try lowering.mapWords(node, ["x"]) { x, _, _ in
          Words.word(max(Words.signed(x), Words.integer(least)))
        }
      }
      let x = try lowering.view(lowering.required(node, "x"))
      lowering.mapNumbers(node, [x]) { x, _, _ in x.isNaN ? x : max(x, least) }
    })
}

extension InferenceContext {
  /// One number that must be there.
  func factor(_ name: String) throws(Diagnostic) -> Double {
    _ = try type(name, in: Kinds.numbers)
    return try number(name, default: 0)
  }

  func checkRank(_ shape: [Int], _ ranks: ClosedRange<Int>, of name: String) throws(Diagnostic) {
    guard ranks.contains(shape.count) else {
      let expected =
        ranks.lowerBound == ranks.upperBound
        ? "\(ranks.lowerBound)" : "from \(ranks.lowerBound) to \(ranks.upperBound)"
      throw fault("`\(name)` must have rank \(expected); it is \(shape.text)")
    }
  }

  /// One float for each channel of a shape, whose axis 1 holds them.
  func checkChannels(_ name: String, of shape: [Int]) throws(Diagnostic) {
    let given = try type(name, in: Kinds.floats).shape
    guard given == [shape[1]] else {
      throw fault(
        "`\(name)` must have a number for each of the \(shape[1]) channels of \(shape.text);"
          + " its shape is \(given.text)")
    }
  }
}

extension Lowering {
  /// A number known before the run, as the arithmetic holds it.
  func factor(_ node: Node, _ name: String) throws(Diagnostic) -> Double {
    let value = try arguments(node).factor(name)
    return arithmetic.storage == .fp16 && result(node).dtype.isFloat
      ? HalfFloat.rounded(value) : value
  }

  /// A number for each channel as a window that broadcasts over the other axes.
  mutating func channels(_ node: Node, _ name: String, rank: Int) throws(Diagnostic) -> View {
    let list = try denseView(required(node, name))
    return list.changingShape([list.count] + [Int](repeating: 1, count: rank - 2))
  }

  /// Maps the numbers of up to three windows of the result's shape in double; each result is
  /// rounded once.
  mutating func mapNumbers(
    _ node: Node, _ views: [View],
    _ body: @escaping @Sendable (Double, Double, Double) -> Double
  ) {
    let isHalf = rounding(result(node)) == ORION_ROUND_F16
    mapWords(node, views) { x, y, z in
      let number = body(Double(Words.float(x)), Double(Words.float(y)), Double(Words.float(z)))
      return Words.word(Float(isHalf ? HalfFloat.rounded(number) : number))
    }
  }
}

extension View {
  /// A dense window's elements in the same order under another shape.
  func changingShape(_ shape: [Int]) -> View {
    View(buffer: buffer, offset: offset, shape: shape)
  }
}
