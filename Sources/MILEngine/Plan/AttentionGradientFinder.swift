/// Finds the gradient of attention in a graph: with p = softmax(scale q k + mask) and the gradient g of
/// p's product with v,
///
///     slope = p * (g v - sum over the last axis of p * (g v))
///     dq = scale * k slope, dk = scale * q slope, dv = g p
///
/// in fp32 [heads, queries' heads of one, features, columns], where the last two are summed over the
/// heads that share a key.
struct AttentionGradientFinder {
  let graph: PatternFinder
  private var lowering: Lowering { graph.lowering }
  private var function: CheckedFunction { graph.function }

  init(graph: PatternFinder) { self.graph = graph }

  /// A product found at a node, with what is summed up behind it.
  private struct Product {
    let node: Node
    let x: ValueID
    let y: ValueID
    let inside: [Int]
  }

  /// The pattern whose last node, the gradient of the values, is `root`.
  func gradient(at root: Int) -> AttentionGradientPattern? {
    guard let values = sharedProduct(at: root), turns(values.node, x: false, y: false),
      lowering.useCount(values.y) == 3, let softmax = graph.producers[values.y],
      function.nodes[softmax].op == "softmax", isLast(function.nodes[softmax], "axis"),
      let scores = AttentionFinder(graph: graph).scores(
        lowering.operand(function.nodes[softmax], "x")), scores.scale == 1
    else { return nil }
    let product = function.nodes[scores.product]
    guard turns(product, x: true, y: false), let scaled = lowering.operand(product, "x"),
      let key = lowering.operand(product, "y"), lowering.useCount(scaled) == 2,
      let scaling = graph.producers[scaled], function.nodes[scaling].op == "mul",
      let (query, scale) = factor(function.nodes[scaling]),
      let keys = graph.users(scaled).first(where: { $0 != scores.product }),
      turns(function.nodes[keys], x: false, y: false),
      lowering.operand(function.nodes[keys], "x") == scaled,
      let slopes = lowering.operand(function.nodes[keys], "y"),
      let inner = innerNodes(slopes: slopes, weights: values.y, gradient: values.x),
      let queries = queryNodes(slopes: slopes, key: key, scale: scale)
    else { return nil }
    let summed = graph.users(function.nodes[keys].outputs[0])
    let isShared = values.node.outputs[0] != function.nodes[root].outputs[0]
    guard let lastOfKeys = isShared ? summed.first : keys,
      !isShared || (summed.count == 1 && isHeadSum(function.nodes[lastOfKeys]))
    else { return nil }
    let inside =
      values.inside + inner.nodes + queries + scores.inside + [softmax, scaling, keys]
      + (isShared ? [lastOfKeys] : [])
    let found = AttentionGradientPattern(
      root: root, inside: inside.filter { $0 != root }, query: query, gradient: values.x, key: key,
      value: inner.value, mask: scores.mask, scale: scale,
      queryGradient: function.nodes[queries[1]].outputs[0],
      keyGradient: function.nodes[lastOfKeys].outputs[0],
      valueGradient: function.nodes[root].outputs[0])
    return fits(found) ? found : nil
  }

  /// A product, or the sum of one over the heads that share a key.
  private func sharedProduct(at root: Int) -> Product? {
    var index = root
    var inside: [Int] = []
    if isHeadSum(function.nodes[root]) {
      guard
        let (product, _) = graph.maker(lowering.operand(function.nodes[root], "x"), ["matmul"])
      else { return nil }
      index = product
      inside = [product]
    }
    let node = function.nodes[index]
    guard node.op == "matmul", let x = lowering.operand(node, "x"),
      let y = lowering.operand(node, "y")
    else { return nil }
    return Product(node: node, x: x, y: y, inside: inside)
  }

