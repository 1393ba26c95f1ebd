/// Reads tokenizer.json into steps; those that are not known are refused by name.
struct TokenizerJSON {
  let path: String

  static let bytesMax = 256 << 20

  static func read(_ path: String, _ settings: TokenizerSettings) throws(OrionError)
    -> HuggingFaceTokenizer
  {
    let file = TokenizerJSON(path: path)
    let root = try TokenizerSettings.readJSON(path, atMost: bytesMax)
    guard let model = root["model"], case .object = model else {
      throw file.fault("has no model; expected a file that the library tokenizers wrote")
    }
    let changes = try file.changes(root["normalizer"])
    var added = AddedTokens { text in changes.reduce(text) { $1.apply(to: $0) } }
    let pieces = try file.pieces(model)
    added.add(try file.addedRows(root["added_tokens"]), to: pieces.table)
    added.build()
    var pipeline = HuggingFaceTokenizer.Pipeline(
      added: added, changes: changes, cuts: try file.cuts(root["pre_tokenizer"]), pieces: pieces)
    try file.marks(root["post_processor"], &pipeline)
    try file.joins(root["decoder"], &pipeline)
    return try HuggingFaceTokenizer(pipeline, settings, file: path)
  }

  // MARK: - Values

  func fault(_ message: String) -> OrionError {
    OrionError(.file, "\(path): is no tokenizer that can be read here: \(message)")
  }

  func unknown(_ part: String, _ name: String, _ known: String) -> OrionError {
    fault("its \(part) is \(name); known: \(known)")
  }

  func string(_ value: JSONValue?, _ what: String) throws(OrionError) -> [UInt8] {
    guard case .string(let text)? = value else { throw fault("\(what) is no text") }
    return Array(text.utf8)
  }

  private func name(_ value: JSONValue) throws(OrionError) -> String {
    String(decoding: try string(value["type"], "the type of a step"), as: UTF8.self)
  }

  func elements(_ value: JSONValue?, _ what: String) throws(OrionError) -> [JSONValue] {
    guard case .array(let values)? = value else { throw fault("\(what) is no list") }
    return values
  }

  /// The steps of a list of type Sequence, or the one; none for null.
  private func steps(_ value: JSONValue?, _ list: String) throws(OrionError) -> [JSONValue] {
    guard let value, value != .null else { return [] }
    guard try name(value) == "Sequence" else { return [value] }
    var found: [JSONValue] = []
    for step in try elements(value[list], list) { found += try steps(step, list) }
    return found
  }

  // MARK: - Steps

  private func changes(_ value: JSONValue?) throws(OrionError) -> [TextChange] {
    var changes: [TextChange] = []
    for step in try steps(value, "normalizers") {
      switch try name(step) {
      case "NFC": changes.append(.compose)
      case "Prepend": changes.append(.prepend(try string(step["prepend"], "prepend")))
      case "Replace": changes.append(.replace(try pattern(step), with: try content(step)))
      case let other: throw unknown("normalizer", other, "NFC, Prepend, Replace")
      }
    }
    return changes
  }

  private func pattern(_ step: JSONValue) throws(OrionError) -> [UInt8] {
    guard let pattern = step["pattern"]?["String"] else {
      throw fault("a Replace searches for \(step["pattern"]?.text ?? "nothing"), expected a String")
    }
    return try string(pattern, "pattern")
  }

  private func content(_ step: JSONValue) throws(OrionError) -> [UInt8] {
    try string(step["content"], "content")
  }

  private func cuts(_ value: JSONValue?) throws(OrionError) -> [TextCut] {
    var cuts: [TextCut] = []
    for step in try steps(value, "pretokenizers") {
      switch try name(step) {
      case "ByteLevel":
        cuts.append(
          .bytes(
            addsSpace: step["add_prefix_space"] == true,
            rules: step["use_regex"] == false ? nil : .gpt2))
      case "Split": cuts.append(.words(try rules(step)))
      case "Digits": cuts.append(.digits(isEachAlone: step["individual_digits"] == true))
      case "Metaspace":
        let (mark, prepending) = try metaspace(step)
        cuts.append(.spaces(mark: mark, prepending, cuts: step["split"] != false))
      case let other: throw unknown("pre_tokenizer", other, "ByteLevel, Split, Digits, Metaspace")
      }
    }
    return cuts
  }

