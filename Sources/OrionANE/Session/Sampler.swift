import CKernels

/// Draws a token from logits by the rules of `Sampling`; it knows no model.
///
/// Only additions, multiplications and comparisons of doubles are used, in a fixed order, so that a seed gives
/// the same tokens on every platform. Nothing is allocated after the first draw from a vocabulary.
struct Sampler {
  private var sampling = Sampling.greedy
  private var random = RandomSequence(seed: 0)
  /// A max-heap of candidates by (logit, lower id).
  private var heap: [Candidate] = []
  /// Candidates taken from the heap, likeliest first, with their weights.
  private var kept: [Candidate] = []
  private var weights: [Double] = []
  /// Draw in which a token's logit was last penalised; a token is penalised once a draw.
  private var penalisedIn: [UInt64] = []
  private var draws: UInt64 = 0

  private struct Candidate {
    var logit: Double
    var id: Int32
    func isBefore(_ other: Candidate) -> Bool {
      logit > other.logit || (logit == other.logit && id < other.id)
    }
  }

  /// Starts the random sequence over.
  mutating func use(_ sampling: Sampling) throws(OrionError) {
    try sampling.validate()
    self.sampling = sampling
    random = RandomSequence(seed: sampling.seed)
  }

  /// Where the random sequence stands, to go back there when a call fails.
  var place: RandomSequence {
    get { random }
    set { random = newValue }
  }

  /// The next token. `logits` has one value per token of the vocabulary; `context` holds ids below that.
  mutating func draw(
    _ logits: UnsafeBufferPointer<Float>, context: some Sequence<Int32>
  ) throws(OrionError) -> Int32 {
    if sampling.temperature == 0 && sampling.repetitionPenalty == 1 {
      return try Sampler.greedy(logits)
    }
    loadCandidates(logits)
    penalise(context)
    let best = try checkedBest()
    if sampling.temperature == 0 { return best.id }
    return pick(keepLikeliest(maximum: best.logit))
  }

  /// The lowest id among those with the largest logit.
  static func greedy(_ logits: UnsafeBufferPointer<Float>) throws(OrionError) -> Int32 {
    guard let first = logits.baseAddress, !logits.isEmpty else { throw Sampler.notNumbers }
    var largest = orion_highest(first, logits.count)
    if largest.isNaN {
      // Those that are numbers count.
      largest = -Float.infinity
      for logit in logits where logit > largest { largest = logit }
    }
    guard largest.isFinite, let best = logits.firstIndex(of: largest) else {
      throw Sampler.notNumbers
    }
    return Int32(best)
  }

  private static let notNumbers = OrionError(
    .device,
    "logits: expected finite numbers, got an infinite maximum or nothing but NaN; the model overflows"
      + " on this device. Compare it with the cpu device (orion verify).")

  private mutating func loadCandidates(_ logits: UnsafeBufferPointer<Float>) {
    if heap.capacity < logits.count {
      heap.reserveCapacity(logits.count)
      kept.reserveCapacity(logits.count)
      weights.reserveCapacity(logits.count)
    }
    heap.removeAll(keepingCapacity: true)
    for index in 0..<logits.count {
      let logit = Double(logits[index])
      heap.append(Candidate(logit: logit.isNaN ? -.infinity : logit, id: Int32(index)))
    }
  }

  private mutating func penalise(_ context: some Sequence<Int32>) {
    let penalty = sampling.repetitionPenalty
    guard penalty != 1 else { return }
    if penalisedIn.count < heap.count {
      penalisedIn = [UInt64](repeating: 0, count: heap.count)
    }
    draws += 1
    for token in context {
      let index = Int(token)
      guard heap.indices.contains(index), penalisedIn[index] != draws else { continue }
      penalisedIn[index] = draws
      let logit = heap[index].logit
      heap[index].logit = logit > 0 ? logit / penalty : logit * penalty
    }
  }

