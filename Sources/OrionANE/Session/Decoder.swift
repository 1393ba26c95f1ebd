/// Draws the next tokens of several sequences, one step for all of them, with guesses in the columns that a step
/// has to spare. It knows neither slots nor programs.
///
/// What it needs for a step is kept for the next one, so that steps allocate nothing.
final class Decoder {
  private let runner: ModelRunner
  private let context: Int
  private let vocabulary: Int
  private let endTokens: Set<Int32>
  private let cancellation: Cancellation
  /// Lanes whose next token finds a slot, and those among them that one adapter reads.
  private var admitted: [Int] = []
  private var together: [Int] = []
  private var batch = StepBatch()
  /// How many columns of each part of the batch are their sequences'.
  private var kept: [Int] = []

  init(_ manifest: Manifest, _ runner: ModelRunner, _ cancellation: Cancellation) {
    self.runner = runner
    self.cancellation = cancellation
    context = manifest.context
    vocabulary = manifest.vocabulary
    endTokens = Set(manifest.endTokens.map(Int32.init))
  }

  /// A sequence, and the memory that its new tokens go to.
  struct Lane {
    let sequence: TokenSequence
    let ids: UnsafeMutableBufferPointer<Int32>
    /// Where the sequence stood, to go back there when a step fails.
    var before: TokenSequence.Mark?
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
    defer { batch.clear() }
    while true {
      admit(&lanes)
      if admitted.isEmpty { return }
      while let first = admitted.first {
        // A step reads all its columns with one adapter.
        let adapter = lanes[first].sequence.adapter
        together.removeAll(keepingCapacity: true)
        for index in admitted where lanes[index].sequence.adapter === adapter {
          together.append(index)
        }
        admitted.removeAll { lanes[$0].sequence.adapter === adapter }
        var start = 0
        while start < together.count { start += try step(from: start, &lanes) }
      }
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

  /// Finds the lanes whose next token finds a slot; for others that have not stopped the context is full.
  private func admit(_ lanes: inout [Lane]) {
    admitted.removeAll(keepingCapacity: true)
    var taken = 0
    for index in lanes.indices where lanes[index].finish == nil {
      let fed = lanes[index].sequence.fed
      if runner.hasRoom(for: fed..<fed + 1, beside: taken) {
        admitted.append(index)
        taken += runner.slotsNeeded(fed..<fed + 1)
      } else {
        lanes[index].finish = .contextFull
      }
    }
  }

  /// Decodes the lanes `together` from `start` on, as many as go into one step; returns how many they are.
  private func step(from start: Int, _ lanes: inout [Lane]) throws(OrionError) -> Int {
    let live = together[start...]
    let isFirst = live.allSatisfy { lanes[$0].sequence.fed == 0 }
    let (count, spare) = try runner.decodeRoom(live.count, isFirst: isFirst)
    fill(live.prefix(count), spare: spare, lanes)
    try runner.decode(batch, cancellation)
    kept.removeAll(keepingCapacity: true)
    for (part, index) in zip(batch.parts, live) { kept.append(try verify(part, &lanes[index])) }
    try runner.keep(kept, of: batch)
    return count
  }

  /// The next token of each of these lanes, and guesses in the `spare` columns.
  private func fill(_ live: ArraySlice<Int>, spare: Int, _ lanes: [Lane]) {
    batch.clear(for: live.first.flatMap { lanes[$0].sequence.adapter })
    var spare = spare
    var guessed = 0
    for (place, index) in live.enumerated() {
      let sequence = lanes[index].sequence
      var draft = draft(lanes[index], most: spare / (live.count - place))
      // All may turn out right; then each needs a slot beside those of the other lanes.
      let end = sequence.fed + 1 + draft.count
      if !runner.hasRoom(for: sequence.fed..<end, beside: guessed + live.count - 1) {
        draft = .empty
      }
      guessed += draft.count
      spare -= draft.count
      batch.begin(sequence.tenant, at: sequence.fed)
      batch.append(sequence.tokens[sequence.fed])
      for guess in 0..<draft.count { batch.append(draft.token(guess, of: sequence.tokens)) }
    }
  }

  private func draft(_ lane: Lane, most: Int) -> PromptLookup.Draft {
    let sequence = lane.sequence
    // A step gives one token more than it had guesses.
    let wanted = min(lane.ids.count - lane.count, context - sequence.tokens.count) - 1
    return PromptLookup.draft(sequence.tokens, sequence.speculation, most: min(most, wanted))
  }

  /// Draws a token from each column's logits as long as the column before gave the token that was guessed; returns
  /// how many of the part's tokens are the sequence's.
  private func verify(_ part: StepBatch.Part, _ lane: inout Lane) throws(OrionError) -> Int {
    let sequence = lane.sequence
    let columns = batch.columns[part.columns]
    var kept = 0
    for column in columns.indices {
      let logits = try runner.logits(of: column, in: batch, cancellation)
      let id = try sequence.sampler.draw(logits, context: sequence.tokens)
      take(id, &lane)
      kept += 1
      // The last token drawn never counts as run, so that the next call has logits to draw from.
      let next = column + 1
      guard lane.finish == nil, next < columns.endIndex, columns[next].token == id else { break }
    }
    sequence.fed += kept
    sequence.tally.steps += 1
    sequence.tally.drafted += columns.count - 1
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
