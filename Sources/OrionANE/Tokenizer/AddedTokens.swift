/// Tokens that a text is searched for before it is taken apart. It knows no other piece.
struct AddedTokens: Sendable {
  typealias Row = TokenizerSettings.Added

  private(set) var rows: [Int: Row] = [:]
  /// Under what their texts are found and written: as they are, or as the normalizer leaves them.
  private(set) var spellings: [Int: [UInt8]] = [:]
  private var ids: [[UInt8]: Int] = [:]
  private var inText = PrefixTree()
  private var inNormalText = PrefixTree()
  private let normalize: @Sendable ([UInt8]) -> [UInt8]

  init(normalize: @escaping @Sendable ([UInt8]) -> [UInt8]) { self.normalize = normalize }

  func id(of content: [UInt8]) -> Int? { ids[content] }

  /// Gives the tokens the ids that the vocabulary has for their texts, or the next ones.
  mutating func add(_ new: [Row], to pieces: PieceTable) {
    let largest = rows.keys.max() ?? -1
    var next = largest >= pieces.count || pieces.count == 0 ? largest + 1 : pieces.count
    for row in new where !row.content.isEmpty {
      let content = Array(row.content.utf8)
      var id = ids[content] ?? pieces.id(of: content)
      if id == nil {
        id = next
        next += 1
      }
      if let id { insert(row, content, id) }
    }
  }

  private mutating func insert(_ row: Row, _ content: [UInt8], _ id: Int) {
    ids[content] = id
    rows[id] = row
    spellings[id] = row.isNormalized ? normalize(content) : content
    // A token that is given again may be searched for elsewhere.
    inText = PrefixTree()
    inNormalText = PrefixTree()
    isBuilt = false
  }

  private var isBuilt = true

  /// Makes the search ready; after the last `add`.
  mutating func build() {
    guard !isBuilt else { return }
    for (id, row) in rows {
      guard let spelling = spellings[id] else { continue }
      if row.isNormalized {
        inNormalText.insert(spelling, value: id)
      } else {
        inText.insert(spelling, value: id)
      }
    }
    isBuilt = true
  }

  /// The text, with tokens that are searched for in it as it is, or in it as the normalizer left it.
  func cut(_ part: TextPart, isNormal: Bool) -> [TextPart] {
    let tree = isNormal ? inNormalText : inText
    guard !part.bytes.isEmpty else { return [] }
    guard !tree.isEmpty else { return [part] }
    let text = part.bytes
    var parts: [TextPart] = []
    var written = 0
    var place = 0
    while place < text.count {
      guard let (id, matchEnd) = tree.longest(text, from: place), let row = rows[id] else {
        place += 1
        continue
      }
      let match = place
      place = matchEnd
      if row.isSingleWord, touchesWord(text, match, matchEnd) { continue }
      let start = row.stripsLeft ? max(spaceStart(text, before: match), written) : match
      let end = row.stripsRight ? spaceEnd(text, after: matchEnd) : matchEnd
      if written < start {
        parts.append(
          TextPart(bytes: Array(text[written..<start]), isFirst: part.isFirst && written == 0))
      }
      parts.append(TextPart(bytes: Array(text[start..<end]), token: id))
      written = end
    }
    if written < text.count {
      parts.append(TextPart(bytes: Array(text[written...]), isFirst: part.isFirst && written == 0))
    }
    return parts
  }

  private func touchesWord(_ text: [UInt8], _ start: Int, _ end: Int) -> Bool {
    let before = String(decoding: text[..<start], as: UTF8.self).unicodeScalars.last
    let after = String(decoding: text[end...].prefix(4), as: UTF8.self).unicodeScalars.first
    return before.map(CharacterKind.isWord) ?? false || after.map(CharacterKind.isWord) ?? false
  }

  private func spaceStart(_ text: [UInt8], before end: Int) -> Int {
    var start = end
    for scalar in String(decoding: text[..<end], as: UTF8.self).unicodeScalars.reversed() {
      guard scalar.properties.isWhitespace else { break }
      start -= UTF8.width(scalar)
    }
    return start
  }

  private func spaceEnd(_ text: [UInt8], after start: Int) -> Int {
    var end = start
    for scalar in String(decoding: text[start...], as: UTF8.self).unicodeScalars {
      guard scalar.properties.isWhitespace else { break }
      end += UTF8.width(scalar)
    }
    return end
  }
}
