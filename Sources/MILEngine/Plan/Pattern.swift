/// Groups of nodes that one step can do, found by their shape in the graph. Only for fp32 values of
/// declared arithmetic, where the roundings between the nodes are nobody's promise.
enum Pattern: Sendable {
  case attention(AttentionPattern)
  case attentionGradient(AttentionGradientPattern)
  case norm(NormPattern)
  case normGradient(NormGradientPattern)
  case bias(BiasPattern)

  /// The nodes other than the last, whose results nobody else sees.
  var inside: [Int] {
    switch self {
    case .attention(let attention): attention.inside
    case .attentionGradient(let gradient): gradient.inside
    case .norm(let norm): norm.inside
    case .normGradient(let gradient): gradient.inside
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

/// The gradients of an RMS norm by its operand and its factors.
struct NormGradientPattern: Sendable {
  /// The last of its nodes.
  var root: Int
  var inside: [Int]
  let x: ValueID
  let axis: Int
  let gamma: ValueID?
  let epsilon: Double
  /// Of the norm's result.
  let gradient: ValueID
  /// What the gradient by x is added to.
  var added: ValueID?
  var xGradient: ValueID
  let gammaGradient: ValueID?

  var operands: [ValueID] { [x, gradient] + [gamma, added].compactMap { $0 } }
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
  /// Nodes of patterns that are one step for certain: they need what the step reads and no more.
  private var absorbed: Set<Int> = []
  /// What those steps read, which is to be made.
  private(set) var kept: Set<ValueID> = []
  private var normGradients: [Int: NormGradientPattern] = [:]
  var function: CheckedFunction { lowering.function }

  /// The patterns by the index of their last node; no node is in two of them.
  static func patterns(of lowering: Lowering) -> [Int: Pattern] {
    guard lowering.arithmetic.storage == .declared else { return [:] }
    var finder = PatternFinder(lowering)
    finder.normGradients = NormGradientFinder(graph: finder).gradients()
    var found: [Int: Pattern] = [:]
    var taken: Set<Int> = []
    for index in lowering.function.nodes.indices.reversed() where !taken.contains(index) {
      guard let pattern = finder.pattern(at: index), taken.isDisjoint(with: pattern.inside) else {
        continue
      }
      found[index] = pattern
      taken.formUnion(pattern.inside)
      if case .normGradient(let gradient) = pattern {
        finder = finder.absorbing(pattern.inside + [index], reading: gradient.operands)
      }
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

  /// The same, where these nodes are no users any more, but somebody reads these values.
  func absorbing(_ nodes: [Int], reading values: [ValueID] = []) -> PatternFinder {
    var result = self
    result.absorbed.formUnion(nodes)
    result.kept.formUnion(values)
    return result
  }

  private func pattern(at index: Int) -> Pattern? {
    if let gradient = normGradients[index] { return .normGradient(gradient) }
    return switch function.nodes[index].op {
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
    guard let value, isForOne(value), isPlain(value), let index = producers[value],
      ops.contains(function.nodes[index].op)
    else { return nil }
    return (index, function.nodes[index])
  }

  private func isForOne(_ value: ValueID) -> Bool {
    !kept.contains(value)
      && lowering.useCount(value) - users(value).filter(absorbed.contains).count == 1
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
}
