/// Writes a syntax tree as MIL text, laid out as Apple's compiler lays it out. It changes nothing: the
/// order of functions, inputs and arguments is the tree's.

extension SyntaxTree {
  /// Text that parses back to this tree, spans apart.
  public func text() -> String {
    var printer = Printer(version: version)
    printer.program(self)
    return printer.text
  }
}

extension MILType {
  /// The type as dialect `version` writes it: in 1.0 a scalar is `tensor<int32, []>`, later `int32`.
  public func text(version: String) -> String {
    var printer = Printer(version: version)
    printer.type(self)
    return printer.text
  }
}

extension Literal {
  /// The literal as dialect `version` writes it.
  func text(version: String) -> String {
    var printer = Printer(version: version)
    printer.literal(self)
    return printer.text
  }
}

extension TensorType {
  /// The type as dialect `version` writes it.
  func text(version: String) -> String {
    MILType.tensor(dtype, shape.map { .fixed($0) }).text(version: version)
  }
}

private struct Printer {
  private(set) var text = ""
  private let longScalars: Bool
  private let version: String

  init(version: String) {
    self.version = version
    longScalars = version == "1.0"
  }

  mutating func program(_ tree: SyntaxTree) {
    text += "program(\(version))\n"
    if !tree.attributes.isEmpty {
      attributes(tree.attributes)
      text += "\n"
    }
    text += "{\n"
    for function in tree.functions {
      text += "    func \(function.name)<\(function.opset)>("
      separated(function.parameters) { $0.binding($1) }
      text += ") "
      if !function.attributes.isEmpty {
        attributes(function.attributes)
        text += " "
      }
      block(function.body, indent: "        ")
      text += ";\n"
    }
    text += "}"
  }

  private mutating func block(_ block: Block, indent: String) {
    text += "{\n"
    for operation in block.operations { self.operation(operation, indent: indent + "    ") }
    text += indent + "} -> ("
    separated(block.results) { $0.text += $1.name }
    text += ")"
  }

  private mutating func operation(_ operation: Operation, indent: String) {
    text += indent
    separated(operation.outputs) { $0.binding($1) }
    if !operation.outputs.isEmpty { text += " = " }
    text += operation.op
    if let version = operation.version { text += "<\(version)>" }
    text += "("
    separated(operation.arguments) { $0.keyword($1) }
    text += ")"
    if !operation.attributes.isEmpty { attributes(operation.attributes) }
    for nested in operation.nested {
      text += " \(nested.name)("
      separated(nested.parameters) { $0.binding($1) }
      text += ") "
      block(nested.body, indent: indent)
    }
    text += ";\n"
  }

  private mutating func attributes(_ attributes: [Argument]) {
    text += "["
    separated(attributes) { $0.keyword($1) }
    text += "]"
  }

  private mutating func keyword(_ argument: Argument) {
    text += argument.name + " = "
    value(argument.value)
  }

  private mutating func value(_ value: ArgumentValue) {
    switch value {
    case .reference(let reference): text += reference.name
    case .literal(let literal): self.literal(literal)
    case .list(let members):
      text += "("
      separated(members) { $0.value($1) }
      text += ")"
    }
  }

  private mutating func binding(_ binding: Binding) {
    type(binding.type)
    text += " " + binding.name
  }

  mutating func literal(_ literal: Literal) {
    type(literal.type)
    text += "("
    payload(literal.payload)
    text += ")"
  }

  mutating func type(_ type: MILType) {
    switch type {
    case .tensor(let dtype, []) where !longScalars: text += dtype.rawValue
    case .tensor(let dtype, let shape):
      text += "tensor<\(dtype.rawValue), ["
      separated(shape) { $0.text += $1.text }
      text += "]>"
    case .list(let element, let length):
      text += "list<"
      self.type(element)
      text += ", " + (length.map(String.init) ?? "?") + ">"
    case .dict(let key, let value):
      text += "dict<"
      self.type(key)
      text += ", "
      self.type(value)
      text += ">"
    case .tuple(let members):
      text += "tuple<"
      separated(members) { $0.type($1) }
      text += ">"
    case .state(let inner):
      text += "state<"
      self.type(inner)
      text += ">"
    case .buffer(let dtype, let properties):
      text += "tensor_buffer<" + dtype.rawValue
      for property in properties {
        text += ", \(property.name)=["
        separated(property.values) { $0.text += String($1) }
        text += "]"
      }
      text += ">"
    }
  }

  private mutating func payload(_ payload: Payload) {
    switch payload {
    case .number(let number): text += number
    case .bool(let value): text += value ? "true" : "false"
    case .string(let content): string(content)
    case .list(let members):
      text += "["
      separated(members) { $0.payload($1) }
      text += "]"
    case .tuple(let members):
      text += "("
      separated(members) { $0.payload($1) }
      text += ")"
    case .pairs(let pairs):
      text += "{"
      separated(pairs) { printer, pair in
        printer.text += "{"
        printer.separated([pair.key, pair.value]) { $0.payload($1) }
        printer.text += "}"
      }
      text += "}"
    case .blob(let path, let offset):
      text += "BLOBFILE(path = "
      type(.tensor(.string, []))
      text += "("
      string(path)
      text += "), offset = "
      type(.tensor(.uint64, []))
      text += "(\(offset)))"
    }
  }

  private mutating func string(_ content: String) {
    text += "\""
    for scalar in content.unicodeScalars {
      if scalar == "\"" || scalar == "\\" { text += "\\" }
      text.unicodeScalars.append(scalar)
    }
    text += "\""
  }

  private mutating func separated<Item>(_ items: [Item], _ write: (inout Printer, Item) -> Void) {
    var isFirst = true
    for item in items {
      if !isFirst { text += ", " }
      isFirst = false
      write(&self, item)
    }
  }
}

extension Dimension {
  /// A length, or `?`.
  var text: String {
    switch self {
    case .fixed(let length): return String(length)
    case .unknown: return "?"
    }
  }
}
