import ANEProfiles
import Testing

@testable import MILEngine

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The gradient of attention as one step, and element-wise chains that share a pass over memory.
@Suite struct GradientFusionTests {
  private struct Sizes {
    var keys = 2
    var heads = 1
    var size = 5
    var queries = 7
    var positions = 9
    /// One: the same positions for all queries.
    var maskRows = 7
  }

  /// The products of a gradient; with `breaks` another user of the probabilities keeps them apart.
  private func gradient(_ s: Sizes, breaks: Bool = false) throws -> ExecutableFunction {
    func t(_ features: Int, _ columns: Int, heads: Int) -> String {
      "tensor<fp32, \([s.keys, heads, features, columns].text)>"
    }
    let rows = t(s.size, s.queries, heads: s.heads)
    let run = t(s.size, s.positions, heads: s.heads)
    let whole = t(s.queries, s.positions, heads: s.heads)
    let key = t(s.size, s.positions, heads: 1)
    func shared(_ name: String, _ product: String) -> String {
      guard s.heads > 1 else { return "\(run) \(name) = \(product);" }
      return """
        \(run) \(name)_each = \(product);
        \(key) \(name) = reduce_sum(x = \(name)_each, axes = tensor<int32, [1]>([1]), keep_dims = bool(true));
        """
    }
    let (no, yes) = ("bool(false)", "bool(true)")
    func matmul(_ x: String, _ y: String, _ turnsX: String, _ turnsY: String) -> String {
      "matmul(x = \(x), y = \(y), transpose_x = \(turnsX), transpose_y = \(turnsY))"
    }
    let text = """
      \(rows) scaled = mul(x = q, y = fp32(0.25));
      \(whole) scores = \(matmul("scaled", "k", yes, no));
      \(whole) masked = add(x = scores, y = mask);
      \(whole) p = softmax(x = masked, axis = int32(3));
      \(whole) dp = \(matmul("g", "v", yes, no));
      \(whole) mix = mul(x = p, y = dp);
      \(t(s.queries, 1, heads: s.heads)) mean = reduce_sum(x = mix, axes = tensor<int32, [1]>([3]), keep_dims = \(yes));
      \(whole) rest = sub(x = dp, y = mean);
      \(whole) slope = mul(x = p, y = rest);
      \(rows) dq_whole = \(matmul("k", "slope", no, yes));
      \(rows) dq = mul(x = dq_whole, y = fp32(0.25));
      \(shared("dk", matmul("scaled", "slope", no, no)))
      \(shared("dv", matmul("g", "p", no, no)))
      \(breaks ? "\(whole) seen = identity(x = p);" : "")
      """
    return try engineFunction(
      text,
      inputs: "\(rows) q, \(rows) g, \(key) k, \(key) v, "
        + "tensor<fp32, \([1, 1, s.maskRows, s.positions].text)> mask",
      out: breaks ? "dq, dk, dv, seen" : "dq, dk, dv")
  }

  private func values(_ s: Sizes, seed: UInt64) -> [[Double]] {
    var dice = Dice(seed)
    let rows = s.keys * s.heads * s.size * s.queries
    let run = s.keys * s.size * s.positions
    var result = [rows, rows, run, run].map { dice.halves($0, -1...1) }
    // Causal, and the first query sees nothing at all.
    result.append(
      (0..<(s.queries * s.positions)).map {
        let (query, position) = ($0 / s.positions, $0 % s.positions)
        return query > 0 && position <= query + s.positions - s.queries ? 0 : -1e9
      })
    return result
  }

