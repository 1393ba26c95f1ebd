/// A session's calls without copies, as the C interface makes them. They know no program.
extension Session {
  /// Tokens for a sequence, after those that it has.
  struct Text {
    let sequence: TokenSequence
    let tokens: UnsafeBufferPointer<Int32>
  }

  /// Feeds each of several sequences; a step of the device reads tokens of as many as it has room for, and the
  /// last one of each waits for the step that decodes them together. `logits`, which only one text may ask for,
  /// has room for `rows` x `vocabulary` values.
  func feed(
    _ texts: [Text], logits target: UnsafeMutablePointer<Float>? = nil, rows: Int = 0
  ) throws(OrionError) {
    for (index, text) in texts.enumerated() { try checkIds(text.tokens, index, of: texts.count) }
    try begin()
    defer { cancellation.end() }
    try checkApart(texts.map(\.sequence), "feed")
    try checkRoom(for: texts)
    let before = texts.map(\.sequence.mark)
    let fed = texts.filter { !$0.tokens.isEmpty }
    for text in fed {
      // All that it may ever hold, so that no step has to make room.
      text.sequence.tokens.reserveCapacity(context)
      text.sequence.tokens.append(contentsOf: text.tokens)
    }
    do throws(OrionError) {
      let target = target.map { ModelRunner.LogitsTarget(address: $0, rows: rows) }
      try advance(fed.map(\.sequence), target)
    } catch {
      for (text, mark) in zip(texts, before) { goBack(text.sequence, to: mark) }
      throw error
    }
    if let target, rows > 0, let sequence = fed.first?.sequence {
      sequence.logits = Array(
        UnsafeBufferPointer(start: target + (rows - 1) * vocabulary, count: vocabulary))
      sequence.logitsOf = sequence.fed
    }
    for text in fed { text.sequence.publish() }
  }

  private func checkIds(_ tokens: UnsafeBufferPointer<Int32>, _ index: Int, of count: Int)
    throws(OrionError)
  {
    guard let place = tokens.firstIndex(where: { $0 < 0 || Int($0) >= vocabulary }) else { return }
    let whose = count == 1 ? "" : " of sequences[\(index)]"
    throw OrionError(
      .argument,
      "tokens[\(place)]\(whose): expected an id from 0 to \(vocabulary - 1), got \(tokens[place])")
  }

  private func checkRoom(for texts: [Text]) throws(OrionError) {
    var taken = 0
    for text in texts {
      let (held, fed, new) = (text.sequence.tokens.count, text.sequence.fed, text.tokens.count)
      guard new <= context - held else { throw full(new, after: held) }
      let positions = fed..<held + new
      guard new == 0 || runner.hasRoom(for: positions, beside: taken) else {
        throw OrionError(
          .context,
          "session: \(new) tokens more do not fit into its \(runner.capacity) slots beside"
            + " what its sequences hold; close, reset or shorten one of them")
      }
      if new > 0 { taken += runner.slotsNeeded(positions) }
    }
  }

  /// Those that a call names are this session's, and none stands among them twice.
  private func checkApart(_ sequences: [TokenSequence], _ call: String) throws(OrionError) {
    for (index, sequence) in sequences.enumerated() {
      try checkOwner(sequence)
      guard !sequences[..<index].contains(where: { $0 === sequence }) else {
        throw OrionError(.argument, "\(call): sequences[\(index)] stands in the list twice")
      }
    }
  }

  /// Each lane says afterwards how many tokens came and why no more did.
  func generate(_ lanes: inout [Decoder.Lane]) throws(OrionError) {
    try begin()
    defer { cancellation.end() }
    for index in lanes.indices {
      let sequence = lanes[index].sequence
      func name() -> String { lanes.count == 1 ? "sequence" : "sequences[\(index)]" }
      try checkOwner(sequence)
      guard !sequence.tokens.isEmpty else {
        throw OrionError(
          .argument, "generate: the \(name()) is empty; feed at least one token first")
      }
      guard !lanes[..<index].contains(where: { $0.sequence === sequence }) else {
        throw OrionError(.argument, "generate: \(name()) stands in the list twice")
      }
    }
    for index in lanes.indices { lanes[index].before = lanes[index].sequence.mark }
    do throws(OrionError) {
      try decoder.run(&lanes)
    } catch {
      for lane in lanes {
        if let before = lane.before { goBack(lane.sequence, to: before) }
      }
      throw error
    }
    for lane in lanes { lane.sequence.publish() }
  }

  /// A call on one sequence.
  func change(
    _ sequence: TokenSequence, _ body: (TokenSequence) throws(OrionError) -> Void
  ) throws(OrionError) {
    try begin()
    defer { cancellation.end() }
    try checkOwner(sequence)
    try body(sequence)
  }

  func checkRows(_ rows: Int, of count: Int) throws(OrionError) {
    guard rows >= 0, rows <= count else {
      throw OrionError(
        .argument, "logit_rows: expected 0 to \(count), the number of tokens, got \(rows)")
    }
  }

  func full(_ new: Int, after before: Int) -> OrionError {
    OrionError(
      .context,
      "context: \(new) tokens after \(before) do not fit into \(context);"
        + " shorten the text or reset the sequence")
  }

  /// Lets a call in, and frees what sequences that are gone have left.
  private func begin() throws(OrionError) {
    try cancellation.begin()
    for tenant in departures.take() { runner.release(tenant) }
  }

  private func checkOwner(_ sequence: TokenSequence) throws(OrionError) {
    guard sequence.departures === departures else {
      throw OrionError(
        .argument, "sequence: opened by another session; each has sequences of its own")
    }
  }

  /// Runs the tokens of the sequences that have not run.
  private func advance(_ sequences: [TokenSequence], _ target: ModelRunner.LogitsTarget?)
    throws(OrionError)
  {
    let waiting = sequences.count > 1 ? 1 : 0
    var readings = sequences.map {
      ModelRunner.Reading(
        $0.tokens[$0.fed..<$0.tokens.count - waiting], of: $0.tenant, at: $0.fed,
        with: $0.adapter)
    }
    guard !readings.isEmpty else { return }
    try runner.run(&readings, logits: target, cancellation)
    for sequence in sequences { sequence.fed = sequence.tokens.count - waiting }
  }

  private func goBack(_ sequence: TokenSequence, to mark: TokenSequence.Mark) {
    sequence.goBack(to: mark)
    runner.release(sequence.tenant, keeping: sequence.fed)
  }
}
