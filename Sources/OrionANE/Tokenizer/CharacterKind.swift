/// What a character is to the rules that cut texts into words. It knows no rule.
enum CharacterKind: Sendable {
  case letter, number, space, other

  init(_ scalar: Unicode.Scalar) {
    self = scalar.isASCII ? Self.ascii[Int(scalar.value)] : Self.reading(scalar)
  }

  private static let ascii = (0..<128).map { reading(Unicode.Scalar(UInt8($0))) }

  private static func reading(_ scalar: Unicode.Scalar) -> CharacterKind {
    if scalar.properties.isWhitespace { return .space }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      return newest.knows(scalar) ? .letter : .other
    case .decimalNumber, .letterNumber, .otherNumber:
      return newest.knows(scalar) ? .number : .other
    default: return .other
    }
  }

  /// The Python libraries' tables end with this version of Unicode; what came later has no kind there.
  private static let newest = UnicodeVersion(major: 16, minor: 0)

  /// A part of a word, as regular expressions have it.
  static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.properties.isAlphabetic || scalar.properties.isJoinControl { return true }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
      return true
    default: return false
    }
  }
}

/// A version of Unicode, with which the tables of a library end.
struct UnicodeVersion: Sendable {
  let major: Int
  let minor: Int

  func knows(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.age.map { ($0.major, $0.minor) <= (major, minor) } ?? false
  }
}
