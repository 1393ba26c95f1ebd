/// Compares method type encodings across compilers and systems, which differ in offsets and qualifiers.
enum TypeEncoding {
  /// `B44@0:8@16^@36` becomes `B@:@^@`: offsets and the qualifiers rnNoORV are dropped; names inside
  /// braces and quotes stay.
  static func normalized(_ encoding: String) -> String {
    var kept = ""
    var depth = 0
    var isQuoted = false
    for character in encoding {
      switch character {
      case "\"": isQuoted.toggle()
      case "{", "(": depth += isQuoted ? 0 : 1
      case "}", ")": depth -= isQuoted ? 0 : 1
      default:
        let isInside = depth > 0 || isQuoted
        if !isInside && (character.isWholeNumber || "rnNoORV".contains(character)) { continue }
      }
      kept.append(character)
    }
    return kept
  }
}
