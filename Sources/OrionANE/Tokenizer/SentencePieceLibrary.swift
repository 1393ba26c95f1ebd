/// Text to ids and back as a SentencePiece model has it: BPE by scores, or unigram. It knows no added token.
struct SentencePieceLibrary: Sendable {
  typealias Damage = SentencePieceModel.Damage

  let model: SentencePieceModel
  private let normalizer: SentencePieceNormalizer
  /// Pieces that texts may become; and the others, which have names alone.
  private let pieces: PieceTable
  private let reserved: PieceTable
  private let userDefined: PrefixTree
  private let unigram: UnigramPieces?
  let unknown: Int

  init(_ model: SentencePieceModel) throws(Damage) {
    self.model = model
    var (pieces, reserved) = (PieceTable(capacity: model.pieces.count), PieceTable())
    var userDefined = PrefixTree()
    var unknown: Int?
    var bytes: Set<UInt8> = []
    for (id, piece) in model.pieces.enumerated() {
      guard !piece.text.isEmpty else { throw Damage(reason: "piece \(id) is empty") }
      guard piece.score.isFinite else {
        throw Damage(reason: "piece \(id) has the score \(piece.score)")
      }
      let isText = piece.kind == .normal || piece.kind == .userDefined || piece.kind == .unused
      let isNew =
        isText ? pieces.insert(piece.text, id: id) : reserved.insert(piece.text, id: id)
      guard isNew else { throw Damage(reason: "piece \(id) stands there twice") }
      switch piece.kind {
      case .userDefined: userDefined.insert(piece.text, value: id)
      case .unknown:
        guard unknown == nil else { throw Damage(reason: "it has two unknown pieces") }
        unknown = id
      case .byte:
        guard let byte = BytePiece.byte(piece.text), BytePiece.spelling(byte) == piece.text else {
          throw Damage(reason: "piece \(id) is no byte")
        }
        bytes.insert(byte)
      default: break
      }
    }
    guard let unknown else { throw Damage(reason: "it has no unknown piece") }
    guard bytes.count == (model.fallsBackToBytes ? 256 : 0) else {
      throw Damage(reason: "it has \(bytes.count) of 256 bytes")
    }
    self.unknown = unknown
    (self.pieces, self.reserved, self.userDefined) = (pieces, reserved, userDefined)
    normalizer = try SentencePieceNormalizer(model.normalization, userDefined: userDefined)
    unigram = model.isUnigram ? Self.unigram(model, unknown) : nil
  }

  private static func unigram(_ model: SentencePieceModel, _ unknown: Int) -> UnigramPieces {
    let normal = model.pieces.filter { $0.kind == .normal }.map(\.score)
    let least = normal.reduce(Float.greatestFiniteMagnitude, min)
    let most = normal.reduce(Float.leastNormalMagnitude, max)
    var unigram = UnigramPieces(
      unknown: .init(id: unknown, score: Double(least - 10)), precision: .single)
    for (id, piece) in model.pieces.enumerated() {
      switch piece.kind {
      case .normal: unigram.insert(piece.text, .init(id: id, score: Double(piece.score)))
      case .userDefined:
        unigram.insert(piece.text, .init(id: id, score: 0, bonus: Double(most)))
      default: break
      }
    }
    return unigram
  }

  func id(of piece: [UInt8]) -> Int { reserved.id(of: piece) ?? pieces.id(of: piece) ?? unknown }

  func kind(_ id: Int) -> SentencePieceModel.Kind? {
    model.pieces.indices.contains(id) ? model.pieces[id].kind : nil
  }

  /// `addingSpace`: where the model puts a space before a text, it is put.
  func encode(_ text: [UInt8], addingSpace: Bool = true) -> [Int] {
    let normal = normalizer.normalize(text, addingSpace: addingSpace)
    guard !normal.isEmpty else { return [] }
    let parts = unigram?.encode(normal) ?? joined(normal)
    var ids: [Int] = []
    var wasUnknown = false
    for part in parts {
      let isUnknown = kind(part.id) == .unknown
      if isUnknown, model.fallsBackToBytes {
        ids += normal[part.range].map { id(of: BytePiece.spelling($0)) }
      } else if !(isUnknown && wasUnknown) {
        // Unknown pieces in a row are one.
        ids.append(part.id)
      }
      wasUnknown = isUnknown
    }
    return ids
  }

  // MARK: - BPE

  private struct Symbol {
    var start: Int
    var end: Int
    var before: Int
    var after: Int
    /// A user's piece, which is never part of another.
    let isFixed: Bool
  }

  private struct Candidate: Comparable {
    let score: Float
    let left: Int
    let right: Int
    let count: Int
    static func < (one: Candidate, other: Candidate) -> Bool {
      one.score != other.score ? one.score > other.score : one.left < other.left
    }
  }

