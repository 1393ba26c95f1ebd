/// tokenizer.json, or vocab.json with merges.txt: added tokens, changes, cuts, pieces, marks around. It reads no file.
struct HuggingFaceTokenizer: TokenizerEngine {
  /// What a part of a text becomes.
  enum Pieces: Sendable {
    case pairs(BytePairs)
    case unigram(UnigramPieces, PieceTable, unknown: Int?, fallsBackToBytes: Bool)

    var table: PieceTable {
      switch self {
      case .pairs(let pairs): pairs.pieces
      case .unigram(_, let table, _, _): table
      }
    }
  }

  /// How the library would do it.
  struct Pipeline: Sendable {
    var added: AddedTokens
    var changes: [TextChange]
    var cuts: [TextCut]
    var pieces: Pieces
    /// Tokens put around a text.
    var before: [Int] = []
    var after: [Int] = []
    var joins: [PieceJoin] = []
    /// Pieces spell bytes by characters.
    var isByteLevel = false
  }

  let vocabulary: Int
  let begin: Int?
  let ends: [Int]
  let mayBePadded = true
  private let pipeline: Pipeline
  private let addsBegin: Bool?
  private let special: Set<Int>
  private let anchor: Int

  init(_ pipeline: Pipeline, _ settings: TokenizerSettings, file: String, usualEnd: String = "")
    throws(OrionError)
  {
    self.pipeline = pipeline
    addsBegin = settings.addsBegin
    let table = pipeline.pieces.table
    vocabulary = max(table.largestID, pipeline.added.rows.keys.max() ?? -1) + 1
    func id(_ text: String?) -> Int? {
      guard let text, !text.isEmpty else { return nil }
      let bytes = Array(text.utf8)
      return pipeline.added.id(of: bytes) ?? table.id(of: bytes)
    }
    let marks = try settings.marks()
    begin = id(settings.text("bos_token")) ?? marks.begin
    let end = id(settings.text("eos_token") ?? usualEnd)
    ends = TokenizerSettings.unique(marks.ends + (end.map { [$0] } ?? []))
    special = Set(pipeline.added.rows.filter { $1.isSpecial }.keys)
    anchor = pipeline.isByteLevel ? 0 : try Self.findAnchor(pipeline, special, file)
  }

  func encode(_ text: [UInt8], addingBegin: Bool) -> [Int] {
    var ids: [Int] = []
    let whole = TextPart(bytes: text, isFirst: true)
    for part in pipeline.added.cut(whole, isNormal: false) {
      guard part.token == nil else {
        ids.append(part.token ?? 0)
        continue
      }
      var normal = part
      for change in pipeline.changes { normal.bytes = change.apply(to: normal.bytes) }
      for part in pipeline.added.cut(normal, isNormal: true) { encode(part, into: &ids) }
    }
    guard addingBegin else { return ids }
    guard let addsBegin else { return pipeline.before + ids + pipeline.after }
    return addsBegin && begin != nil ? [begin ?? 0] + ids : ids
  }

  private func encode(_ part: TextPart, into ids: inout [Int]) {
    if let token = part.token {
      ids.append(token)
      return
    }
    var parts = [part]
    for cut in pipeline.cuts { parts = parts.flatMap(cut.apply) }
    for part in parts {
      switch pipeline.pieces {
      case .pairs(let pairs): pairs.encode(part.bytes, into: &ids)
      case .unigram(let unigram, let table, let unknown, let fallsBackToBytes):
        Self.encode(part.bytes, unigram, table, unknown, fallsBackToBytes, into: &ids)
      }
    }
  }

  /// Unknown characters in a row are one unknown piece, or their bytes.
  private static func encode(
    _ text: [UInt8], _ unigram: UnigramPieces, _ table: PieceTable, _ unknown: Int?,
    _ fallsBackToBytes: Bool, into ids: inout [Int]
  ) {
    var run: Range<Int>?
    func end() {
      guard let range = run else { return }
      let bytes = Array(text[range])
      let spelled = bytes.compactMap { table.id(of: BytePiece.spelling($0)) }
      if let id = table.id(of: bytes) {
        ids.append(id)
      } else if fallsBackToBytes, spelled.count == bytes.count {
        ids += spelled
      } else if let unknown {
        ids.append(unknown)
      }
      run = nil
    }
    for part in unigram.encode(text) {
      if part.id == unknown {
        run = (run?.lowerBound ?? part.range.lowerBound)..<part.range.upperBound
      } else {
        end()
        ids.append(part.id)
      }
    }
    end()
  }

  // MARK: - Text

  func makeReader(skippingSpecial: Bool) -> any TokenReader {
    let silent = skippingSpecial ? special : []
    let pipeline = pipeline
    if pipeline.isByteLevel {
      return ByteReader { token, _ in
        silent.contains(token) ? [] : Self.spelledBytes(token, pipeline)
      }
    }
    let fallsBack = pipeline.joins.contains { if case .bytes = $0 { true } else { false } }
    return PieceReader(anchor: anchor, silent: silent) {
      Self.decode($0, pipeline)
    } byte: {
      fallsBack ? Self.piece($0, pipeline).flatMap(BytePiece.byte) : nil
    }
  }

  /// How the vocabulary spells the token; ids of a padded vocabulary have no text.
  private static func piece(_ token: Int, _ pipeline: Pipeline) -> [UInt8]? {
    pipeline.added.spellings[token] ?? pipeline.pieces.table.piece(token)
  }

  private static func spelledBytes(_ token: Int, _ pipeline: Pipeline) -> [UInt8] {
    let piece = piece(token, pipeline) ?? []
    var bytes: [UInt8] = []
    for scalar in String(decoding: piece, as: UTF8.self).unicodeScalars {
      // Written as it is: an added token with characters that stand for no byte.
      guard let byte = BytePiece.bytes[scalar] else { return piece }
      bytes.append(byte)
    }
    return bytes
  }

  private static func decode(_ tokens: [Int], _ pipeline: Pipeline) -> [UInt8] {
    var pieces = tokens.compactMap { piece($0, pipeline) }
    if pipeline.joins.isEmpty { return Array(pieces.joined(separator: [0x20])) }
    for join in pipeline.joins { pieces = join.apply(to: pieces) }
    return pieces.flatMap { $0 }
  }

  private static func findAnchor(_ pipeline: Pipeline, _ special: Set<Int>, _ file: String)
    throws(OrionError) -> Int
  {
    let ids = pipeline.pieces.table.all.map(\.id).sorted()
    let found = ids.first { id in
      !special.contains(id) && piece(id, pipeline).flatMap(BytePiece.byte) == nil
        && decode([id], pipeline).isPlainWord
    }
    guard let found else {
      throw OrionError(
        .file,
        "\(file): has no token with a letter or a digit; use the file that the model came with")
    }
    return found
  }
}
