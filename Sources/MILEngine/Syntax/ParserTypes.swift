/// The part of the grammar that reads types and literals.

extension Parser {
  private static let dtypes: [String: DType] = Dictionary(
    uniqueKeysWithValues: DType.allCases.map { ($0.rawValue, $0) })

  private typealias Constructor = @Sendable (inout Parser) throws(Diagnostic) -> MILType

  /// The types that are written with `<…>`.
  private static let constructors: [String: Constructor] = [
    "tensor": { (parser) throws(Diagnostic) in try parser.tensorType() },
    "list": { (parser) throws(Diagnostic) in try parser.listType() },
    "dict": { (parser) throws(Diagnostic) in try parser.dictType() },
    "tuple": { (parser) throws(Diagnostic) in try parser.tupleType() },
    "state": { (parser) throws(Diagnostic) in .state(try parser.type()) },
    "tensor_buffer": { (parser) throws(Diagnostic) in try parser.bufferType() },
  ]

  /// Whether a type starts here: a constructor before `<`, or an element type before what may follow it.
  var isAtType: Bool {
    guard current.kind == .identifier else { return false }
    let word = text(of: current)
    if Self.constructors[word] != nil { return following.is("<") }
    return Self.dtypes[word] != nil && (following.is("(") || following.kind == .identifier)
  }

  mutating func type() throws(Diagnostic) -> MILType {
    try enter()
    defer { leave() }
    guard current.kind == .identifier else { throw unexpected("a type") }
    let word = text(of: current)
    if let constructor = Self.constructors[word] {
      advance()
      try expect("<")
      let type = try constructor(&self)
      try expect(">")
      return type
    }
    return .tensor(try elementType(), [])
  }

  private mutating func elementType() throws(Diagnostic) -> DType {
    guard current.kind == .identifier, let dtype = Self.dtypes[text(of: current)] else {
      throw unexpected("an element type such as fp16")
    }
    advance()
    return dtype
  }

  private mutating func tensorType() throws(Diagnostic) -> MILType {
    let dtype = try elementType()
    try expect(",")
    let shape = try list(from: "[", to: "]") { (parser) throws(Diagnostic) in
      guard parser.current.is("?") else { return Dimension.fixed(try parser.length()) }
      parser.advance()
      return Dimension.unknown
    }
    return .tensor(dtype, shape)
  }

  private mutating func listType() throws(Diagnostic) -> MILType {
    let element = try type()
    try expect(",")
    guard current.is("?") else { return .list(element, length: try length()) }
    advance()
    return .list(element, length: nil)
  }

  private mutating func dictType() throws(Diagnostic) -> MILType {
    let key = try type()
    try expect(",")
    return .dict(key: key, value: try type())
  }

  private mutating func tupleType() throws(Diagnostic) -> MILType {
    var members = [try type()]
    while current.is(",") {
      advance()
      members.append(try type())
    }
    return .tuple(members)
  }

  private mutating func bufferType() throws(Diagnostic) -> MILType {
    let dtype = try elementType()
    var properties: [BufferProperty] = []
    while current.is(",") {
      advance()
      let name = try identifier("the name of a buffer's property")
      try expect("=")
      let values = try list(from: "[", to: "]") { (parser) throws(Diagnostic) in
        try parser.length()
      }
      properties.append(BufferProperty(name: name, values: values))
    }
    return .buffer(dtype, properties: properties)
  }

  /// A count: not negative, and no larger than an `Int`.
  private mutating func length() throws(Diagnostic) -> Int {
    let place = current.span
    let text = try take(.number, "a length, or `?`")
    guard let value = Int(text), value >= 0 else {
      throw Diagnostic(
        "a length is a whole number from 0 to \(Int.max), but `\(text)` came", rule: "syntax",
        at: place)
    }
    return value
  }

  /// `type(payload)`
  mutating func literal() throws(Diagnostic) -> Literal {
    let start = current.start
    let type = try type()
    try expect("(")
    let isBlob = current.kind == .identifier && text(of: current) == "BLOBFILE"
    let payload = isBlob ? try blob() : try payload()
    try expect(")")
    return Literal(type: type, payload: payload, span: span(from: start))
  }

  mutating func payload() throws(Diagnostic) -> Payload {
    switch current.kind {
    case .number: return .number(try take(.number, "a number"))
    case .string:
      let content = content(of: current)
      advance()
      return .string(content)
    case .identifier: return try word()
    case .punctuation(UInt8(ascii: "[")): return .list(try payloads(to: "]"))
    case .punctuation(UInt8(ascii: "(")): return .tuple(try payloads(to: ")"))
    case .punctuation(UInt8(ascii: "{")): return .pairs(try pairs())
    default: throw unexpected("a value")
    }
  }

  /// Takes the bracket at hand and all up to `close`. Without closures, for the sake of the stack: this
  /// is what hostile texts nest.
  private mutating func payloads(to close: Unicode.Scalar) throws(Diagnostic) -> [Payload] {
    try enter()
    defer { leave() }
    advance()
    var members: [Payload] = []
    while !current.is(close) {
      members.append(try payload())
      try separator(before: close)
    }
    advance()
    return members
  }

  private mutating func pairs() throws(Diagnostic) -> [PayloadPair] {
    try enter()
    defer { leave() }
    advance()
    var pairs: [PayloadPair] = []
    while !current.is("}") {
      try expect("{")
      let key = try payload()
      try expect(",")
      let value = try payload()
      try expect("}")
      pairs.append(PayloadPair(key: key, value: value))
      try separator(before: "}")
    }
    advance()
    return pairs
  }

  private mutating func word() throws(Diagnostic) -> Payload {
    let payload: Payload
    switch text(of: current) {
    case "true": payload = .bool(true)
    case "false": payload = .bool(false)
    case "inf": payload = .number("inf")
    case "nan": payload = .number("nan")
    default: throw unexpected("a number, a string, `true` or `false`")
    }
    advance()
    return payload
  }

  /// `BLOBFILE(path = string("@model_path/w.bin"), offset = uint64(64))`
  private mutating func blob() throws(Diagnostic) -> Payload {
    let start = current.start
    advance()
    let properties = try list(from: "(", to: ")") { (parser) throws(Diagnostic) in
      let name = try parser.identifier("`path` or `offset`")
      try parser.expect("=")
      return (name: name, value: try parser.literal())
    }
    var path: String?
    var offset: UInt64?
    for property in properties {
      switch (property.name, property.value.payload) {
      case ("path", .string(let text)): path = text
      case ("offset", .number(let text)): offset = UInt64(text)
      default: break
      }
    }
    guard properties.count == 2, let path, let offset else {
      throw Diagnostic(
        "expected BLOBFILE(path = string(\"@model_path/…\"), offset = uint64(64)), with an offset"
          + " under 2^64; other properties or values came", rule: "syntax", at: span(from: start))
    }
    return .blob(path: path, offset: offset)
  }
}
