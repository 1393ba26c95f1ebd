/// Guesses what comes next in a text from what came next before. It knows no model.
enum PromptLookup {
  /// Tokens that a text is guessed to go on with: those from an earlier place on, which beyond the end of the
  /// text repeat themselves.
  struct Draft: Equatable {
    private(set) var count = 0
    private var first = 0
    private var period = 1

    static let empty = Draft()

    fileprivate init() {}

    fileprivate init(_ count: Int, from first: Int, of length: Int) {
      self.count = count
      self.first = first
      period = length - first
    }

    /// The guess at `index` of `count`, for the tokens that it was made of.
    func token(_ index: Int, of tokens: [Int32]) -> Int32 { tokens[first + index % period] }
  }

  /// Up to `most` tokens that followed the last ones of `tokens` where these stood last before; empty when they
  /// never did. Longer matches are tried first.
  static func draft(_ tokens: [Int32], _ rules: Speculation, most: Int) -> Draft {
    let most = min(most, rules.draftMax)
    guard most > 0 else { return .empty }
    return tokens.withUnsafeBufferPointer { tokens in
      for length in stride(from: rules.ngramMax, through: rules.ngramMin, by: -1) {
        guard let next = follower(tokens, length) else { continue }
        return Draft(most, from: next, of: tokens.count)
      }
      return .empty
    }
  }

  /// Where the text goes on after the latest earlier place of its last `length` tokens.
  private static func follower(_ tokens: UnsafeBufferPointer<Int32>, _ length: Int) -> Int? {
    let suffix = tokens.count - length
    guard suffix > 0 else { return nil }
    for start in stride(from: suffix - 1, through: 0, by: -1) {
      var same = 0
      while same < length, tokens[start + same] == tokens[suffix + same] { same += 1 }
      if same == length { return start + length }
    }
    return nil
  }
}
