/// What each format of tokenizer does; texts are bytes of UTF-8.
protocol TokenizerEngine: Sendable {
  /// One more than the largest id.
  var vocabulary: Int { get }
  /// The token that texts begin with, as far as the files name one.
  var begin: Int? { get }
  /// The tokens that end a text.
  var ends: [Int] { get }
  /// A model may have more tokens than the file, as padding.
  var mayBePadded: Bool { get }
  func encode(_ text: [UInt8], addingBegin: Bool) -> [Int]
  /// How ids become text. `skippingSpecial`: special tokens have none.
  func makeReader(skippingSpecial: Bool) -> any TokenReader
}

/// Turns ids into text one at a time.
protocol TokenReader: Sendable {
  /// What the token adds to a text; an unfinished character waits in `text`.
  mutating func read(_ token: Int, into text: inout UTF8Assembler) -> [UInt8]
}

/// For vocabularies in which each token stands for bytes, whatever stands around it but the token before.
struct ByteReader: TokenReader {
  let bytes: @Sendable (_ token: Int, _ previous: Int?) -> [UInt8]
  private var previous: Int?

  init(_ bytes: @escaping @Sendable (Int, Int?) -> [UInt8]) { self.bytes = bytes }

  mutating func read(_ token: Int, into text: inout UTF8Assembler) -> [UInt8] {
    defer { previous = token }
    return text.take(bytes(token, previous))
  }
}

/// For vocabularies whose texts are made as a whole: the start of a text is its own affair (some drop a space there),
/// later a token's text is seen behind `anchor`, a token that has plain text of its own.
struct PieceReader: TokenReader {
  private let decode: @Sendable ([Int]) -> [UInt8]
  private let byte: @Sendable (Int) -> UInt8?
  private let anchor: Int
  private let anchorCount: Int
  private let silent: Set<Int>
  /// The tokens so far, as long as they have no text.
  private var head: [Int] = []
  private var hasBegun = false

  init(
    anchor: Int, silent: Set<Int>, decode: @escaping @Sendable ([Int]) -> [UInt8],
    byte: @escaping @Sendable (Int) -> UInt8?
  ) {
    self.decode = decode
    self.byte = byte
    self.anchor = anchor
    self.silent = silent
    anchorCount = decode([anchor]).count
  }

  mutating func read(_ token: Int, into text: inout UTF8Assembler) -> [UInt8] {
    if silent.contains(token) { return [] }
    if let byte = byte(token) {
      hasBegun = true
      return text.take([byte])
    }
    let broken = text.flush()
    if hasBegun { return broken + decode([anchor, token]).dropFirst(anchorCount) }
    head.append(token)
    let begun = decode(head)
    hasBegun = !begun.isEmpty
    return broken + begun
  }
}

extension [UInt8] {
  /// At least one character, all of them ASCII letters or digits.
  var isPlainWord: Bool {
    !isEmpty
      && allSatisfy {
        (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
      }
  }
}