  /// Joins the two neighbours whose piece has the best score, the leftmost of equals, until none are left.
  private func joined(_ text: [UInt8]) -> [UnigramPieces.Part] {
    var symbols = symbols(text)
    var queue = Heap<Candidate>(capacity: symbols.count)
    // Of pieces that are not used any more: what they were joined of.
    var halves: [[UInt8]: Int] = [:]
    func offer(_ left: Int, _ right: Int) {
      guard left >= 0, right >= 0, !symbols[left].isFixed, !symbols[right].isFixed else { return }
      let range = symbols[left].start..<symbols[right].end
      let found = text.withUnsafeBufferPointer {
        pieces.id(of: UnsafeBufferPointer(rebasing: $0[range]))
      }
      guard let id = found else { return }
      queue.push(
        Candidate(score: model.pieces[id].score, left: left, right: right, count: range.count))
      if model.pieces[id].kind == .unused {
        halves[Array(text[range])] = symbols[left].end - symbols[left].start
      }
    }
    for right in symbols.indices.dropFirst() { offer(right - 1, right) }
    while let best = queue.pop() {
      let (left, right) = (symbols[best.left], symbols[best.right])
      guard left.end > left.start, right.end > right.start,
        left.end - left.start + right.end - right.start == best.count
      else { continue }
      symbols[best.left].end = right.end
      symbols[best.left].after = right.after
      if right.after >= 0 { symbols[right.after].before = best.left }
      symbols[best.right].end = right.start
      offer(symbols[best.left].before, best.left)
      offer(best.left, symbols[best.left].after)
    }
    var parts: [UnigramPieces.Part] = []
    var index = symbols.isEmpty ? -1 : 0
    while index >= 0 {
      parts += used(text, symbols[index].start..<symbols[index].end, halves)
      index = symbols[index].after
    }
    return parts
  }

  private func symbols(_ text: [UInt8]) -> [Symbol] {
    var symbols: [Symbol] = []
    var place = 0
    while place < text.count {
      let fixed = userDefined.longest(text, from: place)
      let end = fixed?.end ?? UTF8Text.end(text, place)
      symbols.append(
        Symbol(
          start: place, end: end, before: symbols.count - 1,
          after: end < text.count ? symbols.count + 1 : -1, isFixed: fixed != nil))
      place = end
    }
    return symbols
  }

  /// A piece that is not used any more becomes what it was joined of.
  private func used(_ text: [UInt8], _ range: Range<Int>, _ halves: [[UInt8]: Int])
    -> [UnigramPieces.Part]
  {
    let piece = Array(text[range])
    let id = id(of: piece)
    guard kind(id) == .unused, let count = halves[piece] else {
      return [.init(id: id, range: range)]
    }
    let middle = range.lowerBound + count
    return used(text, range.lowerBound..<middle, halves)
      + used(text, middle..<range.upperBound, halves)
  }

  // MARK: - Text

  func decode(_ ids: [Int]) -> [UInt8] {
    var text: [UInt8] = []
    var bytes = UTF8Bytes()
    var isAtStart = true
    var sawSpace = false
    let rules = model.normalization
    for id in ids where model.pieces.indices.contains(id) {
      let piece = model.pieces[id]
      if piece.kind == .byte {
        bytes.append(BytePiece.byte(piece.text) ?? 0)
        continue
      }
      text += bytes.end()
      if sawSpace || !text.isEmpty { isAtStart = false }
      sawSpace = false
      if piece.kind == .control { continue }
      if piece.kind == .unknown {
        text += model.unknownSurface
        continue
      }
      var part = piece.text[...]
      let mark = SentencePieceNormalizer.spaceMark
      if isAtStart, rules.addsSpace || rules.removesExtraSpaces, part.starts(with: mark) {
        part = part.dropFirst(mark.count)
        sawSpace = !rules.removesExtraSpaces
      }
      text += TextChange.replace(mark, with: [0x20], in: Array(part))
    }
    return text + bytes.end()
  }

  /// Bytes in a row: what is no character becomes U+FFFD, one for each byte.
  private struct UTF8Bytes {
    private var waiting: [UInt8] = []
    mutating func append(_ byte: UInt8) { waiting.append(byte) }
    mutating func end() -> [UInt8] {
      var text: [UInt8] = []
      var place = 0
      while place < waiting.count {
        let end = UTF8Text.end(waiting, place)
        if String(validating: waiting[place..<end], as: UTF8.self) != nil {
          text += waiting[place..<end]
          place = end
        } else {
          text += UTF8Assembler.replacement
          place += 1
        }
      }
      waiting = []
      return text
    }
  }
}
