/// Groups of nodes that one step can do, found by their shape in the graph. Only for fp32 values of
/// declared arithmetic, where the roundings between the nodes are nobody's promise.
enum Pattern: Sendable {
  case attention(AttentionPattern)
  case attentionGradient(AttentionGradientPattern)
  case norm(NormPattern)
  case bias(BiasPattern)

  /// The nodes other than the last, whose results nobody else sees.
  var inside: [Int] {
    switch self {
    case .attention(let attention): attention.inside
    case .attentionGradient(let gradient): gradient.inside
    case .norm(let norm): norm.inside
    case .bias(let bias): [bias.convolution]
    }
  }
}

struct AttentionPattern: Sendable {
  /// Keys and values that follow those of the segment before; `mask` is added to their scores.
  struct Segment: Sendable {
    let key: ValueID
    let value: ValueID
    let mask: ValueID?
  }

  /// Makes the result.
  let root: Int
  let inside: [Int]
  let query: ValueID
  let scale: Double
  let segments: [Segment]
  let flips: AttentionFlips
}

/// The gradients of attention by its queries, keys and values.
struct AttentionGradientPattern: Sendable {
  /// Makes the values' gradient.
  let root: Int
  let inside: [Int]
  let query: ValueID
  /// Of attention's result.
  let gradient: ValueID
  let key: ValueID
  let value: ValueID
  let mask: ValueID?
  let scale: Double
  let queryGradient: ValueID
  let keyGradient: ValueID
  let valueGradient: ValueID
}

/// How the operands of an attention lie.
struct AttentionFlips: Sendable, Hashable {
  /// Features come before queries, keys' positions, values' positions.
  var query: Bool
  var key: Bool
  var value: Bool
  /// The product is values times probabilities, so that queries are the last axis of the result.
  var result: Bool
}

struct NormPattern: Sendable {
  var root: Int
  var inside: [Int]
  var x: ValueID
  let axis: Int
  var gamma: ValueID?
  /// Only of a layer norm.
  var beta: ValueID?
  let epsilon: Double
  /// A layer norm, which takes the mean away first.
  var isCentred = false

  /// The same with one more node at its end.
  func extended(to root: Int) -> NormPattern {
    var result = self
    result.inside.append(self.root)
    result.root = root
    return result
  }
}

/// A convolution whose channels get a constant added.
struct BiasPattern: Sendable {
  let root: Int
  let convolution: Int
  let bias: ValueID
}

