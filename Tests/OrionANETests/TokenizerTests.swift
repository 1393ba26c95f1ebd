import Testing

@testable import OrionANE

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Text to ids and back; and files that are damaged, cut short or of unknown kinds.
@Suite struct TokenizerTests {
  /// The shared test data; `nil` where there is none.
  static let data: String? = {
    let named = getenv("ORION_TEST_DATA").map { String(cString: $0) }
    return [named, "../shared/data"].compactMap { $0 }.first { FileSystem.isDirectory($0) }
  }()

  private func put(_ folder: TemporaryDirectory, _ name: String, _ text: String) throws {
    _ = try folder.file(name, Array(text.utf8))
  }

  /// A byte-level vocabulary of the 256 bytes, the pieces that `merges` make, and what `change` adds to it.
  static func json(
    _ merges: [String], _ cut: String = #"{"type": "ByteLevel", "add_prefix_space": false}"#
  ) -> String {
    var pieces = BytePiece.spellings.map { String(decoding: $0, as: UTF8.self) }
    pieces += merges.map { String($0.filter { $0 != " " }) }
    let rows = pieces.enumerated().map { "\(JSONValue($1).text): \($0)" }
    return """
      {"added_tokens": [{"id": 256, "content": "<|end|>", "special": true}],
       "normalizer": null, "pre_tokenizer": \(cut), "post_processor": null,
       "decoder": {"type": "ByteLevel"},
       "model": {"type": "BPE", "vocab": {\(rows.joined(separator: ", "))},
                 "merges": [\(merges.map { JSONValue($0).text }.joined(separator: ", "))]}}
      """
  }

  @Test func joinsPairsByRankLeftmostFirst() throws {
    let folder = try TemporaryDirectory()
    try put(folder, "tokenizer.json", Self.json(["a b", "b c", "ab c", "c c", "Ġ ab"]))
    let words = try Tokenizer(path: folder.path)
    #expect(words.encode("abc") == [258])
    #expect(words.encode("bccc") == [257, 259])
    #expect(words.encode("x abc") == [120, 32, 258])
    #expect(words.encode("a<|end|>b") == [97, 261, 98])
    #expect(words.decode([97, 261, 98]) == "ab")
    #expect(words.decode([97, 261, 98], skippingSpecial: false) == "a<|end|>b")
    #expect(words.vocabulary == 262 && words.beginToken == nil && words.endTokens.isEmpty)
  }

