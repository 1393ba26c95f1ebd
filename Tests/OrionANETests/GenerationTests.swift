import Synchronization
import Testing

@testable import OrionANE

/// Each id of the small model is a letter: 0 is a, 1 is b, and so on.
private struct Letters: TokenizerEngine {
  let vocabulary = 11
  let begin: Int? = 1
  let ends = [2]
  let mayBePadded = false

  func encode(_ text: [UInt8], addingBegin: Bool) -> [Int] { text.map { Int($0) - 0x61 } }
  func makeReader(skippingSpecial: Bool) -> any TokenReader {
    ByteReader { token, _ in [UInt8(0x61 + token)] }
  }
}

extension Conductor {
  /// All of them are there before the first is begun.
  fileprivate func takeAll(_ jobs: [Job]) { for job in jobs { take(job) } }
}

/// Texts of a model that can be computed by hand: alone, side by side, cut short, refused.
@Suite struct GenerationTests {
  private final class Stage {
    let scene: TinyScene
    let conductor: Conductor

    init(hasText: Bool = true) throws {
      var model = TinyModel()
      model.steps = [(4, 0), (8, 0), (1, 8), (1, 24), (1, 48), (8, 8), (8, 24), (8, 48)]
      scene = try TinyScene(model)
      scene.backend.state.withLock { $0.isShared = true }
      let found = Tokenizer.Found(engine: Letters(), begin: 1, ends: [2], chatTemplate: nil)
      conductor = try Conductor(scene.session, hasText ? Tokenizer(found) : nil)
    }

    func generate(_ prompt: String, _ options: GenerationOptions = .init()) -> Generation {
      Generation(conductor: conductor, prompt: .text(prompt), options: options)
    }
  }

  private static let prompts = ["jd", "f", "bfjddka", "eeh", "c", "kab"]

  /// The same prompt in a session of its own.
  private func alone(_ prompt: String, _ options: GenerationOptions) throws -> Session.Generated {
    // The scene keeps the files that programs are read from.
    let scene = try TinyScene()
    try scene.session.use(options.sampling)
    try scene.session.feed(prompt.utf8.map { Int32($0) - 0x61 })
    return try scene.session.generate(options.maxTokens)
  }

  @Test(arguments: [0.0, 2.0]) func givesWhatTheSessionGives(_ temperature: Double) async throws {
    let stage = try Stage()
    for prompt in Self.prompts {
      let options = GenerationOptions(maxTokens: 7, temperature: temperature, seed: 5)
      let expected = try alone(prompt, options)
      let found = try await stage.generate(prompt, options).response()
      #expect(found.tokens == expected.tokens)
      let isEnded = expected.finish == .endToken
      #expect(found.finish == (isEnded ? .end : .length))
      let letters = isEnded ? expected.tokens.dropLast() : expected.tokens[...]
      #expect(found.text == String(decoding: letters.map { UInt8(0x61 + $0) }, as: UTF8.self))
      #expect(found.statistics.promptTokens == prompt.utf8.count)
      #expect(found.statistics.tokens == found.tokens.count)
    }
  }

