import Testing

@testable import OrionANE

/// Sessions on real devices, over a model in MIL: a text gives the same logits to the bit however it is cut, and
/// nearly those that the definition gives.
@Suite struct SessionDeviceTests {
  private static let text: [Int32] = (0..<90).map { ($0 * 29 + $0 / 7 + 3) % 40 }

  private func logits(
    _ session: Session, _ chunks: [Int]
  ) throws -> [Float] {
    try session.reset()
    var rows: [Float] = []
    var start = 0
    for count in chunks {
      let part = Array(SessionDeviceTests.text[start..<start + count])
      rows += try session.feed(part, logitRows: count)
      start += count
    }
    return rows
  }

  private func difference(_ left: [Float], _ right: [Float]) -> Float {
    guard left.count == right.count else { return .infinity }
    return zip(left, right).map { ($0 - $1).isNaN ? .infinity : abs($0 - $1) }.max() ?? 0
  }

  private func check(_ device: String, _ model: AttentionModel, close: Float) throws {
    let directory = try TemporaryDirectory()
    try model.write(to: directory)
    var options = DeviceOptions()
    options.cacheDirectory = directory.path + "/cache"
    let device = try Device(device, options: options)
    let session = try Session(device: device, bundle: directory.path)
    let whole = try logits(session, [90])
    let chunkings = [Array(repeating: 1, count: 90), [32, 32, 26], [5, 40, 45], [89, 1]]
    for chunks in chunkings {
      #expect(try logits(session, chunks) == whole, "\(chunks)")
    }
    let expected = model.logits(SessionDeviceTests.text).flatMap { $0.map(Float.init) }
    #expect(difference(whole, expected) <= close)
  }

  @Test func cpuGivesTheSameLogitsForEveryChunking() throws {
    try check("cpu", .cpu, close: 1e-4)
  }

  @Test func engineGivesTheSameLogitsForEveryChunking() throws {
    try check("sim:m4-macos15", .engine, close: 5e-2)
  }

  /// Tokens and logits of three texts: alone and plainly, then side by side with guesses, after others came and
  /// went, so that their slots lie elsewhere.
  private func checkTogether(_ name: String, _ model: AttentionModel, _ sampling: Sampling) throws {
    let directory = try TemporaryDirectory()
    try model.write(to: directory)
    var options = DeviceOptions()
    options.cacheDirectory = directory.path + "/cache"
    let device = try Device(name, options: options)
    let prompts: [[Int32]] = [
      Array(SessionDeviceTests.text[..<20]), [3, 4, 3, 4, 3, 4, 3], [7, 7, 7, 7],
    ]
    let session = try Session(device: device, bundle: directory.path)
    var expected: [(tokens: [Int32], logits: [Float])] = []
    for prompt in prompts {
      try session.reset()
      try session.use(sampling)
      try session.feed(prompt)
      let tokens = try session.generate(12).tokens
      expected.append((tokens, try session.feed([5, 6], logitRows: 2)))
    }
    try session.reset()
    var early: [TokenSequence] = (0..<3).map { _ in session.open() }
    for (index, sequence) in early.enumerated() {
      try session.feed([1, Int32(index)], to: sequence)
    }
    early.remove(at: 1)
    let sequences = prompts.map { _ in session.open() }
    for (sequence, prompt) in zip(sequences, prompts) {
      try session.use(sampling, in: sequence)
      try session.use(Speculation(draftMax: 5), in: sequence)
      try session.feed(prompt, to: sequence)
    }
    let first = try session.generate(5, in: sequences)
    early.removeAll()
    let second = try session.generate(7, in: sequences)
    for index in prompts.indices {
      #expect(first[index].tokens + second[index].tokens == expected[index].tokens)
      let logits = try session.feed([5, 6], to: sequences[index], logitRows: 2)
      #expect(logits == expected[index].logits, "\(prompts[index])")
    }
    if sampling == .greedy {
      #expect(sequences.contains { $0.counters.accepted > 0 })
    }
    #expect(sequences.contains { $0.counters.accepted < $0.counters.drafted })
  }

  @Test(arguments: [Sampling.greedy, Sampling(temperature: 0.7, seed: 8)])
  func togetherEqualsAloneOnCpu(_ sampling: Sampling) throws {
    try checkTogether("cpu", .cpu, sampling)
  }

  @Test(arguments: [Sampling.greedy, Sampling(temperature: 0.7, seed: 8)])
  func togetherEqualsAloneOnTheEngine(_ sampling: Sampling) throws {
    try checkTogether("sim:m4-macos15", .engine, sampling)
  }

  @Test func refusesABundleForAnotherProfile() throws {
    let directory = try TemporaryDirectory()
    try AttentionModel.engine.write(to: directory)
    var options = DeviceOptions()
    options.cacheDirectory = directory.path + "/cache"
    let device = try Device("cpu", options: options)
    let error = #expect(throws: OrionError.self) {
      try Session(device: device, bundle: directory.path)
    }
    #expect(error?.message.contains("\"m4-macos15\"") == true)
    #expect(error?.message.contains("\"cpu\"") == true)
  }
}