  private func rules(_ step: JSONValue) throws(OrionError) -> WordRules {
    let known = WordRules.known.map(\.name).joined(separator: ", ")
    guard case .string(let pattern)? = step["pattern"]?["Regex"],
      let rules = WordRules.known.first(where: {
        $0.pattern.utf8.elementsEqual(pattern.utf8)
      })
    else {
      throw unknown("Split", step["pattern"]?.text ?? "without a pattern", "those of \(known)")
    }
    // The patterns match everything, so that nothing lies between matches.
    let isKept = step["behavior"] == "Isolated" && step["invert"] != true
    guard isKept || (step["behavior"] == "Removed" && step["invert"] == true) else {
      throw unknown(
        "Split", "\(step["behavior"]?.text ?? "nothing"), invert \(step["invert"]?.text ?? "")",
        "Isolated")
    }
    return rules
  }

  private func metaspace(_ step: JSONValue) throws(OrionError) -> ([UInt8], TextCut.Prepending) {
    let mark = try string(step["replacement"], "replacement")
    guard !mark.isEmpty else { throw fault("replacement is empty") }
    if step["add_prefix_space"] == false { return (mark, .never) }
    guard let scheme = step["prepend_scheme"] else { return (mark, .always) }
    guard case .string(let name) = scheme, let prepending = TextCut.Prepending(rawValue: name)
    else { throw unknown("prepend_scheme", scheme.text, "first, never, always") }
    return (mark, prepending)
  }

  private func joins(_ value: JSONValue?, _ pipeline: inout HuggingFaceTokenizer.Pipeline)
    throws(OrionError)
  {
    for step in try steps(value, "decoders") {
      switch try name(step) {
      case "ByteLevel": pipeline.isByteLevel = true
      case "Replace":
        pipeline.joins.append(.replace(try pattern(step), with: try content(step)))
      case "ByteFallback": pipeline.joins.append(.bytes)
      case "Fuse": pipeline.joins.append(.fuse)
      case "Strip":
        let mark = try content(step)
        guard case .integer(let start)? = step["start"], case .integer(let stop)? = step["stop"],
          !mark.isEmpty, (0...64).contains(start), (0...64).contains(stop)
        else { throw fault("a Strip takes a character and two counts") }
        pipeline.joins.append(.strip(mark, start: Int(start), stop: Int(stop)))
      case "Metaspace":
        let (mark, prepending) = try metaspace(step)
        pipeline.joins.append(.spaces(mark: mark, prepending: prepending))
      case let other:
        throw unknown(
          "decoder", other, "ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace")
      }
    }
  }

  /// The tokens that a template puts around a text.
  private func marks(_ value: JSONValue?, _ pipeline: inout HuggingFaceTokenizer.Pipeline)
    throws(OrionError)
  {
    for step in try steps(value, "processors") {
      switch try name(step) {
      case "ByteLevel": continue
      case "TemplateProcessing":
        var isBehind = false
        var (before, after): ([Int], [Int]) = ([], [])
        for row in try elements(step["single"], "single") {
          guard let mark = row["SpecialToken"]?["id"] else {
            isBehind = true
            continue
          }
          let id = String(decoding: try string(mark, "id"), as: UTF8.self)
          for token in try elements(step["special_tokens"]?[id]?["ids"], "the ids of \(id)") {
            guard case .integer(let token) = token, (0..<1 << 31).contains(token) else {
              throw fault("the ids of \(id) are no token ids")
            }
            if isBehind { after.append(Int(token)) } else { before.append(Int(token)) }
          }
        }
        pipeline.before = before + pipeline.before
        pipeline.after += after
      case let other: throw unknown("post_processor", other, "ByteLevel, TemplateProcessing")
      }
    }
  }

  private func addedRows(_ value: JSONValue?) throws(OrionError) -> [AddedTokens.Row] {
    guard let value, value != .null else { return [] }
    var rows: [AddedTokens.Row] = []
    for row in try elements(value, "added_tokens") {
      guard case .string(let content)? = row["content"] else {
        throw fault("an added token has no content")
      }
      rows.append(
        AddedTokens.Row(
          content: content, isSpecial: row["special"] == true, stripsLeft: row["lstrip"] == true,
          stripsRight: row["rstrip"] == true, isNormalized: row["normalized"] == true,
          isSingleWord: row["single_word"] == true))
    }
    return rows
  }
}
