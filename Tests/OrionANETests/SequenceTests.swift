import Testing

@testable import OrionANE

/// Several sequences in one session, over a model that can be computed by hand: each gives what it gives alone.
@Suite struct SequenceTests {
  static let prompts: [[Int32]] = [[9, 3], [5], [1, 5, 9, 3, 3, 10, 0], [4, 4, 7]]

  static func scene(isPlaced: Bool, _ change: (inout TinyModel) -> Void = { _ in })
    throws -> TinyScene
  {
    var model = TinyModel()
    model.isPlaced = isPlaced
    // Room for several texts.
    model.steps = [
      (4, 0), (8, 0), (1, 8), (1, 24), (1, 96), (4, 8), (4, 24), (4, 96), (8, 8), (8, 24), (8, 96),
    ]
    change(&model)
    let scene = try TinyScene(model)
    scene.backend.state.withLock { $0.isShared = true }
    return scene
  }

  static func alone(_ prompt: [Int32], _ count: Int, _ sampling: Sampling)
    throws -> (tokens: [Int32], logits: [Float])
  {
    let scene = try TinyScene()
    try scene.session.use(sampling)
    try scene.session.feed(prompt)
    let tokens = try scene.session.generate(count).tokens
    return (tokens, try scene.session.feed([6], logitRows: 1))
  }

  /// Every slot that no sequence owns is zero, and no slot has two owners.
  static func checkSlots(_ scene: TinyScene, _ tenants: Range<Int>) throws {
    let cache = scene.session.runner.cache
    let owned = tenants.flatMap { cache.slots(of: $0).runs.flatMap(Array.init) }
    #expect(Set(owned).count == owned.count && owned.count == cache.used)
    #expect(owned.allSatisfy { $0 < cache.end } && cache.end <= cache.length)
    for (row, storage) in zip(cache.rows, cache.storages) {
      let array = try TinyArray(storage, as: storage.layout.shape)
      for slot in Set(0..<cache.length).subtracting(owned) {
        for channel in 0..<scene.bundle.model.width {
          let value = row.axis == 3 ? array[0, channel, 0, slot] : array[0, 0, slot, channel]
          #expect(value == 0, "slot \(slot) of \(row.slot.text)")
        }
      }
    }
  }

  @Test(arguments: [false, true], [Sampling.greedy, Sampling(temperature: 2, seed: 3)])
  func batchEqualsAlone(_ isPlaced: Bool, _ sampling: Sampling) throws {
    for guesses in [0, 4] {
      let scene = try SequenceTests.scene(isPlaced: isPlaced)
      let session = scene.session
      let sequences = SequenceTests.prompts.map { _ in session.open() }
      for (sequence, prompt) in zip(sequences, SequenceTests.prompts) {
        try session.use(sampling, in: sequence)
        try session.use(Speculation(draftMax: guesses), in: sequence)
        try session.feed(prompt, to: sequence)
      }
      var tokens = sequences.map { _ in [Int32]() }
      for count in [1, 4, 0, 6] {
        for (index, part) in try session.generate(count, in: sequences).enumerated() {
          // An end token ends a call, not a sequence; alone, too, the next call goes on.
          tokens[index] += part.tokens
        }
      }
      for (index, prompt) in SequenceTests.prompts.enumerated() {
        let expected = try SequenceTests.alone(prompt, tokens[index].count, sampling)
        guard expected.tokens.count == tokens[index].count else { continue }
        #expect(tokens[index] == expected.tokens, "\(prompt)")
        let logits = try session.feed([6], to: sequences[index], logitRows: 1)
        #expect(logits == expected.logits, "\(prompt)")
      }
      #expect(scene.violations.isEmpty, "\(scene.violations.prefix(3))")
      try SequenceTests.checkSlots(scene, 0..<5)
    }
  }

  @Test func oneStepDecodesAll() throws {
    let scene = try SequenceTests.scene(isPlaced: false)
    let sequences = SequenceTests.prompts.map { _ in scene.session.open() }
    for (sequence, prompt) in zip(sequences, SequenceTests.prompts) {
      try scene.session.feed(prompt, to: sequence, logitRows: 1)
    }
    _ = scene.calls
    _ = try scene.session.generate(3, in: sequences)
    #expect(scene.calls.filter { $0.hasPrefix("layers0") } == ["layers0_s4_l24", "layers0_s4_l24"])
  }

  /// More sequences than the widest step has columns.
  @Test(arguments: [false, true]) func stepsFollowOneAnother(_ isPlaced: Bool) throws {
    let scene = try SequenceTests.scene(isPlaced: isPlaced)
    let sequences = (0..<13).map { _ in scene.session.open() }
    for (index, sequence) in sequences.enumerated() {
      try scene.session.feed([Int32(index % 11), 3], to: sequence)
    }
    let results = try scene.session.generate(3, in: sequences)
    for (index, result) in results.enumerated() {
      #expect(result.tokens == TinyModel().continuation([Int32(index % 11), 3], 3))
    }
    #expect(scene.violations.isEmpty, "\(scene.violations.prefix(3))")
    try SequenceTests.checkSlots(scene, 0..<14)
  }

