/// Bytes as UTF-8: whole characters out of parts, and places of characters. It knows no token.

/// Gives what is complete and lets an unfinished character wait; what can become none is U+FFFD.
struct UTF8Assembler: Sendable {
  static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]
  private var waiting: [UInt8] = []

  /// The characters that `bytes` complete.
  mutating func take(_ bytes: [UInt8]) -> [UInt8] {
    let all = waiting + bytes
    waiting = []
    var text: [UInt8] = []
    text.reserveCapacity(all.count)
    var place = 0
    while place < all.count {
      let (count, isWhole) = Self.read(all, place)
      if isWhole {
        text += all[place..<place + count]
      } else if place + count == all.count, count < Self.length(all[place]) {
        waiting = Array(all[place...])
      } else {
        text += Self.replacement
      }
      place += count
    }
    return text
  }

  /// What waited in vain.
  mutating func flush() -> [UInt8] {
    defer { waiting = [] }
    return waiting.isEmpty ? [] : Self.replacement
  }

  /// How many bytes from `place` on are a character, or the beginning of one; at least 1.
  private static func read(_ bytes: [UInt8], _ place: Int) -> (count: Int, isWhole: Bool) {
    let first = bytes[place]
    let length = length(first)
    if length <= 1 { return (1, length == 1) }
    // The second byte tells spellings that are too long, surrogates, and what lies over U+10FFFF.
    let second: ClosedRange<UInt8> =
      switch first {
      case 0xE0: 0xA0...0xBF
      case 0xED: 0x80...0x9F
      case 0xF0: 0x90...0xBF
      case 0xF4: 0x80...0x8F
      default: 0x80...0xBF
      }
    for offset in 1..<length {
      guard place + offset < bytes.count,
        (offset == 1 ? second : 0x80...0xBF).contains(bytes[place + offset])
      else { return (offset, false) }
    }
    return (length, true)
  }

  /// How many bytes a character has that begins so; 0 for what begins none.
  private static func length(_ first: UInt8) -> Int {
    switch first {
    case 0..<0x80: 1
    case 0xC2..<0xE0: 2
    case 0xE0..<0xF0: 3
    case 0xF0..<0xF5: 4
    default: 0
    }
  }
}

/// A text that is UTF-8, by characters.
enum UTF8Text {
  /// Bytes of the character that begins so.
  static func length(_ first: UInt8) -> Int {
    switch first {
    case 0..<0xC0: 1
    case 0xC0..<0xE0: 2
    case 0xE0..<0xF0: 3
    default: 4
    }
  }

  /// The end of the character at `place`, inside the text.
  static func end(_ bytes: [UInt8], _ place: Int) -> Int {
    min(place + length(bytes[place]), bytes.count)
  }

  /// The characters, and the place of each with the text's end behind.
  static func characters(_ bytes: [UInt8]) -> (scalars: [Unicode.Scalar], places: [Int]) {
    var scalars: [Unicode.Scalar] = []
    var places: [Int] = []
    scalars.reserveCapacity(bytes.count)
    places.reserveCapacity(bytes.count + 1)
    var place = 0
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      scalars.append(scalar)
      places.append(place)
      place += UTF8.width(scalar)
    }
    places.append(place)
    return (scalars, places)
  }

  static func bytes(_ scalars: some Sequence<Unicode.Scalar>) -> [UInt8] {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    return Array(String(text).utf8)
  }
}