  @Test func twoSpellingsOfOneCharacterAreTwoPieces() throws {
    let folder = try TemporaryDirectory()
    let text = Self.json([]).replacing(
      #""content": "<|end|>", "special": true}"#,
      with: #""content": "\#u{1EC7}"}, {"id": 257, "content": "e\#u{323}\#u{302}"}"#)
    try put(folder, "tokenizer.json", text)
    let words = try Tokenizer(path: folder.path)
    #expect(words.encode("\u{1EC7}e\u{323}\u{302}") == [256, 257])
    #expect(words.decode([257]).unicodeScalars.elementsEqual("e\u{323}\u{302}".unicodeScalars))
  }

  @Test(arguments: [
    (WordRules.gpt2, "I'M 123 don't  x\n\n y", "I|'|M| 123| don|'t| | x|\n\n| y"),
    (WordRules.llama3, "I'M 1234 don't!\n\n y", "I|'M| |123|4| don|'t|!\n\n| y"),
    (WordRules.qwen2, "x=12  \n  y\t$a", "x|=|1|2|  \n| | y|\t|$a"),
  ])
  func cutsWords(_ rules: WordRules, _ text: String, _ expected: String) {
    let words = rules.words(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
    #expect(words.joined(separator: "|") == expected)
  }

  @Test func composesText() {
    func composed(_ text: String) -> [Unicode.Scalar] {
      let bytes = CanonicalComposition.compose(Array(text.utf8))
      return Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
    }
    #expect(composed("e\u{301}") == ["\u{e9}"])
    #expect(composed("q\u{307}\u{323}") == ["q", "\u{323}", "\u{307}"])
    #expect(composed("\u{1112}\u{1161}\u{11ab}") == ["\u{d55c}"])
    #expect(composed("\u{212b}\u{958}") == ["\u{c5}", "\u{915}", "\u{93c}"])
    #expect(composed("plain") == ["p", "l", "a", "i", "n"])
  }

  @Test func streamsNeverGiveHalfACharacter() throws {
    let folder = try TemporaryDirectory()
    try put(folder, "tokenizer.json", Self.json([]))
    let words = try Tokenizer(path: folder.path)
    let text = "é漢😀\u{10FFFF} a"
    var stream = words.makeStream()
    let parts = words.encode(text).map { stream.push($0) }
    #expect(parts.joined() + stream.flush() == text)
    #expect(!parts.joined().contains("\u{fffd}"))
    var broken = words.makeStream()
    #expect(broken.push(words.encode("é")[0]) == "")
    #expect(broken.push(words.encode("a")[0]) == "\u{fffd}a")
    #expect(broken.push(words.encode("😀")[0]) == "" && broken.flush() == "\u{fffd}")
  }

  @Test func assemblesWhateverBytesComeAsTheStandardLibraryDoes() {
    var random = SystemRandomNumberGenerator()
    let bytes: [UInt8] = [
      0x41, 0x80, 0xBF, 0xC2, 0xE0, 0xA0, 0xED, 0xF0, 0x90, 0xF4, 0xFF, 0xE2, 0x82,
    ]
    for _ in 0..<2000 {
      let text = (0..<Int.random(in: 0...12)).map { _ in bytes.randomElement(using: &random) ?? 0 }
      var assembler = UTF8Assembler()
      let parts = text.flatMap { assembler.take([$0]) } + assembler.flush()
      #expect(String(decoding: parts, as: UTF8.self) == String(decoding: text, as: UTF8.self))
    }
  }

  @Test(.enabled(if: TokenizerTests.data != nil)) func readsRecordedStories() throws {
    let directory = try #require(Self.data) + "/stories260K"
    let words = try Tokenizer(path: directory, modelVocabulary: 512)
    let recorded = try TokenizerSettings.readJSON(directory + "/expected.json")
    guard case .array(let cases)? = recorded["cases"] else { throw OrionError(.file, "no cases") }
    for row in cases {
      guard case .string(let prompt)? = row["prompt"], case .string(let text)? = row["text"] else {
        continue
      }
      let ids = words.encode(prompt)
      #expect(JSONValue(ids.map(Int.init)) == row["prompt_ids"])
      guard case .array(let new)? = row["new_ids"] else { continue }
      let all = ids + new.compactMap { if case .integer(let id) = $0 { Int32(id) } else { nil } }
      #expect(words.decode(all) == text)
    }
    #expect(cases.count > 2 && words.endTokens == [1, 2])
  }

  @Test(.enabled(if: TokenizerTests.data != nil)) func readsGPT2AndLlama2() throws {
    let data = try #require(Self.data)
    let gpt2 = try Tokenizer(path: data + "/gpt2")
    #expect(gpt2.encode("Hello world<|endoftext|>") == [15496, 995, 50256])
    let llama2 = try Tokenizer(path: data + "/llama2", modelVocabulary: 32000)
    #expect(llama2.encode("Hello world 漢") == [1, 15043, 3186, 29871, 31652])
    #expect(llama2.decode([1, 15043, 3186, 2]) == "Hello world")
    #expect(llama2.encode("", addingBegin: false).isEmpty && llama2.beginToken == 1)
  }

  private static let badFiles = [
    ("tokenizer.json", "", "is no JSON"),
    ("tokenizer.json", "{}", "has no model"),
    ("tokenizer.json", #"{"model": {"type": "WordPiece"}}"#, #"model is "WordPiece""#),
    ("tokenizer.json", json(["a b", "b zz"]), "joins what the vocabulary does not hold"),
    ("tokenizer.json", json(["a b c"]), "is no pair"),
    ("tokenizer.json", json([], #"{"type": "Whitespace"}"#), "pre_tokenizer is Whitespace"),
    (
      "tokenizer.json",
      json([], #"{"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Isolated"}"#),
      "known: those of GPT-2, Llama 3, Qwen2"
    ),
    ("vocab.json", "{}", "merges.txt: there is no such file"),
    ("tok.bin", "#!/bin/sh\necho no tokenizer at all\n", "is no llama2.c tokenizer"),
    ("tokenizer.model", "\u{ff}\u{ff}\u{ff}", "is no SentencePiece model"),
    ("tokenizer.model", "", "is no SentencePiece model: it holds no piece"),
    ("config.json", "{}", "has no tokenizer; put its tokenizer.json"),
  ]

  @Test func badFilesAreRefused() throws {
    for (name, content, message) in Self.badFiles {
      let folder = try TemporaryDirectory()
      try put(folder, name, content)
      let error = #expect(throws: OrionError.self) { try Tokenizer(path: folder.path) }
      #expect(error?.kind == .file)
      #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }
  }

  /// Whatever a byte becomes, reading throws or gives a tokenizer that works.
  @Test(
    .enabled(if: TokenizerTests.data != nil),
    arguments: ["llama2/tokenizer.model", "stories260K/tok512.bin", "tokenizer.json"])
  func damageIsNoTrap(_ source: String) throws {
    let data = try #require(Self.data)
    let name = source.split(separator: "/").last.map(String.init) ?? source
    let folder = try TemporaryDirectory()
    var content = Array(Self.json(["a b", "ab c"]).utf8)
    if name != source { content = Array(try FileBytes.read("\(data)/\(source)").prefix(6000)) }
    var refused = 0
    for round in 0..<60 {
      var bytes = content
      for place in 0...round % 3 {
        let changed = (round * 7919 + place * 104_729) % bytes.count
        bytes[changed] = UInt8(truncatingIfNeeded: round * 37)
      }
      if round % 5 == 0 { bytes.removeLast((round * 131) % bytes.count) }
      _ = try folder.file(name, bytes)
      do {
        let words = try Tokenizer(path: folder.path)
        _ = words.decode(words.encode("a text, é 漢 <s>"))
      } catch { refused += 1 }
    }
    #expect(refused > 0)
  }
}
