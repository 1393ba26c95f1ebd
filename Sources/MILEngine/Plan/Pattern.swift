/// Groups of nodes that one step can do, found by their shape in the graph. Only for fp32 values of
/// declared arithmetic, where the roundings between the nodes are nobody's promise.
enum Pattern: Sendable {
  case attention(AttentionPattern)
  case norm(NormPattern)

  /// The nodes other than the last, whose results nobody else sees.
  var inside: [Int] {
    switch self {
    case .attention(let attention): attention.inside
    case .norm(let norm): norm.inside
    }
  }
}

struct AttentionPattern: Sendable {
  /// Makes the result.
  let root: Int
  let inside: [Int]
  let query: ValueID
  let flipsQuery: Bool
  let key: ValueID
  let flipsKey: Bool
  let value: ValueID
  let flipsValue: Bool
  let mask: ValueID?
  let scale: Double
  /// The product is values times probabilities, so that queries are the last axis of the result.
  let valuesComeFirst: Bool
}

struct NormPattern: Sendable {
  let root: Int
  let inside: [Int]
  let x: ValueID
  let axis: Int
  let gamma: ValueID?
  let epsilon: Double
}

/// Looks for patterns in a function.
struct PatternFinder {
  private let lowering: Lowering
  private var producers: [ValueID: Int] = [:]
  private var function: CheckedFunction { lowering.function }

  /// The patterns by the index of their last node; no node is in two of them.
  static func patterns(of lowering: Lowering) -> [Int: Pattern] {
    guard lowering.arithmetic.storage == .declared else { return [:] }
    let finder = PatternFinder(lowering)
    var found: [Int: Pattern] = [:]
    var taken: Set<Int> = []
    for index in lowering.function.nodes.indices.reversed() where !taken.contains(index) {
      guard let pattern = finder.pattern(at: index), taken.isDisjoint(with: pattern.inside) else {
        continue
      }
      found[index] = pattern
      taken.formUnion(pattern.inside)
    }
    return found
  }

  private init(_ lowering: Lowering) {
    self.lowering = lowering
    for (index, node) in lowering.function.nodes.enumerated() {
      for output in node.outputs { producers[output] = index }
    }
  }

  private func pattern(at index: Int) -> Pattern? {
    switch function.nodes[index].op {
    case "matmul": attention(at: index).map(Pattern.attention)
    case "mul": norm(at: index).map(Pattern.norm)
    default: nil
    }
  }

  // MARK: reading the graph

  private func isPlain(_ value: ValueID) -> Bool { lowering.type(value).dtype == .fp32 }

  /// The node that makes a value for one other node only.
  private func maker(_ value: ValueID?, _ ops: Set<String>) -> (index: Int, node: Node)? {
    guard let value, lowering.isSingleUse(value), isPlain(value), let index = producers[value],
      ops.contains(function.nodes[index].op)
    else { return nil }
    return (index, function.nodes[index])
  }

  /// The two operands of a node, each way round.
  private func pairs(_ node: Node) -> [(ValueID, ValueID)] {
    guard let x = lowering.operand(node, "x"), let y = lowering.operand(node, "y") else {
      return []
    }
    return [(x, y), (y, x)]
  }

  /// A constant of one element that stands in the text.
  private func scalar(_ value: ValueID?) -> Double? {
    guard let value, let source = function.values[value].constant,
      lowering.type(value).elementCount == 1
    else { return nil }
    return ConstantValue(type: lowering.type(value), source: source)?.numbers.first
  }

  private func flag(_ node: Node, _ name: String) -> Bool {
    lowering.operand(node, name).map { scalar($0) == 1 } ?? false
  }

  // MARK: attention

  /// matmul(softmax(scale * matmul(q, k) + mask), v), or the same with the factors exchanged.
  private func attention(at root: Int) -> AttentionPattern? {
    let node = function.nodes[root]
    guard isPlain(node.outputs[0]), let x = lowering.operand(node, "x"),
      let y = lowering.operand(node, "y")
    else { return nil }
    let (flipsX, flipsY) = (flag(node, "transpose_x"), flag(node, "transpose_y"))
    let candidates = [
      (weights: y, value: x, flipsValue: !flipsX, isFirst: true, fits: flipsY),
      (weights: x, value: y, flipsValue: flipsY, isFirst: false, fits: !flipsX),
    ]
    for candidate in candidates where candidate.fits {
      guard let (softmax, softmaxNode) = maker(candidate.weights, ["softmax"]),
        isLastAxis(softmaxNode),
        let scores = scores(lowering.operand(softmaxNode, "x"), shape: lowering.result(softmaxNode))
      else { continue }
      let product = function.nodes[scores.product]
      guard let query = lowering.operand(product, "x"), let key = lowering.operand(product, "y"),
        [query, key, candidate.value].allSatisfy({
          isPlain($0) && lowering.type($0).shape.count == lowering.result(node).shape.count
        })
      else { continue }
      return AttentionPattern(
        root: root, inside: scores.inside + [softmax],
        query: query, flipsQuery: flag(product, "transpose_x"),
        key: key, flipsKey: !flag(product, "transpose_y"),
        value: candidate.value, flipsValue: candidate.flipsValue,
        mask: scores.mask, scale: scores.scale, valuesComeFirst: candidate.isFirst)
    }
    return nil
  }

