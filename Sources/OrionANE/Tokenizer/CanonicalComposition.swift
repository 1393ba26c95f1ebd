/// Unicode's composed form (NFC): equal texts get equal characters. It knows no tokenizer.
enum CanonicalComposition {
  /// The library `tokenizers` composes by tables that end here.
  private static let newest = UnicodeVersion(major: 9, minor: 0)

  private struct Tables: Sendable {
    /// One or two characters that a character stands for.
    var parts: [Unicode.Scalar: [Unicode.Scalar]] = [:]
    var wholes: [UInt64: Unicode.Scalar] = [:]

    init(_ rows: String) {
      var code: UInt32 = 0
      for word in rows.split(whereSeparator: \.isWhitespace) {
        if word.last == ":" {
          code = UInt32(word.dropLast(), radix: 16) ?? 0
          continue
        }
        let parts = word.split(whereSeparator: { $0 == "+" || $0 == "-" }).compactMap {
          UInt32($0, radix: 16).flatMap(Unicode.Scalar.init)
        }
        if let scalar = Unicode.Scalar(code), newest.knows(scalar) {
          self.parts[scalar] = parts
          if word.contains("+") { wholes[Tables.key(parts[0], parts[1])] = scalar }
        }
        code += 1
      }
    }

    static func key(_ one: Unicode.Scalar, _ other: Unicode.Scalar) -> UInt64 {
      UInt64(one.value) << 32 | UInt64(other.value)
    }
  }

  private static let tables = Tables(CanonicalPairs.rows)

  static func compose(_ text: [UInt8]) -> [UInt8] {
    guard text.contains(where: { $0 >= 0x80 }) else { return text }
    var scalars: [Unicode.Scalar] = []
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
      takeApart(scalar, into: &scalars)
    }
    order(&scalars)
    return UTF8Text.bytes(join(scalars))
  }

  private static func takeApart(_ scalar: Unicode.Scalar, into scalars: inout [Unicode.Scalar]) {
    if let syllable = Hangul.parts(scalar) {
      scalars += syllable
    } else if let parts = tables.parts[scalar] {
      for part in parts { takeApart(part, into: &scalars) }
    } else {
      scalars.append(scalar)
    }
  }

  private static func rank(_ scalar: Unicode.Scalar) -> UInt8 {
    guard scalar.value >= 0x300, newest.knows(scalar) else { return 0 }
    return scalar.properties.canonicalCombiningClass.rawValue
  }

  /// Marks behind a character stand by their class; those of one class keep their order.
  private static func order(_ scalars: inout [Unicode.Scalar]) {
    var start = 0
    while start < scalars.count {
      guard rank(scalars[start]) > 0 else {
        start += 1
        continue
      }
      let end = scalars[start...].firstIndex { rank($0) == 0 } ?? scalars.count
      let marks = scalars[start..<end].enumerated().sorted {
        (rank($0.element), $0.offset) < (rank($1.element), $1.offset)
      }
      scalars.replaceSubrange(start..<end, with: marks.map(\.element))
      start = end
    }
  }

  private static func join(_ scalars: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(scalars.count)
    var starter: Int?
    var lastRank: UInt8 = 0
    for scalar in scalars {
      let rank = rank(scalar)
      if let place = starter {
        // Nothing of the same class, and no other character, may stand between the two.
        let isNext = place == result.count - 1
        if isNext || (lastRank < rank && lastRank > 0),
          let whole = Hangul.whole(result[place], scalar)
            ?? tables.wholes[Tables.key(result[place], scalar)]
        {
          result[place] = whole
          continue
        }
      }
      if rank == 0 { starter = result.count }
      lastRank = rank
      result.append(scalar)
    }
    return result
  }
}

/// Korean syllables, which are made of their parts by counting.
private enum Hangul {
  static let syllables: UInt32 = 0xAC00
  static let (leads, vowels, tails): (UInt32, UInt32, UInt32) = (0x1100, 0x1161, 0x11A7)
  static let (leadCount, vowelCount, tailCount): (UInt32, UInt32, UInt32) = (19, 21, 28)

  static func parts(_ scalar: Unicode.Scalar) -> [Unicode.Scalar]? {
    guard scalar.value >= syllables else { return nil }
    let index = scalar.value - syllables
    guard index < leadCount * vowelCount * tailCount else { return nil }
    let tail = index % tailCount
    let codes =
      [leads + index / (vowelCount * tailCount), vowels + index / tailCount % vowelCount]
      + (tail > 0 ? [tails + tail] : [])
    return codes.compactMap(Unicode.Scalar.init)
  }

  static func whole(_ one: Unicode.Scalar, _ other: Unicode.Scalar) -> Unicode.Scalar? {
    let (one, other) = (one.value, other.value)
    if (leads..<leads + leadCount).contains(one), (vowels..<vowels + vowelCount).contains(other) {
      return Unicode.Scalar(syllables + ((one - leads) * vowelCount + other - vowels) * tailCount)
    }
    if (syllables..<syllables + leadCount * vowelCount * tailCount).contains(one),
      (one - syllables) % tailCount == 0, (tails + 1..<tails + tailCount).contains(other)
    {
      return Unicode.Scalar(one + other - tails)
    }
    return nil
  }
}
