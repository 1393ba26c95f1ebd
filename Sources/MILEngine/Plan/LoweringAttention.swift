/// The part of lowering that makes attention steps from windows on queries, keys, values and masks.
import CKernels

/// What attention works on, each list in the order of positions.
struct AttentionParts {
  /// [batch…, queries, features]
  var query: View
  /// [batch…, positions, features]
  var keys: [View]
  /// [batch…, positions, value features]
  var values: [View]
  /// [batch…, queries, positions], or empty.
  var masks: [View]
  var scale: Float
  /// [batch…, queries, value features]
  var output: View
}

extension Lowering {
  /// The step for windows that the kernel can walk, or `nil`.
  mutating func attentionStep(_ parts: AttentionParts) -> AttentionStep? {
    let batch = Array(parts.output.shape.dropLast(2))
    let queries = parts.output.shape[batch.count]
    func spread(_ view: View) -> View {
      view.broadcast(to: batch + view.shape.suffix(2))
    }
    let keys = parts.keys.map(spread)
    let values = parts.values.map(spread)
    let masks = parts.masks.map { mask in
      maskRows(mask.broadcast(to: batch + [queries, mask.shape[mask.shape.count - 1]]))
    }
    // Trailing axes along which keys and values repeat are heads that share them.
    var shared = batch.count
    while shared > 0, (keys + values).allSatisfy({ isRepeated($0, axis: shared - 1) }) {
      shared -= 1
    }
    let (groups, heads) = (batch[..<shared].reduce(1, *), batch[shared...].reduce(1, *))
    func folded(_ view: View) -> View? {
      guard view.runsForward else { return nil }
      return view.reshaped([groups, heads] + view.shape.suffix(2))
    }
    guard let query = folded(spread(parts.query)), let output = folded(parts.output),
      masks.allSatisfy({ mask in batch.indices.allSatisfy { isRepeated(mask, axis: $0) } })
    else { return nil }
    var segments: [AttentionStep.Segment] = []
    for index in keys.indices {
      guard let key = folded(keys[index]), let value = folded(values[index]) else { return nil }
      let mask = masks.isEmpty ? nil : masks[index]
      segments.append(
        AttentionStep.Segment(
          length: key.shape[2],
          key: key.place,
          keyWalk: .init(
            group: key.strides[0], feature: key.strides[3], position: key.strides[2]),
          value: value.place,
          valueWalk: .init(
            group: value.strides[0], feature: value.strides[3], position: value.strides[2]),
          mask: mask?.place, maskQuery: mask?.strides[batch.count] ?? 0))
    }
    return AttentionStep(
      groups: groups, heads: heads, queries: queries, keyFeatures: query.shape[3],
      valueFeatures: output.shape[3], query: query.place, queryWalk: Self.walk(query),
      scale: parts.scale, segments: segments, output: output.place,
      outputWalk: Self.walk(output))
  }

  private static func walk(_ view: View) -> AttentionStep.Walk {
    AttentionStep.Walk(
      group: view.strides[0], head: view.strides[1], feature: view.strides[3],
      column: view.strides[2])
  }

  private func isRepeated(_ view: View, axis: Int) -> Bool {
    view.shape[axis] == 1 || view.strides[axis] == 0
  }

  /// A mask whose rows are dense, as the kernel reads them.
  mutating func maskRows(_ mask: View) -> View {
    let last = mask.shape.count - 1
    guard mask.shape[last] != 1, mask.strides[last] != 1 || !mask.runsForward else { return mask }
    var rows = mask
    for axis in 0..<(last - 1) where isRepeated(mask, axis: axis) {
      rows = rows.sliced(axis: axis, begin: 0, count: 1)
    }
    return dense(rows).broadcast(to: mask.shape)
  }

  /// `scaled_dot_product_attention`. In the engine's arithmetic the mask is not looked at, as the
  /// engine does not.
  mutating func attend(_ node: Node) throws(Diagnostic) {
    let query = try view(required(node, "query"))
    let target = newView(result(node).shape)
    define(node.outputs[0], target)
    guard target.count > 0 else { return }
    var parts = AttentionParts(
      query: query, keys: [try view(required(node, "key"))],
      values: [try view(required(node, "value"))], masks: [],
      scale: Float(1 / Double(query.shape[query.shape.count - 1]).squareRoot()), output: target)
    if !arithmetic.ignoresAttentionMask, let mask = operand(node, "attn_mask") {
      let scores = target.shape.dropLast() + [parts.keys[0].shape[query.shape.count - 2]]
      parts.masks = [try additiveMask(mask).broadcast(to: Array(scores))]
    }
    let batch = target.shape.count - 2
    if let step = attentionStep(parts) {
      emit(step)
    } else {
      // Masks that differ between heads, or windows that do not fold: one head at a time.
      try limit(node, Array(target.shape.prefix(batch)))
      parts.query = forward(parts.query)
      parts.keys = [forward(parts.keys[0])]
      parts.values = [forward(parts.values[0])]
      attendEach(parts, axis: 0, batch: batch)
    }
    if rounding(result(node)) == ORION_ROUND_F16 {
      emit(RoundStep(place: target.place, count: target.count))
    }
  }

  private mutating func attendEach(_ parts: AttentionParts, axis: Int, batch: Int) {
    guard axis < batch else {
      if let step = attentionStep(parts) { emit(step) }
      return
    }
    for index in 0..<parts.output.shape[axis] {
      func one(_ view: View) -> View { view.sliced(axis: axis, begin: index, count: 1) }
      let single = AttentionParts(
        query: one(parts.query), keys: parts.keys.map(one), values: parts.values.map(one),
        masks: parts.masks.map(one), scale: parts.scale, output: one(parts.output))
      attendEach(single, axis: axis + 1, batch: batch)
    }
  }

  /// A mask as numbers that are added to scores; a truth value keeps (0) or hides (minus infinity).
  private mutating func additiveMask(_ value: ValueID) throws(Diagnostic) -> View {
    let mask = try view(value)
    guard type(value).dtype == .bool else { return mask }
    let target = newView(mask.shape)
    emit(
      ElementStep(shape: mask.shape, operands: [mask], target: target.place) { keeps, _, _ in
        Words.word(keeps != 0 ? 0 : -Float.infinity)
      })
    return target
  }
}
