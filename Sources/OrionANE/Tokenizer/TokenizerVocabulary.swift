/// The vocabulary in a tokenizer.json: pieces with their ids, and pairs to join or scores.
extension TokenizerJSON {
  func pieces(_ model: JSONValue) throws(OrionError) -> HuggingFaceTokenizer.Pieces {
    // Old files do not name the kind.
    let kind = model["type"] ?? (model["merges"] == nil ? .null : "BPE")
    switch kind {
    case "BPE": return .pairs(try pairs(model))
    case "Unigram": return try unigram(model)
    default: throw unknown("model", kind.text, "BPE, Unigram")
    }
  }

  func table(_ value: JSONValue?) throws(OrionError) -> PieceTable {
    guard case .object(let members)? = value else { throw fault("its vocabulary is no object") }
    var table = PieceTable(capacity: members.count)
    for member in members {
      guard case .integer(let id) = member.value, (0..<1 << 31).contains(id) else {
        throw fault("\(JSONValue(member.name).text) has the id \(member.value.text)")
      }
      table.insert(Array(member.name.utf8), id: Int(id))
    }
    return table
  }

  private func pairs(_ model: JSONValue) throws(OrionError) -> BytePairs {
    for name in ["continuing_subword_prefix", "end_of_word_suffix", "dropout"] {
      guard let value = model[name], value != .null, value != "", value != 0 else { continue }
      throw fault("\(name) is \(value.text), expected none")
    }
    let table = try table(model["vocab"])
    var unknown = BytePairs.Unknown()
    unknown.isFused = model["fuse_unk"] == true
    unknown.fallsBackToBytes = model["byte_fallback"] == true
    if let piece = model["unk_token"], piece != .null {
      unknown.id = table.id(of: try string(piece, "unk_token"))
    }
    var pairs: [(left: [UInt8], right: [UInt8])] = []
    for row in try elements(model["merges"], "merges") { pairs.append(try pair(row)) }
    return try bytePairs(table, pairs, unknown, model["ignore_merges"] == true)
  }

  private func pair(_ row: JSONValue) throws(OrionError) -> (left: [UInt8], right: [UInt8]) {
    switch row {
    case .array(let parts) where parts.count == 2:
      return (try string(parts[0], "a merge"), try string(parts[1], "a merge"))
    case .string(let text):
      if let pair = Self.pair(Array(text.utf8)) { return pair }
    default: break
    }
    throw fault("the merge \(row.text) is no pair")
  }

  static func pair(_ line: [UInt8]) -> (left: [UInt8], right: [UInt8])? {
    let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
    return parts.count == 2 ? (Array(parts[0]), Array(parts[1])) : nil
  }

  func bytePairs(
    _ table: PieceTable, _ pairs: [(left: [UInt8], right: [UInt8])],
    _ unknown: BytePairs.Unknown, _ takesWholeWords: Bool
  ) throws(OrionError) -> BytePairs {
    do throws(BytePairs.UnknownPair) {
      return try BytePairs(
        pieces: table, pairs: pairs, unknown: unknown, takesWholeWords: takesWholeWords)
    } catch {
      throw fault("the merge \(JSONValue(error.text).text) joins what the vocabulary does not hold")
    }
  }

  private func unigram(_ model: JSONValue) throws(OrionError) -> HuggingFaceTokenizer.Pieces {
    let vocabulary = try elements(model["vocab"], "vocab")
    var table = PieceTable(capacity: vocabulary.count)
    var scores: [Double] = []
    for (id, row) in vocabulary.enumerated() {
      guard case .array(let pair) = row, pair.count == 2, let score = pair[1].double else {
        throw fault("piece \(id) is no pair of a text and a score")
      }
      table.insert(try string(pair[0], "piece \(id)"), id: id)
      scores.append(score)
    }
    var unknown: Int?
    if case .integer(let id)? = model["unk_id"], scores.indices.contains(Int(id)) {
      unknown = Int(id)
    }
    var unigram = UnigramPieces(
      unknown: .init(id: unknown ?? -1, score: (scores.min() ?? 0) - 10), precision: .double)
    for (piece, id) in table.all { unigram.insert(piece, .init(id: id, score: scores[id])) }
    return .unigram(
      unigram, table, unknown: unknown, fallsBackToBytes: model["byte_fallback"] == true)
  }
}

extension JSONValue {
  fileprivate var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
}
