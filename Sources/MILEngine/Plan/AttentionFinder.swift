/// Finds attention in a graph: softmax(scale * q k + mask) v, whole or in segments whose scores are
/// joined before the softmax and whose probabilities are parted after it.
struct AttentionFinder {
  let graph: PatternFinder
  private var lowering: Lowering { graph.lowering }
  private var function: CheckedFunction { graph.function }

  init(graph: PatternFinder) { self.graph = graph }

  /// A product of probabilities and values.
  private struct Mix {
    let product: Int
    let weights: ValueID
    let value: ValueID
    let flipsValue: Bool
    let comesFirst: Bool
  }

  /// What is under a softmax for one segment.
  struct Scores {
    var product: Int
    var inside: [Int]
    var mask: ValueID?
    var scale: Double
  }

  func attention(at root: Int) -> AttentionPattern? {
    let output = function.nodes[root].outputs[0]
    guard graph.isPlain(output), let (products, sums) = products(at: root) else { return nil }
    // Each product can be read with its probabilities on either side.
    for comesFirst in [true, false] {
      let mixes = products.compactMap { mix($0, comesFirst: comesFirst) }
      guard mixes.count == products.count,
        let (scores, shared) = probabilities(mixes.map(\.weights))
      else { continue }
      let inside = products + sums + shared + scores.flatMap(\.inside)
      if let found = pattern(root, mixes, scores, inside: inside.filter { $0 != root }) {
        return found
      }
    }
    return nil
  }

  // MARK: from the result to the softmax

  /// The products whose sum a node is, in order, and the additions between them.
  private func products(at root: Int) -> (products: [Int], sums: [Int])? {
    let node = function.nodes[root]
    if node.op == "matmul" { return ([root], []) }
    guard node.op == "add" else { return nil }
    var products: [Int] = []
    var sums = [root]
    for name in ["x", "y"] {
      guard let (index, _) = graph.maker(lowering.operand(node, name), ["matmul", "add"]),
        let part = self.products(at: index),
        lowering.result(function.nodes[index]) == lowering.result(node)
      else { return nil }
      products += part.products
      sums += part.sums
    }
    return (products, sums)
  }

  private func mix(_ product: Int, comesFirst: Bool) -> Mix? {
    let node = function.nodes[product]
    guard let x = lowering.operand(node, "x"), let y = lowering.operand(node, "y") else {
      return nil
    }
    let (flipsX, flipsY) = (graph.flag(node, "transpose_x"), graph.flag(node, "transpose_y"))
    guard comesFirst ? flipsY : !flipsX else { return nil }
    return comesFirst
      ? Mix(product: product, weights: y, value: x, flipsValue: !flipsX, comesFirst: true)
      : Mix(product: product, weights: x, value: y, flipsValue: flipsY, comesFirst: false)
  }

  /// The scores behind the probabilities of each segment, and the nodes all of them share.
  private func probabilities(_ weights: [ValueID]) -> (scores: [Scores], shared: [Int])? {
    if weights.count == 1 {
      guard let (softmax, node) = graph.maker(weights[0], ["softmax"]), isLastAxis(node, "axis"),
        let scores = scores(lowering.operand(node, "x"))
      else { return nil }
      return ([scores], [softmax])
    }
    guard weights.allSatisfy(lowering.isSingleUse), let split = graph.producers[weights[0]],
      function.nodes[split].op == "split", function.nodes[split].outputs == weights,
      isLastAxis(function.nodes[split], "axis"),
      let (softmax, softmaxNode) = graph.maker(
        lowering.operand(function.nodes[split], "x"), ["softmax"]),
      isLastAxis(softmaxNode, "axis"),
      let (concat, concatNode) = graph.maker(lowering.operand(softmaxNode, "x"), ["concat"]),
      isLastAxis(concatNode, "axis"), !graph.flag(concatNode, "interleave"),
      let joined = concatNode.operands["values"]?.ids,
      joined.map(lowering.type) == weights.map(lowering.type)
    else { return nil }
    let found = joined.compactMap { scores($0) }
    return found.count == joined.count ? (found, [split, softmax, concat]) : nil
  }

