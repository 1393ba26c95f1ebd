/// Reads MIL text of both dialects into a syntax tree. It knows the grammar and no op: names, types
/// and shapes are the checker's.
///
/// After a fault it goes on behind the next semicolon, so that one run reports what it can.
public struct Parser {
  /// The tree of a text, or all its syntax faults.
  public static func parse(_ text: String) throws(DiagnosticList) -> SyntaxTree {
    var text = text
    let result = text.withUTF8 { bytes in
      var parser = Parser(bytes)
      return parser.run()
    }
    return try result.get()
  }

  /// Like `parse(_:)`, for bytes that may not be UTF-8.
  public static func parse(utf8 bytes: [UInt8]) throws(DiagnosticList) -> SyntaxTree {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      let place = firstInvalidByte(bytes)
      throw DiagnosticList([
        Diagnostic(
          "the text is not UTF-8 from this byte on; save the file as UTF-8", rule: "syntax",
          at: SourceSpan(start: place, end: place))
      ])
    }
    return try parse(text)
  }

  /// Types and payloads may nest this deep, which fits the smallest stack of a thread (512 KB); real
  /// programs stay under ten.
  static let deepest = 64
  /// How many levels a block counts for: its statements take more of the stack.
  static let blockWeight = 4
  private static let mostFaults = 50

  private var lexer: Lexer
  private(set) var current: Token
  private(set) var following: Token
  /// Where the last taken token ended.
  private(set) var previousEnd: SourceLocation
  private var depth = 0
  private var faults: [Diagnostic] = []
  /// `1.0` or `1.3`, once read; remedies are spelled in it.
  private(set) var version = "1.3"

  private init(_ bytes: UnsafeBufferPointer<UInt8>) {
    lexer = Lexer(bytes)
    current = lexer.next()
    following = lexer.next()
    previousEnd = current.start
  }

  private mutating func run() -> Result<SyntaxTree, DiagnosticList> {
    var tree: SyntaxTree?
    do { tree = try program() } catch { report(error) }
    guard let tree, faults.isEmpty else { return .failure(DiagnosticList(faults)) }
    return .success(tree)
  }

  private mutating func program() throws(Diagnostic) -> SyntaxTree {
    try expectKeyword("program")
    try expect("(")
    version = try take(.number, "a version number, 1.0 or 1.3")
    try expect(")")
    let attributes = current.is("[") ? try self.attributes() : []
    try expect("{")
    var functions: [Function] = []
    while !current.is("}") { functions.append(try function()) }
    try expect("}")
    guard current.kind == .end else { throw unexpected("the end of the text") }
    return SyntaxTree(version: version, attributes: attributes, functions: functions)
  }

  private mutating func function() throws(Diagnostic) -> Function {
    let start = current.start
    try expectKeyword("func")
    let name = try identifier("the function's name")
    try expect("<")
    let opset = try identifier("an opset such as ios18")
    try expect(">")
    let parameters = try self.parameters()
    let attributes = current.is("[") ? try self.attributes() : []
    let body = try block()
    try expect(";")
    return Function(
      name: name, opset: opset, parameters: parameters, attributes: attributes, body: body,
      span: span(from: start))
  }

  /// Takes statements until the arrow; a faulty one is reported and passed.
  mutating func block() throws(Diagnostic) -> Block {
    try enter(Self.blockWeight)
    defer { leave(Self.blockWeight) }
    try expect("{")
    var operations: [Operation] = []
    while !current.is("}") {
      if current.kind == .end { throw unexpected("`}`") }
      do { operations.append(try operation()) } catch {
        report(error)
        if faults.count >= Self.mostFaults { throw error }
        skipStatement()
      }
    }
    try expect("}")
    guard current.kind == .arrow else { throw unexpected("`->` and the values that are returned") }
    advance()
    let results = try list(from: "(", to: ")") { (parser) throws(Diagnostic) in
      let start = parser.current.start
      let name = try parser.identifier("the name of a value")
      return Reference(name: name, span: parser.span(from: start))
    }
    return Block(operations: operations, results: results)
  }

  private mutating func skipStatement() {
    while current.kind != .end, !current.is("}") || following.kind != .arrow {
      let isLast = current.is(";")
      advance()
      if isLast { return }
    }
  }

  private static func firstInvalidByte(_ bytes: [UInt8]) -> SourceLocation {
    var place = SourceLocation(offset: 0, line: 1, column: 1)
    var decoder = Unicode.UTF8.ForwardParser()
    var iterator = bytes.makeIterator()
    while case .valid(let scalar) = decoder.parseScalar(from: &iterator) {
      let isNewline = scalar.first == UInt8(ascii: "\n")
      place.offset += scalar.count
      place.line += isNewline ? 1 : 0
      place.column = isNewline ? 1 : place.column + scalar.count
    }
    return place
  }
}

// MARK: - What the other parts of the grammar are made of

extension Parser {
  mutating func advance() {
    previousEnd = current.end
    current = following
    following = lexer.next()
  }

  func text(of token: Token) -> String { lexer.text(of: token) }
  func content(of token: Token) -> String { lexer.content(of: token) }
  func span(from start: SourceLocation) -> SourceSpan { SourceSpan(start: start, end: previousEnd) }

  /// Keeps a fault without stopping. One without span, or a repeated one, is not possible here.
  mutating func report(_ fault: Diagnostic) {
    if faults.last != fault { faults.append(fault) }
  }

  mutating func enter(_ weight: Int = 1) throws(Diagnostic) {
    depth += weight
    if depth <= Self.deepest { return }
    throw Diagnostic("nested too deep; flatten the text", rule: "syntax", at: current.span)
  }

  mutating func leave(_ weight: Int = 1) { depth -= weight }

  mutating func expect(_ character: Unicode.Scalar) throws(Diagnostic) {
    guard current.is(character) else { throw unexpected("`\(character)`") }
    advance()
  }

  private mutating func expectKeyword(_ word: String) throws(Diagnostic) {
    guard current.kind == .identifier, text(of: current) == word else {
      throw unexpected("`\(word)`")
    }
    advance()
  }

  mutating func take(_ kind: TokenKind, _ expected: String) throws(Diagnostic) -> String {
    guard current.kind == kind else { throw unexpected(expected) }
    let text = text(of: current)
    advance()
    return text
  }

  mutating func identifier(_ expected: String) throws(Diagnostic) -> String {
    try take(.identifier, expected)
  }

  /// Takes `open item, item, … close`; no item is allowed.
  mutating func list<Item>(
    from open: Unicode.Scalar, to close: Unicode.Scalar,
    _ item: (inout Parser) throws(Diagnostic) -> Item
  ) throws(Diagnostic) -> [Item] {
    try expect(open)
    var items: [Item] = []
    while !current.is(close) {
      items.append(try item(&self))
      try separator(before: close)
    }
    advance()
    return items
  }

  /// Takes the comma between two items; nothing before `close`.
  mutating func separator(before close: Unicode.Scalar) throws(Diagnostic) {
    guard current.is(",") else {
      if current.is(close) { return }
      throw unexpected("`,` or `\(close)`")
    }
    advance()
    if current.is(close) { throw unexpected("another item after the comma") }
  }

  func unexpected(_ expected: String) -> Diagnostic {
    Diagnostic("expected \(expected), but \(cameText)", rule: "syntax", at: current.span)
  }

  private var cameText: String {
    switch current.kind {
    case .invalid(let fault): return fault.message
    case .end: return "the text ends here"
    default:
      let text = text(of: current)
      let longest = 40
      return "`\(text.utf8.count > longest ? text.prefix(longest) + "…" : text[...])` came"
    }
  }
}
