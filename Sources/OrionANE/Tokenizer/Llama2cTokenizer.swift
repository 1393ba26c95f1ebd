/// llama2.c's tokenizer files (`tok*.bin`), with ids and text as its run.c makes them.
///
/// File: int32 length of the longest piece; then for each token its fp32 score, int32 length and bytes. Tokens 0, 1 and
/// 2 are unknown, begin and end; 3 to 258 are the bytes, for characters that no piece holds.
struct Llama2cTokenizer: TokenizerEngine {
  private static let (beginID, endID, firstByte) = (1, 2, 3)
  private static let firstPiece = firstByte + 256
  private static let pieceBytesMax = 1 << 16

  let begin: Int? = beginID
  /// run.c stops at the begin token: its models learnt stories laid end to end, each after one.
  let ends = [beginID, endID]
  let mayBePadded = false
  private let pieces: [[UInt8]]
  private let library: SentencePieceLibrary

  var vocabulary: Int { pieces.count }

  init(_ path: String) throws(OrionError) {
    let rows = try Self.read(path)
    pieces = rows.map(\.piece)
    try Self.check(path, pieces)
    var model = SentencePieceModel()
    model.isUnigram = false
    model.fallsBackToBytes = true
    model.normalization.removesExtraSpaces = false
    model.normalization.escapesSpaces = false
    model.pieces = rows.enumerated().map { id, row in
      switch id {
      case 0: .init(text: model.unknownPiece, score: row.score, kind: .unknown)
      case Self.beginID: .init(text: model.beginPiece, score: row.score, kind: .control)
      case Self.endID: .init(text: model.endPiece, score: row.score, kind: .control)
      case Self.firstByte..<Self.firstPiece:
        .init(
          text: BytePiece.spelling(UInt8(id - Self.firstByte)), score: row.score, kind: .byte)
      default: .init(text: row.piece, score: row.score)
      }
    }
    do throws(SentencePieceModel.Damage) { library = try SentencePieceLibrary(model) } catch {
      throw OrionError(.file, "\(path): is no llama2.c tokenizer: \(error.reason)")
    }
  }

  func encode(_ text: [UInt8], addingBegin: Bool) -> [Int] {
    (addingBegin ? [Self.beginID] : []) + (text.isEmpty ? [] : library.encode(text))
  }

  /// The marks have no text; the space that follows a begin token is not part of it.
  func makeReader(skippingSpecial: Bool) -> any TokenReader {
    let pieces = pieces
    return ByteReader { token, previous in
      guard pieces.indices.contains(token), token != Self.beginID, token != Self.endID else {
        return []
      }
      var piece = pieces[token][...]
      if previous == Self.beginID, piece.first == 0x20 { piece = piece.dropFirst() }
      return BytePiece.byte(Array(piece)).map { [$0] } ?? Array(piece)
    }
  }

  private static func read(_ path: String) throws(OrionError) -> [(score: Float, piece: [UInt8])] {
    let data = try FileBytes.read(path, atMost: 256 << 20)
    var rows: [(score: Float, piece: [UInt8])] = []
    var place = 4
    func word(_ place: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(data[place + $1]) << (8 * UInt32($1)) }
    }
    while place < data.count {
      let fault = "\(path): is no llama2.c tokenizer or is cut short: token \(rows.count)"
      guard data.count - place >= 8 else {
        throw OrionError(
          .file, "\(fault) takes 8 bytes and a piece, \(data.count - place) are left")
      }
      let score = Float(bitPattern: word(place))
      let length = Int(Int32(bitPattern: word(place + 4)))
      place += 8
      guard length >= 0, length <= min(pieceBytesMax, data.count - place) else {
        throw OrionError(
          .file, "\(fault) says its piece has \(length) bytes, \(data.count - place) are left")
      }
      rows.append((score, Array(data[place..<place + length])))
      place += length
    }
    return rows
  }

  /// What run.c takes for granted.
  private static func check(_ path: String, _ pieces: [[UInt8]]) throws(OrionError) {
    func shown(_ piece: [UInt8]) -> String {
      JSONValue(String(decoding: piece, as: UTF8.self)).text
    }
    guard pieces.count > firstPiece else {
      throw OrionError(
        .file,
        "\(path): is no llama2.c tokenizer: expected more than \(firstPiece) tokens (3 marks, 256"
          + " bytes, pieces), found \(pieces.count)")
    }
    for byte in 0..<256 where BytePiece.byte(pieces[firstByte + byte]) != UInt8(byte) {
      throw OrionError(
        .file,
        "\(path): is no llama2.c tokenizer: token \(byte + firstByte) is"
          + " \(shown(pieces[firstByte + byte])), expected"
          + " \(String(decoding: BytePiece.spelling(UInt8(byte)), as: UTF8.self))")
    }
    var seen = Set(BytePiece.spellings.indices.map { BytePiece.spelling(UInt8($0)) })
    for mark in ["<unk>", "<s>", "</s>"] { seen.insert(Array(mark.utf8)) }
    for (token, piece) in pieces.enumerated().dropFirst(firstPiece) {
      guard !piece.isEmpty, seen.insert(piece).inserted else {
        throw OrionError(
          .file, "\(path): token \(token), \(shown(piece)), stands there twice or is empty")
      }
      guard String(validating: piece, as: UTF8.self) != nil else {
        throw OrionError(.file, "\(path): token \(token), \(shown(piece)), is not UTF-8")
      }
    }
    guard seen.contains([0x20]) else {
      throw OrionError(.file, "\(path): has no token for a space, with which every text begins")
    }
  }
}