  private func checkedBest() throws(OrionError) -> Candidate {
    var best = Candidate(logit: -.infinity, id: 0)
    for candidate in heap where candidate.logit > best.logit { best = candidate }
    guard best.logit.isFinite else { throw Sampler.notNumbers }
    return best
  }

  /// Fills `kept` and `weights` with what the rules leave and returns the sum of the weights.
  private mutating func keepLikeliest(maximum: Double) -> Double {
    kept.removeAll(keepingCapacity: true)
    weights.removeAll(keepingCapacity: true)
    if sampling.topK == 0 && sampling.topP == 1 && sampling.minP == 0 {
      return keepAll(maximum: maximum)
    }
    let count = sampling.topK == 0 ? heap.count : min(sampling.topK, heap.count)
    // With top-k, top-p counts its share among the k; without, among all, which need not be sorted.
    let isSummed = sampling.topK == 0
    var total = 0.0
    if isSummed {
      for candidate in heap { total += weight(candidate, maximum) }
    }
    makeHeap()
    if !isSummed {
      for _ in 0..<count { total += takeLikeliest(maximum: maximum) }
    }
    var sum = 0.0
    var index = 0
    while index < count {
      if index == kept.count { _ = takeLikeliest(maximum: maximum) }
      let weight = weights[index]
      if weight < sampling.minP { break }
      sum += weight
      index += 1
      if sampling.topP < 1 && sum >= sampling.topP * total { break }
    }
    kept.removeLast(kept.count - index)
    weights.removeLast(weights.count - index)
    return sum
  }

  private mutating func keepAll(maximum: Double) -> Double {
    var sum = 0.0
    for candidate in heap {
      let weight = weight(candidate, maximum)
      kept.append(candidate)
      weights.append(weight)
      sum += weight
    }
    return sum
  }

  /// Probability relative to the likeliest token's.
  private func weight(_ candidate: Candidate, _ maximum: Double) -> Double {
    Sampler.exponential((candidate.logit - maximum) / sampling.temperature)
  }

  /// Moves the likeliest candidate from the heap to `kept`; returns its weight.
  private mutating func takeLikeliest(maximum: Double) -> Double {
    let candidate = heap[0]
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      sink(0)
    }
    let weight = weight(candidate, maximum)
    kept.append(candidate)
    weights.append(weight)
    return weight
  }

  private mutating func pick(_ total: Double) -> Int32 {
    let target = random.nextFraction() * total
    var sum = 0.0
    var chosen = kept[0].id
    for index in kept.indices where weights[index] > 0 {
      chosen = kept[index].id
      sum += weights[index]
      if target < sum { break }
    }
    return chosen
  }

  // MARK: - Heap

  private mutating func makeHeap() {
    for index in (0..<heap.count / 2).reversed() { sink(index) }
  }

  private mutating func sink(_ start: Int) {
    var parent = start
    while true {
      var first = parent
      let left = 2 * parent + 1
      if left < heap.count, heap[left].isBefore(heap[first]) { first = left }
      if left + 1 < heap.count, heap[left + 1].isBefore(heap[first]) { first = left + 1 }
      if first == parent { return }
      heap.swapAt(parent, first)
      parent = first
    }
  }

  // MARK: - Arithmetic

  /// e^x for x <= 0, from additions and multiplications alone: C libraries differ in the last bit.
  static func exponential(_ x: Double) -> Double {
    guard x > -708 else { return 0 }
    let k = (x * 1.4426950408889634).rounded(.toNearestOrEven)
    // ln 2 in two parts: the first has zeros at its end, so that k times it is exact.
    let r = (x - k * 0x1.62e42fee00000p-1) - k * 0x1.a39ef35793c76p-33
    var sum = 1.0
    for n in stride(from: 14.0, through: 1.0, by: -1.0) { sum = 1 + r / n * sum }
    return Double(sign: .plus, exponent: Int(k), significand: sum)
  }
}
