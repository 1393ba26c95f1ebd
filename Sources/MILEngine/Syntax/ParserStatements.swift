/// The part of the grammar that reads statements and their arguments.

extension Parser {
  mutating func operation() throws(Diagnostic) -> Operation {
    let start = current.start
    if current.kind == .identifier, following.kind == .identifier, !isAtType {
      throw unexpected("a type such as tensor<fp16, [1, 64, 1, 32]>")
    }
    let outputs = isAtType ? try bindings() : []
    if !outputs.isEmpty { try expect("=") }
    let opStart = current.start
    let op = try identifier("the name of an op")
    let opSpan = span(from: opStart)
    var version: String?
    if current.is("<") {
      advance()
      version = try identifier("an opset such as ios17")
      try expect(">")
    }
    let arguments = try keywords("(", ")")
    let attributes = current.is("[") ? try self.attributes() : []
    var nested: [NestedBlock] = []
    while current.kind == .identifier, following.is("(") || following.is("{") {
      nested.append(try nestedBlock())
    }
    try expect(";")
    return Operation(
      outputs: outputs, op: op, version: version, arguments: arguments, attributes: attributes,
      nested: nested, span: span(from: start), opSpan: opSpan)
  }

  mutating func parameters() throws(Diagnostic) -> [Binding] {
    try list(from: "(", to: ")") { (parser) throws(Diagnostic) in try parser.binding() }
  }

  mutating func attributes() throws(Diagnostic) -> [Argument] { try keywords("[", "]") }

  private mutating func bindings() throws(Diagnostic) -> [Binding] {
    var bindings = [try binding()]
    while current.is(",") {
      advance()
      bindings.append(try binding())
    }
    return bindings
  }

  private mutating func binding() throws(Diagnostic) -> Binding {
    let start = current.start
    let type = try type()
    let name = try identifier("the name of the value")
    return Binding(type: type, name: name, span: span(from: start))
  }

  /// A block inside a statement: `name(parameters) { … } -> (…)`.
  private mutating func nestedBlock() throws(Diagnostic) -> NestedBlock {
    let name = try identifier("the name of a block")
    let parameters = current.is("(") ? try self.parameters() : []
    return NestedBlock(name: name, parameters: parameters, body: try block())
  }

  private mutating func keywords(
    _ open: Unicode.Scalar, _ close: Unicode.Scalar
  ) throws(Diagnostic) -> [Argument] {
    try list(from: open, to: close) { (parser) throws(Diagnostic) in
      let start = parser.current.start
      let name = try parser.identifier("the name of an argument")
      try parser.expect("=")
      let value = try parser.argumentValue(of: name)
      return Argument(name: name, value: value, span: parser.span(from: start))
    }
  }

  private mutating func argumentValue(of name: String) throws(Diagnostic) -> ArgumentValue {
    guard current.is("(") else { return try member(of: name) }
    return .list(
      try list(from: "(", to: ")") { (parser) throws(Diagnostic) in try parser.member(of: name) })
  }

  /// One reference or literal. A literal without a type is reported and passed.
  private mutating func member(of name: String) throws(Diagnostic) -> ArgumentValue {
    if isAtType { return .literal(try literal()) }
    let start = current.start
    if current.kind == .identifier, !isAtBareWord {
      let reference = text(of: current)
      advance()
      return .reference(Reference(name: reference, span: span(from: start)))
    }
    let expected = "the name of a value or a typed literal such as `\(spelled(.int32, "1"))`"
    if current.is("(") { throw unexpected(expected) }
    let written = current
    guard let bare = try? payload() else { throw unexpected(expected) }
    let place = span(from: start)
    report(
      Diagnostic(
        "`\(name)` is given a literal without a type; write"
          + " `\(name) = \(typed(bare, text(of: written)))`", rule: "syntax", at: place))
    return .literal(Literal(type: .tensor(.int32, []), payload: bare, span: place))
  }

  private var isAtBareWord: Bool {
    ["true", "false", "inf", "nan"].contains(text(of: current))
  }

  /// How a bare payload is written with a type; `text` is its first token.
  private func typed(_ payload: Payload, _ text: String) -> String {
    switch payload {
    case .string: return spelled(.string, text)
    case .bool: return spelled(.bool, text)
    case .number(let number):
      let isInteger = NumberText(number)?.isInteger ?? false
      return spelled(isInteger ? .int32 : .fp16, number)
    case .list(let members): return "tensor<int32, [\(members.count)]>([…])"
    default: return "type(…)"
    }
  }

  private func spelled(_ dtype: DType, _ text: String) -> String {
    "\(MILType.tensor(dtype, []).text(version: version))(\(text))"
  }
}
