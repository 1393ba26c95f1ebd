import ANEProfiles
import Testing

@testable import MILEngine

/// Groups of nodes that become one step, and what must not become one.
@Suite struct FusionTests {
  /// Sizes of a grouped attention: key heads, query heads of each, features, new positions, cached.
  struct Sizes: Sendable {
    var keyHeads = 2
    var group = 3
    var size = 8
    var columns = 4
    var cache = 12
  }

  /// The two ways of joining the cache to what is new.
  enum Form: String, Sendable, CaseIterable {
    /// Scores of each segment are joined, and their probabilities parted.
    case joinedScores
    /// Keys, values and masks are joined.
    case joinedKeys
  }

  private func text(_ s: Sizes, _ form: Form, dtype: String, breaks: Bool) -> String {
    let (k, g, d, n, l) = (s.keyHeads, s.group, s.size, s.columns, s.cache)
    func t(_ shape: [Int]) -> String { "tensor<\(dtype), \(shape.text)>" }
    func shape(_ list: [Int]) -> String { "tensor<int32, [\(list.count)]>(\(list.text))" }
    let yes = "bool(true)"
    let no = "bool(false)"
    var lines = [
      "\(t([k, g, d, n])) q = reshape(x = query, shape = \(shape([k, g, d, n])));",
      "\(t([k, 1, d, l])) kc = reshape(x = k_cache, shape = \(shape([k, 1, d, l])));",
      "\(t([k, 1, d, l])) vc = reshape(x = v_cache, shape = \(shape([k, 1, d, l])));",
      "\(t([k, 1, d, n])) kn = reshape(x = k_new, shape = \(shape([k, 1, d, n])));",
      "\(t([k, 1, d, n])) vn = reshape(x = v_new, shape = \(shape([k, 1, d, n])));",
    ]
    switch form {
    case .joinedScores:
      lines += [
        "\(t([k, g, d, n])) qs = mul(x = q, y = \(dtype)(0.35));",
        "\(t([k, g, n, l])) sc = matmul(x = qs, y = kc, transpose_x = \(yes), transpose_y = \(no));",
        "\(t([k, g, n, l])) mc = add(x = sc, y = mask_cache);",
        "\(t([k, g, n, n])) sn = matmul(x = qs, y = kn, transpose_x = \(yes), transpose_y = \(no));",
        "\(t([k, g, n, n])) mn = add(x = sn, y = mask_new);",
        "\(t([k, g, n, l + n])) s = concat(values = (mc, mn), axis = int32(3), interleave = \(no));",
        "\(t([k, g, n, l + n])) p = softmax(x = s, axis = int32(3));",
        "\(t([k, g, n, l])) pc, \(t([k, g, n, n])) pn = split(x = p, split_sizes = \(shape([l, n])), axis = int32(3));",
        "\(t([k, g, d, n])) oc = matmul(x = vc, y = pc, transpose_x = \(no), transpose_y = \(yes));",
        "\(t([k, g, d, n])) on = matmul(x = vn, y = pn, transpose_x = \(no), transpose_y = \(yes));",
        "\(t([k, g, d, n])) o = add(x = oc, y = on);",
      ]
    case .joinedKeys:
      lines += [
        "\(t([k, 1, d, l + n])) keys = concat(values = (kc, kn), axis = int32(3), interleave = \(no));",
        "\(t([k, 1, d, l + n])) values = concat(values = (vc, vn), axis = int32(3), interleave = \(no));",
        "\(t([1, 1, n, l + n])) mask = concat(values = (mask_cache, mask_new), axis = int32(3), interleave = \(no));",
        "\(t([k, g, n, l + n])) s = matmul(x = q, y = keys, transpose_x = \(yes), transpose_y = \(no));",
        "\(t([k, g, n, l + n])) z = mul(x = s, y = \(dtype)(0.35));",
        "\(t([k, g, n, l + n])) m = add(x = z, y = mask);",
        "\(t([k, g, n, l + n])) p = softmax(x = m, axis = int32(-1));",
        "\(t([k, g, d, n])) o = matmul(x = values, y = p, transpose_x = \(no), transpose_y = \(yes));",
      ]
    }
    lines.append(
      "\(t([1, k * g * d, 1, n])) y = reshape(x = o, shape = \(shape([1, k * g * d, 1, n])));")
    // A second user of the probabilities keeps the nodes apart.
    if breaks { lines.append("\(t([k, g, n, l + n])) seen = identity(x = p);") }
    return lines.joined(separator: "\n")
  }

