/// Cuts the bytes of a MIL text into tokens. It never fails: bytes that are no token become an
/// invalid one, and every call moves forward.
struct Lexer {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var offset = 0
  private var line = 1
  private var lineStart = 0

  /// `bytes` must outlive the lexer.
  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  mutating func next() -> Token {
    if let fault = skipBlanks() { return fault }
    let start = location
    guard let byte = peek() else { return token(.end, from: start) }
    if Self.startsIdentifier(byte) {
      repeat { offset += 1 } while peek().map(Self.continuesIdentifier) ?? false
      return token(.identifier, from: start)
    }
    if byte == UInt8(ascii: "\"") { return string(from: start) }
    if byte == UInt8(ascii: "-"), peek(1) == UInt8(ascii: ">") {
      offset += 2
      return token(.arrow, from: start)
    }
    if Self.startsNumber(byte) { return number(from: start) }
    offset += 1
    let known = Self.punctuation.contains(byte)
    return token(known ? .punctuation(byte) : .invalid(.strayByte(byte)), from: start)
  }

  /// The bytes of a token, as text.
  func text(of token: Token) -> String {
    String(decoding: bytes[token.start.offset..<token.end.offset], as: UTF8.self)
  }

  /// What a string token says: without its quotes, escapes resolved.
  func content(of token: Token) -> String {
    let inner = bytes[(token.start.offset + 1)..<(token.end.offset - 1)]
    let backslash = UInt8(ascii: "\\")
    if !inner.contains(backslash) { return String(decoding: inner, as: UTF8.self) }
    var plain: [UInt8] = []
    var escaped = false
    for byte in inner {
      escaped = byte == backslash && !escaped
      if !escaped { plain.append(byte) }
    }
    return String(decoding: plain, as: UTF8.self)
  }

  private var location: SourceLocation {
    SourceLocation(offset: offset, line: line, column: offset - lineStart + 1)
  }

  private func token(_ kind: TokenKind, from start: SourceLocation) -> Token {
    Token(kind: kind, start: start, end: location)
  }

  private func peek(_ distance: Int = 0) -> UInt8? {
    offset + distance < bytes.count ? bytes[offset + distance] : nil
  }

  private mutating func takeNewline() {
    offset += 1
    line += 1
    lineStart = offset
  }

  /// Passes spaces and comments; the token of a comment that is never closed.
  private mutating func skipBlanks() -> Token? {
    while let byte = peek() {
      switch byte {
      case UInt8(ascii: "\n"): takeNewline()
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): offset += 1
      case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "/"):
        while let next = peek(), next != UInt8(ascii: "\n") { offset += 1 }
      case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"):
        if let fault = skipBlockComment() { return fault }
      default: return nil
      }
    }
    return nil
  }

  private mutating func skipBlockComment() -> Token? {
    let start = location
    offset += 2
    while let byte = peek() {
      if byte == UInt8(ascii: "*"), peek(1) == UInt8(ascii: "/") {
        offset += 2
        return nil
      }
      if byte == UInt8(ascii: "\n") { takeNewline() } else { offset += 1 }
    }
    return token(.invalid(.openComment), from: start)
  }

  private mutating func string(from start: SourceLocation) -> Token {
    offset += 1
    var unknownEscape = false
    while let byte = peek() {
      switch byte {
      case UInt8(ascii: "\""):
        offset += 1
        return token(unknownEscape ? .invalid(.unknownEscape) : .string, from: start)
      case UInt8(ascii: "\\"):
        let escaped = peek(1)
        if escaped != UInt8(ascii: "\""), escaped != UInt8(ascii: "\\") {
          unknownEscape = true
          offset += 1
        } else {
          offset += 2
        }
      case UInt8(ascii: "\n"): takeNewline()
      default: offset += 1
      }
    }
    return token(.invalid(.openString), from: start)
  }

  private mutating func number(from start: SourceLocation) -> Token {
    let shape = NumberShape.measure(bytes, from: offset)
    offset = shape.end
    return token(shape.isValid ? .number : .invalid(.malformedNumber), from: start)
  }

  private static let punctuation = Array("()[]{}<>,=;?".utf8)

  private static func startsIdentifier(_ byte: UInt8) -> Bool {
    isLetter(byte) || byte == UInt8(ascii: "_")
  }

  private static func continuesIdentifier(_ byte: UInt8) -> Bool {
    isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "@")
  }

  private static func startsNumber(_ byte: UInt8) -> Bool {
    isDigit(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
      || byte == UInt8(ascii: ".")
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (byte | 0x20) &- UInt8(ascii: "a") < 26
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
}

/// How far a number reaches, and whether it is one.
private struct NumberShape {
  var end: Int
  var isValid: Bool

  /// Measures the number at `start`; takes the letters and dots that cling to it too.
  static func measure(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> NumberShape {
    var end = start
    func byte() -> UInt8 { end < bytes.count ? bytes[end] | 0x20 : 0 }
    func skipSign() {
      guard end < bytes.count else { return }
      if bytes[end] == UInt8(ascii: "-") || bytes[end] == UInt8(ascii: "+") { end += 1 }
    }
    func skipDigits(hex: Bool) -> Int {
      let first = end
      while end < bytes.count, NumberText.digit(bytes[end], hex: hex) != nil { end += 1 }
      return end - first
    }
    func skipFraction(hex: Bool) -> Int {
      guard end < bytes.count, bytes[end] == UInt8(ascii: ".") else { return 0 }
      end += 1
      return skipDigits(hex: hex)
    }
    skipSign()
    var isValid: Bool
    if byte() == UInt8(ascii: "i") || byte() == UInt8(ascii: "n") {
      isValid = true
      let word = bytes[end..<min(end + 3, bytes.count)]
      isValid = word.elementsEqual("inf".utf8) || word.elementsEqual("nan".utf8)
      end += word.count
    } else {
      let isHex =
        end + 1 < bytes.count && bytes[end] == UInt8(ascii: "0")
        && bytes[end + 1] | 0x20 == UInt8(ascii: "x")
      if isHex { end += 2 }
      isValid = skipDigits(hex: isHex) + skipFraction(hex: isHex) > 0
      if byte() == UInt8(ascii: isHex ? "p" : "e") {
        end += 1
        skipSign()
        isValid = skipDigits(hex: false) > 0 && isValid
      }
    }
    let tail = end
    while end < bytes.count, clings(bytes[end]) { end += 1 }
    return NumberShape(end: max(end, start + 1), isValid: isValid && end == tail)
  }

  private static func clings(_ byte: UInt8) -> Bool {
    (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10
      || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
  }
}
