/// A session's calls without copies, as the C interface makes them. They know no program.
extension Session {
  /// `logits`, when not null, has room for `rows` x `vocabulary` values.
  func feed(
    _ new: UnsafeBufferPointer<Int32>, to sequence: TokenSequence,
    logits target: UnsafeMutablePointer<Float>?, rows: Int
  ) throws(OrionError) {
    try checkRows(rows, of: new.count)
    if let index = new.firstIndex(where: { $0 < 0 || Int($0) >= vocabulary }) {
      throw OrionError(
        .argument,
        "tokens[\(index)]: expected an id from 0 to \(vocabulary - 1), got \(new[index])")
    }
    try change(sequence) { sequence throws(OrionError) in
      let before = sequence.mark
      guard new.count <= context - before.count else {
        throw full(new.count, after: before.count)
      }
      guard runner.hasRoom(for: before.fed..<before.count + new.count) else {
        throw OrionError(
          .context,
          "session: \(new.count) tokens more do not fit into its \(runner.capacity) slots beside"
            + " what its sequences hold; close, reset or shorten one of them")
      }
      guard !new.isEmpty else { return }
      // All that it may ever hold, so that no step has to make room.
      if sequence.tokens.capacity < context { sequence.tokens.reserveCapacity(context) }
      sequence.tokens.append(contentsOf: new)
      do throws(OrionError) {
        try advance(sequence, target.map { ModelRunner.LogitsTarget(address: $0, rows: rows) })
      } catch {
        goBack(sequence, to: before)
        throw error
      }
      if let target, rows > 0 {
        sequence.logits = Array(
          UnsafeBufferPointer(start: target + (rows - 1) * vocabulary, count: vocabulary))
        sequence.logitsOf = sequence.fed
      }
      sequence.publish()
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

  /// Runs the tokens of a sequence that have not run.
  private func advance(_ sequence: TokenSequence, _ target: ModelRunner.LogitsTarget?)
    throws(OrionError)
  {
    try sequence.tokens.withUnsafeBufferPointer { all throws(OrionError) in
      try runner.run(
        UnsafeBufferPointer(rebasing: all[sequence.fed...]), of: sequence.tenant,
        at: sequence.fed, with: sequence.adapter, logits: target, cancellation)
    }
    sequence.fed = sequence.tokens.count
  }

  private func goBack(_ sequence: TokenSequence, to mark: TokenSequence.Mark) {
    sequence.goBack(to: mark)
    runner.release(sequence.tenant, keeping: sequence.fed)
  }
}