  private func inputs(_ s: Sizes, dtype: String) -> [(name: String, shape: [Int])] {
    let (k, g, d, n, l) = (s.keyHeads, s.group, s.size, s.columns, s.cache)
    return [
      ("query", [1, k * g * d, 1, n]), ("k_cache", [1, k * d, 1, l]),
      ("v_cache", [1, k * d, 1, l]),
      ("k_new", [1, k * d, 1, n]), ("v_new", [1, k * d, 1, n]), ("mask_cache", [1, 1, n, l]),
      ("mask_new", [1, 1, n, n]),
    ]
  }

  private func function(
    _ sizes: Sizes, _ form: Form, dtype: String = "fp32", arithmetic: Arithmetic = .ieee,
    breaks: Bool = false
  ) throws -> ExecutableFunction {
    try engineFunction(
      text(sizes, form, dtype: dtype, breaks: breaks),
      inputs: inputs(sizes, dtype: dtype).map { "tensor<\(dtype), \($0.shape.text)> \($0.name)" }
        .joined(separator: ", "),
      out: breaks ? "y, seen" : "y", arithmetic: arithmetic)
  }

  /// Random operands with `filled` of the cached positions in use.
  private func values(_ sizes: Sizes, filled: Int, seed: UInt64) -> [[Double]] {
    var dice = Dice(seed)
    var result = inputs(sizes, dtype: "fp32").map { dice.halves($0.shape.reduce(1, *), -1...1) }
    let (n, l) = (sizes.columns, sizes.cache)
    result[5] = (0..<(n * l)).map { $0 % l < filled ? 0 : -1e9 }
    result[6] = (0..<(n * n)).map { $0 % n <= $0 / n ? 0 : -1e9 }
    return result
  }

  @Test(arguments: Form.allCases) func attentionIsOneStepWithoutCopies(_ form: Form) throws {
    let function = try function(Sizes(), form)
    #expect(function.stepNames == ["AttentionStep"])
    let step = try #require(function.plan.steps[0] as? AttentionStep)
    #expect(step.segments.map(\.length) == [12, 4])
    #expect((step.groups, step.heads, step.queries) == (2, 3, 4))
  }

  @Test(arguments: Form.allCases, [1, 4]) func fusedEqualsUnfused(_ form: Form, _ columns: Int)
    throws
  {
    let sizes = Sizes(columns: columns)
    let (fused, apart) = (try function(sizes, form), try function(sizes, form, breaks: true))
    #expect(!apart.stepNames.contains("AttentionStep"))
    for seed in 1...5 {
      let inputs = values(sizes, filled: seed * 2, seed: UInt64(seed))
      #expect(distance(try fused.run(inputs)[0], try apart.run(inputs)[0]) < 1e-6)
    }
  }

  @Test(arguments: Form.allCases) func paddingOfTheCacheChangesNoBit(_ form: Form) throws {
    let (short, long) = (Sizes(cache: 12), Sizes(cache: 40))
    let narrow = values(short, filled: 7, seed: 3)
    var wide = values(long, filled: 7, seed: 3)
    wide[0] = narrow[0]
    for index in [1, 2] {
      wide[index] = widened(narrow[index], from: 12, to: 40)
    }
    for index in [3, 4, 6] { wide[index] = narrow[index] }
    #expect(try function(short, form).run(narrow) == function(long, form).run(wide))
  }

  private func widened(_ values: [Double], from short: Int, to long: Int) -> [Double] {
    (0..<(values.count / short * long)).map {
      $0 % long < short ? values[$0 / long * short + $0 % long] : 0
    }
  }

