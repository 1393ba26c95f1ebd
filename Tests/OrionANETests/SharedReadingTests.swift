import Testing

@testable import OrionANE

/// Texts of several sequences that are fed in one call: the steps they share, and what each gives afterwards.
@Suite struct SharedReadingTests {
  @Test(arguments: [false, true]) func readsSeveralTextsInAStep(_ isPlaced: Bool) throws {
    let scene = try SequenceTests.scene(isPlaced: isPlaced)
    let session = scene.session
    let sequences = SequenceTests.prompts.map { _ in session.open() }
    // The second text has begun already; the step without a cache is not for it.
    try session.feed([5, 2], to: sequences[1])
    _ = scene.calls
    try session.feed(Array(zip(SequenceTests.prompts, sequences)))
    // 1, 6 and 2 tokens in steps of up to 8; the last of each text waits for the others to decode.
    #expect(scene.calls.filter { $0.hasPrefix("layers0") }.count == 2)
    #expect(sequences.map(\.count) == [2, 3, 7, 3])
    let drawn = try session.generate(5, in: sequences)
    for (index, prompt) in SequenceTests.prompts.enumerated() {
      let whole = index == 1 ? [5, 2] + prompt : prompt
      let expected = try SequenceTests.alone(whole, drawn[index].tokens.count, .greedy)
      #expect(drawn[index].tokens == expected.tokens, "\(prompt)")
    }
    #expect(scene.violations.isEmpty, "\(scene.violations.prefix(3))")
    try SequenceTests.checkSlots(scene, 0..<5)
  }

  @Test func textsThatCannotAllBeReadChangeNothing() throws {
    let scene = try SequenceTests.scene(isPlaced: true)
    let session = scene.session
    let (one, other) = (session.open(), session.open())
    try session.feed([9, 3], to: one)
    let rows: [(texts: [(tokens: [Int32], sequence: TokenSequence)], message: String)] = [
      ([([5], one), ([5, 99], other)], "tokens[1] of sequences[1]: expected an id"),
      ([([5], one), ([4], one)], "sequences[1] stands in the list twice"),
      ([([5], other), ([Int32](repeating: 4, count: 20), one)], "do not fit into"),
      ([([5], one), ([4], try TinyScene().session.open())], "another session"),
    ]
    for row in rows {
      #expect {
        try session.feed(row.texts)
      } throws: {
        ($0 as? OrionError)?.message.contains(row.message) == true
      }
      #expect(one.count == 2 && other.count == 0)
    }
    try session.feed([([], other), ([4], one)])
    #expect(one.count == 3 && other.count == 0)
    try session.feed([])
  }
}