/// Looks for patterns in a function.
struct PatternFinder {
  let lowering: Lowering
  private(set) var producers: [ValueID: Int] = [:]
  private var usersOf: [ValueID: [Int]] = [:]
  var function: CheckedFunction { lowering.function }

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
      for value in Set(node.operands.values.flatMap(\.ids)) {
        usersOf[value, default: []].append(index)
      }
    }
  }

  private func pattern(at index: Int) -> Pattern? {
    switch function.nodes[index].op {
    case "matmul":
      AttentionFinder(graph: self).attention(at: index).map(Pattern.attention)
        ?? AttentionGradientFinder(graph: self).gradient(at: index).map(Pattern.attentionGradient)
    case "reduce_sum":
      AttentionGradientFinder(graph: self).gradient(at: index).map(Pattern.attentionGradient)
    case "add":
      AttentionFinder(graph: self).attention(at: index).map(Pattern.attention)
        ?? shiftedNorm(at: index).map(Pattern.norm) ?? bias(at: index).map(Pattern.bias)
    case "mul": norm(at: index).map(Pattern.norm)
    default: nil
    }
  }

  /// A pointwise sum of a convolution and a constant for each channel.
  private func bias(at root: Int) -> BiasPattern? {
    let node = function.nodes[root]
    for (main, bias) in pairs(node) where lowering.isConstant(bias) && isPlain(bias) {
      guard let (index, convolution) = maker(main, ["conv"]),
        lowering.operand(convolution, "bias") == nil,
        lowering.type(main) == lowering.result(node),
        isScale(bias, of: lowering.result(node), axis: 1)
      else { continue }
      return BiasPattern(root: root, convolution: index, bias: bias)
    }
    return nil
  }

  // MARK: reading the graph

  func isPlain(_ value: ValueID) -> Bool { lowering.type(value).dtype == .fp32 }

  /// The node that makes a value for one other node only.
  func maker(_ value: ValueID?, _ ops: Set<String>) -> (index: Int, node: Node)? {
    guard let value, lowering.isSingleUse(value), isPlain(value), let index = producers[value],
      ops.contains(function.nodes[index].op)
    else { return nil }
    return (index, function.nodes[index])
  }

  /// The nodes that take a value, in order.
  func users(_ value: ValueID) -> [Int] { usersOf[value] ?? [] }

  /// The two operands of a node, each way round.
  func pairs(_ node: Node) -> [(ValueID, ValueID)] {
    guard let x = lowering.operand(node, "x"), let y = lowering.operand(node, "y") else {
      return []
    }
    return [(x, y), (y, x)]
  }

  /// A constant of one element that stands in the text.
  func scalar(_ value: ValueID?) -> Double? {
    guard let value, let source = function.values[value].constant,
      lowering.type(value).elementCount == 1
    else { return nil }
    return ConstantValue(type: lowering.type(value), source: source)?.numbers.first
  }

  func flag(_ node: Node, _ name: String) -> Bool {
    lowering.operand(node, name).map { scalar($0) == 1 } ?? false
  }

  // MARK: norms

  /// A layer norm with a term for each element of the axis.
  private func shiftedNorm(at root: Int) -> NormPattern? {
    let node = function.nodes[root]
    for (main, beta) in pairs(node) where isPlain(beta) {
      guard let (index, _) = maker(main, ["mul"]), let norm = norm(at: index), norm.isCentred,
        isScale(beta, of: lowering.result(node), axis: norm.axis)
      else { continue }
      var result = norm.extended(to: root)
      result.beta = beta
      return result
    }
    return nil
  }

  /// x * (mean(x * x) + epsilon)^-0.5, with a factor for each element of the axis or without; x may
  /// be another value less its mean.
  private func norm(at root: Int) -> NormPattern? {
    let node = function.nodes[root]
    guard isPlain(node.outputs[0]) else { return nil }
    for (main, gamma) in pairs(node) where isPlain(gamma) {
      guard let (index, inner) = maker(main, ["mul"]),
        let norm = plainNorm(inner, at: index),
        isScale(gamma, of: lowering.result(node), axis: norm.axis)
      else { continue }
      var result = centred(norm).extended(to: root)
      result.gamma = gamma
      return result
    }
    return plainNorm(node, at: root).map(centred)
  }

  /// A norm of y - mean(y) as the layer norm of y.
  private func centred(_ norm: NormPattern) -> NormPattern {
    // The difference is for the square and the product alone.
    guard lowering.useCount(norm.x) == 2, let sub = producers[norm.x],
      function.nodes[sub].op == "sub", let y = lowering.operand(function.nodes[sub], "x"),
      lowering.type(y) == lowering.type(norm.x),
      let (mean, meanNode) = maker(lowering.operand(function.nodes[sub], "y"), ["reduce_mean"]),
      lowering.operand(meanNode, "x") == y, axis(ofMean: meanNode) == norm.axis
    else { return norm }
    var result = norm
    result.inside += [sub, mean]
    result.x = y
    result.isCentred = true
    return result
  }

  /// The only axis of a mean that keeps it.
  private func axis(ofMean node: Node) -> Int? {
    guard flag(node, "keep_dims"), let x = lowering.operand(node, "x"),
      let given = scalar(lowering.operand(node, "axes"))
    else { return nil }
    let rank = lowering.type(x).shape.count
    let axis = Int(exactly: given).map { $0 < 0 ? $0 + rank : $0 }
    return axis.flatMap { (0..<rank).contains($0) ? $0 : nil }
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
        let (mean, meanNode) = maker(inverse.mean, ["reduce_mean"]),
        let axis = axis(ofMean: meanNode),
        let (square, squareNode) = maker(lowering.operand(meanNode, "x"), ["mul", "square"]),
        squareNode.operands.values.allSatisfy({ $0.ids == [x] })
      else { continue }
      return NormPattern(
        root: root, inside: inverse.inside + [mean, square], x: x, axis: axis,
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
      epsilon = 1e-12
      if let given = lowering.operand(node, "epsilon") {
        guard let number = scalar(given) else { return nil }
        epsilon = number
      }
    }
    if let (sum, sumNode) = maker(argument, ["add"]) {
      for (mean, term) in pairs(sumNode) {
        if let number = scalar(term) { return (mean, epsilon + number, [index, sum]) }
      }
    }
    return (argument, epsilon, [index])
  }
}