  /// What makes the slopes of the probabilities and of `g v`, and v.
  private func innerNodes(
    slopes: ValueID, weights: ValueID, gradient: ValueID
  ) -> (nodes: [Int], value: ValueID)? {
    guard lowering.useCount(slopes) == 2, let last = graph.producers[slopes],
      let difference = other(function.nodes[last], "mul", than: weights),
      let (sub, subNode) = graph.maker(difference, ["sub"]),
      let slope = lowering.operand(subNode, "x"), lowering.useCount(slope) == 2,
      let (mean, meanNode) = graph.maker(lowering.operand(subNode, "y"), ["reduce_sum"]),
      graph.flag(meanNode, "keep_dims"), isLast(meanNode, "axes"),
      let (mix, mixNode) = graph.maker(lowering.operand(meanNode, "x"), ["mul"]),
      other(mixNode, "mul", than: weights) == slope,
      let product = graph.producers[slope], function.nodes[product].op == "matmul",
      turns(function.nodes[product], x: true, y: false),
      lowering.operand(function.nodes[product], "x") == gradient,
      let value = lowering.operand(function.nodes[product], "y")
    else { return nil }
    return ([last, sub, mean, mix, product], value)
  }

  /// The product and the factor of the queries' gradient.
  private func queryNodes(slopes: ValueID, key: ValueID, scale: Double) -> [Int]? {
    for product in graph.users(slopes) {
      let node = function.nodes[product]
      let result = function.nodes[product].outputs[0]
      guard node.op == "matmul", turns(node, x: false, y: true),
        lowering.operand(node, "x") == key, lowering.isSingleUse(result),
        let last = graph.users(result).first, function.nodes[last].op == "mul",
        let (main, found) = factor(function.nodes[last]), main == result, found == scale
      else { continue }
      return [product, last]
    }
    return nil
  }

  // MARK: reading nodes

  private func turns(_ node: Node, x: Bool, y: Bool) -> Bool {
    node.op == "matmul" && graph.flag(node, "transpose_x") == x
      && graph.flag(node, "transpose_y") == y
  }

  private func factor(_ node: Node) -> (main: ValueID, factor: Double)? {
    for (main, other) in graph.pairs(node) {
      if let number = graph.scalar(other) { return (main, number) }
    }
    return nil
  }

  private func other(_ node: Node, _ op: String, than value: ValueID) -> ValueID? {
    guard node.op == op else { return nil }
    return graph.pairs(node).first { $0.0 == value }?.1
  }

  private func isLast(_ node: Node, _ name: String) -> Bool {
    guard let axis = lowering.operand(node, name).flatMap({ graph.scalar($0) }) else {
      return false
    }
    let rank = lowering.type(node.outputs[0]).shape.count
    return axis == -1 || axis == Double(rank - 1)
  }

  private func isHeadSum(_ node: Node) -> Bool {
    node.op == "reduce_sum" && graph.flag(node, "keep_dims")
      && lowering.operand(node, "axes").flatMap { graph.scalar($0) } == 1
  }

  /// All values have the shapes and the type that the step takes, and nobody waits for a result
  /// before the last node.
  private func fits(_ found: AttentionGradientPattern) -> Bool {
    let (query, key) = (lowering.type(found.query), lowering.type(found.key))
    let (value, gradient) = (lowering.type(found.value), lowering.type(found.gradient))
    let results = [found.queryGradient, found.keyGradient, found.valueGradient]
    guard query.shape.count == 4, key.shape.count == 4, value.shape.count == 4,
      gradient.shape.count == 4, [query, key, value, gradient].allSatisfy({ $0.dtype == .fp32 }),
      results.map(lowering.type) == [query, key, value], query.elementCount > 0,
      key.elementCount > 0, value.elementCount > 0,
      gradient.shape == query.shape.prefix(2) + [value.shape[2], query.shape[3]],
      key.shape[0] == query.shape[0], value.shape[0] == query.shape[0],
      key.shape[1] == 1, value.shape[1] == 1, key.shape[3] == value.shape[3]
    else { return false }
    return results.allSatisfy { graph.users($0).allSatisfy { $0 > found.root } }
  }
}