  @Test(arguments: [1, 3]) func theGradientOfAttentionIsOneStep(_ heads: Int) throws {
    let sizes = Sizes(heads: heads)
    let (fused, apart) = (try gradient(sizes), try gradient(sizes, breaks: true))
    #expect(fused.stepNames == ["AttentionGradientStep"])
    #expect(!apart.stepNames.contains("AttentionGradientStep"))
    for seed in 1...3 {
      let inputs = values(sizes, seed: UInt64(seed))
      let (found, expected) = (try fused.run(inputs), try apart.run(inputs))
      for index in 0..<3 { #expect(distance(found[index], expected[index]) < 2e-6) }
    }
  }

  @Test func itsMemoryGrowsWithTheSequenceAndNotWithItsSquare() throws {
    func bytes(_ length: Int) throws -> Int {
      let sizes = Sizes(keys: 1, size: 64, queries: length, positions: length, maskRows: 1)
      let plan = try gradient(sizes).plan
      let step = try #require(plan.steps[0] as? AttentionGradientStep)
      return plan.arenaBytes + step.scratchBytes
    }
    let (short, long) = (try bytes(2048), try bytes(4096))
    #expect(long < 3 * short)
    #expect(long < 4096 * 4096)
  }

  // MARK: norms

  private struct NormCase: CustomTestStringConvertible {
    var hasGamma = true
    var hasFactors = true
    var isAdded = true
    /// x is another value less its mean.
    var isCentred = false
    /// Another user of the norm itself, or of what x is multiplied by.
    var seen = ""
    var testDescription: String {
      "gamma \(hasGamma), factors \(hasFactors), added \(isAdded), centred \(isCentred), seen \(seen)"
    }
  }

  private static let (rows, columns) = (26, 150)

  /// A norm of two planes over their rows, and its gradients.
  private func norm(_ c: NormCase) throws -> ExecutableFunction {
    let whole = "tensor<fp32, \([2, Self.rows, 1, Self.columns].text)>"
    let row = "tensor<fp32, \([2, 1, 1, Self.columns].text)>"
    let factors = "tensor<fp32, \([1, Self.rows, 1, 1].text)>"
    let mean = "axes = tensor<int32, [1]>([1]), keep_dims = bool(true)"
    let text = """
      \(row) middle = reduce_mean(x = whole, \(mean));
      \(whole) x = \(c.isCentred ? "sub(x = whole, y = middle)" : "identity(x = whole)");
      \(whole) squares = mul(x = x, y = x);
      \(row) square = reduce_mean(x = squares, \(mean));
      \(row) held = add(x = square, y = fp32(0.00001));
      \(row) root = rsqrt(x = held, epsilon = fp32(0));
      \(whole) n = mul(x = x, y = root);
      \(whole) y = mul(x = n, y = gamma);
      \(c.hasGamma ? "\(whole) a = mul(x = g, y = gamma);" : "\(whole) a = relu(x = g);")
      \(whole) mixed = mul(x = a, y = n);
      \(row) share = reduce_mean(x = mixed, \(mean));
      \(whole) shared = mul(x = n, y = share);
      \(whole) rest = sub(x = a, y = shared);
      \(whole) slope = mul(x = rest, y = root);
      \(whole) products = mul(x = \(c.hasGamma ? "g" : "a"), y = n);
      \(factors) dgamma = reduce_sum(x = products, axes = tensor<int32, [3]>([0, 2, 3]), keep_dims = bool(true));
      \(whole) dx = \(c.isAdded ? "add(x = d, y = slope)" : "identity(x = slope)");
      \(c.seen.isEmpty ? "" : "\(c.seen == "n" ? whole : row) seen = relu(x = \(c.seen));")
      """
    return try engineFunction(
      text, inputs: "\(whole) whole, \(whole) g, \(factors) gamma, \(whole) d",
      out: "y, dx" + (c.hasFactors ? ", dgamma" : "") + (c.seen.isEmpty ? "" : ", seen"))
  }

  /// y, dx and dgamma.
  private func normGradients(_ c: NormCase, _ inputs: [[Double]]) -> [[Double]] {
    let (rows, columns) = (Self.rows, Self.columns)
    var (y, dx) = (inputs[0], inputs[0])
    var dgamma = [Double](repeating: 0, count: rows)
    for plane in 0..<2 {
      for column in 0..<columns {
        let places = (0..<rows).map { (plane * rows + $0) * columns + column }
        let middle = places.reduce(0) { $0 + inputs[0][$1] } / Double(rows)
        let x = places.map { inputs[0][$0] - (c.isCentred ? middle : 0) }
        let g = places.map { c.hasGamma ? inputs[1][$0] : max(inputs[1][$0], 0) }
        let root = 1 / (x.reduce(0) { $0 + $1 * $1 } / Double(rows) + 1e-5).squareRoot()
        let a = (0..<rows).map { g[$0] * (c.hasGamma ? inputs[2][$0] : 1) }
        let share = (0..<rows).reduce(0) { $0 + a[$1] * x[$1] * root } / Double(rows)
        for (k, place) in places.enumerated() {
          y[place] = x[k] * root * inputs[2][k]
          dx[place] = (a[k] - x[k] * root * share) * root + (c.isAdded ? inputs[3][place] : 0)
          dgamma[k] += g[k] * x[k] * root
        }
      }
    }
    return [y, dx, dgamma]
  }

  private static let normCases = [
    NormCase(), NormCase(hasGamma: false), NormCase(hasFactors: false), NormCase(isAdded: false),
    NormCase(isCentred: true), NormCase(seen: "n"), NormCase(seen: "root"),
  ]

  @Test(arguments: normCases) private func theGradientOfANormIsOneStep(_ c: NormCase) throws {
    let function = try norm(c)
    let names = function.stepNames
    #expect(names.contains("NormGradientStep") == (c.seen != "root"))
    if c.seen.isEmpty && c.hasGamma {
      #expect(names.filter { $0.hasPrefix("Norm") } == ["NormStep", "NormGradientStep"])
      #expect(c.isCentred || !names.contains("ChainStep"))
    }
    var dice = Dice(7)
    let count = 2 * Self.rows * Self.columns
    let inputs = [count, count, Self.rows, count].map { dice.halves($0, -2...2) }
    let found = try function.run(inputs)
    for (index, expected) in normGradients(c, inputs).enumerated()
    where index < 2 || c.hasFactors {
      #expect(distance(found[index], expected) < 2e-6)
    }
  }

  // MARK: chains

  private static let wide = "tensor<fp32, [1, 64, 1, 100]>"

  private func chains(_ text: String, inputs: String, out: String) throws -> ExecutableFunction {
    try engineFunction(
      text.replacing("WIDE", with: Self.wide),
      inputs: inputs.split(separator: " ").map { "\(Self.wide) \($0)" }.joined(separator: ", "),
      out: out)
  }

  @Test func chainsOverTheSameMemoryArePassedOnce() throws {
    // Both need the sigmoid, whose own result is for them alone, as `rows` takes its place between.
    let function = try chains(
      """
      WIDE s = sigmoid(x = x);
      WIDE up = mul(x = s, y = dy);
      tensor<fp32, [1, 64, 1, 1]> rows = reduce_sum(x = up, axes = tensor<int32, [1]>([3]), keep_dims = bool(true));
      WIDE rest = sub(x = dy, y = s);
      """, inputs: "x dy", out: "up, rows, rest")
    #expect(function.stepNames.filter { $0 == "ChainStep" }.count == 1)
    var dice = Dice(5)
    let (x, dy) = (dice.halves(6400), dice.halves(6400))
    let found = try function.run([x, dy])
    let sigmoid: [Double] = x.map { 1 / (1 + exp(-$0)) }
    var (up, rest, sums) = (dy, dy, [Double](repeating: 0, count: 64))
    for index in x.indices {
      up[index] *= sigmoid[index]
      rest[index] -= sigmoid[index]
      sums[index / 100] += found[0][index]
    }
    #expect(distance(found[0], up) < 1e-6)
    #expect(distance(found[1], sums) < 1e-6)
    #expect(distance(found[2], rest) < 1e-6)
  }

  @Test func aChainThatWaitsForAFoldStaysBehindIt() throws {
    let function = try chains(
      """
      WIDE square = mul(x = x, y = x);
      tensor<fp32, [1, 64, 1, 1]> mean = reduce_mean(x = square, axes = tensor<int32, [1]>([3]), keep_dims = bool(true));
      WIDE rest = sub(x = x, y = mean);
      """, inputs: "x", out: "rest, square")
    #expect(function.stepNames.filter { $0 == "ChainStep" }.count == 2)
    var dice = Dice(6)
    let x = dice.halves(6400)
    var means = [Double](repeating: 0, count: 64)
    for index in x.indices { means[index / 100] += x[index] * x[index] / 100 }
    let expected: [Double] = x.indices.map { x[$0] - means[$0 / 100] }
    #expect(distance(try function.run([x])[0], expected) < 1e-6)
  }
}
