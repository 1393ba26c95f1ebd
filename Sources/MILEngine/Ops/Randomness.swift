/// Ops that draw random numbers. Their generator is SplitMix64, element by element: number k of a draw is
/// the generator's output for state seed + k times its step, so that a draw depends on its seed alone,
/// never on threads. With a seed of 0 or more each run draws the same; without, each run its own.

extension OpTable {
  static let randomness: [OpRow] = [
    random("random_uniform", ["low", "high"], [0, 1]) { bits, range, round in
      // A product that reaches the upper end is drawn again, at most a few times.
      for attempt in 0..<8 {
        let value = range[0] + (range[1] - range[0]) * bits.unit(attempt)
        if Double(round(value)) < range[1] || range[0] >= range[1] { return value }
      }
      return range[0]
    },
    random("random_normal", ["mean", "stddev"], [0, 1]) { bits, spread, _ in
      spread[0] + spread[1] * bits.normal
    },
    random("random_bernoulli", ["prob"], [0.5]) { bits, chance, _ in
      bits.unit(0) < chance[0] ? 1 : 0
    },
    categorical,
  ]

  /// An op that fills a shape; its options give the type too.
  private static func random(
    _ name: String, _ options: [String], _ defaults: [Double],
    _ draw: @escaping @Sendable (RandomBits, [Double], Rounder) -> Double
  ) -> OpRow {
    OpRow(
      name, [.value("shape")] + options.map { .option($0) } + [.option("seed")],
      infer: { context throws(Diagnostic) in
        let shape = try context.requiredIntegers("shape")
        guard shape.allSatisfy({ $0 > 0 }) else {
          throw context.fault("`shape` must hold sizes of at least 1; it is \(shape.text)")
        }
        var dtype = context.declared.first?.dtype ?? .fp32
        for option in options where context.has(option) {
          dtype = try context.type(option, in: Kinds.floats).dtype
        }
        guard Kinds.floats.contains(dtype) else {
          throw context.fault("the result must be fp16 or fp32; it is \(dtype.rawValue)")
        }
        return [try context.result(dtype, shape)]
      },
      lower: { lowering, node throws(Diagnostic) in
        let context = lowering.arguments(node)
        var given: [Double] = []
        for (option, value) in zip(options, defaults) {
          given.append(try context.number(option, default: value))
        }
        let (seed, result) = (try context.integer("seed", default: -1), lowering.result(node))
        let (rounder, numbers) = (lowering.rounder(result), given)
        try lowering.compute(node, []) { memory in
          let bits = RandomBits(seed: seed)
          for index in 0..<result.elementCount {
            memory.result(0)[index] = rounder(draw(bits.element(index), numbers, rounder))
          }
        }
      })
  }

  /// Indices, as floats, drawn with the chances along the last axis.
  private static let categorical = OpRow(
    "random_categorical", [.value("x"), .option("mode"), .option("size"), .option("seed")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.floats)
      guard let count = x.shape.last, count > 0 else {
        throw context.fault("`x` must have a last axis that is not empty; it is \(x.shape.text)")
      }
      _ = try context.choice("mode", ["logits", "probs"])
      return [try context.result(x.dtype, x.shape.dropLast() + [context.size("size", default: 1)])]
    },
    lower: { lowering, node throws(Diagnostic) in
      let context = lowering.arguments(node)
      let isLogit = try context.choice("mode", ["logits", "probs"]) == "logits"
      let (size, seed) = (
        try context.size("size", default: 1), try context.integer("seed", default: -1)
      )
      let shape = try context.type("x").shape
      let (count, rows) = (shape[shape.count - 1], shape.dropLast().reduce(1, *))
      try lowering.compute(node, ["x"]) { memory in
        let bits = RandomBits(seed: seed)
        for row in 0..<rows {
          let chances = sums(memory.floats(0) + row * count, count, isLogit)
          for sample in 0..<size {
            let index = row * size + sample
            let mark = bits.element(index).unit(0) * (chances.last ?? 0)
            let drawn = chances.firstIndex { mark < $0 } ?? count - 1
            memory.result(0)[index] = Float(drawn)
          }
        }
      }
    })

  /// Running sums of the chances.
  private static func sums(_ x: UnsafePointer<Float>, _ count: Int, _ isLogit: Bool) -> [Double] {
    let values = (0..<count).map { Double(x[$0]) }
    let largest = values.max() ?? 0
    var sum = 0.0
    return values.map { value in
      sum += isLogit ? Words.exp(value - largest) : max(0, value)
      return sum
    }
  }
}

/// The random bits of one element.
private struct RandomBits {
  private let state: UInt64
  private static let step: UInt64 = 0x9E37_79B9_7F4A_7C15

  /// A negative seed draws another one.
  init(seed: Int) {
    var system = SystemRandomNumberGenerator()
    state = seed >= 0 ? UInt64(seed) &* 0xD129_0AF5_8C1E_49B3 : system.next()
  }

  private init(state: UInt64) { self.state = state }

  /// The bits of element `index`, apart from those of all others.
  func element(_ index: Int) -> RandomBits {
    RandomBits(state: Self.mixed(state &+ UInt64(index) &* Self.step))
  }

  /// A number from 0 on, below 1; another one for each attempt.
  func unit(_ attempt: Int) -> Double {
    Double(Self.mixed(state &+ UInt64(attempt + 1) &* Self.step) >> 11) * 0x1p-53
  }

  /// By Box and Muller's way.
  var normal: Double {
    let radius = (-2 * Words.log(1 - unit(0))).squareRoot()
    return radius * Words.cosine(2 * .pi * unit(1))
  }

  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