  @Test(arguments: Form.allCases, ["fp16", "fp32"])
  func theEnginesRoundingsAreKept(_ form: Form, _ dtype: String) throws {
    let function = try function(Sizes(), form, dtype: dtype, arithmetic: .engine)
    #expect(!function.stepNames.contains("AttentionStep"))
  }

  @Test func attentionOfRowsIsFused() throws {
    // The usual layout: [B, H, S, D], keys transposed by the flag, the scale by division.
    let body = """
      tensor<fp32, [2, 3, 4, 5]> s = matmul(x = q, y = k, transpose_x = bool(false), transpose_y = bool(true));
      tensor<fp32, [2, 3, 4, 5]> z = real_div(x = s, y = fp32(2));
      tensor<fp32, [2, 3, 4, 5]> p = softmax(x = z, axis = int32(-1));
      tensor<fp32, [2, 3, 4, 6]> o = matmul(x = p, y = v);
      tensor<fp32, [2, 4, 3, 6]> y = transpose(x = o, perm = tensor<int32, [4]>([0, 2, 1, 3]));
      """
    let inputs =
      "tensor<fp32, [2, 3, 4, 4]> q, tensor<fp32, [2, 3, 5, 4]> k, tensor<fp32, [2, 3, 5, 6]> v"
    let fused = try engineFunction(body, inputs: inputs, out: "y")
    let apart = try engineFunction(body, inputs: inputs, out: "y, p")
    #expect(fused.stepNames.first == "AttentionStep")
    #expect(!apart.stepNames.contains("AttentionStep"))
    var dice = Dice(9)
    let values = [96, 120, 180].map { dice.halves($0) }
    #expect(distance(try fused.run(values)[0], try apart.run(values)[0]) < 1e-6)
  }

  static let norms = [
    "tensor<fp32, [1, 1, 1, 3]> r = rsqrt(x = e, epsilon = fp32(0));",
    "tensor<fp32, [1, 1, 1, 3]> r = rsqrt(x = e);",
    "tensor<fp32, [1, 1, 1, 3]> r = pow(x = e, y = fp32(-0.5));",
  ]

  @Test(arguments: norms, [true, false]) func rmsNormIsOneStep(_ root: String, _ scaled: Bool)
    throws
  {
    let gamma = "tensor<fp32, [1, 16, 1, 1]>"
    let scale = (0..<16).map { Double($0) / 8 }
    let body = """
      \(gamma) gamma = const()[val = \(gamma)(\(nested([1, 16, 1, 1], scale[...])))];
      tensor<fp32, [1, 16, 1, 3]> s = square(x = x);
      tensor<fp32, [1, 1, 1, 3]> m = reduce_mean(x = s, axes = tensor<int32, [1]>([1]), keep_dims = bool(true));
      tensor<fp32, [1, 1, 1, 3]> e = add(x = m, y = fp32(0.001));
      \(root)
      tensor<fp32, [1, 16, 1, 3]> n = mul(x = x, y = r);
      tensor<fp32, [1, 16, 1, 3]> y = mul(x = n, y = gamma);
      """
    let inputs = "tensor<fp32, [1, 16, 1, 3]> x"
    let function = try engineFunction(body, inputs: inputs, out: scaled ? "y" : "n")
    #expect(function.stepNames == ["NormStep"])
    var dice = Dice(13)
    let x = ReferenceArray([1, 16, 1, 3], dice.halves(48))
    let mean = x.folded([1]) { $0.reduce(0) { $0 + $1 * $1 } / 16 }
    let expected = ReferenceArray(x.shape) {
      x[$0] / (mean[$0] + 0.001).squareRoot() * (scaled ? scale[$0[1]] : 1)
    }
    #expect(distance(try function.run([x.values])[0], expected.values) < 1e-6)
    let engine = try engineFunction(body, inputs: inputs, out: "y", arithmetic: .engine)
    #expect(!engine.stepNames.contains("NormStep"))
    let seen = try engineFunction(body, inputs: inputs, out: "y, m")
    #expect(!seen.stepNames.contains("NormStep"))
  }
}
