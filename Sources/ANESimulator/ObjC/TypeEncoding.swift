/// Method type encodings with the frame size and the offsets that the runtime reports.

enum TypeEncoding {
  /// `B@:@@I^@` becomes `B44@0:8@16@24I32^@36`: the frame's size after the result's type, then each
  /// argument with its offset. Integers narrower than `int` take the room of an `int`; nothing is
  /// aligned.
  static func withOffsets(_ types: String) -> String {
    var rest = Substring(types)
    guard let result = nextType(&rest) else { return types }
    var arguments = ""
    var offset = 0
    while let type = nextType(&rest) {
      arguments += "\(type)\(offset)"
      offset += size(of: type)
    }
    return "\(result)\(offset)\(arguments)"
  }

  private static func nextType(_ rest: inout Substring) -> Substring? {
    let whole = rest
    while rest.first == "^" { rest.removeFirst() }
    guard let first = rest.popFirst() else { return nil }
    if first == "@", rest.first == "?" { rest.removeFirst() }
    if first == "{" {
      var depth = 1
      while depth > 0, let next = rest.popFirst() {
        depth += next == "{" ? 1 : next == "}" ? -1 : 0
      }
    }
    return whole[..<rest.startIndex]
  }

  private static func size(of type: Substring) -> Int {
    switch type.first {
    case "v": 0
    case "B", "c", "C", "s", "S", "i", "I", "f": 4
    default: 8
    }
  }
}
