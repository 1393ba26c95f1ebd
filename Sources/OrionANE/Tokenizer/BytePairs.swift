/// Byte-pair encoding by ranked pairs: a word becomes ids by joining the pair of lowest rank first. It knows
/// neither how texts are cut into words nor how bytes are spelled.
struct BytePairs: Sendable {
  /// What becomes of characters that have no piece.
  struct Unknown: Sendable {
    /// The piece that stands for them; `nil`: nothing does.
    var id: Int?
    /// Several in a row become one.
    var isFused = false
    /// They become their bytes, where all of these have pieces like `<0x41>`.
    var fallsBackToBytes = false
  }

  let pieces: PieceTable
  let unknown: Unknown
  /// A word that is a piece is not taken apart.
  let takesWholeWords: Bool
  private let joins: [UInt64: Join]

  private struct Join {
    let rank: Int32
    let result: Int32
  }

  /// - Throws: the text of a pair whose parts or whole have no piece.
  init(
    pieces: PieceTable, pairs: [(left: [UInt8], right: [UInt8])], unknown: Unknown,
    takesWholeWords: Bool
  ) throws(UnknownPair) {
    self.pieces = pieces
    self.unknown = unknown
    self.takesWholeWords = takesWholeWords
    var joins: [UInt64: Join] = [:]
    joins.reserveCapacity(pairs.count)
    for (rank, pair) in pairs.enumerated() {
      guard let left = pieces.id(of: pair.left), let right = pieces.id(of: pair.right),
        let result = pieces.id(of: pair.left + pair.right)
      else {
        throw UnknownPair(text: String(decoding: pair.left + [0x20] + pair.right, as: UTF8.self))
      }
      joins[Self.key(left, right)] = Join(rank: Int32(rank), result: Int32(result))
    }
    self.joins = joins
  }

  struct UnknownPair: Error { let text: String }

  private static func key(_ left: Int, _ right: Int) -> UInt64 {
    UInt64(UInt32(truncatingIfNeeded: left)) << 32 | UInt64(UInt32(truncatingIfNeeded: right))
  }

  func encode(_ word: [UInt8], into ids: inout [Int]) {
    if takesWholeWords, let id = pieces.id(of: word) {
      ids.append(id)
      return
    }
    var symbols = symbols(of: word)
    join(&symbols)
    for symbol in symbols where symbol.id >= 0 { ids.append(symbol.id) }
  }

  /// A part of a word; its id is negative once it is part of another.
  private struct Symbol {
    var id: Int
    var before: Int
    var after: Int
  }

  private func symbols(of word: [UInt8]) -> [Symbol] {
    var found: [Int] = []
    var isWaiting = false
    word.withUnsafeBufferPointer { word in
      var place = 0
      while place < word.count {
        let end = min(place + UTF8Text.length(word[place]), word.count)
        let character = UnsafeBufferPointer(rebasing: word[place..<end])
        if let id = pieces.id(of: character) {
          if isWaiting, let unknown = unknown.id { found.append(unknown) }
          isWaiting = false
          found.append(id)
        } else if unknown.fallsBackToBytes, let bytes = byteIDs(character) {
          found += bytes
        } else if let unknown = unknown.id {
          if isWaiting, !self.unknown.isFused { found.append(unknown) }
          isWaiting = true
        }
        place = end
      }
    }
    if isWaiting, let unknown = unknown.id { found.append(unknown) }
    return found.enumerated().map {
      Symbol(id: $1, before: $0 - 1, after: $0 + 1 < found.count ? $0 + 1 : -1)
    }
  }

  private func byteIDs(_ character: UnsafeBufferPointer<UInt8>) -> [Int]? {
    var found: [Int] = []
    for byte in character {
      guard let id = pieces.id(of: BytePiece.spelling(byte)) else { return nil }
      found.append(id)
    }
    return found
  }

  private struct Candidate: Comparable {
    let rank: Int32
    let place: Int
    let result: Int32
    static func < (one: Candidate, other: Candidate) -> Bool {
      (one.rank, one.place) < (other.rank, other.place)
    }
  }

  private func join(_ symbols: inout [Symbol]) {
    guard symbols.count > 1 else { return }
    var queue = Heap<Candidate>(capacity: symbols.count)
    for place in 0..<symbols.count - 1 { offer(place, symbols, &queue) }
    while let best = queue.pop() {
      let after = symbols[best.place].after
      guard symbols[best.place].id >= 0, after >= 0,
        joins[Self.key(symbols[best.place].id, symbols[after].id)]?.result == best.result
      else { continue }
      symbols[best.place].id = Int(best.result)
      symbols[best.place].after = symbols[after].after
      if symbols[after].after >= 0 { symbols[symbols[after].after].before = best.place }
      symbols[after].id = -1
      if symbols[best.place].before >= 0 { offer(symbols[best.place].before, symbols, &queue) }
      offer(best.place, symbols, &queue)
    }
  }

  private func offer(_ place: Int, _ symbols: [Symbol], _ queue: inout Heap<Candidate>) {
    let after = symbols[place].after
    guard after >= 0, let join = joins[Self.key(symbols[place].id, symbols[after].id)] else {
      return
    }
    queue.push(Candidate(rank: join.rank, place: place, result: join.result))
  }
}

/// How vocabularies spell a byte that stands for itself.
enum BytePiece {
  /// `<0x41>`.
  static func spelling(_ byte: UInt8) -> [UInt8] {
    let digits = Array("0123456789ABCDEF".utf8)
    return [0x3C, 0x30, 0x78, digits[Int(byte >> 4)], digits[Int(byte & 15)], 0x3E]
  }

  /// The byte that a piece stands for, in digits of either case.
  static func byte(_ piece: [UInt8]) -> UInt8? {
    guard piece.count == 6, piece[..<3].elementsEqual("<0x".utf8), piece[5] == 0x3E else {
      return nil
    }
    return UInt8(String(decoding: piece[3..<5], as: UTF8.self), radix: 16)
  }

  /// The characters by which byte-level vocabularies spell the bytes: printable ones spell themselves, the others
  /// come from U+0100 on.
  static let characters: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (0..<256).map { (byte: UInt32) -> Unicode.Scalar in
      let isPlain =
        (0x21..<0x7F).contains(byte) || (0xA1..<0xAD).contains(byte) || byte >= 0xAE
      if !isPlain { next += 1 }
      return Unicode.Scalar(isPlain ? byte : next - 1) ?? "?"
    }
  }()
  static let spellings: [[UInt8]] = characters.map { UTF8Text.bytes([$0]) }
  static let bytes: [Unicode.Scalar: UInt8] = Dictionary(
    uniqueKeysWithValues: characters.enumerated().map { ($1, UInt8($0)) })
}
