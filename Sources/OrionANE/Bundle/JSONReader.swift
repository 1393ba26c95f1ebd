/// Reads one JSON text, strictly by RFC 8259, and says line and column of the first fault.

/// Why a text is not JSON. Lines and columns count from 1; columns count bytes.
struct JSONError: Error, Sendable, Hashable {
  let message: String
  let line: Int
  let column: Int
}

/// A name as its bytes: two spellings of one character are two names, as in a vocabulary.
private struct ExactName: Hashable {
  let text: String
  static func == (one: ExactName, other: ExactName) -> Bool {
    one.text.utf8.elementsEqual(other.text.utf8)
  }
  func hash(into hasher: inout Hasher) {
    for byte in text.utf8 { hasher.combine(byte) }
  }
}

struct JSONReader {
  /// Arrays and objects inside one another; deeper texts are refused before the stack is in danger.
  static let depthMax = 128

  private let bytes: [UInt8]
  private var index = 0
  private var depth = 0

  /// The value that `bytes` hold, and nothing but white space around it.
  static func read(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
    var reader = JSONReader(bytes: bytes)
    reader.skipSpace()
    let value = try reader.value()
    reader.skipSpace()
    guard reader.index == bytes.count else {
      throw reader.fault("expected the end of the text, got \(reader.found)")
    }
    return value
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private mutating func value() throws(JSONError) -> JSONValue {
    switch peek {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "-"): return try number()
    case let byte where isDigit(byte): return try number()
    default: throw fault("expected a value, got \(found)")
    }
  }

  private mutating func object() throws(JSONError) -> JSONValue {
    try enter()
    var members: [JSONMember] = []
    var names: Set<ExactName> = []
    index += 1
    skipSpace()
    while peek != UInt8(ascii: "}") {
      if !members.isEmpty {
        try expect(UInt8(ascii: ","), "\",\" or \"}\"")
        skipSpace()
      }
      let start = index
      guard peek == UInt8(ascii: "\"") else {
        throw fault("expected a member name in quotes, got \(found)")
      }
      let name = try string()
      guard names.insert(ExactName(text: name)).inserted else {
        throw fault("the member \"\(name)\" appears twice in one object", at: start)
      }
      skipSpace()
      try expect(UInt8(ascii: ":"), "\":\"")
      skipSpace()
      members.append(JSONMember(name, try value()))
      skipSpace()
    }
    index += 1
    depth -= 1
    return .object(members)
  }

  private mutating func array() throws(JSONError) -> JSONValue {
    try enter()
    var elements: [JSONValue] = []
    index += 1
    skipSpace()
    while peek != UInt8(ascii: "]") {
      if !elements.isEmpty {
        try expect(UInt8(ascii: ","), "\",\" or \"]\"")
        skipSpace()
      }
      elements.append(try value())
      skipSpace()
    }
    index += 1
    depth -= 1
    return .array(elements)
  }

  private mutating func enter() throws(JSONError) {
    depth += 1
    guard depth <= JSONReader.depthMax else {
      throw fault("arrays and objects are nested deeper than \(JSONReader.depthMax)")
    }
  }

  private mutating func word(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
    guard bytes[index...].starts(with: word.utf8) else {
      throw fault("expected a value, got a word that is not true, false or null")
    }
    index += word.utf8.count
    return value
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = index
    var isInteger = true
    if peek == UInt8(ascii: "-") { index += 1 }
    if peek == UInt8(ascii: "0") {
      index += 1
      if isDigit(peek) { throw fault("a number does not start with 0", at: start) }
    } else {
      try digits()
    }
    if peek == UInt8(ascii: ".") {
      isInteger = false
      index += 1
      try digits()
    }
    if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
      isInteger = false
      index += 1
      if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { index += 1 }
      try digits()
    }
    let text = String(decoding: bytes[start..<index], as: UTF8.self)
    if isInteger, text != "-0", let integer = Int64(text) { return .integer(integer) }
    guard let number = Double(text), number.isFinite else {
      throw fault("the number \(text) is outside the range of a double", at: start)
    }
    return .number(number)
  }

  private mutating func digits() throws(JSONError) {
    guard isDigit(peek) else { throw fault("expected a digit, got \(found)") }
    while isDigit(peek) { index += 1 }
  }

  private mutating func string() throws(JSONError) -> String {
    let start = index
    var text: [UInt8] = []
    index += 1
    while let byte = peek, byte != UInt8(ascii: "\"") {
      if byte < 0x20 { throw fault("a control character in a string must be escaped") }
      index += 1
      if byte == UInt8(ascii: "\\") {
        try escape(into: &text)
      } else {
        text.append(byte)
      }
    }
    guard peek != nil else { throw fault("the string that starts here does not end", at: start) }
    index += 1
    guard let result = String(validating: text, as: UTF8.self) else {
      throw fault("the string that starts here is not UTF-8", at: start)
    }
    return result
  }

  private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
    let start = index - 1
    let letter = peek
    index += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter ?? 0)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var code = try hexadecimal(start)
      if (0xD800..<0xDC00).contains(code), bytes[index...].starts(with: "\\u".utf8) {
        index += 2
        let low = try hexadecimal(start)
        guard (0xDC00..<0xE000).contains(low) else { throw loneSurrogate(start) }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw loneSurrogate(start) }
      text.append(contentsOf: String(Character(scalar)).utf8)
    default: throw fault("expected an escape: one of \"\\/bfnrt, or uXXXX", at: start)
    }
  }

  private func loneSurrogate(_ start: Int) -> JSONError {
    fault("half of a surrogate pair stands alone", at: start)
  }

  private mutating func hexadecimal(_ start: Int) throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80
      else { throw fault("\\u needs four hexadecimal digits", at: start) }
      code = code << 4 | UInt32(digit)
      index += 1
    }
    return code
  }

  // MARK: - Bytes and places

  private var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

  private func isDigit(_ byte: UInt8?) -> Bool {
    byte.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
  }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      index += 1
    }
  }

  private mutating func expect(_ byte: UInt8, _ what: String) throws(JSONError) {
    guard peek == byte else { throw fault("expected \(what), got \(found)") }
    index += 1
  }

  private var found: String {
    guard let byte = peek else { return "the end of the text" }
    guard (0x21..<0x7F).contains(byte) else {
      return "the byte 0x" + String(byte, radix: 16, uppercase: true)
    }
    return "\"" + String(decoding: [byte], as: UTF8.self) + "\""
  }

  private func fault(_ message: String, at place: Int? = nil) -> JSONError {
    let place = min(place ?? index, bytes.count)
    var line = 1
    var lineStart = 0
    for position in 0..<place where bytes[position] == 0x0A {
      line += 1
      lineStart = position + 1
    }
    return JSONError(message: message, line: line, column: place - lineStart + 1)
  }
}
