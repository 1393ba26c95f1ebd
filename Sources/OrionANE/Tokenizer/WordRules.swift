/// How byte-level vocabularies cut a text into words before joining bytes: the patterns that models have, read by
/// hand. It knows no vocabulary.
struct WordRules: Sendable, Hashable {
  /// As messages call it.
  let name: String
  let pattern: String
  /// The endings 's, 't, 're and so on count in capitals too.
  let ignoresCase: Bool
  /// A sign or a space before letters belongs to them; else only a space does.
  let takesSignBeforeLetters: Bool
  /// How many digits stand together; `nil`: all that there are, with a space before them.
  let digits: Int?
  /// Line ends belong to the signs before them, and to the spaces before them.
  let takesLineEnds: Bool

  private static let endings = "'s|'t|'re|'ve|'m|'ll|'d"
  private static func newer(_ numbers: String) -> String {
    "(?i:\(endings))|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\(numbers)| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
      + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
  }

  static let gpt2 = WordRules(
    name: "GPT-2",
    pattern: "\(endings)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    ignoresCase: false, takesSignBeforeLetters: false, digits: nil, takesLineEnds: false)
  static let llama3 = WordRules(
    name: "Llama 3", pattern: newer("\\p{N}{1,3}"), ignoresCase: true,
    takesSignBeforeLetters: true, digits: 3, takesLineEnds: true)
  static let qwen2 = WordRules(
    name: "Qwen2", pattern: newer("\\p{N}"), ignoresCase: true, takesSignBeforeLetters: true,
    digits: 1, takesLineEnds: true)

  static let known = [gpt2, llama3, qwen2]

  /// The words of a text, all of it.
  func words(_ text: [UInt8]) -> [[UInt8]] {
    let (scalars, places) = UTF8Text.characters(text)
    let scan = Scan(rules: self, scalars: scalars, kinds: scalars.map(CharacterKind.init))
    var words: [[UInt8]] = []
    var start = 0
    while start < scalars.count {
      let end = scan.end(start)
      words.append(Array(text[places[start]..<places[end]]))
      start = end
    }
    return words
  }

  /// A text under the rules. Each alternative of the pattern is a function: the end of its match, or `nil`.
  private struct Scan {
    let rules: WordRules
    let scalars: [Unicode.Scalar]
    let kinds: [CharacterKind]

    func end(_ start: Int) -> Int {
      ending(start) ?? letters(start) ?? numbers(start) ?? signs(start) ?? spaces(start)
    }

    private static let endings: [[Unicode.Scalar]] = [
      ["s"], ["t"], ["r", "e"], ["v", "e"], ["m"], ["l", "l"], ["d"],
    ]

    private func ending(_ start: Int) -> Int? {
      guard scalars[start] == "'" else { return nil }
      for letters in Self.endings where start + letters.count < scalars.count {
        if letters.indices.allSatisfy({ matches(scalars[start + 1 + $0], letters[$0]) }) {
          return start + 1 + letters.count
        }
      }
      return nil
    }

    private func matches(_ scalar: Unicode.Scalar, _ letter: Unicode.Scalar) -> Bool {
      if scalar == letter { return true }
      guard rules.ignoresCase else { return false }
      // The long s is a small letter of S.
      return scalar.value == letter.value - 32 || (letter == "s" && scalar == "\u{17F}")
    }

    private func letters(_ start: Int) -> Int? {
      if kinds[start] == .letter { return run(start, .letter) }
      let joins =
        rules.takesSignBeforeLetters
        ? kinds[start] != .number && !isLineEnd(start) : scalars[start] == " "
      return joins && isKind(start + 1, .letter) ? run(start + 1, .letter) : nil
    }

    private func numbers(_ start: Int) -> Int? {
      guard let digits = rules.digits else { return spaced(start, .number) }
      return kinds[start] == .number ? run(start, .number, atMost: digits) : nil
    }

    private func signs(_ start: Int) -> Int? {
      guard var end = spaced(start, .other), rules.takesLineEnds else {
        return spaced(start, .other)
      }
      while end < scalars.count, isLineEnd(end) { end += 1 }
      return end
    }

    private func spaces(_ start: Int) -> Int {
      let end = run(start, .space)
      if rules.takesLineEnds, let last = (start..<end).last(where: isLineEnd) { return last + 1 }
      // The last of several spaces belongs to the word that follows.
      return end < scalars.count && end - start > 1 ? end - 1 : end
    }

    private func spaced(_ start: Int, _ kind: CharacterKind) -> Int? {
      if kinds[start] == kind { return run(start, kind) }
      return scalars[start] == " " && isKind(start + 1, kind) ? run(start + 1, kind) : nil
    }

    private func run(_ start: Int, _ kind: CharacterKind, atMost most: Int = .max) -> Int {
      var end = start
      while end < kinds.count, kinds[end] == kind, end - start < most { end += 1 }
      return end
    }

    private func isKind(_ place: Int, _ kind: CharacterKind) -> Bool {
      place < kinds.count && kinds[place] == kind
    }

    private func isLineEnd(_ place: Int) -> Bool {
      scalars[place] == "\r" || scalars[place] == "\n"
    }
  }
}