  private func isLastAxis(_ node: Node, _ name: String) -> Bool {
    guard let axis = lowering.operand(node, name) else { return node.op == "softmax" }
    let rank = lowering.type(node.outputs[0]).shape.count
    return graph.scalar(axis) == -1 || graph.scalar(axis) == Double(rank - 1)
  }

  // MARK: from the softmax to the product of queries and keys

  /// Over at most one addition and any factors to the product.
  func scores(_ value: ValueID?) -> Scores? {
    guard let value else { return nil }
    let type = lowering.type(value)
    guard let (index, node) = graph.maker(value, ["add"]) else { return scaled(value, type) }
    for (main, mask) in graph.pairs(node) where graph.isPlain(mask) {
      guard var result = scaled(main, type) else { continue }
      result.mask = mask
      result.inside.append(index)
      return result
    }
    return nil
  }

  private func scaled(_ value: ValueID, _ type: TensorType) -> Scores? {
    guard lowering.type(value) == type else { return nil }
    if let (index, _) = graph.maker(value, ["matmul"]) {
      return Scores(product: index, inside: [index], mask: nil, scale: 1)
    }
    guard let (index, node) = graph.maker(value, ["mul", "real_div"]),
      let (main, factor) = factor(node), var result = scaled(main, type)
    else { return nil }
    result.scale *= factor
    result.inside.append(index)
    return result
  }

  /// What a node multiplies by a number, and the number.
  private func factor(_ node: Node) -> (main: ValueID, factor: Double)? {
    for (main, other) in graph.pairs(node) {
      guard let number = graph.scalar(other) else { continue }
      if node.op == "mul" { return (main, number) }
      if lowering.operand(node, "y") == other { return (main, 1 / number) }
    }
    return nil
  }

  // MARK: the whole

  private func pattern(
    _ root: Int, _ mixes: [Mix], _ scores: [Scores], inside: [Int]
  ) -> AttentionPattern? {
    let rank = lowering.type(function.nodes[root].outputs[0]).shape.count
    var segments: [AttentionPattern.Segment] = []
    var flips: Set<AttentionFlips> = []
    var queries: Set<ValueID> = []
    for (mix, scores) in zip(mixes, scores) {
      let product = function.nodes[scores.product]
      guard let query = lowering.operand(product, "x"), let key = lowering.operand(product, "y"),
        [query, key, mix.value].allSatisfy({
          graph.isPlain($0) && lowering.type($0).shape.count == rank
        })
      else { return nil }
      queries.insert(query)
      segments.append(.init(key: key, value: mix.value, mask: scores.mask))
      flips.insert(
        AttentionFlips(
          query: graph.flag(product, "transpose_x"), key: !graph.flag(product, "transpose_y"),
          value: mix.flipsValue, result: mix.comesFirst))
    }
    let scales = Set(scores.map(\.scale))
    guard rank >= 2, queries.count == 1, flips.count == 1, scales.count == 1,
      var query = queries.first, let flips = flips.first, var scale = scales.first,
      segments.allSatisfy({ ($0.mask == nil) == (segments[0].mask == nil) })
    else { return nil }
    // A factor of the queries that only these products see is one more factor of the scores.
    var inside = inside
    if lowering.useCount(query) == segments.count, let index = graph.producers[query],
      graph.isPlain(query), ["mul", "real_div"].contains(function.nodes[index].op),
      let (main, factor) = factor(function.nodes[index]),
      lowering.type(main) == lowering.type(query)
    {
      query = main
      scale *= factor
      inside.append(index)
    }
    return AttentionPattern(
      root: root, inside: inside, query: query, scale: scale, segments: segments, flips: flips)
  }
}