  private func isLastAxis(_ node: Node) -> Bool {
    guard let axis = lowering.operand(node, "axis") else { return true }
    let last = Double(lowering.result(node).shape.count - 1)
    return scalar(axis) == -1 || scalar(axis) == last
  }

  private struct Scores {
    var product: Int
    var inside: [Int]
    var mask: ValueID?
    var scale: Double
  }

  /// Walks back from the softmax over at most one addition and any factors to the product.
  private func scores(_ value: ValueID?, shape: TensorType) -> Scores? {
    guard let value, lowering.type(value) == shape else { return nil }
    if let (index, node) = maker(value, ["add"]) {
      for (main, mask) in pairs(node) where isPlain(mask) {
        guard var result = scaled(main, shape: shape) else { continue }
        result.mask = mask
        result.inside.append(index)
        return result
      }
      return nil
    }
    return scaled(value, shape: shape)
  }

  private func scaled(_ value: ValueID, shape: TensorType) -> Scores? {
    guard lowering.type(value) == shape else { return nil }
    if let (index, _) = maker(value, ["matmul"]) {
      return Scores(product: index, inside: [index], mask: nil, scale: 1)
    }
    guard let (index, node) = maker(value, ["mul", "real_div"]) else { return nil }
    let isQuotient = node.op == "real_div"
    for (main, factor) in isQuotient ? Array(pairs(node).prefix(1)) : pairs(node) {
      guard let number = scalar(factor), var result = scaled(main, shape: shape) else { continue }
      result.scale = isQuotient ? result.scale / number : result.scale * number
      result.inside.append(index)
      return result
    }
    return nil
  }

  // MARK: norms

  /// x * (mean(x * x) + epsilon)^-0.5, with a factor for each element of the axis or without.
  private func norm(at root: Int) -> NormPattern? {
    let node = function.nodes[root]
    guard isPlain(node.outputs[0]) else { return nil }
    for (main, gamma) in pairs(node) where function.values[gamma].constant != nil {
      guard isPlain(gamma), let (index, inner) = maker(main, ["mul"]),
        let norm = plainNorm(inner, at: index),
        isScale(gamma, of: lowering.result(node), axis: norm.axis)
      else { continue }
      return NormPattern(
        root: root, inside: norm.inside + [index], x: norm.x, axis: norm.axis, gamma: gamma,
        epsilon: norm.epsilon)
    }
    return plainNorm(node, at: root)
  }

  private func isScale(_ gamma: ValueID, of type: TensorType, axis: Int) -> Bool {
    let shape = lowering.type(gamma).shape
    let skipped = type.shape.count - shape.count
    return skipped >= 0 && axis >= skipped
      && shape.indices.allSatisfy { shape[$0] == ($0 + skipped == axis ? type.shape[axis] : 1) }
  }

  private func plainNorm(_ node: Node, at root: Int) -> NormPattern? {
    for (x, factor) in pairs(node) {
      guard isPlain(x), lowering.type(x) == lowering.result(node),
        let inverse = inverseRoot(factor),
        let (mean, meanNode) = maker(inverse.mean, ["reduce_mean"]), flag(meanNode, "keep_dims"),
        let given = scalar(lowering.operand(meanNode, "axes")),
        let axis = Int(exactly: given).map({ $0 < 0 ? $0 + lowering.type(x).shape.count : $0 }),
        lowering.type(x).shape.indices.contains(axis),
        let (square, squareNode) = maker(lowering.operand(meanNode, "x"), ["mul", "square"]),
        squareNode.operands.values.allSatisfy({ $0.ids == [x] })
      else { continue }
      return NormPattern(
        root: root, inside: inverse.inside + [mean, square], x: x, axis: axis, gamma: nil,
        epsilon: inverse.epsilon)
    }
    return nil
  }

  /// (mean + epsilon)^-0.5 in either of its spellings.
  private func inverseRoot(
    _ value: ValueID
  ) -> (mean: ValueID, epsilon: Double, inside: [Int])? {
    guard let (index, node) = maker(value, ["rsqrt", "pow"]),
      let argument = lowering.operand(node, "x")
    else { return nil }
    var epsilon = 0.0
    if node.op == "pow" {
      guard scalar(lowering.operand(node, "y")) == -0.5 else { return nil }
    } else {
      guard let given = lowering.operand(node, "epsilon") else { return nil }
      guard let number = scalar(given) else { return nil }
      epsilon = number
    }
    if let (sum, sumNode) = maker(argument, ["add"]) {
      for (mean, term) in pairs(sumNode) {
        if let number = scalar(term) { return (mean, epsilon + number, [index, sum]) }
      }
    }
    return (argument, epsilon, [index])
  }
}
