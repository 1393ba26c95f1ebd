import Testing

@testable import OrionANE

/// What sessions refuse, and what they survive.
@Suite struct SessionErrorTests {
  @Test func refusesWhatIsOutOfRange() throws {
    let scene = try TinyScene()
    let session = scene.session
    try session.feed([1, 2])
    let rows: [(kind: OrionError.Kind, part: String, call: () throws -> Void)] = [
      (.argument, "tokens[1]: expected an id from 0 to 10, got 11", { try session.feed([1, 11]) }),
      (.argument, "tokens[0]", { try session.feed([-1]) }),
      (.argument, "logit_rows", { try session.feed([1], logitRows: 2) }),
      (.argument, "logit_rows", { try session.feed([1], logitRows: -1) }),
      (
        .context, "20 tokens after 2 do not fit into 21",
        { try session.feed(Array(repeating: 1, count: 20)) }
      ),
      (
        .context, "2000000 tokens",
        { try session.feed(Array(repeating: 1, count: 2_000_000), logitRows: 2_000_000) }
      ),
      (.argument, "got -1", { _ = try session.generate(-1) }),
      (.argument, "top_p", { try session.use(Sampling(topP: 2)) }),
    ]
    for row in rows {
      let error = #expect(throws: OrionError.self) { try row.call() }
      #expect(error?.kind == row.kind)
      #expect(error?.message.contains(row.part) == true, "\(error?.message ?? "")")
    }
    #expect(session.count == 2)
    try session.feed([])
    try session.reset()
    let error = #expect(throws: OrionError.self) { try session.generate(1) }
    #expect(error?.message.contains("sequence is empty") == true)
  }

  /// Lets the n-th operation of the device fail, for n = 1, 2, 3 … until nothing fails: each time the session
  /// stands where it stood, and goes on to the right numbers.
  @Test(arguments: [0, 6]) func survivesEveryFailure(_ fed: Int) throws {
    let expected = TinyModel().logits(Array(TinyScene.text[..<12]))
    let generated = TinyModel().continuation(Array(TinyScene.text[..<fed]) + [5], 2)
    let bundle = try TinyBundle()
    var failures = 0
    for nth in 1... {
      let scene = try TinyScene(bundle)
      let session = scene.session
      try session.feed(Array(TinyScene.text[..<fed]))
      scene.backend.state.withLock { $0.failing = $0.operations + nth }
      var reached = scene.backend.state.withLock { $0.failing }
      do {
        _ = try session.feed(Array(TinyScene.text[fed..<10]), logitRows: 3)
        try session.reset()
        try session.feed(Array(TinyScene.text[..<fed]) + [5])
        _ = try session.generate(2)
      } catch {
        #expect(error.message.contains("fails as asked"))
      }
      reached -= scene.backend.state.withLock { $0.operations }
      scene.backend.state.withLock { $0.failing = 0 }
      try recovers(session, expected, generated, fed: fed)
      #expect(scene.violations.isEmpty, "after operation \(nth): \(scene.violations.prefix(2))")
      // Freeing slots may fail without a word: they are made anew.
      guard reached <= 0 else { break }
      failures += 1
    }
    #expect(failures > 50)
  }

  /// Goes on from wherever the failure left the session, and then from the start.
  private func recovers(
    _ session: Session, _ expected: [[Double]], _ generated: [Int32], fed: Int
  ) throws {
    let rest = Array(TinyScene.text[fed..<12])
    if session.count == fed {
      let logits = try session.feed(rest, logitRows: rest.count)
      #expect(TinyScene.difference(logits, Array(expected[fed...])) < 1e-5)
    } else if session.count == fed + 1 {
      #expect(try session.generate(2).tokens == generated)
    }
    try session.reset()
    let text = Array(TinyScene.text[..<12])
    #expect(TinyScene.difference(try session.feed(text, logitRows: 12), expected) < 1e-5)
  }

  @Test func drawsTheSameAfterAFailure() throws {
    let sampling = Sampling(temperature: 2, seed: 3)
    let calm = try TinyScene()
    try calm.session.use(sampling)
    try calm.session.feed([9, 3])
    let expected = try calm.session.generate(6).tokens
    let scene = try TinyScene()
    try scene.session.use(sampling)
    try scene.session.feed([9, 3])
    _ = try scene.session.generate(1)
    // Far enough for some tokens to be drawn before.
    scene.backend.state.withLock { $0.failing = $0.operations + 100 }
    #expect(throws: OrionError.self) { try scene.session.generate(5) }
    #expect(scene.calls.count > 8)
    #expect(try scene.session.generate(5).tokens == Array(expected[1...]))
  }

  @Test func cancelsBetweenPrograms() throws {
    let scene = try TinyScene()
    let session = scene.session
    try session.feed([1, 5])
    session.cancel()
    _ = try session.generate(1)
    scene.backend.state.withLock { $0.onEvaluate = { [weak session] in session?.cancel() } }
    _ = scene.calls
    for call in [{ _ = try session.feed([5, 7]) }, { _ = try session.generate(4) }] {
      let error = #expect(throws: OrionError.self) { try call() }
      #expect(error?.kind == .cancelled)
      #expect(session.count == 3)
      #expect(scene.calls.count == 1)
    }
    scene.backend.state.withLock { $0.onEvaluate = nil }
    #expect(try session.generate(2).tokens == TinyModel().continuation([1, 5], 3).suffix(2))
    #expect(scene.violations.isEmpty)
  }

  @Test func refusesCallsThatOverlap() throws {
    let scene = try TinyScene()
    let session = scene.session
    let messages = Messages()
    scene.backend.state.withLock {
      $0.onEvaluate = { [weak session] in
        do throws(OrionError) {
          try session?.feed([1])
        } catch {
          messages.add(error.message)
        }
      }
    }
    try session.feed([1, 5])
    #expect(messages.all.count == 2)
    #expect(messages.all.allSatisfy { $0.contains("another call") })
    #expect(session.count == 2)
  }

  @Test func refusesProgramsThatTheManifestDoesNotDescribe() throws {
    let rows: [(path: String, value: JSONValue, part: String)] = [
      ("programs[0].outputs[1].name", "other", "\"k_new_0\" has no role"),
      ("programs[0].inputs[2].name", "cosine", "input \"mask_new\" has no role"),
      ("programs[16].outputs[0].dtype", "fp16", "the manifest says fp16"),
    ]
    for row in rows {
      let scene = try TinyScene()
      try scene.bundle.write(scene.bundle.manifest.setting(row.path, to: row.value))
      let session = try Session(scene.bundle.open(), on: scene.backend)
      let error = #expect(throws: OrionError.self) { try session.feed([1, 2, 3], logitRows: 1) }
      #expect(error?.kind == .program)
      #expect(error?.message.contains(row.part) == true, "\(error?.message ?? "")")
    }
  }

  @Test func refusesTablesThatAreNotInTheWeights() throws {
    for (path, value) in [
      ("tables.embedding.offset", 128 as JSONValue), ("tables.embedding.offset", .integer(1 << 40)),
      ("tables.embedding.dtype", "fp16"), ("tables.positions.rows", 22),
    ] {
      let bundle = try TinyBundle()
      try bundle.write(bundle.manifest.setting(path, to: value))
      let backend = try TinyBackend(bundle.model)
      let error = #expect(throws: OrionError.self) { try Session(bundle.open(), on: backend) }
      #expect(error?.kind == .file)
      #expect(error?.message.contains("table \"") == true)
    }
  }
}

/// Collects messages from any thread.
private final class Messages: @unchecked Sendable {
  private(set) var all: [String] = []
  func add(_ message: String) { all.append(message) }
}
