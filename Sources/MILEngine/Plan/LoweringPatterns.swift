/// The part of lowering that turns a group of nodes into one step.
import CKernels

extension Lowering {
  /// Adds the step of a pattern; false when the windows do not fit it.
  mutating func lower(_ pattern: Pattern) throws(Diagnostic) -> Bool {
    switch pattern {
    case .attention(let attention): return try lower(attention)
    case .attentionGradient(let gradient): return try lower(gradient)
    case .norm(let norm): return try lower(norm)
    case .normGradient(let gradient):
      try lower(gradient)
      return true
    case .bias(let bias):
      try convolve(
        function.nodes[bias.convolution], bias: try denseView(bias.bias).place,
        output: function.nodes[bias.root].outputs[0])
      return true
    }
  }

  private mutating func lower(_ norm: NormPattern) throws(Diagnostic) -> Bool {
    let node = function.nodes[norm.root]
    let x = try denseView(norm.x)
    let shape = x.shape
    let target = newView(shape)
    define(node.outputs[0], target)
    var scales: [Place?] = []
    for value in [norm.gamma, norm.beta] {
      if let value { scales.append(try denseView(value).place) } else { scales.append(nil) }
    }
    guard target.count > 0 else { return true }
    emit(
      NormStep(
        kind: norm.isCentred ? .layer : .rootMeanSquare, x: x.place, y: target.place,
        gamma: scales[0], beta: scales[1],
        epsilon: Float(norm.epsilon),
        shape: FoldShape(shape, axis: norm.axis), rounding: ORION_ROUND_NONE))
    return true
  }

  /// It always succeeds: nodes that make what only the gradient's nodes took may be gone.
  private mutating func lower(_ pattern: NormGradientPattern) throws(Diagnostic) {
    let x = try denseView(pattern.x)
    let gradient = try denseView(pattern.gradient)
    let gamma = try pattern.gamma.map { (value) throws(Diagnostic) in try denseView(value) }
    let added = try pattern.added.map { (value) throws(Diagnostic) in try denseView(value) }
    let target = newView(x.shape)
    define(pattern.xGradient, target)
    let gammaTarget = pattern.gammaGradient.map { newView(type($0).shape) }
    if let value = pattern.gammaGradient, let gammaTarget { define(value, gammaTarget) }
    guard target.count > 0 else { return }
    emit(
      NormGradientStep(
        x: x.place, gamma: gamma?.place, gradient: gradient.place, added: added?.place,
        epsilon: Float(pattern.epsilon), shape: FoldShape(x.shape, axis: pattern.axis),
        target: target.place, gammaTarget: gammaTarget?.place))
  }

  /// Keys, values and masks of the same positions.
  private struct Run {
    var keys: [View] = []
    var values: [View] = []
    var masks: [View] = []
  }

  private mutating func lower(_ attention: AttentionPattern) throws(Diagnostic) -> Bool {
    let output = function.nodes[attention.root].outputs[0]
    let shape = type(output).shape
    guard type(output).elementCount > 0 else { return false }
    func oriented(_ view: View, _ flips: Bool) -> View { flips ? view.flipped : view }
    var whole = Run()
    for segment in attention.segments {
      guard let run = try run(segment, attention.flips) else { return false }
      whole.keys += run.keys
      whole.values += run.values
      whole.masks += run.masks
    }
    guard whole.keys.count <= AttentionStep.segmentsMax else { return false }
    let target = newView(shape)
    let parts = AttentionParts(
      query: oriented(try view(attention.query), attention.flips.query), keys: whole.keys,
      values: whole.values, masks: whole.masks, scale: Float(attention.scale),
      output: oriented(target, attention.flips.result))
    guard let step = attentionStep(parts) else { return false }
    emit(step)
    define(output, target)
    return true
  }

  /// A segment in the pieces that its operands were joined from, cut where any of them is cut.
  private mutating func run(
    _ segment: AttentionPattern.Segment, _ flips: AttentionFlips
  ) throws(Diagnostic) -> Run? {
    let rank = type(segment.key).shape.count
    let keys = try pieces(segment.key, axis: rank - (flips.key ? 1 : 2))
      .map { flips.key ? $0.flipped : $0 }
    let values = try pieces(segment.value, axis: rank - (flips.value ? 1 : 2))
      .map { flips.value ? $0.flipped : $0 }
    let positions = keys.reduce(0) { $0 + $1.shape[rank - 2] }
    var masks: [View] = []
    if let mask = segment.mask {
      let maskRank = type(mask).shape.count
      // A mask of one column stands for all positions.
      guard maskRank >= 2, type(mask).shape[maskRank - 1] == positions else { return nil }
      masks = try pieces(mask, axis: maskRank - 1)
    }
    var cuts: Set<Int> = []
    for (list, fromEnd) in [(keys, 2), (values, 2), (masks, 1)] {
      var end = 0
      for view in list {
        end += view.shape[view.shape.count - fromEnd]
        cuts.insert(end)
      }
    }
    guard positions > 0, cuts.max() == positions else { return nil }
    return Run(
      keys: Self.cut(keys, axisFromEnd: 2, at: cuts.sorted()),
      values: Self.cut(values, axisFromEnd: 2, at: cuts.sorted()),
      masks: Self.cut(masks, axisFromEnd: 1, at: cuts.sorted()))
  }

  /// The pieces of a value along an axis; one when it was not joined along it.
  private mutating func pieces(_ value: ValueID, axis: Int) throws(Diagnostic) -> [View] {
    if case .joined(axis, let pieces) = try form(value), pieces.count <= AttentionStep.segmentsMax {
      return try pieceViews(value)
    }
    return [try view(value)]
  }

  private static func cut(_ views: [View], axisFromEnd: Int, at cuts: [Int]) -> [View] {
    var result: [View] = []
    var start = 0
    for view in views {
      let axis = view.shape.count - axisFromEnd
      var begin = 0
      for cut in cuts where cut > start && cut <= start + view.shape[axis] {
        result.append(view.sliced(axis: axis, begin: begin, count: cut - start - begin))
        begin = cut - start
      }
      start += view.shape[axis]
    }
    return result
  }
}
