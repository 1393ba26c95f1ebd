/// The JSON files beside a tokenizer: special tokens, begin and end, chat template. It knows no vocabulary.
struct TokenizerSettings: Sendable {
  /// A token that texts are searched for before they are taken apart.
  struct Added: Sendable {
    let content: String
    var isSpecial = true
    /// It takes the white space before it, or behind it, with it.
    var stripsLeft = false
    var stripsRight = false
    /// It is searched for in the text as the normalizer leaves it.
    var isNormalized = false
    /// It stands alone: no letter or digit touches it.
    var isSingleWord = false
  }

  let directory: String
  let config: JSONValue
  private let map: JSONValue
  /// `nil`: as the vocabulary has it.
  let addsBegin: Bool?
  /// In Jinja.
  let chatTemplate: String?
  /// Texts of special tokens by what the files call them: bos_token, eos_token and others; in the files' order.
  let special: [(name: String, text: String)]

  private static let bytesMax = 64 << 20

  init(directory: String) throws(OrionError) {
    self.directory = directory
    config = try Self.read(directory + "/tokenizer_config.json")
    map = try Self.read(directory + "/special_tokens_map.json")
    addsBegin = try Self.boolean("add_bos_token", config, directory)
    chatTemplate = try Self.chatTemplate(directory, config)
    var found: [(name: String, text: String)] = []
    for name in Self.names(config) + Self.names(map)
    where name.utf8.suffix(6).elementsEqual("_token".utf8) {
      if found.contains(where: { $0.name == name }) { continue }
      if let text = Self.text(name, config) ?? Self.text(name, map) { found.append((name, text)) }
    }
    special = found
  }

  func boolean(_ name: String) throws(OrionError) -> Bool? {
    try Self.boolean(name, config, directory)
  }

  /// The text of a special token, `bos_token` for instance.
  func text(_ name: String) -> String? { special.first { $0.name == name }?.text }

  /// Tokens by id, beside those of the vocabulary's own file.
  func added() throws(OrionError) -> [Int: Added] {
    var found: [Int: Added] = [:]
    let texts = Set(special.map { Array($0.text.utf8) })
    for member in Self.members(try Self.read(directory + "/added_tokens.json")) {
      let id = try id(member.value, "added_tokens.json", member.name)
      found[id] = Added(content: member.name, isSpecial: texts.contains(Array(member.name.utf8)))
    }
    for row in Self.members(config["added_tokens_decoder"] ?? .null) {
      let id = try id(.string(row.name), "tokenizer_config.json", "added_tokens_decoder")
      guard case .string(let content)? = row.value["content"] else {
        throw fault("tokenizer_config.json", "added_tokens_decoder \(row.name) has no content")
      }
      found[id] = Added(
        content: content, isSpecial: row.value["special"] == true,
        stripsLeft: row.value["lstrip"] == true, stripsRight: row.value["rstrip"] == true,
        isNormalized: row.value["normalized"] == true,
        isSingleWord: row.value["single_word"] == true)
    }
    return found
  }

  /// The model's begin token and its end tokens, as far as they stand as ids.
  func marks() throws(OrionError) -> (begin: Int?, ends: [Int]) {
    let manifest = try Self.read(directory + "/manifest.json")
    if !Self.members(manifest).isEmpty {
      return (Self.ids(manifest["begin_token"]).first, Self.ids(manifest["end_tokens"]))
    }
    var begin: Int?
    var ends: [Int] = []
    for name in ["generation_config.json", "config.json"] {
      let content = try Self.read(directory + "/" + name)
      begin = begin ?? Self.ids(content["bos_token_id"]).first
      ends += Self.ids(content["eos_token_id"])
    }
    return (begin, Self.unique(ends))
  }

  static func unique(_ ids: [Int]) -> [Int] {
    var seen: Set<Int> = []
    return ids.filter { seen.insert($0).inserted }
  }

  /// One id, or several, or none.
  private static func ids(_ value: JSONValue?) -> [Int] {
    switch value {
    case .integer(let id): id >= 0 ? [Int(id)] : []
    case .array(let values): unique(values.flatMap { ids($0) })
    default: []
    }
  }

  private func id(_ value: JSONValue, _ file: String, _ what: String) throws(OrionError) -> Int {
    let found: Int? =
      switch value {
      case .integer(let id): Int(id)
      case .string(let text): Int(text)
      default: nil
      }
    guard let found, (0..<1 << 31).contains(found) else {
      throw fault(file, "\(what): \(value.text) is no token id")
    }
    return found
  }

  private func fault(_ file: String, _ what: String) -> OrionError {
    OrionError(.file, "\(directory)/\(file): \(what); use the file that the model came with")
  }

  private static func boolean(_ name: String, _ config: JSONValue, _ directory: String)
    throws(OrionError) -> Bool?
  {
    switch config[name] {
    case .bool(let value): return value
    case nil, .null: return nil
    case let value?:
      throw OrionError(
        .file,
        "\(directory)/tokenizer_config.json: \(name) is \(value.text), expected true, false or null"
      )
    }
  }

  private static func text(_ name: String, _ content: JSONValue) -> String? {
    var value = content[name]
    if let inner = value?["content"] { value = inner }
    guard case .string(let text) = value, !text.isEmpty else { return nil }
    return text
  }

  private static func chatTemplate(_ directory: String, _ config: JSONValue) throws(OrionError)
    -> String?
  {
    let path = directory + "/chat_template.jinja"
    if FileSystem.isFile(path) {
      guard let text = String(validating: try FileBytes.read(path, atMost: bytesMax), as: UTF8.self)
      else { throw OrionError(.file, "\(path): is no UTF-8 text") }
      return text
    }
    for content in [try read(directory + "/chat_template.json"), config] {
      var value = content["chat_template"]
      if case .array(let rows) = value {
        value = rows.last { $0["name"] == "default" }?["template"]
      }
      if case .string(let text) = value { return text }
    }
    return nil
  }

  private static func names(_ value: JSONValue) -> [String] { members(value).map(\.name) }

  static func members(_ value: JSONValue) -> [JSONMember] {
    if case .object(let members) = value { return members }
    return []
  }

  /// The object of a JSON file; a file that is absent holds nothing.
  static func read(_ path: String) throws(OrionError) -> JSONValue {
    guard FileSystem.isFile(path) else { return .object([]) }
    let value = try readJSON(path)
    guard case .object = value else {
      throw OrionError(.file, "\(path): expected a JSON object, found \(value.kind)")
    }
    return value
  }

  static func readJSON(_ path: String, atMost most: Int = bytesMax) throws(OrionError) -> JSONValue
  {
    do {
      return try JSONReader.read(try FileBytes.read(path, atMost: most))
    } catch let error as JSONError {
      throw OrionError(
        .file, "\(path):\(error.line):\(error.column): is no JSON: \(error.message)")
    } catch let error as OrionError {
      throw error
    } catch {
      throw OrionError(.internal, "\(path): \(error)")
    }
  }
}