  /// Opens, feeds, decodes, cuts and closes in an order that looks random.
  @Test(arguments: [false, true]) func livesThroughComingAndGoing(_ isPlaced: Bool) throws {
    let scene = try SequenceTests.scene(isPlaced: isPlaced)
    let session = scene.session
    var random = RandomSequence(seed: 5)
    func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
    var open: [(sequence: TokenSequence, text: [Int32])] = []
    var lengths: Set<Int> = []
    for round in 0..<150 {
      switch pick(6) {
      case 0 where open.count < 4, 1 where open.count < 4:
        let sequence = session.open()
        let text = (0...pick(6)).map { _ in Int32(pick(11)) }
        try session.use(Speculation(draftMax: pick(4)), in: sequence)
        try session.feed(text, to: sequence)
        open.append((sequence, text))
      case 2 where open.count > 2: open.remove(at: pick(open.count))
      case 3 where !open.isEmpty:
        let index = pick(open.count)
        open[index].text.removeLast(pick(open[index].text.count))
        try session.truncate(open[index].sequence, to: open[index].text.count)
      default:
        let results = try session.generate(1 + pick(3), in: open.map(\.sequence))
        for (index, result) in results.enumerated() {
          let expected = scene.bundle.model.continuation(open[index].text, result.tokens.count)
          #expect(result.tokens == expected, "round \(round)")
          open[index].text += result.tokens
        }
      }
      lengths.insert(session.runner.cache.length)
      try SequenceTests.checkSlots(scene, 0..<200)
    }
    #expect(lengths.isSuperset(of: [24, 96]))
    #expect(scene.violations.isEmpty, "\(scene.violations.prefix(3))")
  }

  @Test(arguments: [false, true]) func stopsTheOneWhoseContextIsFull(_ isPlaced: Bool) throws {
    let scene = try SequenceTests.scene(isPlaced: isPlaced)
    let (long, short) = (scene.session.open(), scene.session.open())
    try scene.session.feed(Array(TinyScene.text[..<19]), to: long)
    try scene.session.feed([9, 3], to: short)
    let results = try scene.session.generate(8, in: [long, short])
    #expect(results[0].finish == .contextFull && results[0].tokens.count == 2)
    #expect(results[0].tokens == TinyModel().continuation(Array(TinyScene.text[..<19]), 2))
    #expect(results[1].finish == .count)
    #expect(results[1].tokens == TinyModel().continuation([9, 3], 8))
  }

  @Test(arguments: [false, true]) func stopsWhoFindsNoSlot(_ isPlaced: Bool) throws {
    let scene = try SequenceTests.scene(isPlaced: isPlaced) {
      $0.steps = [(4, 0), (8, 0), (1, 8), (1, 24), (4, 24), (8, 24)]
    }
    let session = scene.session
    let (a, b) = (session.open(), session.open())
    try session.use(Speculation(draftMax: 6), in: a)
    try session.feed(Array(TinyScene.text[..<12]), to: a)
    try session.feed(Array(TinyScene.text[..<9]), to: b)
    let error = #expect(throws: OrionError.self) { try session.feed([1, 2, 3, 4], to: b) }
    #expect(error?.kind == .context && error?.message.contains("24 slots") == true)
    let results = try session.generate(9, in: [a, b])
    #expect(results.contains { $0.finish == .contextFull })
    #expect(results[0].tokens.count + results[1].tokens.count <= 5)
    for (result, count) in zip(results, [12, 9]) {
      let text = Array(TinyScene.text[..<count])
      #expect(result.tokens == TinyModel().continuation(text, result.tokens.count))
    }
    // What one gives up, the other takes.
    try session.reset(a)
    let more = try session.generate(2, in: b).tokens
    let text = Array(TinyScene.text[..<9]) + results[1].tokens
    #expect(more == TinyModel().continuation(text, 2))
    #expect(scene.violations.isEmpty, "\(scene.violations.prefix(3))")
    try SequenceTests.checkSlots(scene, 0..<3)
  }

  @Test func closesWithTheLastReference() throws {
    let scene = try SequenceTests.scene(isPlaced: true)
    try scene.session.feed([1, 2], to: scene.session.open())
    #expect(scene.session.runner.cache.used == 2)
    try scene.session.feed([1])
    #expect(scene.session.runner.cache.used == 1)
  }

