/// Text to token ids and back, by the files of a model directory or a bundle.
///
/// Read are `tokenizer.json` (byte-level BPE, BPE with bytes, unigram), llama2.c's `tok*.bin`, `vocab.json` with
/// `merges.txt`, and SentencePiece's `tokenizer.model`, with the settings that lie beside them. Ids are those that the
/// Python libraries give. Steps of a `tokenizer.json` that are not known are refused by name.
///
/// May be used from several threads at once.
public final class Tokenizer: Sendable {
  private let engine: any TokenizerEngine
  /// One more than the largest id that has a text.
  public let vocabulary: Int
  /// The token that texts begin with, if the model has one.
  public let beginToken: Int32?
  /// Tokens that end a text; may be empty.
  public let endTokens: [Int32]
  /// How a conversation becomes one text, as the model's files have it: a program in Jinja, which is not run here.
  public let chatTemplate: String?

  /// Reads the tokenizer of a directory, or the one that a file belongs to.
  ///
  /// - Parameters:
  ///   - path: a bundle, a model directory, or one of the files themselves.
  ///   - modelVocabulary: how many tokens the model has; a file that cannot be that model's is refused.
  /// - Throws: ``OrionError`` of kind `file` when there is none, or it is damaged, or of a form that is not known.
  public convenience init(path: String, modelVocabulary: Int? = nil) throws(OrionError) {
    guard let found = try Self.find(path: path, modelVocabulary: modelVocabulary) else {
      throw OrionError(
        .file,
        "\(path): has no tokenizer; put its tokenizer.json, vocab.json with merges.txt,"
          + " tokenizer.model or tok*.bin there")
    }
    self.init(found)
  }

  /// A tokenizer that was found, checked.
  struct Found {
    let engine: any TokenizerEngine
    let begin: Int?
    let ends: [Int]
    let chatTemplate: String?
  }

  init(_ found: Found) {
    engine = found.engine
    vocabulary = found.engine.vocabulary
    beginToken = found.begin.map { Int32($0) }
    endTokens = found.ends.map { Int32($0) }
    chatTemplate = found.chatTemplate
  }

  /// `nil` when the directory has none: its model takes ids alone.
  static func find(path: String, modelVocabulary: Int?) throws(OrionError) -> Found? {
    let (files, directory) = try TokenizerFiles.find(path)
    guard let files else { return nil }
    let settings = try TokenizerSettings(directory: directory)
    let engine: any TokenizerEngine =
      switch files {
      case .json(let path): try TokenizerJSON.read(path, settings)
      case .llama2c(let path): try Llama2cTokenizer(path)
      case .sentencePiece(let path): try SentencePieceTokenizer(path, settings)
      case .pair(let vocabulary, let merges):
        try TokenizerJSON.read(vocabulary: vocabulary, merges: merges, settings)
      }
    let known = 0..<(modelVocabulary ?? engine.vocabulary)
    if let count = modelVocabulary,
      engine.vocabulary > count || (engine.vocabulary < count && !engine.mayBePadded)
    {
      throw OrionError(
        .file,
        "\(directory): its tokenizer holds \(engine.vocabulary) tokens, but the model beside it"
          + " has a vocabulary of \(count); use the tokenizer that the model was trained with")
    }
    return Found(
      engine: engine, begin: engine.begin.flatMap { known.contains($0) ? $0 : nil },
      ends: engine.ends.filter(known.contains), chatTemplate: settings.chatTemplate)
  }

  /// The ids of a text. Special tokens spelled in it become their ids.
  ///
  /// - Parameters:
  ///   - text: any text; nothing in it is an error.
  ///   - addingBegin: whether the token with which the model's texts begin comes first, if the model has one.
  public func encode(_ text: String, addingBegin: Bool = true) -> [Int32] {
    engine.encode(Array(text.utf8), addingBegin: addingBegin).map { Int32($0) }
  }

  /// The text of ids, which is what they stream. Ids that the vocabulary does not have, have no text.
  ///
  /// - Parameters:
  ///   - ids: in the order of the text.
  ///   - skippingSpecial: whether special tokens have no text; else they stand for themselves.
  public func decode(_ ids: [Int32], skippingSpecial: Bool = true) -> String {
    var stream = makeStream(skippingSpecial: skippingSpecial)
    return ids.map { stream.push($0) }.joined() + stream.flush()
  }

  /// A detokeniser to push ids into, one at a time.
  public func makeStream(skippingSpecial: Bool = true) -> TokenStream {
    TokenStream(engine.makeReader(skippingSpecial: skippingSpecial))
  }
}

/// Turns ids into text one at a time and never gives half a character: an unfinished one waits for its other bytes.
public struct TokenStream: Sendable {
  private var reader: any TokenReader
  private var text = UTF8Assembler()

  init(_ reader: any TokenReader) { self.reader = reader }

  /// The text that `token` completes.
  public mutating func push(_ token: Int32) -> String {
    String(decoding: pushBytes(token), as: UTF8.self)
  }

  /// What is left at the end: U+FFFD for an unfinished character.
  public mutating func flush() -> String { String(decoding: flushBytes(), as: UTF8.self) }

  mutating func pushBytes(_ token: Int32) -> [UInt8] { reader.read(Int(token), into: &text) }
  mutating func flushBytes() -> [UInt8] { text.flush() }
}
