/// A text as SentencePiece wants it: characters replaced by the model's own table, spaces as the model has them.
struct SentencePieceNormalizer: Sendable {
  /// How a space is written in pieces: U+2581.
  static let spaceMark: [UInt8] = [0xE2, 0x96, 0x81]

  private let rules: SentencePieceModel.Normalization
  private let charsmap: Charsmap?
  /// Pieces that stay as they are.
  private let userDefined: PrefixTree

  init(_ rules: SentencePieceModel.Normalization, userDefined: PrefixTree)
    throws(SentencePieceModel.Damage)
  {
    self.rules = rules
    self.userDefined = userDefined
    charsmap = rules.charsmap.isEmpty ? nil : try Charsmap(rules.charsmap)
  }

  /// `addingSpace`: where the model puts a space before a text, it is put.
  func normalize(_ text: [UInt8], addingSpace: Bool) -> [UInt8] {
    let space = rules.escapesSpaces ? Self.spaceMark : [0x20]
    let addsSpace = rules.addsSpace && addingSpace
    var place = 0
    if rules.removesExtraSpaces {
      while place < text.count {
        let (part, count) = prefix(text, place)
        guard part == [0x20] else { break }
        place += count
      }
    }
    guard place < text.count else { return [] }
    var result: [UInt8] = []
    result.reserveCapacity(text.count + text.count / 4 + 4)
    if addsSpace, !rules.isSpaceBehind { result += space }
    var isAfterSpace = rules.removesExtraSpaces
    while place < text.count {
      let (whole, count) = prefix(text, place)
      var part = whole[...]
      while isAfterSpace, part.first == 0x20 { part = part.dropFirst() }
      for byte in part {
        if byte == 0x20 { result += space } else { result.append(byte) }
      }
      if let last = part.last { isAfterSpace = last == 0x20 }
      isAfterSpace = isAfterSpace && rules.removesExtraSpaces
      place += count
    }
    if rules.removesExtraSpaces {
      while result.suffix(space.count).elementsEqual(space) { result.removeLast(space.count) }
    }
    if addsSpace, rules.isSpaceBehind { result += space }
    return result
  }

  /// What the beginning of the rest becomes, and how much of it that is.
  private func prefix(_ text: [UInt8], _ place: Int) -> ([UInt8], Int) {
    if let (_, end) = userDefined.longest(text, from: place) {
      return (Array(text[place..<end]), end - place)
    }
    if let found = charsmap?.longest(text, place) { return found }
    let end = UTF8Text.end(text, place)
    return (Array(text[place..<end]), end - place)
  }
}

/// The table of replacements in a model: a tree of bytes packed into words, and the texts it points to.
private struct Charsmap: Sendable {
  private let words: [UInt32]
  private let texts: [UInt8]
  /// Longer matches than this many do not count.
  private static let matchesMax = 32

  init(_ blob: [UInt8]) throws(SentencePieceModel.Damage) {
    func word(_ place: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(blob[place + $1]) << (8 * UInt32($1)) }
    }
    guard blob.count > 4, Int(word(0)) < blob.count, 4 + Int(word(0)) <= blob.count else {
      throw .init(reason: "its table of characters is cut short")
    }
    let size = Int(word(0))
    words = (0..<size / 4).map { word(4 + 4 * $0) }
    texts = Array(blob[(4 + size)...])
  }

  /// The longest text at `place` that is replaced: by what, and its length.
  func longest(_ text: [UInt8], _ place: Int) -> ([UInt8], Int)? {
    guard var node = words.first.map({ Int(Self.offset($0)) }) else { return nil }
    var found: (value: Int, count: Int)?
    var matches = 0
    for index in place..<text.count {
      node ^= Int(text[index])
      guard node < words.count, words[node] & 0x8000_00FF == UInt32(text[index]) else { break }
      let word = words[node]
      node ^= Int(Self.offset(word))
      guard node < words.count else { break }
      guard word & 0x100 != 0 else { continue }
      found = (Int(words[node] & 0x7FFF_FFFF), index + 1 - place)
      matches += 1
      if matches == Self.matchesMax { break }
    }
    guard let found, found.value < texts.count else { return nil }
    return (Array(texts[found.value...].prefix { $0 != 0 }), found.count)
  }

  private static func offset(_ word: UInt32) -> UInt32 { (word >> 10) << ((word & 0x200) >> 6) }
}
