/// How far a sequence guesses ahead, in the user's words; it knows no model.

/// Rules of speculative decoding by prompt lookup: tokens that followed the same few tokens earlier in the
/// sequence are computed together with the next one, in columns that a step has to spare, and count only where
/// they are what would have been drawn without them. Texts do not change, only the number of steps.
public struct Speculation: Sendable, Hashable {
  /// The most tokens guessed at once; 0 guesses none.
  public var draftMax: Int
  /// The longest run of last tokens that is looked for.
  public var ngramMax: Int
  /// The shortest.
  public var ngramMin: Int

  /// Rules of guessing.
  public init(draftMax: Int, ngramMax: Int = 3, ngramMin: Int = 1) {
    self.draftMax = draftMax
    self.ngramMax = ngramMax
    self.ngramMin = ngramMin
  }

  /// No guesses.
  public static let off = Speculation(draftMax: 0)

  static let draftLimit = 1024
  static let ngramLimit = 64

  /// Throws what is out of range: the field, its range, what came.
  func validate() throws(OrionError) {
    let rows: [(name: String, value: Int, range: ClosedRange<Int>)] = [
      ("draft_max", draftMax, 0...Speculation.draftLimit),
      ("ngram_max", ngramMax, 1...Speculation.ngramLimit),
      ("ngram_min", ngramMin, 1...max(min(ngramMax, Speculation.ngramLimit), 1)),
    ]
    for row in rows where !row.range.contains(row.value) {
      throw OrionError(
        .argument,
        "\(row.name): expected \(row.range.lowerBound) to \(row.range.upperBound);"
          + " got \(row.value).")
    }
  }
}

/// What a sequence has decoded since it was opened.
public struct SequenceCounters: Sendable, Hashable {
  /// Steps of the device that it took part in.
  public internal(set) var steps = 0
  /// Tokens that were guessed.
  public internal(set) var drafted = 0
  /// Guesses that were right.
  public internal(set) var accepted = 0
  /// Tokens that were drawn.
  public internal(set) var tokens = 0
}
