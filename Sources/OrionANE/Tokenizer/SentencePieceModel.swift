/// What a SentencePiece model file holds, read from its protocol buffer; field numbers are those of
/// sentencepiece_model.proto. It takes no text apart.
struct SentencePieceModel: Sendable {
  enum Kind: Int, Sendable {
    case normal = 1
    case unknown = 2
    case control = 3
    case userDefined = 4
    case unused = 5
    case byte = 6
  }

  struct Piece: Sendable {
    var text: [UInt8] = []
    var score: Float = 0
    var kind = Kind.normal
  }

  /// How a text is changed before it is taken apart.
  struct Normalization: Sendable {
    var charsmap: [UInt8] = []
    var addsSpace = true
    var removesExtraSpaces = true
    var escapesSpaces = true
    /// The space is put behind the text instead of before it.
    var isSpaceBehind = false
  }

  var pieces: [Piece] = []
  var isUnigram = true
  var fallsBackToBytes = false
  var unknownSurface = Array(" \u{2047} ".utf8)
  var beginPiece = Array("<s>".utf8)
  var endPiece = Array("</s>".utf8)
  var unknownPiece = Array("<unk>".utf8)
  var normalization = Normalization()

  init() {}

  static func read(_ path: String) throws(OrionError) -> SentencePieceModel {
    do throws(Damage) {
      return try SentencePieceModel(try bytes(path))
    } catch {
      throw OrionError(.file, "\(path): is no SentencePiece model: \(error.reason)")
    }
  }

  private static func bytes(_ path: String) throws(Damage) -> [UInt8] {
    do { return try FileBytes.read(path, atMost: 256 << 20) } catch {
      throw Damage(reason: error.message)
    }
  }

  struct Damage: Error { let reason: String }

  private init(_ bytes: [UInt8]) throws(Damage) {
    var message = ProtocolBuffer(bytes[...])
    while let field = try message.next() {
      switch field.number {
      case 1: pieces.append(try Self.piece(try field.bytes()))
      case 2: try readTrainer(try field.bytes())
      case 3: try readNormalization(try field.bytes())
      case 5: try refuseDenormalization(try field.bytes())
      default: continue
      }
    }
    guard !pieces.isEmpty else { throw Damage(reason: "it holds no piece") }
  }

  private static func piece(_ bytes: ArraySlice<UInt8>) throws(Damage) -> Piece {
    var piece = Piece()
    var message = ProtocolBuffer(bytes)
    while let field = try message.next() {
      switch field.number {
      case 1: piece.text = Array(try field.bytes())
      case 2: piece.score = Float(bitPattern: UInt32(truncatingIfNeeded: field.value))
      case 3: piece.kind = Kind(rawValue: Int(truncatingIfNeeded: field.value)) ?? .normal
      default: continue
      }
    }
    return piece
  }

  private mutating func readTrainer(_ bytes: ArraySlice<UInt8>) throws(Damage) {
    var message = ProtocolBuffer(bytes)
    while let field = try message.next() {
      switch field.number {
      case 3:
        guard field.value == 1 || field.value == 2 else {
          throw Damage(reason: "its pieces are of kind \(field.value), expected unigram or BPE")
        }
        isUnigram = field.value == 1
      case 24: normalization.isSpaceBehind = field.value != 0
      case 35: fallsBackToBytes = field.value != 0
      case 44: unknownSurface = Array(try field.bytes())
      case 45: unknownPiece = Array(try field.bytes())
      case 46: beginPiece = Array(try field.bytes())
      case 47: endPiece = Array(try field.bytes())
      default: continue
      }
    }
  }

  private mutating func readNormalization(_ bytes: ArraySlice<UInt8>) throws(Damage) {
    var message = ProtocolBuffer(bytes)
    while let field = try message.next() {
      switch field.number {
      case 2: normalization.charsmap = Array(try field.bytes())
      case 3: normalization.addsSpace = field.value != 0
      case 4: normalization.removesExtraSpaces = field.value != 0
      case 5: normalization.escapesSpaces = field.value != 0
      default: continue
      }
    }
  }

  private func refuseDenormalization(_ bytes: ArraySlice<UInt8>) throws(Damage) {
    var message = ProtocolBuffer(bytes)
    while let field = try message.next() {
      if field.number == 2, !(try field.bytes().isEmpty) {
        throw Damage(reason: "it has rules for texts that come out, which are not known here")
      }
    }
  }
}

/// Fields of a protocol buffer in their order; what a number means is its reader's affair.
private struct ProtocolBuffer {
  typealias Damage = SentencePieceModel.Damage

  struct Field {
    let number: Int
    /// Of a number; 0 for bytes.
    let value: UInt64
    fileprivate let content: ArraySlice<UInt8>?

    func bytes() throws(Damage) -> ArraySlice<UInt8> {
      guard let content else { throw Damage(reason: "field \(number) is a number, not bytes") }
      return content
    }
  }

  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  mutating func next() throws(Damage) -> Field? {
    guard !rest.isEmpty else { return nil }
    let key = try varint()
    let number = Int(truncatingIfNeeded: key >> 3)
    guard number > 0, number < 1 << 29 else { throw Damage(reason: "a field has no number") }
    switch key & 7 {
    case 0: return Field(number: number, value: try varint(), content: nil)
    case 1: return Field(number: number, value: try fixed(8), content: nil)
    case 2:
      let count = try varint()
      guard count <= UInt64(rest.count) else {
        throw Damage(reason: "field \(number) says it has \(count) bytes, \(rest.count) are left")
      }
      return Field(number: number, value: 0, content: take(Int(count)))
    case 5: return Field(number: number, value: try fixed(4), content: nil)
    default: throw Damage(reason: "field \(number) is of no known form")
    }
  }

  private mutating func take(_ count: Int) -> ArraySlice<UInt8> {
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  private mutating func varint() throws(Damage) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<10 {
      guard let byte = rest.popFirst() else { throw Damage(reason: "it is cut short") }
      value |= UInt64(byte & 0x7F) << (7 * UInt64(index))
      if byte < 0x80 { return value }
    }
    throw Damage(reason: "a number has more than 10 bytes")
  }

  private mutating func fixed(_ count: Int) throws(Damage) -> UInt64 {
    guard rest.count >= count else { throw Damage(reason: "it is cut short") }
    return take(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
