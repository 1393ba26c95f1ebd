/// Puts chains of one shape together that read the same memory, or one the other's result: then it is
/// read once, and a result that nobody else waits for is never written.
struct ChainFusion {
  /// How far apart two chains may stand.
  private static let reach = 48
  /// Values from which a pass over memory is worth saving.
  private static let countMin = 1 << 12

  private var steps: [(any Step)?]
  private let results: Set<Int>
  private var readers: [Int: Int] = [:]

  /// `results`: the buffers that are wanted in the end.
  init(_ steps: [any Step], results: Set<Int>) {
    self.steps = steps
    self.results = results
    for step in steps {
      for buffer in Set(step.reads) { readers[buffer, default: 0] += 1 }
    }
  }

  /// First with chains whose results are read, so that what is for one chain alone is never written.
  func fused() -> [any Step] {
    var copy = self
    for followsResults in [true, false] {
      for index in copy.steps.indices { copy.join(at: index, followsResults) }
    }
    return copy.steps.compactMap { $0 }
  }

  /// Joins the chain of a place with earlier ones, as long as there are any: with those whose results
  /// it reads, or with those that read the same.
  private mutating func join(at index: Int, _ followsResults: Bool) {
    var place = index
    while let chain = steps[place] as? ChainStep, Self.isLarge(chain),
      let (partner, joined, isLater) = partner(of: chain, at: place, followsResults)
    {
      for step in [steps[place], steps[partner]] {
        for buffer in Set(step?.reads ?? []) { readers[buffer, default: 0] -= 1 }
      }
      for buffer in Set(joined.reads) { readers[buffer, default: 0] += 1 }
      steps[isLater ? partner : place] = nil
      if !isLater { place = partner }
      steps[place] = joined
    }
  }

  private static func isLarge(_ chain: ChainStep) -> Bool {
    chain.expression.shape.reduce(1, *) >= countMin
  }

  /// The shape without axes of one element, in which chains are compared.
  private static func sizes(_ chain: ChainStep) -> [Int] {
    chain.expression.shape.filter { $0 != 1 }
  }

  private static func squeezed(_ view: View) -> View {
    view.dropping(axes: view.shape.map { $0 == 1 })
  }

  /// An earlier chain to join, both as one step, and whether it belongs in the later one's place.
  private func partner(
    of chain: ChainStep, at index: Int, _ followsResults: Bool
  ) -> (partner: Int, joined: ChainStep, isLater: Bool)? {
    let reads = Set(chain.reads)
    var (passedReads, passedWrites) = (Set<Int>(), Set<Int>())
    for place in (max(0, index - Self.reach)..<index).reversed() {
      guard let step = steps[place] else { continue }
      if let other = step as? ChainStep, Self.sizes(other) == Self.sizes(chain),
        !reads.isDisjoint(with: followsResults ? other.writes : other.reads)
      {
        // The earlier one may wait, or the later one need not, for all that stands between them.
        let waits =
          passedReads.isDisjoint(with: other.writes)
          && passedWrites.isDisjoint(with: other.reads + other.writes)
        let comes =
          passedWrites.isDisjoint(with: chain.reads + chain.writes)
          && passedReads.isDisjoint(with: chain.writes)
        if waits || comes, let joined = joined(other, chain) { return (place, joined, waits) }
      }
      passedReads.formUnion(step.reads)
      passedWrites.formUnion(step.writes)
    }
    return nil
  }

  private func joined(_ first: ChainStep, _ second: ChainStep) -> ChainStep? {
    let sizes = Self.sizes(first)
    guard var expression = first.expression.mapped(to: sizes, Self.squeezed),
      let added = second.expression.mapped(to: sizes, Self.squeezed)
    else { return nil }
    var known: [View: Expression.Source] = [:]
    for result in first.results {
      known[Self.squeezed(result.target)] = .result(result.instruction)
    }
    // Another window on what is only being made would read too early.
    let made = Set(first.writes)
    guard added.operands.allSatisfy({ known[$0] != nil || !made.contains($0.buffer) })
    else { return nil }
    let moved = expression.instructions.count
    _ = expression.add(added, known: known)
    let reading = Set(second.reads)
    let kept = first.results.filter { result in
      let buffer = result.target.buffer
      return results.contains(buffer)
        || (readers[buffer] ?? 0) > (reading.contains(buffer) ? 1 : 0)
    }
    let wanted =
      kept.map { ($0.instruction, $0.target) }
      + second.results.map { (moved + $0.instruction, $0.target) }
    return ChainStep(
      expression,
      results: wanted.map { .init(instruction: $0.0, target: Self.squeezed($0.1)) })
  }
}
