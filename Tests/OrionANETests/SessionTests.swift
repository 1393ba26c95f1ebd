import ANEProfiles
import MILEngine
import Testing

@testable import OrionANE

/// Sessions over a model that can be computed by hand.
@Suite struct SessionTests {
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
    Variant(
      name: "positions before channels", rowAlignment: 64,
      change: { ($0.cacheAxis, $0.entryAxis) = (2, 2) }),
    Variant(
      name: "columns become rows", rowAlignment: 64,
      change: { ($0.cacheAxis, $0.takesLongerCaches) = (2, true) }),
    Variant(
      name: "columns become rows, half", tolerance: 2e-2,
      change: { ($0.cacheAxis, $0.dtype) = (2, "fp16") }),
    Variant(name: "rows become columns", rowAlignment: 64, change: { $0.entryAxis = 2 }),
    Variant(
      name: "columns become rows, placed",
      change: { ($0.cacheAxis, $0.isPlaced, $0.takesLongerCaches) = (2, true, true) }),
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
    Variant(name: "placed", change: { $0.isPlaced = true }),
    Variant(
      name: "placed, half", rowAlignment: 64, tolerance: 2e-2,
      change: { ($0.isPlaced, $0.dtype) = (true, "fp16") }),
    Variant(
      name: "placed, caches only",
      change: { ($0.isPlaced, $0.steps) = (true, [(2, 5), (2, 21), (3, 21)]) }),
    Variant(name: "one column", change: { $0.steps = [(1, 0), (1, 4), (1, 20)] }),
  ]

  @Test(arguments: variants) func logitsDoNotDependOnChunks(_ variant: Variant) throws {
    var model = TinyModel()
    variant.change(&model)
    let expected = model.logits(TinyScene.text)
    let scene = try TinyScene(model, rowAlignment: variant.rowAlignment)
    let chunkings: [[Int]] = [
      [21], Array(repeating: 1, count: 21), [8, 8, 5], [3, 7, 11], [1, 20], [20, 1], [9, 1, 1, 10],
    ]
    for chunks in chunkings {
      try scene.session.reset()
      var start = 0
      for count in chunks {
        let part = Array(TinyScene.text[start..<start + count])
        let logits = try scene.session.feed(part, logitRows: count)
        #expect(
          TinyScene.difference(logits, Array(expected[start..<start + count])) < variant.tolerance,
          "\(chunks) at \(start)")
        start += count
        #expect(scene.session.count == start)
      }
    }
    #expect(scene.violations.isEmpty, "\(scene.violations.prefix(3))")
  }

  @Test func lastRowsAlone() throws {
    let expected = TinyModel().logits(TinyScene.text)
    for rows in [1, 2, 5, 6, 13, 20] {
      let scene = try TinyScene()
      let logits = try scene.session.feed(TinyScene.text, logitRows: rows)
      #expect(TinyScene.difference(logits, expected.suffix(rows)) < 1e-5)
    }
  }

  /// What one feed costs: the programs it runs, without the layer's number.
  @Test(arguments: [
    (fed: 0, count: 3, steps: ["s4_l0"]), (0, 4, ["s4_l0"]), (0, 5, ["s8_l0"]),
    (0, 1, ["s1_l8"]), (0, 10, ["s8_l0", "s4_l8"]), (5, 1, ["s1_l8"]), (5, 4, ["s4_l8"]),
    (9, 1, ["s1_l24"]), (9, 6, ["s8_l24"]), (3, 18, ["s8_l8", "s8_l24", "s4_l24"]),
  ])
  func runsTheSmallestStepThatFits(_ row: (fed: Int, count: Int, steps: [String])) throws {
    let scene = try TinyScene()
    try scene.session.feed(Array(TinyScene.text[..<row.fed]))
    _ = scene.calls
    try scene.session.feed(Array(TinyScene.text[row.fed..<row.fed + row.count]))
    #expect(scene.calls == row.steps.flatMap { ["layers0_" + $0, "layers1_" + $0] })
  }

  @Test func loadsProgramsWhenTheyAreNeeded() throws {
    let scene = try TinyScene()
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
      let scene = try TinyScene()
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
    let scene = try TinyScene()
    try scene.session.feed([9, 3], logitRows: 1)
    _ = scene.calls
    _ = try scene.session.generate(1)
    #expect(scene.calls.isEmpty)
  }

  @Test func feedsAfterGenerating() throws {
    let model = TinyModel()
    let scene = try TinyScene()
    try scene.session.feed([9, 3])
    let (tokens, _) = try scene.session.generate(3)
    let logits = try scene.session.feed([9, 1], logitRows: 2)
    #expect(TinyScene.difference(logits, model.logits([9, 3] + tokens + [9, 1]).suffix(2)) < 1e-5)
  }

  @Test func stopsAfterAnEndToken() throws {
    let expected = TinyModel().continuation([9, 3], 8)
    let scene = try TinyScene()
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
    let scene = try TinyScene()
    try scene.session.feed(Array(TinyScene.text[..<18]))
    let (tokens, finish) = try scene.session.generate(10)
    #expect(tokens.count == 3 || tokens.last == 2)
    #expect(finish == .contextFull || tokens.last == 2)
    try scene.session.reset()
    try scene.session.feed(TinyScene.text)
    let (none, full) = try scene.session.generate(10)
    #expect(none.isEmpty && full == .contextFull)
  }

  @Test func samplingFollowsTheSeed() throws {
    func sample(_ seed: UInt64) throws -> [Int32] {
      let scene = try TinyScene()
      try scene.session.use(Sampling(temperature: 2, seed: seed))
      try scene.session.feed([9, 3])
      return try scene.session.generate(12).tokens
    }
    #expect(try sample(3) == sample(3))
    #expect(try Set([sample(1), sample(2), sample(3), sample(4)]).count > 1)
  }

  @Test func resetStartsOver() throws {
    let scene = try TinyScene()
    let first = try scene.session.feed(TinyScene.text, logitRows: 21)
    try scene.session.reset()
    #expect(scene.session.count == 0)
    #expect(try scene.session.feed(TinyScene.text, logitRows: 21) == first)
    #expect(scene.violations.isEmpty)
  }

  @Test func makesNoTensorsWhileItDecodes() throws {
    let scene = try TinyScene()
    try scene.session.feed(Array(TinyScene.text[..<10]))
    _ = try scene.session.feed([1], logitRows: 1)
    let before = scene.backend.state.withLock { $0.storages }
    for token in TinyScene.text[..<8] { _ = try scene.session.feed([token], logitRows: 1) }
    #expect(scene.backend.state.withLock { $0.storages } == before)
  }
}
