/// Guesses what comes next in a text from what came next before. It knows no model.
enum PromptLookup {
  /// Up to `most` tokens that followed the last ones of `tokens` where these stood last before; empty when they
  /// never did. Longer matches are tried first.
  static func draft(_ tokens: [Int32], _ rules: Speculation, most: Int) -> [Int32] {
    let most = min(most, rules.draftMax)
    guard most > 0 else { return [] }
    return tokens.withUnsafeBufferPointer { tokens in
      for length in stride(from: rules.ngramMax, through: rules.ngramMin, by: -1) {
        guard let next = follower(tokens, length) else { continue }
        // Beyond the end of the text the draft repeats itself.
        let period = tokens.count - next
        return (0..<most).map { tokens[next + $0 % period] }
      }
      return []
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
