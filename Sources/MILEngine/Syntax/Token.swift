/// The words of MIL text. It knows bytes and places, and no grammar.

/// What kind of word a token is.
enum TokenKind: Hashable {
  /// A name or a keyword; MIL reserves none.
  case identifier
  /// An integer, a decimal, a C99 hex float, or a signed `inf` or `nan`.
  case number
  /// `"…"`, quotes and escapes still in place.
  case string
  /// One of `( ) [ ] { } < > , = ; ?`.
  case punctuation(UInt8)
  /// `->`
  case arrow
  case end
  case invalid(LexicalFault)
}

/// Why some bytes are no token.
enum LexicalFault: Hashable {
  case strayByte(UInt8)
  case malformedNumber
  case openString
  case unknownEscape
  case openComment

  var message: String {
    switch self {
    case .strayByte(let byte):
      return "\(Self.name(of: byte)) is no part of MIL text here; remove it"
    case .malformedNumber:
      return "malformed number; expected an integer, a decimal such as 1.5e-3,"
        + " or a hex float such as 0x1.8p+0"
    case .openString:
      return "this string is never closed; expected a closing `\"`"
    case .unknownEscape:
      return "unknown escape in a string; only `\\\"` and `\\\\` exist"
    case .openComment:
      return "this comment is never closed; expected `*/`"
    }
  }

  private static func name(of byte: UInt8) -> String {
    if byte > 0x20, byte < 0x7F { return "`\(Character(Unicode.Scalar(byte)))`" }
    let digits = String(byte, radix: 16, uppercase: true)
    return "byte 0x" + (digits.count < 2 ? "0" : "") + digits
  }
}

/// One word with its place.
struct Token {
  var kind: TokenKind
  var start: SourceLocation
  var end: SourceLocation

  var span: SourceSpan { SourceSpan(start: start, end: end) }

  func `is`(_ character: Unicode.Scalar) -> Bool {
    kind == .punctuation(UInt8(truncatingIfNeeded: character.value))
  }
}
