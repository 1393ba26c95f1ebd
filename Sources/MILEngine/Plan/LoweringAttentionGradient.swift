/// The part of lowering that makes the gradient of attention one step.

extension Lowering {
  /// False when the windows do not fit the kernel.
  mutating func lower(_ pattern: AttentionGradientPattern) throws(Diagnostic) -> Bool {
    let query = try view(pattern.query)
    let gradient = try view(pattern.gradient)
    let key = try view(pattern.key)
    let value = try view(pattern.value)
    let (queries, positions) = (query.shape[3], key.shape[3])
    var mask: View?
    if let given = pattern.mask {
      let whole = try view(given).broadcast(
        to: Array(query.shape.prefix(2)) + [queries, positions])
      guard (0..<2).allSatisfy({ whole.shape[$0] == 1 || whole.strides[$0] == 0 }) else {
        return false
      }
      mask = maskRows(whole)
    }
    func walk(_ view: View) -> (place: Place, walk: AttentionStep.Walk) {
      let strides = view.strides
      return (
        view.place,
        AttentionStep.Walk(
          group: strides[0], head: strides[1], feature: strides[2], column: strides[3])
      )
    }
    let read = [query, gradient, key, value].map { forward($0) }.map(walk)
    let results = [pattern.queryGradient, pattern.keyGradient, pattern.valueGradient]
    var written: [(place: Place, walk: AttentionStep.Walk)] = []
    for result in results {
      let target = newView(type(result).shape)
      define(result, target)
      written.append(walk(target))
    }
    emit(
      AttentionGradientStep(
        groups: query.shape[0], heads: query.shape[1], queries: queries, positions: positions,
        keyFeatures: key.shape[2], valueFeatures: value.shape[2], scale: Float(pattern.scale),
        sources: read, mask: mask?.place, maskQuery: mask?.strides[2] ?? 0, results: written))
    return true
  }
}
