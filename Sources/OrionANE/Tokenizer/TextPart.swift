/// Steps between a text and its pieces, as tokenizer.json lists them. They know no vocabulary.

/// A part of a text on its way: still text, or a token already.
struct TextPart: Sendable {
  var bytes: [UInt8]
  var token: Int?
  /// It begins where the text begins.
  var isFirst = false
}

/// A change of the text before it is cut.
enum TextChange: Sendable {
  case compose
  case prepend([UInt8])
  case replace([UInt8], with: [UInt8])

  func apply(to text: [UInt8]) -> [UInt8] {
    switch self {
    case .compose: CanonicalComposition.compose(text)
    case .prepend(let start): text.isEmpty ? text : start + text
    case .replace(let old, let new): Self.replace(old, with: new, in: text)
    }
  }

  static func replace(_ old: [UInt8], with new: [UInt8], in text: [UInt8]) -> [UInt8] {
    guard let first = old.first, text.contains(first) else { return text }
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var place = 0
    while place < text.count {
      if text[place] == first, text[place...].starts(with: old) {
        result += new
        place += old.count
      } else {
        result.append(text[place])
        place += 1
      }
    }
    return result
  }
}

/// A cut of a text into parts that are read apart.
enum TextCut: Sendable {
  case words(WordRules)
  /// Each byte becomes the character that spells it.
  case bytes(addsSpace: Bool, rules: WordRules?)
  case digits(isEachAlone: Bool)
  case spaces(mark: [UInt8], Prepending, cuts: Bool)

  /// Where a mark of a space is put before a text.
  enum Prepending: String, Sendable { case first, never, always }

  func apply(to part: TextPart) -> [TextPart] {
    var text = part.bytes
    let words: [[UInt8]]
    switch self {
    case .words(let rules):
      words = rules.words(text)
    case .bytes(let addsSpace, let rules):
      if addsSpace, text.first != 0x20 { text.insert(0x20, at: 0) }
      words = (rules?.words(text) ?? [text]).map {
        $0.flatMap { BytePiece.spellings[Int($0)] }
      }
    case .digits(let isEachAlone):
      words = Self.digits(text, isEachAlone)
    case .spaces(let mark, let prepending, let cuts):
      text = TextChange.replace([0x20], with: mark, in: text)
      let wants = prepending == .always || (prepending == .first && part.isFirst)
      if wants, !text.starts(with: mark) { text = mark + text }
      words = cuts ? Self.before(mark, text) : [text]
    }
    return words.enumerated().compactMap {
      $1.isEmpty ? nil : TextPart(bytes: $1, isFirst: part.isFirst && $0 == 0)
    }
  }

  /// A cut before each mark.
  private static func before(_ mark: [UInt8], _ text: [UInt8]) -> [[UInt8]] {
    var words: [[UInt8]] = []
    var start = 0
    for place in text.indices.dropFirst()
    where text[place] == mark[0] && text[place...].starts(with: mark) {
      words.append(Array(text[start..<place]))
      start = place
    }
    return words + [Array(text[start...])]
  }

  private static func digits(_ text: [UInt8], _ isEachAlone: Bool) -> [[UInt8]] {
    let (scalars, places) = UTF8Text.characters(text)
    var words: [[UInt8]] = []
    var wasNumber = false
    for (index, scalar) in scalars.enumerated() {
      let isNumber = CharacterKind(scalar) == .number
      let character = text[places[index]..<places[index + 1]]
      if words.isEmpty || isNumber != wasNumber || (isNumber && isEachAlone) {
        words.append(Array(character))
      } else {
        words[words.count - 1] += character
      }
      wasNumber = isNumber
    }
    return words
  }
}

/// A step from pieces back to a text.
enum PieceJoin: Sendable {
  case replace([UInt8], with: [UInt8])
  case bytes
  case fuse
  case strip([UInt8], start: Int, stop: Int)
  case spaces(mark: [UInt8], prepending: TextCut.Prepending)

  func apply(to pieces: [[UInt8]]) -> [[UInt8]] {
    switch self {
    case .replace(let old, let new):
      pieces.map { TextChange.replace(old, with: new, in: $0) }
    case .bytes: Self.readBytes(pieces)
    case .fuse: [pieces.flatMap { $0 }]
    case .strip(let mark, let start, let stop):
      pieces.map { Self.strip($0, mark, start, stop) }
    case .spaces(let mark, let prepending):
      pieces.enumerated().map {
        let isFirst = $0 == 0 && prepending != .never
        return TextChange.replace(mark, with: isFirst ? [] : [0x20], in: $1)
      }
    }
  }

  private static func strip(_ piece: [UInt8], _ mark: [UInt8], _ start: Int, _ stop: Int)
    -> [UInt8]
  {
    var piece = piece[...]
    for _ in 0..<start where piece.starts(with: mark) { piece = piece.dropFirst(mark.count) }
    for _ in 0..<stop where piece.suffix(mark.count).elementsEqual(mark) {
      piece = piece.dropLast(mark.count)
    }
    return Array(piece)
  }

  /// Pieces like `<0x41>` in a row are one text, or one U+FFFD for each when they are no UTF-8.
  private static func readBytes(_ pieces: [[UInt8]]) -> [[UInt8]] {
    var result: [[UInt8]] = []
    var bytes: [UInt8] = []
    func end() {
      if !bytes.isEmpty {
        let isText = String(validating: bytes, as: UTF8.self) != nil
        result += isText ? [bytes] : bytes.map { _ in UTF8Assembler.replacement }
      }
      bytes = []
    }
    for piece in pieces {
      if let byte = BytePiece.byte(piece) {
        bytes.append(byte)
      } else {
        end()
        result.append(piece)
      }
    }
    end()
    return result
  }
}
