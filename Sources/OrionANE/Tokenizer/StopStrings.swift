/// Ends a text where one of several strings begins, and shows no part of it. It knows no token.
struct StopStrings: Sendable {
  private let strings: [[UInt8]]
  /// What may be the beginning of a stop string.
  private var held: [UInt8] = []
  /// A stop string came.
  private(set) var isOver = false

  init(_ strings: [String]) throws(OrionError) {
    guard !strings.contains(where: \.isEmpty) else {
      throw OrionError(
        .argument, "stop: a stop string has at least one character; leave the empty one out")
    }
    self.strings = strings.map { Array($0.utf8) }
  }

  /// What can be shown now; nothing after a stop string came.
  mutating func push(_ new: [UInt8]) -> [UInt8] {
    if isOver || strings.isEmpty { return isOver ? [] : new }
    let text = held + new
    held = []
    // The one that is complete first, as if the text came a character at a time; then the one that began first.
    var found: (end: Int, start: Int)?
    for string in strings {
      guard let start = Self.place(of: string, in: text) else { continue }
      let match = (end: start + string.count, start: start)
      if found.map({ match < $0 }) ?? true { found = match }
    }
    if let found {
      isOver = true
      return Array(text[..<found.start])
    }
    let safe = text.count - waiting(text)
    held = Array(text[safe...])
    return Array(text[..<safe])
  }

  /// What waited in vain.
  mutating func flush() -> [UInt8] {
    defer { held = [] }
    return held
  }

  /// How long an end of the text is that begins a stop string.
  private func waiting(_ text: [UInt8]) -> Int {
    let longest = min((strings.map(\.count).max() ?? 1) - 1, text.count)
    for length in stride(from: longest, to: 0, by: -1) {
      if strings.contains(where: { $0.starts(with: text[(text.count - length)...]) }) {
        return length
      }
    }
    return 0
  }

  private static func place(of string: [UInt8], in text: [UInt8]) -> Int? {
    guard string.count <= text.count else { return nil }
    return (0...text.count - string.count).first {
      text[$0] == string[0] && text[$0..<$0 + string.count].elementsEqual(string)
    }
  }
}
