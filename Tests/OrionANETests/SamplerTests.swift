import Testing

@testable import OrionANE

/// Drawing tokens from logits.
@Suite struct SamplerTests {
  private func draw(
    _ sampling: Sampling, _ logits: [Float], context: [Int32] = [], count: Int = 1
  ) throws -> [Int32] {
    var sampler = Sampler()
    try sampler.use(sampling)
    var ids: [Int32] = []
    for _ in 0..<count {
      ids.append(
        try logits.withUnsafeBufferPointer { buffer throws(OrionError) in
          try sampler.draw(buffer, context: context)
        })
    }
    return ids
  }

  /// Share of each token in many draws.
  private func shares(_ sampling: Sampling, _ logits: [Float]) throws -> [Double] {
    let count = 20_000
    var shares = [Double](repeating: 0, count: logits.count)
    for id in try draw(sampling, logits, count: count) { shares[Int(id)] += 1 / Double(count) }
    return shares
  }

  private func isClose(_ shares: [Double], _ expected: [Double]) -> Bool {
    zip(shares, expected).allSatisfy { abs($0 - $1) < 0.015 }
  }

  @Test func greedyTakesTheLowestOfTheLargest() throws {
    #expect(try draw(.greedy, [1, 3, 2, 3]) == [1])
    #expect(try draw(.greedy, [-5, -.infinity, -7]) == [0])
    #expect(try draw(.greedy, [.nan, -4, .nan]) == [1])
  }

  @Test func refusesLogitsThatAreNotNumbers() {
    for logits: [Float] in [[.nan, .nan], [1, .infinity], [-.infinity, -.infinity]] {
      for sampling in [Sampling.greedy, Sampling(temperature: 1)] {
        let error = #expect(throws: OrionError.self) { try draw(sampling, logits) }
        #expect(error?.message.contains("finite") == true)
      }
    }
  }

  @Test func temperatureShapesTheDistribution() throws {
    let logits: [Float] = [0, 0.6931472, 1.3862944]
    #expect(isClose(try shares(Sampling(temperature: 1), logits), [1.0 / 7, 2.0 / 7, 4.0 / 7]))
    #expect(
      isClose(try shares(Sampling(temperature: 0.5), logits), [1.0 / 21, 4.0 / 21, 16.0 / 21]))
    #expect(Set(try draw(Sampling(temperature: 1e-300), logits, count: 50)) == [2])
  }

  @Test func topKKeepsTheLikeliest() throws {
    let logits: [Float] = [0, 0.6931472, 1.3862944, 1.3862944]
    #expect(
      isClose(try shares(Sampling(temperature: 1, topK: 2), logits), [0, 0, 0.5, 0.5]))
    #expect(Set(try draw(Sampling(temperature: 1, topK: 1), logits, count: 50)) == [2])
    #expect(
      isClose(
        try shares(Sampling(temperature: 1, topK: 9), logits),
        [1.0 / 11, 2.0 / 11, 4.0 / 11, 4.0 / 11]))
  }

  @Test func topPKeepsTheSmallestSetThatReachesIt() throws {
    let logits: [Float] = [0, 0.6931472, 1.3862944]
    #expect(Set(try draw(Sampling(temperature: 1, topP: 0.57), logits, count: 200)) == [2])
    #expect(
      isClose(try shares(Sampling(temperature: 1, topP: 0.58), logits), [0, 1.0 / 3, 2.0 / 3]))
    // Among the two that top-k leaves, the likeliest alone has two thirds.
    #expect(
      Set(try draw(Sampling(temperature: 1, topK: 2, topP: 0.66), logits, count: 200)) == [2])
  }

  @Test func minPDropsTheUnlikely() throws {
    let logits: [Float] = [0, 0.6931472, 1.3862944]
    #expect(
      isClose(try shares(Sampling(temperature: 1, minP: 0.4), logits), [0, 1.0 / 3, 2.0 / 3]))
    #expect(Set(try draw(Sampling(temperature: 1, minP: 1), logits, count: 200)) == [2])
  }

  @Test func repetitionPenaltyTurnsAwayFromTheContext() throws {
    let penalty = Sampling(repetitionPenalty: 2)
    #expect(try draw(penalty, [3, 2], context: [0, 0, 0]) == [1])
    // A token that appears twice is penalised once.
    #expect(try draw(penalty, [3, 1], context: [0, 0]) == [0])
    #expect(try draw(penalty, [-1, -1.5], context: [0]) == [1])
    #expect(try draw(penalty, [3, 2], context: []) == [0])
  }

  @Test func seedDecides() throws {
    let logits = (0..<100).map { Float($0 % 7) * 0.1 }
    let first = try draw(Sampling(temperature: 1, seed: 7), logits, count: 50)
    #expect(try draw(Sampling(temperature: 1, seed: 7), logits, count: 50) == first)
    #expect(try draw(Sampling(temperature: 1, seed: 8), logits, count: 50) != first)
  }

  /// Values of the published generator, started from the published mixer.
  @Test func randomSequenceIsXoshiro() {
    var sequence = RandomSequence(seed: 0)
    #expect(sequence.next() == 0x99EC_5F36_CB75_F2B4)
    #expect(sequence.next() == 0xBF6E_1F78_4956_452A)
    #expect(sequence.next() == 0x1A5F_849D_4933_E6E0)
    for _ in 0..<1000 {
      let fraction = sequence.nextFraction()
      #expect(fraction >= 0 && fraction < 1)
    }
  }

  @Test func exponentialIsExact() {
    #expect(Sampler.exponential(0) == 1)
    #expect(Sampler.exponential(-1) == 0.36787944117144233)
    #expect(abs(Sampler.exponential(-20) / 2.061153622438558e-09 - 1) < 1e-15)
    #expect(abs(Sampler.exponential(-700) / 9.85967654375977e-305 - 1) < 1e-15)
    #expect(Sampler.exponential(-.infinity) == 0)
  }

  static let refused: [(sampling: Sampling, part: String)] = [
    (Sampling(temperature: -1), "temperature"), (Sampling(temperature: .nan), "temperature"),
    (Sampling(temperature: .infinity), "temperature"), (Sampling(topK: -1), "top_k"),
    (Sampling(topP: 0), "top_p"), (Sampling(topP: 1.5), "top_p"), (Sampling(topP: .nan), "top_p"),
    (Sampling(minP: -0.1), "min_p"), (Sampling(minP: 2), "min_p"),
    (Sampling(repetitionPenalty: 0), "repetition_penalty"),
    (Sampling(repetitionPenalty: .infinity), "repetition_penalty"),
  ]

  @Test(arguments: refused) func refusesValuesOutOfRange(_ row: (sampling: Sampling, part: String))
  {
    let error = #expect(throws: OrionError.self) { try row.sampling.validate() }
    #expect(error?.kind == .argument)
    #expect(error?.message.hasPrefix(row.part + ":") == true)
  }
}
