/// Finds the gradient of RMS norm in a graph: with r = (mean(x * x) + epsilon)^-0.5, n = x * r and the
/// gradient g of n * gamma,
///
///     a = g * gamma
///     dx = (a - n * mean(a * n)) * r, perhaps added to something
///     dgamma = sum of g * n over all axes but the norm's
///
/// in fp32, where the norm's axis is not the last.
struct NormGradientFinder {
  private let graph: PatternFinder
  private var lowering: Lowering { graph.lowering }
  private var function: CheckedFunction { graph.function }

  init(graph: PatternFinder) { self.graph = graph }

  /// The gradients by the index of their last node.
  func gradients() -> [Int: NormGradientPattern] {
    var found: [Int: NormGradientPattern] = [:]
    for (index, node) in function.nodes.enumerated() where node.op == "mul" {
      if let gradient = gradient(endingWith: index) { found[gradient.root] = gradient }
    }
    return found
  }

  /// The nodes from the gradient of the result to that of x.
  private struct Core {
    let normed: ValueID
    let root: ValueID
    /// a, and the mean's share of it.
    let scaled: ValueID
    let mean: Node
    var inside: [Int]
  }

  private func gradient(endingWith last: Int) -> NormGradientPattern? {
    guard var core = core(endingWith: last), let normedNode = graph.producers[core.normed],
      function.nodes[normedNode].op == "mul"
    else { return nil }
    let (gradient, gamma, scaling) = unscaled(core.scaled, core: core)
    core.inside += scaling
    let factors = factorNodes(gradient, core: core)
    core.inside += factors.map { [$0.product, $0.sum] } ?? []
    let alone = graph.absorbing(core.inside)
    guard let norm = alone.plainNorm(function.nodes[normedNode], at: normedNode),
      function.nodes[normedNode].operands.values.contains(where: { $0.ids == [core.root] }),
      norm.axis == graph.axis(ofMean: core.mean),
      lowering.type(gradient) == lowering.type(norm.x),
      gamma.map({ graph.isScale($0, of: lowering.type(norm.x), axis: norm.axis) }) ?? true,
      lowering.type(norm.x).shape[(norm.axis + 1)...].reduce(1, *) > 1
    else { return nil }
    // What makes n, when nothing else needs it.
    if alone.users(core.normed).allSatisfy(core.inside.contains),
      lowering.useCount(core.normed) == alone.users(core.normed).count
    {
      core.inside += norm.inside + [normedNode]
    }
    var result = NormGradientPattern(
      root: 0, inside: [], x: norm.x, axis: norm.axis, gamma: gamma, epsilon: norm.epsilon,
      gradient: gradient, added: nil, xGradient: function.nodes[last].outputs[0],
      gammaGradient: factors.map { function.nodes[$0.sum].outputs[0] })
    if let (sum, added) = sum(after: last) {
      result.added = added
      result.xGradient = function.nodes[sum].outputs[0]
      if let whole = finished(result, core.inside + [sum]) { return whole }
      result.added = nil
      result.xGradient = function.nodes[last].outputs[0]
    }
    return finished(result, core.inside)
  }

  /// (a - n * mean(a * n)) * r.
  private func core(endingWith last: Int) -> Core? {
    for (difference, root) in graph.pairs(function.nodes[last]) {
      guard let (sub, subNode) = graph.maker(difference, ["sub"]),
        let scaled = lowering.operand(subNode, "x"),
        let (share, shareNode) = graph.maker(lowering.operand(subNode, "y"), ["mul"])
      else { continue }
      for (normed, mean) in graph.pairs(shareNode) {
        guard let (meanIndex, meanNode) = graph.maker(mean, ["reduce_mean"]),
          let (mix, mixNode) = graph.maker(lowering.operand(meanNode, "x"), ["mul"]),
          graph.pairs(mixNode).contains(where: { $0 == (scaled, normed) })
        else { continue }
        return Core(
          normed: normed, root: root, scaled: scaled, mean: meanNode,
          inside: [last, sub, share, meanIndex, mix])
      }
    }
    return nil
  }

  /// g and gamma where a is their product and for this gradient alone; else a.
  private func unscaled(
    _ scaled: ValueID, core: Core
  ) -> (gradient: ValueID, gamma: ValueID?, nodes: [Int]) {
    guard let index = graph.producers[scaled], function.nodes[index].op == "mul",
      lowering.useCount(scaled) == 2, let axis = graph.axis(ofMean: core.mean)
    else { return (scaled, nil, []) }
    for (gradient, gamma) in graph.pairs(function.nodes[index])
    where graph.isPlain(gamma) && graph.isScale(gamma, of: lowering.type(scaled), axis: axis) {
      return (gradient, gamma, [index])
    }
    return (scaled, nil, [])
  }

  /// The product of g and n and its sum over all axes but the norm's.
  private func factorNodes(_ gradient: ValueID, core: Core) -> (product: Int, sum: Int)? {
    for product in graph.users(core.normed) where !core.inside.contains(product) {
      let node = function.nodes[product]
      guard node.op == "mul", graph.pairs(node).contains(where: { $0 == (gradient, core.normed) }),
        lowering.isSingleUse(node.outputs[0]), let sum = graph.users(node.outputs[0]).first,
        function.nodes[sum].op == "reduce_sum", graph.flag(function.nodes[sum], "keep_dims"),
        let axis = graph.axis(ofMean: core.mean),
        graph.isScale(
          function.nodes[sum].outputs[0], of: lowering.type(node.outputs[0]), axis: axis)
      else { continue }
      return (product, sum)
    }
    return nil
  }

  /// The sum that the gradient is for alone, and what is added.
  private func sum(after last: Int) -> (index: Int, added: ValueID)? {
    let value = function.nodes[last].outputs[0]
    guard lowering.isSingleUse(value), let sum = graph.users(value).first,
      function.nodes[sum].op == "add",
      let (_, added) = graph.pairs(function.nodes[sum]).first(where: { $0.0 == value }),
      added != value, lowering.type(added) == lowering.type(value)
    else { return nil }
    return (sum, added)
  }

  /// With its last node, unless somebody waits for a result before that.
  private func finished(_ pattern: NormGradientPattern, _ nodes: [Int]) -> NormGradientPattern? {
    var result = pattern
    guard let root = nodes.max(), graph.isPlain(result.x), graph.isPlain(result.gradient) else {
      return nil
    }
    result.root = root
    result.inside = nodes.filter { $0 != root }
    let results = [result.xGradient] + (result.gammaGradient.map { [$0] } ?? [])
    return results.allSatisfy { graph.users($0).allSatisfy { $0 > root } } ? result : nil
  }
}
