/// GPT-2's two files, vocab.json with merges.txt, as a byte-level BPE.
extension TokenizerJSON {
  private static let usualEnd = "<|endoftext|>"

  /// How a text is cut, by tokenizer_class.
  private static let classes: [(name: String, rules: WordRules)] = [
    ("GPT2Tokenizer", .gpt2), ("GPT2TokenizerFast", .gpt2), ("Qwen2Tokenizer", .qwen2),
    ("Qwen2TokenizerFast", .qwen2),
  ]

  static func read(vocabulary: String, merges: String, _ settings: TokenizerSettings)
    throws(OrionError) -> HuggingFaceTokenizer
  {
    for path in [vocabulary, merges] where !FileSystem.isFile(path) {
      throw OrionError(.file, "\(path): there is no such file; the two belong together")
    }
    let file = TokenizerJSON(path: vocabulary)
    var kind = "GPT2Tokenizer"
    if case .string(let name)? = settings.config["tokenizer_class"], !name.isEmpty { kind = name }
    guard let rules = classes.first(where: { $0.name == kind })?.rules else {
      throw OrionError(
        .file,
        "\(vocabulary): belongs to a \(kind), whose rules do not stand in it; expected a"
          + " tokenizer.json, or one of \(classes.map(\.name).joined(separator: ", "))")
    }
    let table = try file.table(try TokenizerSettings.readJSON(vocabulary, atMost: bytesMax))
    for (byte, spelling) in BytePiece.spellings.enumerated() where table.id(of: spelling) == nil {
      throw OrionError(
        .file,
        "\(vocabulary): has no token for byte 0x\(String(byte, radix: 16, uppercase: true));"
          + " expected all 256 of a byte-level BPE")
    }
    let pairs = try TokenizerJSON(path: merges).lines(table)
    let changes: [TextChange] = rules == .qwen2 ? [.compose] : []
    let space = try settings.boolean("add_prefix_space") ?? false
    var added = AddedTokens { text in changes.reduce(text) { $1.apply(to: $0) } }
    try file.add(settings, table, &added)
    var pipeline = HuggingFaceTokenizer.Pipeline(
      added: added, changes: changes, cuts: [.bytes(addsSpace: space, rules: .gpt2)],
      pieces: .pairs(pairs))
    if rules != .gpt2 { pipeline.cuts = [.words(rules), .bytes(addsSpace: space, rules: nil)] }
    pipeline.isByteLevel = true
    return try HuggingFaceTokenizer(pipeline, settings, file: vocabulary, usualEnd: usualEnd)
  }

  private func lines(_ table: PieceTable) throws(OrionError) -> BytePairs {
    var pairs: [(left: [UInt8], right: [UInt8])] = []
    let content = try FileBytes.read(path, atMost: Self.bytesMax)
    for (index, line) in content.split(separator: 0x0A).enumerated() {
      let line = line.last == 0x0D ? line.dropLast() : line
      if line.isEmpty || line.starts(with: "#version".utf8) { continue }
      guard let pair = Self.pair(Array(line)) else { throw fault("line \(index + 1) is no pair") }
      pairs.append(pair)
    }
    return try bytePairs(table, pairs, BytePairs.Unknown(), false)
  }

  private func add(_ settings: TokenizerSettings, _ table: PieceTable, _ added: inout AddedTokens)
    throws(OrionError)
  {
    let rows = try settings.added()
    let given = Set(rows.values.map { Array($0.content.utf8) })
    let texts = settings.special.map(\.text) + [Self.usualEnd]
    var known: [AddedTokens.Row] = []
    for text in texts where !given.contains(Array(text.utf8)) {
      if table.id(of: Array(text.utf8)) != nil { known.append(AddedTokens.Row(content: text)) }
    }
    added.add(known, to: table)
    for (id, row) in rows.sorted(by: { $0.key < $1.key }) {
      added.add([row], to: table)
      let found = added.id(of: Array(row.content.utf8)) ?? -1
      guard found == id else {
        throw OrionError(
          .file,
          "\(path): the added token \(JSONValue(row.content).text) has id \(id), but the"
            + " vocabulary makes it \(found)")
      }
    }
    added.build()
  }
}
