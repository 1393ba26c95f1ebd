/// The slots of one sequence: rising, in the order of its positions. It knows no tensor.
struct SlotRuns: Sendable, Hashable {
  /// Without gaps inside, rising, not empty.
  private(set) var runs: [Range<Int>] = []
  private(set) var count = 0

  /// One past the last slot.
  var end: Int { runs.last?.upperBound ?? 0 }

  /// Appends slots that lie at `end` or beyond.
  mutating func append(_ slots: Range<Int>) {
    guard !slots.isEmpty else { return }
    count += slots.count
    SlotRuns.append(slots, to: &runs)
  }

  /// Slots that lie where the runs end or beyond.
  static func append(_ slots: Range<Int>, to runs: inout [Range<Int>]) {
    if let last = runs.last, last.upperBound == slots.lowerBound {
      runs[runs.count - 1] = last.lowerBound..<slots.upperBound
    } else {
      runs.append(slots)
    }
  }

  /// Keeps the first `kept` slots and returns the others.
  mutating func cut(to kept: Int) -> [Range<Int>] {
    var freed: [Range<Int>] = []
    while count > kept, let last = runs.popLast() {
      let taken = min(count - kept, last.count)
      freed.append(last.upperBound - taken..<last.upperBound)
      count -= taken
      if taken < last.count { runs.append(last.lowerBound..<last.upperBound - taken) }
    }
    return freed
  }
}
