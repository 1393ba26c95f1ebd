import Testing

@testable import OrionANE

/// Guessing ahead changes how many steps a text takes, and nothing else.
@Suite struct SpeculationTests {
  @Test(arguments: [
    (tokens: [1, 2, 3, 1, 2], most: 4, draft: [3, 1, 2, 3]), ([1, 2, 3, 1, 2], 1, [3]),
    ([7, 7], 3, [7, 7, 7]), ([1, 2, 3], 4, []), ([], 4, []), ([5], 4, []),
    // The longer match before the later one; the later of equal ones.
    ([1, 2, 8, 2, 9, 1, 2], 1, [8]), ([2, 8, 2, 9, 2], 1, [9]), ([1, 2, 3, 1, 2], 0, []),
  ])
  func draftsWhatFollowedBefore(_ row: (tokens: [Int32], most: Int, draft: [Int32])) {
    let rules = Speculation(draftMax: 8, ngramMax: 2, ngramMin: 1)
    let draft = PromptLookup.draft(row.tokens, rules, most: row.most)
    #expect((0..<draft.count).map { draft.token($0, of: row.tokens) } == row.draft)
    let long = Speculation(draftMax: 8, ngramMax: 5, ngramMin: 3)
    #expect(PromptLookup.draft([1, 2, 3, 1, 2], long, most: 4) == .empty)
    #expect(PromptLookup.draft([7, 7], .off, most: 4) == .empty)
  }

  struct Text: Sendable {
    let tokens: [Int32]
    let finish: Session.Finish
    let logits: [Float]
    let counters: SequenceCounters
    let steps: Int
  }

  private func text(_ model: TinyModel, _ prompt: [Int32], _ sampling: Sampling, guesses: Int)
    throws -> Text
  {
    let scene = try TinyScene(model)
    let session = scene.session
    try session.use(sampling)
    try session.use(Speculation(draftMax: guesses, ngramMax: 2))
    try session.feed(prompt, logitRows: 1)
    _ = scene.calls
    var (tokens, finish) = try session.generate(4)
    if finish == .count {
      let rest = try session.generate(8)
      tokens += rest.tokens
      finish = rest.finish
    }
    let steps = scene.calls.filter { $0.hasPrefix("layers0") }.count
    let logits = session.count < 21 ? try session.feed([6], logitRows: 1) : []
    #expect(scene.violations.isEmpty, "\(scene.violations.prefix(3))")
    return Text(
      tokens: tokens, finish: finish, logits: logits, counters: session.first.counters,
      steps: steps)
  }

  @Test(arguments: [false, true], ["fp32", "fp16"])
  func speculativeEqualsPlain(_ isPlaced: Bool, _ dtype: String) throws {
    var model = TinyModel()
    (model.isPlaced, model.dtype) = (isPlaced, dtype)
    let prompts: [[Int32]] = [
      [9, 3, 9, 3, 9, 3], [1, 5, 9, 3, 3, 10, 0], [5], Array(TinyScene.text[..<14]),
    ]
    let samplings = [
      Sampling.greedy, Sampling(temperature: 1, seed: 4),
      Sampling(temperature: 0.3, topK: 4, repetitionPenalty: 1.2, seed: 9),
    ]
    var total = SequenceCounters()
    for prompt in prompts {
      for sampling in samplings {
        let plain = try text(model, prompt, sampling, guesses: 0)
        #expect(plain.counters.drafted == 0 && plain.counters.tokens == plain.tokens.count)
        for guesses in [1, 3, 7] {
          let guessed = try text(model, prompt, sampling, guesses: guesses)
          #expect(guessed.tokens == plain.tokens && guessed.finish == plain.finish)
          #expect(guessed.logits == plain.logits)
          let counters = guessed.counters
          #expect(counters.tokens == plain.tokens.count && counters.steps == guessed.steps)
          #expect(counters.steps + counters.accepted >= plain.counters.steps)
          total.drafted += counters.drafted
          total.accepted += counters.accepted
        }
      }
    }
    #expect(total.accepted > 0 && total.accepted < total.drafted)
  }
}
