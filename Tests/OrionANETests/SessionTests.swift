import ANEProfiles
import MILEngine
import Testing

@testable import OrionANE

/// Sessions over a model that can be computed by hand.
@Suite struct SessionTests {
  /// A session with what it stands on.
  private final class Scene {
    let bundle: TinyBundle
    let backend: TinyBackend
    let session: Session

    convenience init(_ model: TinyModel = TinyModel(), rowAlignment: Int = 1) throws {
      try self.init(TinyBundle(model), rowAlignment: rowAlignment)
    }

    init(_ bundle: TinyBundle, rowAlignment: Int = 1) throws {
      self.bundle = bundle
      backend = try TinyBackend(bundle.model, rowAlignment: rowAlignment)
      session = try Session(bundle.open(), on: backend)
    }

    var calls: [String] {
      backend.state.withLock { state in
        defer { state.calls = [] }
        return state.calls
      }
    }
    var violations: [String] { backend.state.withLock { $0.violations } }
  }

  static let text: [Int32] = [1, 5, 9, 3, 3, 10, 0, 7, 8, 2, 4, 6, 5, 1, 1, 9, 10, 3, 7, 2, 0]

  private func difference(_ logits: [Float], _ expected: [[Double]]) -> Double {
    let expected = expected.flatMap { $0 }
    guard logits.count == expected.count else { return .infinity }
    return zip(logits, expected).map { abs(Double($0) - $1) }.max() ?? 0
  }

  struct Variant: Sendable, CustomStringConvertible {
    let name: String
    var rowAlignment = 1
    var tolerance = 1e-5
    var change: @Sendable (inout TinyModel) -> Void = { _ in }
    var description: String { name }
  }

  static let variants: [Variant] = [
    Variant(name: "plain"),
    Variant(name: "one program", change: { $0.isSplit = false }),
    Variant(name: "padded rows", rowAlignment: 64),
    Variant(name: "positions before channels", rowAlignment: 64, change: { $0.cacheAxis = 2 }),
    Variant(name: "narrow head", change: { $0.headColumns = 1 }),
    Variant(name: "wide head", change: { $0.headColumns = 8 }),
    Variant(name: "half", rowAlignment: 64, tolerance: 2e-2, change: { $0.dtype = "fp16" }),
    Variant(name: "fp16 tables", change: { $0.tableType = "fp16" }),
    Variant(name: "bf16 tables", change: { $0.tableType = "bf16" }),
    Variant(
      name: "fp16 tables and tensors", tolerance: 2e-2,
      change: { ($0.tableType, $0.dtype) = ("fp16", "fp16") }),
    Variant(
      name: "bf16 tables, fp16 tensors", tolerance: 2e-2,
      change: { ($0.tableType, $0.dtype) = ("bf16", "fp16") }),
    Variant(name: "caches only", change: { $0.steps = [(2, 5), (2, 21), (3, 21)] }),
    Variant(name: "one column", change: { $0.steps = [(1, 0), (1, 4), (1, 20)] }),
  ]