  @Test func truncatesToAnyLength() throws {
    let scene = try SequenceTests.scene(isPlaced: true)
    let session = scene.session
    let expected = TinyModel().logits(TinyScene.text)
    for length in [21, 20, 13, 1, 0] {
      try session.feed(Array(TinyScene.text[session.count...]))
      try session.truncate(to: length)
      #expect(session.count == length)
      guard length < 21 else { continue }
      let logits = try session.feed([TinyScene.text[length]], logitRows: 1)
      #expect(TinyScene.difference(logits, [expected[length]]) < 1e-5)
    }
    try session.truncate(to: 1)
    #expect(try session.generate(1).tokens == TinyModel().continuation([1], 1))
    for length in [-1, 3] {
      let error = #expect(throws: OrionError.self) { try session.truncate(to: length) }
      #expect(error?.message.contains("0 to 2") == true)
    }
    #expect(scene.violations.isEmpty, "\(scene.violations.prefix(3))")
  }

  @Test func refusesWhatIsNotItsOwn() throws {
    let (one, two) = (try TinyScene(), try TinyScene())
    let (mine, other) = (one.session.open(), two.session.open())
    let rows: [(part: String, call: () throws -> Void)] = [
      ("another session", { try one.session.feed([1], to: other) }),
      ("another session", { _ = try one.session.generate(1, in: [other]) }),
      ("another session", { try one.session.truncate(other, to: 0) }),
      (
        "sequences[1] is empty", { _ = try one.session.generate(1, in: [one.session.first, mine]) }
      ),
      ("twice", { _ = try one.session.generate(1, in: [one.session.first, one.session.first]) }),
      ("draft_max", { try one.session.use(Speculation(draftMax: 2000)) }),
      ("ngram_max", { try one.session.use(Speculation(draftMax: 1, ngramMax: 0)) }),
      ("ngram_min", { try one.session.use(Speculation(draftMax: 1, ngramMax: 2, ngramMin: 3)) }),
    ]
    try one.session.feed([1])
    for row in rows {
      let error = #expect(throws: OrionError.self) { try row.call() }
      #expect(error?.kind == .argument)
      #expect(error?.message.contains(row.part) == true, "\(error?.message ?? "")")
    }
    #expect(try one.session.generate(1, in: []).isEmpty)
  }

  /// Lets the n-th operation of the device fail while two sequences decode, for n = 1, 2, 3 … until nothing fails.
  @Test(arguments: [false, true]) func survivesEveryFailure(_ isPlaced: Bool) throws {
    let prompts: [[Int32]] = [[9, 3, 9, 3, 9], [1, 5, 9, 3, 3, 10]]
    let expected = prompts.map { TinyModel().continuation($0, 7) }
    var failures = 0
    for nth in 1... {
      let scene = try SequenceTests.scene(isPlaced: isPlaced)
      let session = scene.session
      let sequences = prompts.map { _ in session.open() }
      for (sequence, prompt) in zip(sequences, prompts) {
        try session.use(Speculation(draftMax: 3), in: sequence)
        try session.feed(prompt, to: sequence)
      }
      let last = scene.backend.state.withLock { state in
        state.failing = state.operations + nth
        return state.failing
      }
      let before = sequences.map(\.counters)
      do throws(OrionError) {
        _ = try session.generate(5, in: sequences)
      } catch {
        #expect(error.message.contains("fails as asked"))
        #expect(sequences.map(\.count) == prompts.map(\.count))
        #expect(sequences.map(\.counters) == before)
      }
      let isReached = scene.backend.state.withLock { state in
        defer { state.failing = 0 }
        return state.operations >= last
      }
      for (index, sequence) in sequences.enumerated() {
        let done = sequence.count - prompts[index].count
        let more = try session.generate(7 - done, in: sequence).tokens
        #expect(more == Array(expected[index][done...]), "after operation \(nth)")
      }
      #expect(scene.violations.isEmpty, "after operation \(nth): \(scene.violations.prefix(2))")
      try SequenceTests.checkSlots(scene, 0..<3)
      guard isReached else { break }
      failures += 1
    }
    #expect(failures > 50)
  }

  @Test func cancelLeavesAllAsTheyWere() throws {
    let scene = try SequenceTests.scene(isPlaced: true)
    let session = scene.session
    let sequences = [session.open(), session.open()]
    try session.feed([9, 3], to: sequences[0])
    try session.feed([5], to: sequences[1])
    scene.backend.state.withLock { state in
      state.onEvaluate = { [weak session] in session?.cancel() }
    }
    let error = #expect(throws: OrionError.self) { try session.generate(4, in: sequences) }
    #expect(error?.kind == .cancelled && sequences.map(\.count) == [2, 1])
    scene.backend.state.withLock { $0.onEvaluate = nil }
    let results = try session.generate(4, in: sequences)
    #expect(results.map(\.tokens) == [[9, 3], [5]].map { TinyModel().continuation($0, 4) })
  }
}
