/// A layer norm or an RMS norm, and how it is found in a graph.
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

extension PatternFinder {
  /// A layer norm with a term for each element of the axis.
  func shiftedNorm(at root: Int) -> NormPattern? {
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
  func norm(at root: Int) -> NormPattern? {
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
    guard lowering.useCount(norm.x) == 2, !kept.contains(norm.x), let sub = producers[norm.x],
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
  func axis(ofMean node: Node) -> Int? {
    guard flag(node, "keep_dims"), let x = lowering.operand(node, "x"),
      let given = scalar(lowering.operand(node, "axes"))
    else { return nil }
    let rank = lowering.type(x).shape.count
    let axis = Int(exactly: given).map { $0 < 0 ? $0 + rank : $0 }
    return axis.flatMap { (0..<rank).contains($0) ? $0 : nil }
  }

  func isScale(_ gamma: ValueID, of type: TensorType, axis: Int) -> Bool {
    let shape = lowering.type(gamma).shape
    let skipped = type.shape.count - shape.count
    return skipped >= 0 && axis >= skipped
      && shape.indices.allSatisfy { shape[$0] == ($0 + skipped == axis ? type.shape[axis] : 1) }
  }

  func plainNorm(_ node: Node, at root: Int) -> NormPattern? {
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