  @Test(arguments: variants) func logitsDoNotDependOnChunks(_ variant: Variant) throws {
    var model = TinyModel()
    variant.change(&model)
    let expected = model.logits(SessionTests.text)
    let scene = try Scene(model, rowAlignment: variant.rowAlignment)
    let chunkings: [[Int]] = [
      [21], Array(repeating: 1, count: 21), [8, 8, 5], [3, 7, 11], [1, 20], [20, 1], [9, 1, 1, 10],
    ]
    for chunks in chunkings {
      try scene.session.reset()
      var start = 0
      for count in chunks {
        let part = Array(SessionTests.text[start..<start + count])
        let logits = try scene.session.feed(part, logitRows: count)
        #expect(
          difference(logits, Array(expected[start..<start + count])) < variant.tolerance,
          "\(chunks) at \(start)")
        start += count
        #expect(scene.session.count == start)
      }
    }
    #expect(scene.violations.isEmpty, "\(scene.violations.prefix(3))")
  }

  @Test func lastRowsAlone() throws {
    let expected = TinyModel().logits(SessionTests.text)
    for rows in [1, 2, 5, 6, 13, 20] {
      let scene = try Scene()
      let logits = try scene.session.feed(SessionTests.text, logitRows: rows)
      #expect(difference(logits, expected.suffix(rows)) < 1e-5)
    }
  }

  /// What one feed costs: the programs it runs, without the layer's number.
  @Test(arguments: [
    (fed: 0, count: 3, steps: ["s4_l0"]), (0, 4, ["s4_l0"]), (0, 5, ["s8_l0"]),
    (0, 1, ["s1_l8"]), (0, 10, ["s8_l0", "s4_l8"]), (5, 1, ["s1_l8"]), (5, 4, ["s4_l8"]),
    (9, 1, ["s1_l24"]), (9, 6, ["s8_l24"]), (3, 18, ["s8_l8", "s8_l24", "s4_l24"]),
  ])
  func runsTheSmallestStepThatFits(_ row: (fed: Int, count: Int, steps: [String])) throws {
    let scene = try Scene()
    try scene.session.feed(Array(SessionTests.text[..<row.fed]))
    _ = scene.calls
    try scene.session.feed(Array(SessionTests.text[row.fed..<row.fed + row.count]))
    #expect(scene.calls == row.steps.flatMap { ["layers0_" + $0, "layers1_" + $0] })
  }

  @Test func loadsProgramsWhenTheyAreNeeded() throws {
    let scene = try Scene()
    #expect(scene.backend.counters.loads == 0)
    try scene.session.feed([1, 2, 3])
    #expect(scene.backend.counters.loads == 2)
    _ = try scene.session.generate(1)
    #expect(scene.backend.counters.loads == 3)
  }

  // MARK: - Generating

  @Test func generatesGreedily() throws {
    let model = TinyModel()
    let expected = model.continuation([9, 3], 8)
    #expect(Set(expected).count > 2 && expected.count == 8)
    for parts in [[8], [1, 1, 1, 1, 1, 1, 1, 1], [3, 0, 5]] {
      let scene = try Scene()
      try scene.session.feed([9, 3])
      var ids: [Int32] = []
      for count in parts {
        let (tokens, finish) = try scene.session.generate(count)
        #expect(finish == .count)
        ids += tokens
      }
      #expect(ids == expected)
      #expect(scene.session.count == 10)
      #expect(scene.violations.isEmpty)
    }
  }

  @Test func reusesTheLogitsOfTheLastFeed() throws {
    let scene = try Scene()
    try scene.session.feed([9, 3], logitRows: 1)
    _ = scene.calls
    _ = try scene.session.generate(1)
    #expect(scene.calls.isEmpty)
  }

  @Test func feedsAfterGenerating() throws {
    let model = TinyModel()
    let scene = try Scene()
    try scene.session.feed([9, 3])
    let (tokens, _) = try scene.session.generate(3)
    let logits = try scene.session.feed([9, 1], logitRows: 2)
    #expect(difference(logits, model.logits([9, 3] + tokens + [9, 1]).suffix(2)) < 1e-5)
  }

  @Test func stopsAfterAnEndToken() throws {
    let expected = TinyModel().continuation([9, 3], 8)
    let scene = try Scene()
    try scene.bundle.write(
      scene.bundle.manifest.setting("end_tokens", to: [.integer(Int64(expected[6]))]))
    let session = try Session(scene.bundle.open(), on: scene.backend)
    try session.feed([9, 3])
    let (tokens, finish) = try session.generate(8)
    let end = try #require(expected.firstIndex(of: expected[6]))
    #expect(tokens == Array(expected[...end]))
    #expect(finish == .endToken)
  }

  @Test func stopsWhenTheContextIsFull() throws {
    let scene = try Scene()
    try scene.session.feed(Array(SessionTests.text[..<18]))
    let (tokens, finish) = try scene.session.generate(10)
    #expect(tokens.count == 3 || tokens.last == 2)
    #expect(finish == .contextFull || tokens.last == 2)
    try scene.session.reset()
    try scene.session.feed(SessionTests.text)
    let (none, full) = try scene.session.generate(10)
    #expect(none.isEmpty && full == .contextFull)
  }

  @Test func samplingFollowsTheSeed() throws {
    func sample(_ seed: UInt64) throws -> [Int32] {
      let scene = try Scene()
      try scene.session.use(Sampling(temperature: 2, seed: seed))
      try scene.session.feed([9, 3])
      return try scene.session.generate(12).tokens
    }
    #expect(try sample(3) == sample(3))
    #expect(try Set([sample(1), sample(2), sample(3), sample(4)]).count > 1)
  }

  @Test func resetStartsOver() throws {
    let scene = try Scene()
    let first = try scene.session.feed(SessionTests.text, logitRows: 21)
    try scene.session.reset()
    #expect(scene.session.count == 0)
    #expect(try scene.session.feed(SessionTests.text, logitRows: 21) == first)
    #expect(scene.violations.isEmpty)
  }

  @Test func makesNoTensorsWhileItDecodes() throws {
    let scene = try Scene()
    try scene.session.feed(Array(SessionTests.text[..<10]))
    _ = try scene.session.feed([1], logitRows: 1)
    let before = scene.backend.state.withLock { $0.storages }
    for token in SessionTests.text[..<8] { _ = try scene.session.feed([token], logitRows: 1) }
    #expect(scene.backend.state.withLock { $0.storages } == before)
  }

  // MARK: - Errors

  @Test func refusesWhatIsOutOfRange() throws {
    let scene = try Scene()
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
    #expect(error?.message.contains("context is empty") == true)
  }

  /// Lets the n-th operation of the device fail, for n = 1, 2, 3 … until nothing fails: each time the session
  /// stands where it stood, and goes on to the right numbers.
  @Test(arguments: [0, 6]) func survivesEveryFailure(_ fed: Int) throws {
    let expected = TinyModel().logits(Array(SessionTests.text[..<12]))
    let generated = TinyModel().continuation(Array(SessionTests.text[..<fed]) + [5], 2)
    let bundle = try TinyBundle()
    var failures = 0
    for nth in 1... {
      let scene = try Scene(bundle)
      let session = scene.session
      try session.feed(Array(SessionTests.text[..<fed]))
      scene.backend.state.withLock { $0.failing = $0.operations + nth }
      var failed = false
      do {
        _ = try session.feed(Array(SessionTests.text[fed..<10]), logitRows: 3)
        try session.reset()
        try session.feed(Array(SessionTests.text[..<fed]) + [5])
        _ = try session.generate(2)
      } catch {
        failed = true
        #expect(error.message.contains("fails as asked"))
      }
      scene.backend.state.withLock { $0.failing = 0 }
      try recovers(session, expected, generated, fed: fed)
      #expect(scene.violations.isEmpty, "after operation \(nth): \(scene.violations.prefix(2))")
      guard failed else { break }
      failures += 1
    }
    #expect(failures > 50)
  }

  /// Goes on from wherever the failure left the session, and then from the start.
  private func recovers(
    _ session: Session, _ expected: [[Double]], _ generated: [Int32], fed: Int
  ) throws {
    let rest = Array(SessionTests.text[fed..<12])
    if session.count == fed {
      let logits = try session.feed(rest, logitRows: rest.count)
      #expect(difference(logits, Array(expected[fed...])) < 1e-5)
    } else if session.count == fed + 1 {
      #expect(try session.generate(2).tokens == generated)
    }
    try session.reset()
    let text = Array(SessionTests.text[..<12])
    #expect(difference(try session.feed(text, logitRows: 12), expected) < 1e-5)
  }

  @Test func cancelsBetweenPrograms() throws {
    let scene = try Scene()
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
    let scene = try Scene()
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
      let scene = try Scene()
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