  /// More texts than the cache has room for.
  @Test func sideBySideEachIsWhatItIsAlone() async throws {
    let stage = try Stage()
    let options = GenerationOptions(maxTokens: 14)
    let jobs = (Self.prompts + Self.prompts).map { stage.generate($0, options) }
    let texts = try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
      for (index, job) in jobs.enumerated() {
        group.addTask { (index, try await job.response().tokens) }
      }
      return try await group.reduce(into: [Int: [Int32]]()) { $0[$1.0] = $1.1 }
    }
    for (index, prompt) in (Self.prompts + Self.prompts).enumerated() {
      #expect(try texts[index] == alone(prompt, options).tokens)
    }
    #expect(stage.scene.violations.isEmpty)
  }

  /// Texts that are asked for before the session is free are read in steps that they share.
  @Test func promptsAreReadTogether() async throws {
    let stage = try Stage()
    let prompts = ["jd", "f", "bfjddka"]
    let options = GenerationOptions(maxTokens: 5)
    let jobs = prompts.map { Conductor.Job(.text($0), options) }
    _ = stage.scene.calls
    await stage.conductor.takeAll(jobs)
    for (job, prompt) in zip(jobs, prompts) {
      let expected = try alone(prompt, options).tokens
      #expect(try await tokens(of: job) == expected, "\(prompt)")
    }
    // 1, 0 and 6 tokens fit into one step of 8; the last of each is read with the step that decodes all.
    let steps = stage.scene.calls.filter { $0.hasPrefix("layers0") }
    #expect(steps.count == 1 + 5, "\(steps)")
  }

  @Test func aPromptThatCannotBeReadLeavesTheOthers() async throws {
    let stage = try Stage()
    let options = GenerationOptions(maxTokens: 5)
    let jobs = [Conductor.Prompt.text("jd"), .ids([3, 99]), .text("f")].map {
      Conductor.Job($0, options)
    }
    await stage.conductor.takeAll(jobs)
    await #expect(throws: OrionError.self) { try await tokens(of: jobs[1]) }
    for (index, prompt) in [(0, "jd"), (2, "f")] {
      #expect(try await tokens(of: jobs[index]) == alone(prompt, options).tokens)
    }
  }

  private func tokens(of job: Conductor.Job) async throws -> [Int32] {
    var found: [Int32] = []
    while let piece = try await job.channel.next(isolation: nil).get() { found += piece.tokens }
    return found
  }

  @Test func piecesAreTheTextInOrder() async throws {
    let stage = try Stage()
    let whole = try await stage.generate("bfj", .init(maxTokens: 6)).response()
    var (text, finishes) = ("", [Generation.Finish?]())
    for try await piece in stage.generate("bfj", .init(maxTokens: 6)) {
      text += piece.text
      finishes.append(piece.finish)
      #expect((piece.finish == nil) == (piece.statistics == nil))
    }
    #expect(text == whole.text && finishes.dropLast().allSatisfy { $0 == nil })
    #expect(finishes.last == whole.finish)
  }

  @Test func endsBeforeAStopString() async throws {
    let stage = try Stage()
    let prompt = try #require(
      try Self.prompts.first { try alone($0, .init(maxTokens: 9)).tokens.count == 9 })
    let whole = try await stage.generate(prompt, .init(maxTokens: 9)).response()
    let letters = Array(whole.text)
    let stop = String(letters[4...5])
    let place = try #require(whole.text.firstRange(of: stop)?.lowerBound)
    let found = try await stage.generate(prompt, .init(maxTokens: 9, stop: [stop])).response()
    #expect(found.finish == .stop && found.text == whole.text[..<place])
    #expect(found.tokens.count == found.text.count + 2)
    let never = try await stage.generate(prompt, .init(maxTokens: 9, stop: ["zz"])).response()
    #expect(never.text == whole.text && never.finish == whole.finish)
  }

  @Test func noTokensAreATextToo() async throws {
    let stage = try Stage()
    let found = try await stage.generate("", .init(maxTokens: 0)).response()
    #expect(found.tokens.isEmpty && found.finish == .length && found.text.isEmpty)
    #expect(found.statistics.promptTokens == 1)
  }

  @Test func aContextThatIsFullEndsTheText() async throws {
    let stage = try Stage()
    let prompts = ["aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbb"]
    for prompt in prompts {
      let expected = try alone(prompt, .init(maxTokens: 50))
      let found = try await stage.generate(prompt, .init(maxTokens: 50)).response()
      #expect(found.tokens == expected.tokens)
      #expect(found.finish == (expected.finish == .endToken ? .end : .context))
    }
  }

  @Test func leavingTheLoopFreesTheRoom() async throws {
    let stage = try Stage()
    for _ in 0..<20 {
      for try await piece in stage.generate("bfj", .init(maxTokens: 18)) {
        #expect(piece.tokens.count == 1)
        break
      }
    }
    let after = try await stage.generate("f", .init(maxTokens: 10)).response()
    #expect(try after.tokens == alone("f", .init(maxTokens: 10)).tokens)
    #expect(stage.scene.session.runner.cache.used <= 11)
  }

  @Test func aCancelledTaskEndsItsStepAndNoOther() async throws {
    let stage = try Stage()
    let (inside, ready) = AsyncStream.makeStream(of: Void.self)
    let asked = Mutex(0)
    stage.scene.backend.state.withLock { state in
      state.onEvaluate = {
        let isThird = asked.withLock {
          $0 += 1
          return $0 == 3
        }
        if isThird { ready.yield() }
      }
    }
    let first = stage.generate("bfj", .init(maxTokens: 18))
    let task = Task { try await first.response() }
    for await _ in inside { break }
    task.cancel()
    let error = await #expect(throws: OrionError.self) { try await task.value }
    #expect(error?.kind == .cancelled)
    let other = try await stage.generate("eeh", .init(maxTokens: 9)).response()
    #expect(try other.tokens == alone("eeh", .init(maxTokens: 9)).tokens)
  }

  @Test(arguments: [
    ("f", GenerationOptions(maxTokens: -1), "max_tokens"),
    ("f", GenerationOptions(temperature: -1), "temperature"),
    ("f", GenerationOptions(temperature: .nan), "temperature"),
    ("f", GenerationOptions(topK: -1), "top_k"),
    ("f", GenerationOptions(topP: 0), "top_p"),
    ("f", GenerationOptions(minP: 2), "min_p"),
    ("f", GenerationOptions(repetitionPenalty: 0), "repetition_penalty"),
    ("f", GenerationOptions(stop: [""]), "at least one character"),
    ("f", GenerationOptions(adapter: "pirate"), "pirate"),
    ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", GenerationOptions(), "do not fit into 21"),
    ("z", GenerationOptions(), "expected an id from 0 to 10, got 25"),
  ])
  func whatCannotBeIsRefused(_ prompt: String, _ options: GenerationOptions, _ message: String)
    async throws
  {
    let stage = try Stage()
    let error = await #expect(throws: OrionError.self) {
      try await stage.generate(prompt, options).response()
    }
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    #expect(try await stage.generate("f", .init(maxTokens: 1)).response().tokens.count == 1)
  }

  @Test func withoutATokenizerIdsPass() async throws {
    let stage = try Stage(hasText: false)
    let error = await #expect(throws: OrionError.self) { try await stage.generate("f").response() }
    #expect(error?.message.contains("no tokenizer") == true)
    let found = try await Generation(
      conductor: stage.conductor, prompt: .ids([5]), options: .init(maxTokens: 4)
    ).response()
    #expect(try found.tokens == alone("f", .init(maxTokens: 4)).tokens && found.text.isEmpty)
    let empty = await #expect(throws: OrionError.self) {
      try await Generation(
        conductor: stage.conductor, prompt: .ids([]), options: .init()
      ).response()
    }
    #expect(empty?.message.contains("no tokens") == true)
  }

  @Test func aFailingDeviceFailsTheTextAndNotTheNext() async throws {
    let expected = try alone("bfj", .init(maxTokens: 6)).tokens
    var failures = 0
    for nth in stride(from: 1, to: 100, by: 7) {
      let stage = try Stage()
      _ = try await stage.generate("f", .init(maxTokens: 3)).response()
      stage.scene.backend.state.withLock { $0.failing = $0.operations + nth }
      do {
        _ = try await stage.generate("bfj", .init(maxTokens: 6)).response()
      } catch {
        #expect(error.message.contains("fails as asked"))
        failures += 1
      }
      stage.scene.backend.state.withLock { $0.failing = 0 }
      let found = try await stage.generate("bfj", .init(maxTokens: 6)).response()
      #expect(found.tokens == expected)
    }
    #expect(failures > 3)
  }
}
