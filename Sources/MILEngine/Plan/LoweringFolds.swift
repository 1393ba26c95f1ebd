/// The folding part of lowering: brings the axes a reduction or norm works on side by side.
import CKernels

extension Lowering {
  /// A dense operand of a fold.
  struct Fold {
    let source: View
    let shape: FoldShape
    /// The order of the axes of `source`, where it is not the operand's.
    let permutation: [Int]?
  }

  mutating func fold(_ node: Node, _ name: String, axes: [Int]) throws(Diagnostic) -> Fold {
    let view = try view(required(node, name))
    let wide = view.shape.indices.filter { view.shape[$0] != 1 }
    let folded = wide.filter { axes.contains($0) }
    let count = axes.reduce(1) { $0 * view.shape[$1] }
    let isTogether =
      folded.isEmpty
      || !wide.contains { folded[0] < $0 && $0 < folded[folded.count - 1] && !axes.contains($0) }
    if isTogether {
      let first = folded.first ?? 0
      let outer = view.shape[..<first].reduce(1, *)
      let rest = outer * count
      return Fold(
        source: dense(view),
        shape: FoldShape(outer: outer, count: count, inner: rest == 0 ? 0 : view.count / rest),
        permutation: nil)
    }
    let permutation = view.shape.indices.filter { !axes.contains($0) } + axes
    return Fold(
      source: dense(view.transposed(permutation)),
      shape: FoldShape(outer: count == 0 ? 0 : view.count / count, count: count, inner: 1),
      permutation: permutation)
  }

  /// A step that gives one element for each fold.
  mutating func foldInto(
    _ node: Node, _ fold: Fold, _ step: (Place, Place) -> any Step
  ) throws(Diagnostic) {
    let target = newView(result(node).shape)
    if fold.source.count > 0 {
      emit(step(fold.source.place, target.place))
    } else if target.count > 0 {
      emit(FillStep(target: target.place, count: target.count, word: 0))
    }
    define(node.outputs[0], target)
  }

  /// A step that gives a result of the operand's shape.
  mutating func mapFold(_ node: Node, _ fold: Fold, _ step: (Place, Place) -> any Step) {
    let target = newView(fold.source.shape)
    if target.count > 0 { emit(step(fold.source.place, target.place)) }
    guard let permutation = fold.permutation else { return define(node.outputs[0], target) }
    var inverse = permutation
    for (index, axis) in permutation.enumerated() { inverse[axis] = index }
    define(node.outputs[0], target.transposed(inverse))
  }
}
