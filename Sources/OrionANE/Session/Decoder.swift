/// Draws the next tokens of several sequences, one step for all of them, with guesses in the columns that a step
/// has to spare. It knows neither slots nor programs.
struct Decoder {
  let runner: ModelRunner
  let context: Int
  let vocabulary: Int
  let endTokens: Set<Int32>
  let cancellation: Cancellation

  /// A sequence, and the memory that its new tokens go to.
  struct Lane {
    let sequence: TokenSequence
    let ids: UnsafeMutableBufferPointer<Int32>
    var count = 0
    var finish: Session.Finish?

    init(_ sequence: TokenSequence, into ids: UnsafeMutableBufferPointer<Int32>) {
      self.sequence = sequence
      self.ids = ids
    }
  }

  /// Runs until every lane has a reason to stop. No sequence stands in two lanes, and none is empty.
  func run(_ lanes: inout [Lane]) throws(OrionError) {
    for index in lanes.indices { try begin(&lanes[index]) }
    while true {
      let live = lanes.indices.filter { lanes[$0].finish == nil }
      let admitted = byAdapter(admit(live, &lanes), lanes)
      var start = 0
      while start < admitted.count {
        // A step reads all its columns with one adapter.
        let adapter = lanes[admitted[start]].sequence.adapter
        let rest = admitted[start...].prefix { lanes[$0].sequence.adapter === adapter }
        start += try step(Array(rest), &lanes)
      }
      if admitted.isEmpty { return }
    }
  }

  /// Draws from logits that are there already. After it, the last token has not run.
  private func begin(_ lane: inout Lane) throws(OrionError) {
    settle(&lane)
    let sequence = lane.sequence
    guard lane.finish == nil, sequence.fed == sequence.tokens.count else { return }
    if sequence.logitsOf != sequence.fed {
      sequence.logitsOf = 0
      guard try makeLogits(sequence) else {
        // Its hidden state is gone: the last token runs once more.
        sequence.fed -= 1
        runner.release(sequence.tenant, keeping: sequence.fed)
        return
      }
      sequence.logitsOf = sequence.fed
    }
    let id = try sequence.logits.withUnsafeBufferPointer { logits throws(OrionError) in
      try sequence.sampler.draw(logits, context: sequence.tokens)
    }
    take(id, &lane)
  }

  private func makeLogits(_ sequence: TokenSequence) throws(OrionError) -> Bool {
    if sequence.logits.isEmpty { sequence.logits = [Float](repeating: 0, count: vocabulary) }
    return try sequence.logits.withUnsafeMutableBufferPointer { logits throws(OrionError) in
      guard let address = logits.baseAddress else { return false }
      return try runner.lastLogits(of: sequence.tenant, into: address, cancellation)
    }
  }

  /// Those of the live lanes whose next token finds a slot; for the others the context is full.
  private func admit(_ live: [Int], _ lanes: inout [Lane]) -> [Int] {
    var admitted: [Int] = []
    var taken = 0
    for index in live {
      let fed = lanes[index].sequence.fed
      if runner.hasRoom(for: fed..<fed + 1, beside: taken) {
        admitted.append(index)
        taken += runner.slotsNeeded(fed..<fed + 1)
      } else {
        lanes[index].finish = .contextFull
      }
    }
    return admitted
  }

  /// The same lanes, those with one adapter side by side.
  private func byAdapter(_ indices: [Int], _ lanes: [Lane]) -> [Int] {
    var groups: [[Int]] = []
    for index in indices {
      let adapter = lanes[index].sequence.adapter
      if let place = groups.firstIndex(where: { lanes[$0[0]].sequence.adapter === adapter }) {
        groups[place].append(index)
      } else {
        groups.append([index])
      }
    }
    return groups.flatMap { $0 }
  }

  /// Decodes the first of these lanes in one step; returns how many they are.
  private func step(_ live: [Int], _ lanes: inout [Lane]) throws(OrionError) -> Int {
    let isFirst = live.allSatisfy { lanes[$0].sequence.fed == 0 }
    var (count, spare) = try runner.decodeRoom(live.count, isFirst: isFirst)
    var parts: [StepPart] = []
    var guessed = 0
    for (place, index) in live[..<count].enumerated() {
      let sequence = lanes[index].sequence
      var draft = draft(lanes[index], most: spare / (count - place))
      // All may turn out right; then each needs a slot beside those of the other lanes.
      let end = sequence.fed + 1 + draft.count
      if !runner.hasRoom(for: sequence.fed..<end, beside: guessed + count - 1) { draft = [] }
      guessed += draft.count
      spare -= draft.count
      parts.append(
        StepPart(
          tenant: sequence.tenant, tokens: [sequence.tokens[sequence.fed]] + draft,
          position: sequence.fed, adapter: sequence.adapter))
    }
    try runner.decode(parts, cancellation) { logits throws(OrionError) in
      var kept: [Int] = []
      var first = 0
      for (index, part) in zip(live, parts) {
        kept.append(try verify(part, at: first, logits, &lanes[index]))
        first += part.tokens.count
      }
      return kept
    }
    return count
  }

  private func draft(_ lane: Lane, most: Int) -> [Int32] {
    let sequence = lane.sequence
    // A step gives one token more than it had guesses.
    let wanted = min(lane.ids.count - lane.count, context - sequence.tokens.count) - 1
    return PromptLookup.draft(sequence.tokens, sequence.speculation, most: min(most, wanted))
  }

  /// Draws a token from each column's logits as long as the column before gave the token that was guessed; returns
  /// how many of the part's tokens are the sequence's.
  private func verify(
    _ part: StepPart, at first: Int, _ logits: ModelRunner.Logits, _ lane: inout Lane
  ) throws(OrionError) -> Int {
    let sequence = lane.sequence
    var kept = 1
    while true {
      let id = try sequence.sampler.draw(logits(first + kept - 1), context: sequence.tokens)
      take(id, &lane)
      // The last token drawn never counts as run, so that the next call has logits to draw from.
      guard lane.finish == nil, kept < part.tokens.count, part.tokens[kept] == id else { break }
      kept += 1
    }
    sequence.fed += kept
    sequence.tally.steps += 1
    sequence.tally.drafted += part.tokens.count - 1
    sequence.tally.accepted += kept - 1
    return kept
  }

  private func take(_ id: Int32, _ lane: inout Lane) {
    lane.sequence.tokens.append(id)
    lane.ids[lane.count] = id
    lane.count += 1
    lane.sequence.tally.tokens += 1
    if endTokens.contains(id) { lane.finish = .endToken } else { settle(&lane) }
  }

  private func settle(_ lane: inout Lane) {
    if lane.sequence.tokens.count >= context {
      lane.finish = .contextFull
    } else if lane.count == lane.ids.count {
      lane.finish = .count
    }
  }
}
